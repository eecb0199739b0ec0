"""Which column of a table says what: the shipped dictionary of headings, extended by a map, and the search for their row.

Headings are compared exactly after folding; a heading that is not known is said, never guessed by likeness.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from controlplane.ledgers.sizes import UNITS
from controlplane.ledgers.values import plain

SEARCHED_ROWS = 40
"""Titles, dates and legends stand above the headings, never more of them than this."""

_PARENTHESES = re.compile(r"[(\[【〔<](.*?)[)\]】〕>]")
_PUNCTUATION = re.compile(r"[\s_\-.,:;/\\・･'\"*※#№|~〜=+!?()\[\]【】〔〕<>「」]+")
_UNIT_OF = {unit.lower(): unit for unit in UNITS} | {
    "g": "GB",
    "m": "MB",
    "t": "TB",
    "ギガ": "GB",
    "ギガバイト": "GB",
    "メガバイト": "MB",
}
_TRAILING_UNIT = re.compile(r"(kib|mib|gib|tib|kb|mb|gb|tb)$")
_TRAILING_NUMBER = re.compile(r"(?<=[^0-9])[0-9]{1,2}$")
SEVERAL = frozenset(("address", "mac", "disk"))
"""Fields that may have a column for each of several things: IPアドレス1, IPアドレス2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column whose heading is known; `unit` is what the heading states for its numbers."""

    index: int
    field: str
    heading: str
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Where data begin and what the columns say; `unknown` are headings nobody knows, by column; `doubled` are not read.

    `fields` are those of the row of headings, `bare` the columns among them without one.
    """

    last_row: int
    """Place in the rows of its last row of headings."""
    columns: tuple[Column, ...]
    unknown: tuple[tuple[int, str], ...]
    doubled: tuple[Column, ...]
    fields: int
    bare: frozenset[int]


class Headings:
    """The dictionary. `ignored` headings are known not to be wanted."""

    def __init__(self, extra: Mapping[str, Iterable[str]] | None = None, ignored: Iterable[str] = ()) -> None:
        self._field_of = dict(_shipped())
        for field, headings in (extra or {}).items():
            self._field_of |= {fold(heading): field for heading in headings}
        self._field_of |= {fold(heading): "" for heading in ignored}

    def find(self, text: str) -> tuple[str, str] | None:
        """Field and unit of a heading; the field is empty for one to be ignored; None when it is not known."""
        whole = plain(text)
        inside = _PARENTHESES.findall(whole)
        unit = next((_UNIT_OF[part] for one in inside if (part := one.strip().lower()) in _UNIT_OF), "")
        for folded in (fold(whole), fold(_PARENTHESES.sub(" ", whole))):
            if folded in self._field_of:
                return self._field_of[folded], unit
            if (trailing := _TRAILING_UNIT.search(folded)) and (short := folded[: trailing.start()]) in self._field_of:
                return self._field_of[short], unit or _UNIT_OF[trailing[1]]
            numberless = _TRAILING_NUMBER.sub("", folded)
            if self._field_of.get(numberless) in SEVERAL:
                return self._field_of[numberless], unit
        return None

    def header(
        self, rows: Sequence[Sequence[str]], across: Callable[[int, int], str], numbers: Sequence[int] = ()
    ) -> Header | None:
        """The row of headings, or two rows of them; None when no row has a name and another field.

        `across(place, column)` is the text of a cell merged from the left, empty for others. Where the rows' own `numbers` are
        given, two rows of headings follow on one another: what stands above a blank row is a title.
        """
        best: tuple[int, Header] | None = None
        for place in range(min(len(rows), SEARCHED_ROWS)):
            follows = not numbers or numbers[place + 1 : place + 2] == [numbers[place] + 1]
            for found in (self._one(rows, place), self._two(rows, place, across) if follows else None):
                if found is None:
                    continue
                score = len({column.field for column in found.columns})
                if best is None or score > best[0]:
                    best = score, found
        return best[1] if best is not None else None

    def _one(self, rows: Sequence[Sequence[str]], place: int) -> Header | None:
        return self._header(place, [(text,) for text in rows[place]])

    def _two(self, rows: Sequence[Sequence[str]], place: int, across: Callable[[int, int], str]) -> Header | None:
        """`CPU` above `型番` and `コア数`; a heading of one level stands above a blank or is repeated by a merged cell."""
        if place + 1 >= len(rows):
            return None
        upper, lower = rows[place], rows[place + 1]
        names = []
        split = False
        for index in range(max(len(upper), len(lower))):
            above = (upper[index] if index < len(upper) else "") or across(place, index)
            below = lower[index] if index < len(lower) else ""
            split |= bool(above and below and above != below and self.find(below) is not None)
            names.append((f"{above} {below}", below, above) if above and below and above != below else (below or above,))
        return self._header(place + 1, names) if split else None

    def _header(self, last_row: int, names: Sequence[tuple[str, ...]]) -> Header | None:
        columns: list[Column] = []
        unknown: list[tuple[int, str]] = []
        doubled: list[Column] = []
        taken: set[str] = set()
        bare: set[int] = set()
        for index, candidates in enumerate(names):
            if not any(plain(text) for text in candidates):
                bare.add(index)
                continue
            found = next((found for text in candidates if (found := self.find(text)) is not None), None)
            if found is None:
                unknown.append((index, plain(candidates[0])))
            elif found[0]:
                column = Column(index=index, field=found[0], heading=plain(candidates[0]), unit=found[1])
                once = column.field in taken and column.field not in SEVERAL
                (doubled if once else columns).append(column)
                taken.add(column.field)
        named = bool(taken & {"name", "label", "number"})
        if not named or len(taken - {"row_number"}) < 2:
            return None
        return Header(
            last_row=last_row,
            columns=tuple(columns),
            unknown=tuple(unknown),
            doubled=tuple(doubled),
            fields=len(names),
            bare=frozenset(bare),
        )


def fold(text: str) -> str:
    """A heading without what does not matter."""
    return _PUNCTUATION.sub("", plain(text).lower()) or plain(text).lower()


@cache
def _shipped() -> Mapping[str, str]:
    return {fold(str(heading)): field for field, headings in shipped_headings().items() for heading in headings}


@cache
def shipped_headings() -> Mapping[str, tuple[str, ...]]:
    """The shipped dictionary: field to its headings."""
    text = files("controlplane.ledgers").joinpath("headings.yml").read_text(encoding="utf-8")
    return {field: tuple(map(str, headings)) for field, headings in yaml.safe_load(text).items()}
