"""The fewest hosts for a few machines, by trying every placement: what greedy orders miss on small hard cores.

Every rule only forbids more as machines are added, so a branch is cut where a rule objects or as many hosts are used as were needed
before. Work is limited by steps.
"""

from collections.abc import Callable, Sequence

import numpy as np

from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft

_STEPS = 2_000
"""Placements tried."""
_MACHINES = 10
_MACHINES_TIMES_HOSTS = 80


def is_small(drafts: Sequence[Draft], so_far: PlanSoFar) -> bool:
    """True when trying everything has a chance to end."""
    return 0 < len(drafts) <= _MACHINES and len(drafts) * len(so_far.hosts) <= _MACHINES_TIMES_HOSTS


def with_fewer_hosts(drafts: Sequence[Draft], start: Callable[[], PlanSoFar], most: int) -> PlanSoFar | None:
    """A plan with all machines on fewer hosts than `most`, the fewest found; None: there is none, or work ended."""
    search = _Search(drafts, start(), most)
    search.go(0)
    so_far = start()
    if search.found is None or not all(so_far.try_place(draft, host) for draft, host in search.found):
        return None
    return so_far


class _Search:
    def __init__(self, drafts: Sequence[Draft], so_far: PlanSoFar, most: int) -> None:
        self._so_far = so_far
        self._drafts = sorted(drafts, key=lambda draft: (len(so_far.eligible(draft)), -so_far.share(draft), draft.id))
        self._left = _STEPS
        self._most = most
        self._least = self._bound()
        self._way: list[tuple[Draft, str]] = []
        self.found: list[tuple[Draft, str]] | None = None

    def go(self, at: int) -> None:
        """Place the machine at this place and all after it, hosts in use first."""
        so_far = self._so_far
        if len(so_far.used()) >= self._most or self._most <= self._least:
            return
        if at == len(self._drafts):
            self.found, self._most = list(self._way), len(so_far.used())
            return
        draft = self._drafts[at]
        hosts = so_far.open_to(draft)
        in_use = so_far.in_use_flags[hosts]
        for host in (*hosts[in_use].tolist(), *hosts[~in_use].tolist()):
            if self._left <= 0:
                return
            self._left -= 1
            saved = so_far.save()
            if so_far.try_place(draft, so_far.hosts[host]):
                self._way.append((draft, so_far.hosts[host]))
                self.go(at + 1)
                self._way.pop()
                so_far.restore(saved)

    def _bound(self) -> int:
        """The fewest hosts, roomiest first, beside those in use, that hold the sum in each dimension."""
        so_far = self._so_far
        wanted = np.array([so_far.size(draft) for draft in self._drafts]).sum(axis=0)
        free = np.maximum(so_far.frees(np.arange(len(so_far.hosts))), 0)
        used = so_far.used()
        missing = wanted - free[used].sum(axis=0)
        rest = np.sort(np.delete(free, used, axis=0), axis=0)[::-1].cumsum(axis=0)
        more = [int(np.searchsorted(rest[:, at], part)) + 1 for at, part in enumerate(missing.tolist()) if part > 0]
        return max(1, len(used) + max(more, default=0))
