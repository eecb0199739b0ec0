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
    """The rows below the first one, as filled cells by the name that `names` gives to a heading in lower case.

    Of several headings for one name the one that `names` has first counts. A custom attribute may have the very heading of a
    column of the program: where the two differ nobody can tell which is which, and neither is read.
    """
    if not sheet.rows:
        return
    ranks = {low: rank for rank, low in enumerate(names)}
    lows = [plain(text).lower() for text in sheet.rows[0]]
    columns = sorted((ranks[low], index, names[low]) for index, low in enumerate(lows) if low in names)
    for place in range(1, len(sheet.rows)):
        row = sheet.rows[place]
        found: dict[str, Named] = {}
        of_rank: dict[str, int] = {}
        doubtful: set[str] = set()
        for rank, index, name in columns:
            text = plain(row[index]) if index < len(row) else ""
            if is_blank(text) or of_rank.get(name, rank) != rank:
                continue
            cell = sheet.cell(place, index)
            if why := refused(text):
                refused_cells.append(Refused(text=text, cell=cell, why=why))
            elif name not in found:
                found[name], of_rank[name] = Named(text=text, cell=cell), rank
            elif found[name].text != text:
                doubtful.add(name)
                why = f"stands under the same heading as {found[name].text!r} of {found[name].cell}, neither is read"
                refused_cells.append(Refused(text=text, cell=cell, why=why))
        for name in doubtful:
            del found[name]
        if found:
            yield found
