"""Which machine of a fuller host goes to a less full one, or which two change places, so that the fuller of both is less full.

Reckoned for all hosts at once, as there are many pairs. Whether a machine may go there is asked of the plan so far afterwards.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from controlplane.planning.company import Ints
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft
from controlplane.planning.fullness import Floats, fullness

Relief = tuple[float, tuple[tuple[str, str], ...]]
"""Load of the fuller of both hosts afterwards, and machines with their hosts."""


class Evening:
    """Evens the load of hosts in use with machines that may be moved."""

    def __init__(self, so_far: PlanSoFar, movable: Mapping[str, Draft]) -> None:
        self._so_far = so_far
        self._machines = tuple(sorted(movable))
        self._number = {host: number for number, host in enumerate(so_far.hosts)}
        dimensions = len(so_far.dimensions.all)
        sizes = [so_far.size(movable[machine]) for machine in self._machines]
        self._sizes: Ints = np.array(sizes, dtype=np.int64).reshape(len(sizes), dimensions)

    def candidates(self, least_gain: float) -> Iterator[tuple[str, str, float, Relief]]:
        """The fuller host, the other, how full the former is, and how to relieve it; the fullest first, then the greatest gain."""
        so_far = self._so_far
        used = so_far.used()
        loads = fullness(so_far.frees(used), so_far.capacities(used))
        order = np.lexsort((used, -loads))
        used, loads = used[order], loads[order]
        where = np.array([self._number[so_far.where(machine) or ""] for machine in self._machines], dtype=np.int64)
        for fuller, load in zip(used.tolist(), loads.tolist(), strict=True):
            limit = load - least_gain
            others = used[loads <= limit]
            name = so_far.hosts[fuller]
            if len(others) == 0 or len(so_far.on(name)) < 2:
                continue
            here = np.flatnonzero(where == fuller)
            for relief in self._relieving(here, fuller, others, where, limit):
                yield name, relief[1][0][1], load, relief

    def _relieving(self, here: Ints, fuller: int, others: Ints, where: Ints, limit: float) -> Iterator[Relief]:
        """Shifts, and exchanges only where no shift would relieve; best first, then by machine and host."""
        hosts, machines, sizes = self._so_far.hosts, self._machines, self._sizes
        free, capacity = self._so_far.frees(others), self._so_far.capacities(others)
        left = self._left(fuller, sizes[here])
        highest = np.array(
            [np.maximum(alone, fullness(free - size, capacity)) for alone, size in zip(left, sizes[here], strict=True)]
        ).reshape(len(here), len(others))
        draft, other = np.nonzero(highest <= limit)
        best = highest[draft, other]
        for at in np.lexsort((others[other], draft, best)):
            yield float(best[at]), ((machines[here[draft[at]]], hosts[others[other[at]]]),)
        if len(best):
            return
        back = np.flatnonzero(np.isin(where, others))
        free, capacity = self._so_far.frees(where[back]), self._so_far.capacities(where[back])
        found: list[tuple[int, int, float]] = []
        for mine in here.tolist():
            more = sizes[mine] - sizes[back]
            highest = np.maximum(fullness(free - more, capacity), self._left(fuller, more))
            fine = np.flatnonzero(highest <= limit)
            found += zip([mine] * len(fine), back[fine].tolist(), highest[fine].tolist(), strict=True)
        found.sort(key=lambda each: (each[2], each[0], where[each[1]], each[1]))
        for mine, comes, load in found:
            yield load, ((machines[mine], hosts[where[comes]]), (machines[comes], hosts[fuller]))

    def _left(self, host: int, amounts: Ints) -> Floats:
        """How full the host is without each of these amounts."""
        at = np.array([host])
        return fullness(self._so_far.frees(at) + amounts, self._so_far.capacities(at))
