"""A table as it stands in a file: rows of texts, with the name of each cell. What it means is decided in `tables`.

Limits hold for every kind of file: a ledger of a ministry has some ten thousand rows, so more is a mistake or an attack.
"""

from dataclasses import dataclass, field

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_ROWS = 200_000
MAX_COLUMNS = 256
MAX_CELLS = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table. `name` is empty for a text file. `numbers` are the rows' own numbers in the file, from 1.

    `merged` maps a cell (place in `rows`, column) filled from one above it to the number of the row that was merged over it;
    `across` maps cells merged from the left to their text.
    """

    file: str
    name: str
    numbers: list[int] = field(hash=False)
    rows: list[list[str]] = field(hash=False)
    merged: dict[tuple[int, int], int] = field(default_factory=dict, hash=False)
    across: dict[tuple[int, int], str] = field(default_factory=dict, hash=False)

    def cell(self, place: int, column: int) -> str:
        """`sheet!D7`, or `line:field` in a text file."""
        return self.cell_at(self.numbers[place], column)

    def cell_at(self, number: int, column: int) -> str:
        """The same for a row by its own number."""
        return f"{self.name}!{letters(column)}{number}" if self.name else f"{number}:{column + 1}"

    def column_name(self, column: int) -> str:
        """A column as a person names it."""
        return f"{self.name}!{letters(column)}" if self.name else f"column {column + 1}"


def letters(column: int) -> str:
    """The letters of a column counted from 0: A, Z, AA."""
    name = ""
    column += 1
    while column:
        column, place = divmod(column - 1, 26)
        name = chr(ord("A") + place) + name
    return name
