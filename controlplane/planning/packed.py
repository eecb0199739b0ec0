"""Placement by the packing core, where nothing but room and zones decides: machines of one size and zone are one row, hosts of one
room and one set of zones one kind of bin.

Only for a plan in which nothing stands yet and no machine has a company or a loss to survive: then placing machines is vector
packing, with a proved bound.
"""

from collections.abc import Sequence

import numpy as np

from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft
from controlplane.planning.packing import Problem, Work, solve
from controlplane.planning.packing.bounds import dimension_bound
from controlplane.planning.zones import Zone, zone_of

_WORK = Work(budget=2.0)


class Packed:
    """A placement as a packing problem."""

    def __init__(self, drafts: Sequence[Draft], so_far: PlanSoFar) -> None:
        self._so_far = so_far
        rows: dict[tuple[object, ...], list[Draft]] = {}
        for draft in drafts:
            rows.setdefault((so_far.size(draft), zone_of(draft)), []).append(draft)
        self._rows = [rows[key] for key in sorted(rows, key=lambda key: (key[0], repr(key[1])))]
        zones: dict[Zone, Draft] = {}
        for members in self._rows:
            zones.setdefault(zone_of(members[0]), members[0])
        open_to = {zone: so_far.eligible_flags(draft) for zone, draft in zones.items()}
        every = np.arange(len(so_far.hosts))
        signature = np.column_stack([so_far.frees(every), *open_to.values()])
        _, first, kind_of = np.unique(signature, axis=0, return_index=True, return_inverse=True)
        self._of_kind = [np.flatnonzero(kind_of.reshape(-1) == kind).tolist() for kind in range(len(first))]
        self.problem = Problem(
            sizes=np.array([so_far.size(members[0]) for members in self._rows], dtype=np.int64),
            copies=np.array([len(members) for members in self._rows], dtype=np.int64),
            capacities=np.maximum(so_far.frees(first), 0),
            stock=np.array([len(hosts) for hosts in self._of_kind], dtype=np.int64),
            admits=np.array([open_to[zone_of(members[0])][first] for members in self._rows], dtype=np.bool_),
        )

    @property
    def bound(self) -> int:
        """Hosts without which it cannot be done, as sums over the dimensions show."""
        return dimension_bound(self.problem).bins

    def place(self) -> tuple[int, tuple[Draft, ...]]:
        """Put the machines where the packing has them; returns the bound that was proved, and what is left over."""
        found = solve(self.problem, work=_WORK)
        used = [0] * len(self._of_kind)
        hosts = []
        for kind in found.kinds.tolist():
            hosts.append(self._so_far.hosts[self._of_kind[kind][used[kind]]])
            used[kind] += 1
        items = (draft for members in self._rows for draft in members)
        left = [
            draft
            for draft, number in zip(items, found.assignment.tolist(), strict=True)
            if number < 0 or not self._so_far.try_place(draft, hosts[number])
        ]
        return found.lower_bound, tuple(left)


def is_packing(drafts: Sequence[Draft], so_far: PlanSoFar) -> bool:
    """True when placing these is packing and no more."""
    alone = all(not (d.replica_group or d.needs.together or d.apart_from or d.licences or d.tier.host_failures) for d in drafts)
    return bool(drafts) and alone and len(so_far.hosts) > 0 and not so_far.placed()
