"""Chooses hosts: several greedy orders, then local search; keeps the best by unplaced machines, hosts used, even load, ids.

Only chooses; whether a machine may stand somewhere is asked of `constraints.PlanSoFar`. Work is bounded by counts, never
by a clock, so the same inputs give the same plan. Quality beside its bound is `bounds.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft

_EJECTIONS = 20_000
"""Exchanges tried to place what the greedy orders left over."""
_BALANCING_MOVES_PER_HOST = 4

_Rank = Callable[[PlanSoFar, Draft, str], tuple[object, ...]]
_Order = Callable[[PlanSoFar, Draft], tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A plan so far with everything placed that could be, and what could not."""

    so_far: PlanSoFar
    unplaced: tuple[Draft, ...]


def place(drafts: Sequence[Draft], start: Callable[[], PlanSoFar]) -> Placement:
    """Place new machines on top of what stands already; `start` makes a fresh plan that holds just that."""
    attempts = [_greedy(drafts, start(), order, rank) for order, rank in _POLICIES]
    attempts.sort(key=_score)
    best = attempts[0]
    movable = {draft.id: draft for draft in drafts}
    best = _eject(best, movable)
    if best.unplaced:
        return best
    _empty_hosts(best.so_far, movable)
    _balance(best.so_far, movable)
    return best


def _greedy(drafts: Sequence[Draft], so_far: PlanSoFar, order: _Order, rank: _Rank) -> Placement:
    unplaced = []
    for draft in sorted(drafts, key=lambda draft: order(so_far, draft)):
        if not _place_one(draft, so_far, so_far.eligible(draft), rank):
            unplaced.append(draft)
    return Placement(so_far=so_far, unplaced=tuple(unplaced))


def _place_one(draft: Draft, so_far: PlanSoFar, hosts: Sequence[str], rank: _Rank) -> bool:
    """Hosts in use first, so that few are used; among them as the policy ranks."""
    ordered = sorted(hosts, key=lambda host: (not so_far.in_use(host), *rank(so_far, draft, host), host))
    return any(so_far.try_place(draft, host) for host in ordered)


def _first_fit(so_far: PlanSoFar, draft: Draft, host: str) -> tuple[object, ...]:
    return ()


def _best_fit(so_far: PlanSoFar, draft: Draft, host: str) -> tuple[object, ...]:
    """Least left over the three dimensions; on hosts not in use yet that is the smallest."""
    return (sum(_left_shares(so_far, host)),)


def _dot_product(so_far: PlanSoFar, draft: Draft, host: str) -> tuple[object, ...]:
    """The host whose room has most the shape of the machine."""
    capacity = so_far.capacity(host)
    size = (draft.size.vcpus, draft.size.memory_mib, draft.size.disk_gib)
    left = _left_shares(so_far, host)
    return (-sum(size[i] / capacity[i] * left[i] for i in range(3) if capacity[i]),)


def _most_constrained(so_far: PlanSoFar, draft: Draft) -> tuple[object, ...]:
    return (len(so_far.eligible(draft)), not draft.replica_group, -draft.tier.host_failures, -so_far.share(draft), draft.id)


def _largest(so_far: PlanSoFar, draft: Draft) -> tuple[object, ...]:
    return (-so_far.share(draft), draft.id)


def _by_id(so_far: PlanSoFar, draft: Draft) -> tuple[object, ...]:
    return (draft.id,)


_POLICIES: tuple[tuple[_Order, _Rank], ...] = (
    (_most_constrained, _best_fit),
    (_most_constrained, _dot_product),
    (_largest, _best_fit),
    (_largest, _dot_product),
    (_largest, _first_fit),
    (_by_id, _first_fit),
)


