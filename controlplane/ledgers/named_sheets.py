"""Sheets whose headings are fixed by a program that exports them: rows as cells by heading, whatever stands between them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from controlplane.ledgers.sheets import Sheet
from controlplane.ledgers.values import is_blank, plain, refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A filled cell: its folded text and where it stands."""

    text: str
    cell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A cell that is not looked at, and why."""

    text: str
    cell: str
    why: str


def rows_of(sheet: Sheet, names: Mapping[str, str], refused_cells: list[Refused]) -> Iterator[dict[str, Named]]:
    """The rows below the first one, as filled cells by the name that `names` gives to a heading in lower case."""
    if not sheet.rows:
        return
    columns = [(index, names[low]) for index, text in enumerate(sheet.rows[0]) if (low := plain(text).lower()) in names]
    for place in range(1, len(sheet.rows)):
        row = sheet.rows[place]
        found: dict[str, Named] = {}
        for index, name in columns:
            text = plain(row[index]) if index < len(row) else ""
            if is_blank(text) or name in found:
                continue
            if why := refused(text):
                refused_cells.append(Refused(text=text, cell=sheet.cell(place, index), why=why))
            else:
                found[name] = Named(text=text, cell=sheet.cell(place, index))
        if found:
            yield found
