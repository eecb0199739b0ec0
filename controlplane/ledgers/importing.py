"""One import, from a ledger to the files of an inventory: prepared first and shown, written when it is wanted.

The only part of `ledgers` that reads an inventory and writes to one.
"""

from dataclasses import dataclass
from pathlib import Path

from controlplane.errors import ExitCode, KasumiError
from controlplane.inventory.complaints import suggestion
from controlplane.inventory.entries import Entries
from controlplane.inventory.reading import collector_paused, read_without
from controlplane.ledgers.generated import files_of, path_of, read_hosts, render, write
from controlplane.ledgers.mapping import LedgerMap
from controlplane.ledgers.merge import Merge, merge
from controlplane.ledgers.rows import Ledger, Remark
from controlplane.model.finding import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An import that is ready: what it changes, all remarks, and the files as they would be."""

    estate: str
    ministry: str
    directory: Path
    merge: Merge
    remarks: tuple[Remark, ...]
    texts: tuple[str, ...]
    differs: bool
    """True when a file would be written."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that hold the ministry's servers afterwards."""
        return tuple(path_of(self.directory, self.ministry, number + 1) for number in range(len(self.texts)))

    @property
    def refused_rows(self) -> int:
        """Rows, or whole parts of the file, that are not imported."""
        return sum(remark.severity is Severity.CRITICAL for remark in self.remarks)

    def carry_out(self) -> None:
        """Write the files; nothing happens when nothing differs."""
        if self.differs:
            try:
                write(self.directory, self.ministry, self.texts)
            except OSError as error:
                raise KasumiError(
                    f"inventory {self.directory}: cannot be written: {error.strerror}; files that were replaced are whole, "
                    "the others are as before: import again when it is corrected"
                ) from None


def prepare(ledger: Ledger, directory: Path, *, ministry: str, system: str, mapping: LedgerMap) -> Import:
    """What importing a ledger would do. Raises InventoryError or KasumiError when the inventory cannot take it."""
    if not directory.is_dir():
        raise KasumiError(f"inventory {directory}: is no directory; name an inventory directory with --inventory")
    files = files_of(directory, ministry)
    around = read_without(directory, frozenset(files))
    _check_names(around, ministry, system, mapping)
    with collector_paused():
        present = read_hosts(files, ministry)
        merged = merge(ledger, ministry=ministry, default_system=system, mapping=mapping, around=around, present=present)
        texts = render(merged.hosts, ministry)
    there = tuple(file.read_text(encoding="utf-8") for file in files)
    return Import(
        estate=around.estate[0].model.id if around.estate else "",
        ministry=ministry,
        directory=directory,
        merge=merged,
        remarks=(*ledger.remarks, *merged.remarks),
        texts=texts,
        differs=texts != there,
    )


def _check_names(around: Entries, ministry: str, system: str, mapping: LedgerMap) -> None:
    ministries = tuple(entry.id for entry in around.ministries)
    if ministry not in ministries:
        remedy = suggestion(ministry, ministries, "declare it in the inventory first")
        raise KasumiError(f"import: no ministry {ministry!r} in the inventory; {remedy}", ExitCode.USAGE)
    systems = tuple(entry.id for entry in around.systems if entry.ministry == ministry)
    for wanted, where in [(system, "--system"), *((one, "systems of the map") for one in mapping.systems.values())]:
        if wanted and wanted not in systems:
            remedy = suggestion(wanted, systems, "declare it in the inventory first")
            raise KasumiError(f"import: {where}: ministry {ministry} has no system {wanted!r}; {remedy}", ExitCode.USAGE)
