"""A sheet to ledger rows: finds the headings, walks the rows, and follows merged cells and 同上. Values are read in `cells`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from controlplane.ledgers.cells import Cell, Said
from controlplane.ledgers.headings import Column, Header, Headings
from controlplane.ledgers.rows import LedgerRow, Remark
from controlplane.ledgers.sheets import Sheet
from controlplane.ledgers.values import is_blank, is_ditto, plain, refused
from controlplane.model.finding import Severity

_NAMES = ("name", "label", "number")
_TOTALS = frozenset(("合計", "小計", "総計", "計", "总计", "合计", "小计", "總計", "total", "subtotal", "sum", "grand total"))


@dataclass(slots=True)
class _Walk:
    """One sheet while it is read."""

    sheet: Sheet
    header: Header
    headings: Headings
    units: Mapping[str, str]
    remarks: list[Remark]
    told: set[str] = field(default_factory=set)
    above: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Text and cell of each column in the row above; a column is missing where that is blank."""


def read_table(sheet: Sheet, headings: Headings, units: Mapping[str, str], remarks: list[Remark]) -> tuple[LedgerRow, ...] | None:
    """The servers of a sheet; None when it has no row of headings. `units` are those of bare memory and disk numbers."""
    header = headings.header(sheet.rows, lambda place, column: sheet.across.get((place, column), ""), sheet.numbers)
    if header is None:
        return None
    walk = _Walk(sheet=sheet, header=header, headings=headings, units=units, remarks=remarks)
    _tell_columns(walk)
    return tuple(_rows(walk))


def _tell_columns(walk: _Walk) -> None:
    sheet, number = walk.sheet, walk.header.last_row
    for column, heading in walk.header.unknown:
        _tell(walk, number, column, heading, "is no known heading, its column is not read", "add it to `headings` in a map")
    for again in walk.header.doubled:
        first = next(one for one in walk.header.columns if one.field == again.field)
        why = f"is a second column for {again.field} beside {first.heading!r}, not read"
        _tell(walk, number, again.index, again.heading, why, "say in a map which one to ignore")
    for place in range(walk.header.last_row - 1):
        if sheet.rows[place] and walk.headings.header(sheet.rows[place : place + 1], lambda _p, _c: ""):
            _tell(walk, place, 0, "", "is another row of headings above the one that is read", "give each table a sheet")


def _tell(walk: _Walk, place: int, column: int, text: str, why: str, remedy: str = "") -> None:
    where = f"{walk.sheet.file}:{walk.sheet.cell(place, column)}"
    walk.remarks.append(Remark(severity=Severity.INFORMATION, where=where, text=text, why=why, remedy=remedy))


def _rows(walk: _Walk) -> Iterator[LedgerRow]:
    """One row for each server; rows under a merged name belong to the server above."""
    said: Said | None = None
    name_columns = [column for name in _NAMES for column in walk.header.columns if column.field == name]
    for place in range(walk.header.last_row + 1, len(walk.sheet.rows)):
        row = walk.sheet.rows[place]
        if _is_shifted(walk, place, row):
            if said is not None:
                yield said.row()
            said = None
            continue
        cells = [cell for column in walk.header.columns if (cell := _cell(walk, place, row, column)) is not None]
        continues = any((place, column.index) in walk.sheet.merged for column in name_columns[:1])
        if said is not None and continues:
            said.add(cells)
            continue
        if said is not None:
            yield said.row()
            said = None
        if not any(cell.column.field != "row_number" for cell in cells):
            continue
        if (why := _no_server(walk, cells)) is not None and not _has_refused_name(row, name_columns, cells):
            _tell(walk, place, cells[0].column.index, cells[0].text, why)
        elif not any(cell.column.field in _NAMES for cell in cells):
            where = f"{walk.sheet.file}:{walk.sheet.cell(place, name_columns[0].index)}"
            why = "the row names no server, not imported"
            walk.remarks.append(
                Remark(severity=Severity.CRITICAL, where=where, why=why, remedy=f"fill in {name_columns[0].heading}")
            )
        else:
            said = Said(file=walk.sheet.file, units=walk.units, remarks=walk.remarks, told=walk.told)
            said.add(cells)
    if said is not None:
        yield said.row()


def _has_refused_name(row: list[str], name_columns: list[Column], cells: list[Cell]) -> bool:
    """True when a name stands in the row that was not read: then the rest of it is no note."""
    read = {cell.column.index for cell in cells}
    return any(
        column.index not in read and column.index < len(row) and not is_blank(plain(row[column.index])) for column in name_columns
    )


