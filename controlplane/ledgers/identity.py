"""Which id a server of a ledger has: its host name's first label, folded; what a map says goes first."""

import re
from dataclasses import dataclass

from controlplane.inventory.values import is_id
from controlplane.ledgers.mapping import LedgerMap
from controlplane.ledgers.rows import LedgerRow, shown

_FOLDED = re.compile(r"[\s_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The id, None when no name makes one; `note` where it is not simply the name."""

    id: str | None
    note: str = ""


def id_of(row: LedgerRow, mapping: LedgerMap) -> Identity:
    """The id of a row's server. The same row has the same id in every file, whatever else stands there."""
    names = (row.name, *row.other_names)
    for name in names:
        if name in mapping.ids:
            return Identity(id=mapping.ids[name])
    for name in names:
        folded = _FOLDED.sub("-", name.lower()).strip("-")
        short, dot, rest = folded.partition(".")
        if dot and not rest.replace(".", "").isdecimal() and is_id(short) and not short.isdecimal():
            folded = short
        found = mapping.id_prefix + folded
        if is_id(found) and not found.isdecimal():
            if name == row.name and found == name.lower():
                return Identity(id=found)
            return Identity(
                id=found, note=f"is server {found}" + (f", by its other name {shown(name)}" if name != row.name else "")
            )
    return Identity(id=None)
