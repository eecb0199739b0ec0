"""The lines in which an inventory keeps what imported ledgers say of a server: a JSON list for each value.

`["D7", "memory.total_mib", 16384, "16ＧＢ"]`: cell, field, value and, where reading took interpretation, the cell's text. One
YAML scalar holds all lines of one ledger, since a node for each value would make reading large inventories three times slower.
"""

import json
from collections.abc import Iterable

from controlplane.model.estate import LedgerValue
from controlplane.model.facts import CATALOGUE

_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


class LedgerLineError(ValueError):
    """Lines that no import wrote; `str(error)` says what is wrong."""


def write_lines(values: Iterable[LedgerValue]) -> tuple[str, ...]:
    """One line for each value, in their order; the file's name is not in them."""
    return tuple(
        _ENCODE([said.cell, said.field, said.value, said.text] if said.text else [said.cell, said.field, said.value])
        for said in values
    )


def read_lines(file: str, lines: object) -> tuple[LedgerValue, ...]:
    """The values of the lines of one ledger. Raises LedgerLineError."""
    if not isinstance(lines, str):
        raise LedgerLineError("wanted lines of text")
    return tuple(_value(file, line) for line in lines.splitlines() if line.strip())


def _value(file: str, line: str) -> LedgerValue:
    try:
        parts = json.loads(line)
    except (ValueError, RecursionError):
        raise LedgerLineError(f"line {line[:60]!r} is not a JSON list") from None
    match parts:
        case [str(cell), str(name), value, *rest] if len(rest) <= 1 and all(isinstance(text, str) for text in rest):
            if name not in CATALOGUE:
                raise LedgerLineError(f"no field {name!r}")
            return LedgerValue(file=file, cell=cell, field=name, value=value, text="".join(rest))
    raise LedgerLineError(f"line {line[:60]!r} is not a list of cell, field, value and perhaps text")
