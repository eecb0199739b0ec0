"""The plan so far as numbers: what is free where, in the forms that the inner loops read.

Owned and changed by `constraints.PlanSoFar`; what may stand where is decided there and in `losses`.
"""

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from operator import truediv

import numpy as np
from numpy.typing import NDArray

from controlplane.planning.apart import Apart
from controlplane.planning.company import Company, Flags, Ints
from controlplane.planning.dimensions import Amount
from controlplane.planning.licensing import Licensing

Place = tuple[float, int]
"""The least share that is free over the dimensions, and a host: of two the greater is roomier, of equals the last."""


class Stand:
    """Hosts are numbers in the order of their ids. What is free is kept in an array and host by host, as plain numbers are quicker
    one by one.
    """

    def __init__(
        self,
        *,
        free: Ints,
        capacity: Ints,
        sizes: Mapping[str, Amount],
        eligible: Mapping[str, Flags],
        on: Sequence[Mapping[str, None]],
        company: Company,
        apart: Apart,
        licensing: Licensing,
    ) -> None:
        most = [int(amount) or 1 for amount in capacity.max(axis=0, initial=0)]
        self.free = np.asfortranarray(free)  # whole dimensions are compared far more often than whole hosts
        self.capacity = capacity
        self.left: list[Amount] = [tuple(row) for row in free.tolist()]
        """What is free on each host."""
        self.most: list[Amount] = [tuple(row) for row in capacity.tolist()]
        """What each host may promise."""
        self._whole = [tuple(amount or 1 for amount in row) for row in self.most]
        self.roominess: NDArray[np.float64] = np.array([self.share(host, row) for host, row in enumerate(self.left)])
        """The least share that is free over the dimensions."""
        self.by_room: list[Place] = sorted((share, host) for host, share in enumerate(self.roominess.tolist()))
        """The hosts, the roomiest last."""
        self.sizes = sizes
        self.eligible = eligible
        self.shares = {name: max([part / whole for part, whole in zip(size, most, strict=True)]) for name, size in sizes.items()}
        """Largest share of the largest host that a machine takes in any dimension."""
        self.on = on
        """The machines on each host."""
        self.company = company
        self.apart = apart
        self.licensing = licensing
        self.gained: set[int] = set()
        """Hosts that machines left since losses were settled."""
        self.filled: set[int] = set()
        """Hosts to which machines came."""

    def fitting(self, machine: str) -> Flags:
        """For each host whether it is eligible and has room for the machine."""
        fits = self.eligible[machine].copy()
        for dimension, part in enumerate(self.sizes[machine]):
            fits &= self.free[:, dimension] >= part
        return fits

    def share(self, host: int, free: Amount) -> float:
        """The least share of the host over the dimensions when so much is free."""
        least: float = min(map(truediv, free, self._whole[host]))
        return least

    def place(self, host: int) -> Place:
        """Where the host is in the order by room."""
        return (self.share(host, self.left[host]), host)

    def change(self, host: int, amount: Amount, sign: int) -> None:
        """Take an amount from what is free on a host, or give it back."""
        del self.by_room[bisect_left(self.by_room, self.place(host))]
        free = self.free[host]
        free += [sign * part for part in amount]
        self.left[host] = tuple(free.tolist())
        place = self.place(host)
        self.roominess[host] = place[0]
        insort(self.by_room, place)
        (self.gained if sign > 0 else self.filled).add(host)
