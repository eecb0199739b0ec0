"""What is packed and what comes out: items and bins as arrays, and a packing with the bound it was held against.

Knows nothing of machines or hosts. Sizes and capacities are whole numbers; identical items are one row with a count.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class MalformedProblemError(ValueError):
    """The arrays of a problem do not belong together."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """Vectors to be packed into the fewest bins.

    `sizes`: rows x dimensions. `copies`: how many items each row stands for. `capacities`: kinds x dimensions.
    `stock`: how many bins of each kind there are; None: as many as needed. `admits`: rows x kinds, False where an item may not
    stand; None: everywhere. `apart`: groups of rows of which a bin takes at most one item in all.
    """

    sizes: Ints
    copies: Ints
    capacities: Ints
    stock: Ints | None = None
    admits: Flags | None = None
    apart: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        rows, dimensions = self.sizes.shape
        if self.copies.shape != (rows,) or self.capacities.ndim != 2 or self.capacities.shape[1] != dimensions:
            raise MalformedProblemError(
                f"sizes {self.sizes.shape}, copies {self.copies.shape} and capacities {self.capacities.shape} "
                "do not belong together: wanted rows x dimensions, rows, kinds x dimensions"
            )
        kinds = len(self.capacities)
        if self.stock is not None and self.stock.shape != (kinds,):
            raise MalformedProblemError(f"stock {self.stock.shape}: wanted one number for each of {kinds} kinds of bin")
        if self.admits is not None and self.admits.shape != (rows, kinds):
            raise MalformedProblemError(f"admits {self.admits.shape}: wanted {rows} rows x {kinds} kinds")
        if (self.sizes < 0).any() or (self.copies < 0).any() or (self.capacities < 0).any():
            raise MalformedProblemError("sizes, copies and capacities may not be negative")

    @property
    def items(self) -> int:
        """Items in all, copies counted."""
        return int(self.copies.sum())

    @property
    def uniform(self) -> bool:
        """True when there is one kind of bin without limit and nothing beside capacity decides: plain vector packing."""
        return len(self.capacities) == 1 and self.stock is None and self.admits is None and not self.apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How hard to try. `budget` is about a second of one core a unit, but reckoned in steps, so that the answer is the same
    on a slow machine and on a fast one. `seed` starts the search's pseudo-random numbers.
    """

    budget: float = 10.0
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Packing:
    """Where each item goes, and the fewest bins that any packing could use as far as was proved.

    `assignment`: for each item (row by row, copies one after the other) its bin, or -1 where nothing could take it.
    `kinds`: the kind of each bin. `method` found the packing, `proof` the bound.
    """

    assignment: Ints
    kinds: Ints
    lower_bound: int
    method: str
    proof: str

    @property
    def bins_used(self) -> int:
        """Bins that hold something."""
        return len(self.kinds)

    @property
    def unplaced(self) -> int:
        """Items that no bin could take."""
        return int((self.assignment < 0).sum())

    @property
    def optimal(self) -> bool:
        """True when the bound proves that no packing of these items uses fewer bins."""
        return self.unplaced == 0 and self.bins_used == self.lower_bound


@dataclass(slots=True, kw_only=True, eq=False)
class Bins:
    """A packing under construction, row-wise: for each bin its kind and how many items of which row it holds."""

    kinds: list[int] = field(default_factory=list)
    contents: list[dict[int, int]] = field(default_factory=list)

    def add(self, kind: int, content: dict[int, int]) -> None:
        """One bin more; empty ones are left out."""
        if content:
            self.kinds.append(kind)
            self.contents.append(content)

    def __len__(self) -> int:
        return len(self.kinds)

    def packing(self, problem: Problem, lower_bound: int, method: str, proof: str) -> Packing:
        """The packing item by item."""
        first = np.concatenate(([0], np.cumsum(problem.copies)))
        given = [int(start) for start in first]
        assignment = np.full(problem.items, -1, dtype=np.int64)
        for number, content in enumerate(self.contents):
            for row, count in content.items():
                assignment[given[row] : given[row] + count] = number
                given[row] += count
        return Packing(
            assignment=assignment,
            kinds=np.array(self.kinds, dtype=np.int64),
            lower_bound=lower_bound,
            method=method,
            proof=proof,
        )


def problem_of_items(items: Ints, capacities: Ints, stock: Ints | None = None) -> tuple[Problem, Ints]:
    """The problem of these items with identical ones collapsed to rows, and for each item of a packing its index here."""
    sizes, row_of, copies = np.unique(items, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(row_of.reshape(-1), kind="stable")
    problem = Problem(sizes=sizes, copies=copies.astype(np.int64), capacities=capacities, stock=stock)
    return problem, order.astype(np.int64)
