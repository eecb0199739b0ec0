"""What every importer yields: one row for each server a ledger names, and remarks about what it says.

The seam between sources and inventory: a file, a hypervisor and a cloud end in the same rows, and `merge` knows no source.
"""

from dataclasses import dataclass

from controlplane.model.estate import LedgerValue
from controlplane.model.finding import Finding, Severity

_SHOWN = 60
"""Characters of a cell that are worth repeating."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One server as one ledger states it; what the ledger does not state is absent.

    `name` is a host name or what serves as one, `other_names` (a label, a number) serve where it makes no id. `system` and
    `ministry` are as the ledger writes them. `cell` is where the name stands, `system_cell` and `ministry_cell` where those
    do (empty: with the name). `values` are facts of the catalogue, `kind`
    among them.
    """

    name: str
    file: str
    cell: str
    other_names: tuple[str, ...] = ()
    system: str = ""
    ministry: str = ""
    system_cell: str = ""
    ministry_cell: str = ""
    values: tuple[LedgerValue, ...] = ()

    @property
    def where(self) -> str:
        """`file:cell` of the name."""
        return self.at(self.cell)

    def at(self, cell: str) -> str:
        """`file:cell` of one of its cells."""
        return f"{self.file}:{cell or self.cell}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something to know about a cell, a row or a file.

    Critical: a row or more is not imported. Warning: a value is not imported. Information: how something was read.
    `column` is the same for cells of one column, so that a thousand remarks of one kind can be shown as one.
    """

    severity: Severity
    where: str
    why: str
    text: str = ""
    remedy: str = ""
    column: str = ""

    def finding(self) -> Finding:
        """As a finding: `file:sheet!cell: value: why, what to do`."""
        what = f"{shown(self.text)}: {self.why}" if self.text else self.why
        return Finding(severity=self.severity, where=self.where, what=what, remedy=self.remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All that one source says: its rows in their order, the remarks, and the name under which its values are kept.

    `sha256` is that of the file that was read; empty for what is no file.
    """

    name: str
    rows: tuple[LedgerRow, ...]
    remarks: tuple[Remark, ...]
    sha256: str = ""


def shown(text: str) -> str:
    """A value in quotes, cut when long, without control characters."""
    plain = "".join(part if part.isprintable() else " " for part in text)
    return repr(plain if len(plain) <= _SHOWN else f"{plain[:_SHOWN]}…")