def _is_shifted(walk: _Walk, place: int, row: list[str]) -> bool:
    """True for a line of text with more fields than headings: a separator inside a value moved those after it.

    What stands under no heading of a sheet is told; there nothing can have moved.
    """
    header, sheet = walk.header, walk.sheet
    if len(row) <= header.fields and not header.bare:
        return False
    beside = [
        (index, text)
        for index, raw in enumerate(row)
        if (index >= header.fields or index in header.bare) and not is_blank(text := plain(raw))
    ]
    if not beside:
        return False
    index, text = beside[-1]
    where = f"{sheet.file}:{sheet.cell(place, index)}"
    if index >= header.fields and not sheet.name:
        why = f"{len(row)} fields under {header.fields} headings, so which belongs to which is not known; the row is not imported"
        remedy = "put values that hold the separator in quotes"
        walk.remarks.append(
            Remark(severity=Severity.CRITICAL, where=where, text=text, why=why, remedy=remedy, column="more fields than headings")
        )
        return True
    why = "stands under no heading, not read" + (f", and {len(beside) - 1} more in its row" if len(beside) > 1 else "")
    remedy = "give the column a heading"
    column = f"{sheet.column_name(index)} no heading"
    walk.remarks.append(Remark(severity=Severity.WARNING, where=where, text=text, why=why, remedy=remedy, column=column))
    return False


def _no_server(walk: _Walk, cells: list[Cell]) -> str | None:
    """Why a row is not one of a server, or None."""
    first = cells[0].text.lower()
    filled = [cell for cell in cells if cell.column.field != "row_number"]
    if any(cell.text.lower().replace(" ", "") in _TOTALS for cell in filled if cell.column.field in _NAMES) or first in _TOTALS:
        return "is a row of totals, not read"
    if sum(cell.text == cell.column.heading for cell in filled) >= 2:
        return "repeats the headings, not read"
    if len(filled) == 1 and len(walk.header.columns) >= 3:
        return "stands alone in its row, read as a note and not as a server"
    return None


def _cell(walk: _Walk, place: int, row: list[str], column: Column) -> Cell | None:
    raw = row[column.index] if column.index < len(row) else ""
    if not raw:
        walk.above.pop(column.index, None)
        return None
    text = plain(raw)
    where = walk.sheet.cell(place, column.index)
    instead_of = ""
    if column.field == "name" and sum(map(bool, map(plain, raw.splitlines()))) > 1:
        _warn(walk, where, text, "may name several servers, as it has several lines", column)
        return None
    if is_ditto(text):
        there = walk.above.get(column.index)
        if there is None:
            _warn(walk, where, text, "nothing stands above it", column)
            return None
        if column.field in _NAMES:
            _warn(walk, where, text, "a name of its own is wanted", column)
            return None
        instead_of, text = text, there[0]
        why = f"read as {text!r} of {there[1]}"
        walk.remarks.append(
            Remark(
                severity=Severity.INFORMATION,
                where=f"{walk.sheet.file}:{where}",
                text=instead_of,
                why=why,
                column=_group(walk, column, "ditto"),
            )
        )
    elif is_blank(text):
        walk.above.pop(column.index, None)
        return None
    elif why := refused(text):
        walk.above.pop(column.index, None)
        _warn(walk, where, text, why, column)
        return None
    elif (merged := walk.sheet.merged.get((place, column.index))) is not None:
        why = f"merged with {walk.sheet.cell_at(merged, column.index)}"
        walk.remarks.append(
            Remark(
                severity=Severity.INFORMATION,
                where=f"{walk.sheet.file}:{where}",
                text=text,
                why=why,
                column=_group(walk, column, "merged"),
            )
        )
    walk.above[column.index] = text, where
    return Cell(text=text, where=where, column=column, group=_group(walk, column, ""), instead_of=instead_of)


def _warn(walk: _Walk, where: str, text: str, why: str, column: Column) -> None:
    remedy = "write the value itself" if why.startswith("is a formula") else ""
    walk.remarks.append(
        Remark(
            severity=Severity.WARNING,
            where=f"{walk.sheet.file}:{where}",
            text=text,
            why=why,
            remedy=remedy,
            column=_group(walk, column, why),
        )
    )


def _group(walk: _Walk, column: Column, what: str) -> str:
    return f"{walk.sheet.column_name(column.index)} {what}"
