"""A ledger of any kind to its rows: decides by content which reader a file needs, and asks that one."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from controlplane.errors import ExitCode, KasumiError
from controlplane.inventory.reading import collector_paused
from controlplane.ledgers.delimited import read_delimited
from controlplane.ledgers.headings import Headings
from controlplane.ledgers.mapping import LedgerMap
from controlplane.ledgers.rows import Ledger, LedgerRow, Remark
from controlplane.ledgers.sheets import MAX_FILE_BYTES, Sheet
from controlplane.ledgers.tables import read_table
from controlplane.ledgers.values import plain
from controlplane.ledgers.xlsx import is_xlsx, read_xlsx
from controlplane.model.finding import Severity


class SourceKind(StrEnum):
    """What a ledger is."""

    AUTO = "auto"
    CSV = "csv"
    XLSX = "xlsx"


def read_file(file: Path, kind: SourceKind, mapping: LedgerMap) -> Ledger:
    """The rows of a file and what is to be said of it. Raises KasumiError only when the file itself cannot be read."""
    try:
        size = file.stat().st_size
        if size > MAX_FILE_BYTES:
            raise KasumiError(f"{file}: has {size} bytes, at most {MAX_FILE_BYTES} are read; split it")
        raw = file.read_bytes()
    except OSError as error:
        raise KasumiError(f"{file}: cannot be read: {error.strerror}; name a ledger", ExitCode.FAILED) from None
    return read_bytes(raw, plain(file.name), kind, mapping)


def read_bytes(raw: bytes, name: str, kind: SourceKind, mapping: LedgerMap) -> Ledger:
    """The rows of a file's content; never raises for what is in it."""
    with collector_paused():
        return _read(raw, name, kind, mapping)


def _read(raw: bytes, name: str, kind: SourceKind, mapping: LedgerMap) -> Ledger:
    headings = Headings(mapping.headings, mapping.ignore)
    if kind is SourceKind.AUTO:
        kind = SourceKind.XLSX if is_xlsx(raw) else SourceKind.CSV
    if kind is SourceKind.XLSX:
        sheets, remarks = read_xlsx(raw, name)
    else:
        sheet, remarks = read_delimited(raw, name, headings)
        sheets = (sheet,)
    return _tables(sheets, name, headings, mapping, list(remarks))


def _tables(sheets: Iterable[Sheet], name: str, headings: Headings, mapping: LedgerMap, remarks: list[Remark]) -> Ledger:
    rows: list[LedgerRow] = []
    read = 0
    for sheet in sheets:
        where = f"{name}:{sheet.name}" if sheet.name else name
        if mapping.sheets and sheet.name and sheet.name not in mapping.sheets:
            remarks.append(Remark(severity=Severity.INFORMATION, where=where, why="is not among `sheets` of the map, not read"))
            continue
        found = read_table(sheet, headings, {str(field): str(unit) for field, unit in mapping.units.items()}, remarks)
        if found is None:
            why = "has no row of headings, not read"
            remarks.append(Remark(severity=Severity.INFORMATION, where=where, why=why))
            continue
        read += 1
        rows += found
    if not read and not any(remark.severity is Severity.CRITICAL for remark in remarks):
        why = "wanted a row of headings with a server's name and something about it, found none"
        remarks.append(Remark(severity=Severity.CRITICAL, where=name, why=why, remedy="name the headings in a map (--map)"))
    return Ledger(name=name, rows=tuple(rows), remarks=tuple(remarks))
