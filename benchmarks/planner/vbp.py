"""Reads and writes `.vbp` instances of vector bin packing: identical bins without limit.

Whole numbers separated by blanks or line ends: number of dimensions, capacities, number of item rows, then for each row its
sizes and how many such items there are.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.planner.tokens import InstanceError, Tokens
from controlplane.planning.packing import Problem

_MOST_ITEMS = 10_000_000
"""Items in all, copies counted: each has its place in the answer."""


def read_vbp(file: Path) -> Problem:
    """The problem, with identical rows made one. Raises InstanceError, also for an item larger than a bin."""
    tokens = Tokens(file)
    dimensions = tokens.take("number of dimensions", least=1, most=10_000)
    capacity = tokens.take_many(dimensions, "capacities", most=2**53).copy()
    rows = tokens.take("number of item rows", most=100_000_000)
    table = tokens.take_many(rows * (dimensions + 1), f"item rows, {dimensions + 1} numbers each", most=2**53)
    tokens.end()
    table = table.reshape(rows, dimensions + 1)
    too_large = np.argwhere((table[:, :dimensions] > capacity) & (table[:, dimensions:] > 0))
    if len(too_large):
        row, dimension = too_large[0]
        raise InstanceError(
            f"{file}: item row {row + 1}: size {table[row, dimension]} in dimension {dimension + 1} exceeds the capacity "
            f"{capacity[dimension]}; no bin can hold it"
        )
    items = sum(table[:, dimensions].tolist())
    if items > _MOST_ITEMS:
        raise InstanceError(f"{file}: wanted at most {_MOST_ITEMS} items in all, found {items}")
    sizes, row_of = np.unique(table[:, :dimensions], axis=0, return_inverse=True)
    copies = np.zeros(len(sizes), dtype=np.int64)
    np.add.at(copies, row_of.reshape(-1), table[:, dimensions])
    kept = copies > 0
    return Problem(sizes=sizes[kept], copies=copies[kept], capacities=capacity.reshape(1, -1))


def write_vbp(problem: Problem, file: Path) -> None:
    """The same problem as a file."""

    def line(numbers: Sequence[int]) -> str:
        return " ".join(str(int(number)) for number in numbers)

    lines = [str(problem.sizes.shape[1]), line(problem.capacities[0]), str(len(problem.copies))]
    lines += [line((*row, count)) for row, count in zip(problem.sizes, problem.copies, strict=True)]
    file.write_text("\n".join(lines) + "\n", encoding="ascii")


def faults(problem: Problem, assignment: Sequence[int]) -> tuple[str, ...]:
    """What is wrong with a packing, reckoned item by item from the problem alone; empty when nothing is."""
    held: dict[int, list[int]] = {}
    item = 0
    found: list[str] = []
    for row, copies in enumerate(problem.copies):
        sizes = [int(size) for size in problem.sizes[row]]
        for _ in range(int(copies)):
            place = int(assignment[item])
            item += 1
            if place < 0:
                found.append(f"item {item - 1} is in no bin")
                continue
            held[place] = [a + b for a, b in zip(held.get(place, [0] * len(sizes)), sizes, strict=True)]
    capacity = [int(amount) for amount in problem.capacities[0]]
    found += [
        f"bin {place} holds {sums} of {capacity}"
        for place, sums in held.items()
        if any(a > b for a, b in zip(sums, capacity, strict=True))
    ]
    return tuple(found)