def _eject(found: Placement, movable: dict[str, Draft]) -> Placement:
    """Place what is left over by moving one other new machine elsewhere."""
    so_far, budget, unplaced = found.so_far, _EJECTIONS, []
    for draft in found.unplaced:
        placed = False
        for host in so_far.eligible(draft):
            for other_id in so_far.on(host):
                if placed or budget <= 0 or other_id not in movable:
                    continue
                budget -= 1
                placed = _exchange(draft, host, movable[other_id], so_far)
        if not placed:
            unplaced.append(draft)
    return Placement(so_far=so_far, unplaced=tuple(unplaced))


def _exchange(draft: Draft, host: str, other: Draft, so_far: PlanSoFar) -> bool:
    saved = so_far.save()
    so_far.take_off(other)
    elsewhere = [another for another in so_far.eligible(other) if another != host]
    if so_far.try_place(draft, host) and _place_one(other, so_far, elsewhere, _best_fit):
        return True
    so_far.restore(saved)
    return False


def _empty_hosts(so_far: PlanSoFar, movable: dict[str, Draft]) -> None:
    """Try to free each host, least loaded first, by moving all its machines onto other hosts in use."""
    for host in sorted(_used(so_far), key=lambda host: (_load(so_far, host), host)):
        machines = so_far.on(host)
        if any(machine not in movable for machine in machines):
            continue
        saved = so_far.save()
        for machine in machines:
            so_far.take_off(movable[machine])
        leaving = sorted((movable[machine] for machine in machines), key=lambda draft: _largest(so_far, draft))
        others = frozenset(_used(so_far)) - {host}
        if not all(_place_one(d, so_far, [h for h in so_far.eligible(d) if h in others], _best_fit) for d in leaving):
            so_far.restore(saved)


def _balance(so_far: PlanSoFar, movable: dict[str, Draft]) -> None:
    """Move single machines from the fullest to the emptiest hosts in use while that lowers the fuller of the two."""
    for _ in range(_BALANCING_MOVES_PER_HOST * len(so_far.hosts)):
        used = sorted(_used(so_far), key=lambda host: (-_load(so_far, host), host))
        if len(used) < 2 or not _relieve(so_far, movable, used[0], used[:0:-1]):
            return


def _relieve(so_far: PlanSoFar, movable: dict[str, Draft], fullest: str, others: Sequence[str]) -> bool:
    before = _load(so_far, fullest)
    machines = [movable[machine] for machine in so_far.on(fullest) if machine in movable]
    if len(so_far.on(fullest)) < 2:
        return False
    for draft in sorted(machines, key=lambda draft: _largest(so_far, draft)):
        eligible = frozenset(so_far.eligible(draft))
        for host in others:
            if host not in eligible or _load(so_far, host, draft) >= before:
                continue
            saved = so_far.save()
            so_far.take_off(draft)
            if so_far.try_place(draft, host):
                return True
            so_far.restore(saved)
    return False


def _score(attempt: Placement) -> tuple[object, ...]:
    so_far = attempt.so_far
    loads = [_load(so_far, host) for host in so_far.hosts]
    return (len(attempt.unplaced), len(_used(so_far)), round(max(loads, default=0.0), 6), sorted(so_far.placed().items()))


def _used(so_far: PlanSoFar) -> list[str]:
    return [host for host in so_far.hosts if so_far.in_use(host)]


def _left_shares(so_far: PlanSoFar, host: str) -> tuple[float, float, float]:
    free, capacity = so_far.free(host), so_far.capacity(host)
    return (
        free[0] / capacity[0] if capacity[0] else 0.0,
        free[1] / capacity[1] if capacity[1] else 0.0,
        free[2] / capacity[2] if capacity[2] else 0.0,
    )


def _load(so_far: PlanSoFar, host: str, added: Draft | None = None) -> float:
    """Share of the tightest dimension that is taken, with a machine more when given."""
    free, capacity = so_far.free(host), so_far.capacity(host)
    size = (added.size.vcpus, added.size.memory_mib, added.size.disk_gib) if added is not None else (0, 0, 0)
    return max((capacity[i] - free[i] + size[i]) / capacity[i] for i in range(3) if capacity[i]) if any(capacity) else 0.0
