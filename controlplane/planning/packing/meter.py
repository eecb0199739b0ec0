"""How much of the work is done: steps are counted, never seconds, so that a slow machine gives the same answer."""

from dataclasses import dataclass

_NODES_A_UNIT = 40_000_000
_PICKS_A_UNIT = 50_000_000
_COLUMNS_A_UNIT = 1_000
_SIMPLEX_UPDATES_A_UNIT = 8_000_000
"""Rows of the basis touched by simplex iterations."""
_UPDATES_OF_A_BRANCHING = 2.5
"""Each iteration of an integer programme against one of a linear programme: it has cuts, tries heuristics and starts anew."""
_ARRAY_ELEMENTS_A_UNIT = 300_000_000
_LOOP_ELEMENTS_A_UNIT = 1_200_000_000


@dataclass(slots=True, kw_only=True)
class Meter:
    """What is left of a budget; one unit is about a second on a core of 2025."""

    left: float

    @property
    def spent(self) -> bool:
        """True when the work is done."""
        return self.left <= 0

    def nodes(self, count: int) -> None:
        """Nodes of a compiled search."""
        self.left -= count / _NODES_A_UNIT

    def picks(self, count: int) -> None:
        """Picks of a compiled listing."""
        self.left -= count / _PICKS_A_UNIT

    def picks_in(self, share: float) -> int:
        """Picks that a part of what is left is enough for."""
        return max(0, int(self.left * share * _PICKS_A_UNIT))

    def columns(self, count: int) -> None:
        """Columns of an integer programme, presolve and cuts included."""
        self.left -= count / _COLUMNS_A_UNIT

    def columns_in(self, share: float) -> int:
        """Columns that a part of what is left is enough for."""
        return max(0, int(self.left * share * _COLUMNS_A_UNIT))

    def branchings_in(self, share: float, rows: int) -> int:
        """Nodes of an integer programme that a part of what is left is enough for, when each takes half as many iterations as rows."""
        each = _UPDATES_OF_A_BRANCHING * max(1, rows) / 2 * (rows + 100) / _SIMPLEX_UPDATES_A_UNIT
        return max(0, int(self.left * share / each))

    def branching(self, iterations: int, rows: int) -> None:
        """Iterations of the simplex method below an integer programme."""
        self.left -= _UPDATES_OF_A_BRANCHING * iterations * (rows + 100) / _SIMPLEX_UPDATES_A_UNIT

    def simplex(self, iterations: int, rows: int) -> None:
        """Iterations of the simplex method."""
        self.left -= (iterations * (rows + 100) + 3_000) / _SIMPLEX_UPDATES_A_UNIT

    def elements(self, count: int) -> None:
        """Elements that array operations go over."""
        self.left -= (count + 2_000) / _ARRAY_ELEMENTS_A_UNIT

    def elements_in(self, share: float) -> int:
        """Elements that a part of what is left is enough for."""
        return max(0, int(self.left * share * _ARRAY_ELEMENTS_A_UNIT))

    def loops(self, count: int) -> None:
        """Elements that compiled loops go over."""
        self.left -= (count + 20_000) / _LOOP_ELEMENTS_A_UNIT
