"""Chooses hosts: the packing core where it applies, several greedy orders, local search, all placements of a few; keeps the best.

Best is by unplaced machines, hosts used, even load, ids.

Only chooses; whether a machine may stand somewhere is asked of `constraints.PlanSoFar`. Work is bounded by counts, never
by a clock, so the same inputs give the same plan. Quality beside its bound is `bounds.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from controlplane.model.running import Policy
from controlplane.planning.company import Flags, Ints, cohorts
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft
from controlplane.planning.exact import is_small, with_fewer_hosts
from controlplane.planning.objectives import Scale
from controlplane.planning.packed import Packed, is_packing
from controlplane.planning.zones import zone_of

Floats = NDArray[np.float64]

_EJECTIONS = 20_000
"""Exchanges tried to place what the greedy orders left over."""
_COHORT_TRIES = 200
"""Hosts tried for the first of machines that are kept together, of those where all fit and of the others."""
_BALANCING_MOVES_PER_HOST = 4
_LOOKS_AT_HOSTS = 12_000_000
"""Machines times hosts after which no further greedy order is begun, and no further host is emptied or relieved."""
_LOOKS_BEFORE_PACKING = 200_000
"""Machines times hosts from which the packing core is asked first; below, only where greedy orders leave a gap to the bound."""

_NEAR = 0.005
"""Share above the bound at which a large estate is tried in no further greedy order: there is hardly anything to be gained."""
_TRIES_TO_EMPTY = 8
"""Hosts that are then tried for each one that might be emptied still."""

_USUAL = Policy()

_Rank = Callable[[PlanSoFar, Draft, Ints], Floats | None]
"""Which of these hosts first: the lowest; None: as they are."""
_Order = Callable[[PlanSoFar, Draft], tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A plan so far with everything placed that could be, and what could not."""

    so_far: PlanSoFar
    unplaced: tuple[Draft, ...]


def place(drafts: Sequence[Draft], start: Callable[[], PlanSoFar], policy: Policy = _USUAL) -> Placement:
    """Place new machines on top of what stands already; `start` makes a fresh plan that holds just that."""
    scale = Scale(policy)
    movable = {draft.id: draft for draft in drafts}
    empty = start()
    packing = is_packing(drafts, empty)
    large = len(drafts) * len(empty.hosts) > _LOOKS_BEFORE_PACKING
    if packing and large:
        packed, bound = _packed(drafts, empty)
        if not packed.unplaced and len(packed.so_far.used()) == bound:
            _finish(packed.so_far, movable, scale)
            return packed
    best = _searched(drafts, start, movable, scale)
    if packing and not large and (best.unplaced or len(best.so_far.used()) > Packed(drafts, empty).bound):
        packed, _ = _packed(drafts, empty)
        if _quality(packed) < _quality(best):
            _finish(packed.so_far, movable, scale)
            best = packed
    if is_small(drafts, empty):
        used = len(best.so_far.used()) if not best.unplaced else len(empty.hosts) + 1
        better = with_fewer_hosts(drafts, start, used)
        if better is not None:
            _finish(better, movable, scale)
            return Placement(so_far=better, unplaced=())
    return best


def _packed(drafts: Sequence[Draft], so_far: PlanSoFar) -> tuple[Placement, int]:
    """What the packing core finds, and its bound."""
    bound, left = Packed(drafts, so_far).place()
    unplaced = tuple(draft for draft in left if _place_one(draft, so_far, so_far.open_to(draft), _best_fit) < 0)
    return Placement(so_far=so_far, unplaced=unplaced), bound


def _quality(found: Placement) -> tuple[int, int]:
    return (len(found.unplaced), len(found.so_far.used()))


def _searched(drafts: Sequence[Draft], start: Callable[[], PlanSoFar], movable: dict[str, Draft], scale: Scale) -> Placement:
    """Greedy orders, the best of them improved."""
    attempts: list[Placement] = []
    excess: int | None = None
    for order, rank in _POLICIES:
        attempts.append(_greedy(drafts, start(), order, rank))
        looks = len(drafts) * len(attempts[0].so_far.hosts)
        excess = _excess(attempts[-1], drafts, start) if looks > _LOOKS_BEFORE_PACKING else None
        if excess is not None or len(attempts) * looks > _LOOKS_AT_HOSTS:
            break
    attempts.sort(key=lambda attempt: _score(attempt, scale))
    best = _eject(attempts[0], movable)
    if best.unplaced:
        return best
    _empty_hosts(best.so_far, movable, len(best.so_far.hosts) if excess is None else _TRIES_TO_EMPTY * excess)
    _finish(best.so_far, movable, scale)
    return best


def _excess(attempt: Placement, drafts: Sequence[Draft], start: Callable[[], PlanSoFar]) -> int | None:
    """Hosts used beyond what sums over the dimensions ask for, where everything is placed, on nearly as few, and beside nothing."""
    used = len(attempt.so_far.used())
    if attempt.unplaced or not drafts or len(attempt.so_far.placed()) > len(drafts):
        return None
    bound = Packed(drafts, start()).bound
    return used - bound if used <= (1 + _NEAR) * bound else None


def _finish(so_far: PlanSoFar, movable: dict[str, Draft], scale: Scale) -> None:
    """What no longer changes how many hosts are used: cheaper hosts, even load."""
    _exchange_hosts(so_far, movable, scale)
    _balance(so_far, movable)


def _greedy(drafts: Sequence[Draft], so_far: PlanSoFar, order: _Order, rank: _Rank) -> Placement:
    unplaced = []
    refused: dict[object, Flags] = {}
    cohort_of = cohorts(drafts)
    done: set[str] = set()
    for draft in sorted(drafts, key=lambda draft: order(so_far, draft)):
        if draft.id in done:
            continue
        if draft.id in cohort_of:
            done |= {member.id for member in cohort_of[draft.id]}
            unplaced += _place_cohort(cohort_of[draft.id], so_far, order, rank)
            continue
        alike = (so_far.size(draft), draft.tier, zone_of(draft), draft.apart_from, draft.licences)
        if alike not in refused:
            refused[alike] = np.zeros(len(so_far.hosts), dtype=np.bool_)
        if _place_one(draft, so_far, so_far.open_to(draft), rank, refused[alike]) < 0:
            unplaced.append(draft)
    return Placement(so_far=so_far, unplaced=tuple(unplaced))


def _place_cohort(members: Sequence[Draft], so_far: PlanSoFar, order: _Order, rank: _Rank) -> list[Draft]:
    """Machines that are kept together: wherever the first may stand, until all find room; else those that then find none.

    Where all of them fit together is tried first.
    """
    first, *others = sorted(members, key=lambda draft: order(so_far, draft))
    sizes = np.array([so_far.size(draft) for draft in members]).sum(axis=0)
    hosts = so_far.open_to(first)
    all_fit = (so_far.frees(hosts) >= sizes).all(axis=1)
    saved = so_far.save()
    for some in (hosts[all_fit], hosts[~all_fit]):
        left = some
        for _ in range(min(len(some), _COHORT_TRIES)):
            host = _place_one(first, so_far, left, rank)
            if host < 0:
                break
            if all(_place_one(draft, so_far, so_far.open_to(draft), rank) >= 0 for draft in others):
                return []
            so_far.restore(saved)
            left = left[left != host]
    return [draft for draft in (first, *others) if _place_one(draft, so_far, so_far.open_to(draft), rank) < 0]


def _place_one(draft: Draft, so_far: PlanSoFar, hosts: Ints, rank: _Rank, refused: Flags | None = None) -> int:
    """Hosts in use first, those licensed already before all; among them as the policy ranks. Returns the host's number, or -1.

    Ministries kept apart stay on shared storage that they use already, as long as there is room: what they use others cannot.

    `refused`: hosts whose loss could not be survived with a machine like this; as the plan only grows they are not asked again.
    """
    if refused is not None:
        hosts = hosts[~refused[hosts]]
    in_use = so_far.in_use_flags[hosts]
    groups = [hosts[in_use], hosts[~in_use]]
    if draft.licences:
        counting = so_far.counting(draft)[hosts]
        groups = [hosts[counting], hosts[in_use & ~counting], hosts[~in_use]]
    familiar = so_far.familiar(draft)
    if familiar is not None:
        groups = [some[familiar[some]] for some in groups] + [some[~familiar[some]] for some in groups]
    for some in groups:
        ranks = rank(so_far, draft, some) if len(some) else None
        for at in range(len(some)):
            best = at if ranks is None else int(ranks.argmin())
            host = int(some[best])
            if so_far.try_place(draft, so_far.hosts[host]):
                return host
            if ranks is not None:
                ranks[best] = np.inf
            if refused is not None:
                refused[host] = True
    return -1


def _first_fit(so_far: PlanSoFar, draft: Draft, hosts: Ints) -> Floats | None:
    return None


def _best_fit(so_far: PlanSoFar, draft: Draft, hosts: Ints) -> Floats | None:
    """Least left over all dimensions; on hosts not in use yet that is the smallest."""
    left: Floats = so_far.free_shares(hosts).sum(axis=1)
    return left


def _dot_product(so_far: PlanSoFar, draft: Draft, hosts: Ints) -> Floats | None:
    """The host whose room has most the shape of the machine."""
    size = np.array(so_far.size(draft))
    shares: Floats = size / np.maximum(so_far.capacities(hosts), 1) * so_far.free_shares(hosts)
    score: Floats = -shares.sum(axis=1)
    return score


def _most_constrained(so_far: PlanSoFar, draft: Draft) -> tuple[object, ...]:
    few = (not draft.licences, not draft.needs.disk_class, len(so_far.eligible(draft)), not draft.replica_group)
    return (*few, -draft.tier.host_failures, -so_far.share(draft), draft.id)


def _largest(so_far: PlanSoFar, draft: Draft) -> tuple[object, ...]:
    return (not draft.licences, -so_far.share(draft), draft.id)


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
    so_far, unplaced = found.so_far, []
    budget = min(_EJECTIONS, _LOOKS_AT_HOSTS // max(1, len(so_far.hosts)))
    for draft in found.unplaced:
        pairs = (
            (host, movable[other])
            for host in np.flatnonzero(so_far.eligible_flags(draft)).tolist()
            for other in so_far.on(so_far.hosts[host])
            if other in movable
        )
        tried = 0
        for tried, (host, other) in enumerate(islice(pairs, budget), 1):  # noqa: B007  the count outlives the loop
            if _exchange(draft, host, other, so_far):
                break
        else:
            unplaced.append(draft)
        budget -= tried
    return Placement(so_far=so_far, unplaced=tuple(unplaced))


def _exchange(draft: Draft, host: int, other: Draft, so_far: PlanSoFar) -> bool:
    saved = so_far.save()
    so_far.take_off(other)
    if so_far.try_place(draft, so_far.hosts[host]):
        elsewhere = so_far.open_to(other)
        if _place_one(other, so_far, elsewhere[elsewhere != host], _best_fit) >= 0:
            return True
    so_far.restore(saved)
    return False


def _empty_hosts(so_far: PlanSoFar, movable: dict[str, Draft], most: int) -> None:
    """Try to free so many hosts, least loaded first, by moving all its machines onto other hosts in use."""
    used = so_far.used()
    looks = 0
    for host in used[np.argsort(so_far.loads(used), kind="stable")][:most].tolist():
        machines = so_far.on(so_far.hosts[host])
        if any(machine not in movable for machine in machines):
            continue
        if looks > _LOOKS_AT_HOSTS:
            return
        saved = so_far.save()
        for machine in machines:
            so_far.take_off(movable[machine])
        leaving = sorted((movable[machine] for machine in machines), key=lambda draft: _largest(so_far, draft))
        for draft in leaving:
            looks += len(so_far.hosts)
            hosts = so_far.open_to(draft)
            if _place_one(draft, so_far, hosts[so_far.in_use_flags[hosts] & (hosts != host)], _best_fit) < 0:
                so_far.restore(saved)
                break


def _exchange_hosts(so_far: PlanSoFar, movable: dict[str, Draft], scale: Scale) -> None:
    """Move all machines of a host to one that is not in use and takes less to run, dearest first."""
    idle = [scale.idle(so_far, host) for host in range(len(so_far.hosts))]
    if len(set(idle)) < 2:
        return
    looks = 0
    for host in sorted(so_far.used().tolist(), key=lambda host: (idle[host], -host), reverse=True):
        machines = so_far.on(so_far.hosts[host])
        if any(machine not in movable for machine in machines):
            continue
        cheaper = [other for other in np.flatnonzero(~so_far.in_use_flags).tolist() if idle[other] < idle[host]]
        for other in sorted(cheaper, key=lambda other: (idle[other], other)):
            looks += len(machines)
            if looks > _LOOKS_AT_HOSTS // 100:
                return
            saved = so_far.save()
            for machine in machines:
                so_far.take_off(movable[machine])
            if all(so_far.try_place(movable[machine], so_far.hosts[other]) for machine in machines):
                break
            so_far.restore(saved)


def _balance(so_far: PlanSoFar, movable: dict[str, Draft]) -> None:
    """Move single machines from the fullest to the emptiest hosts in use while that lowers the fuller of the two."""
    moves = min(_BALANCING_MOVES_PER_HOST * len(so_far.hosts), _LOOKS_AT_HOSTS // max(1, len(so_far.hosts)))
    for _ in range(moves):
        used = so_far.used()
        loads = so_far.loads(used)
        ranked = used[np.argsort(-loads, kind="stable")]
        if len(used) < 2 or not _relieve(so_far, movable, int(ranked[0]), float(loads.max()), ranked[:0:-1]):
            return


def _relieve(so_far: PlanSoFar, movable: dict[str, Draft], fullest: int, before: float, others: Ints) -> bool:
    here = so_far.on(so_far.hosts[fullest])
    if len(here) < 2:
        return False
    for draft in sorted((movable[name] for name in here if name in movable), key=lambda draft: _largest(so_far, draft)):
        saved = so_far.save()
        so_far.take_off(draft)
        candidates = others[np.isin(others, so_far.open_to(draft))]
        lower = candidates[so_far.loads(candidates, so_far.size(draft)) < before]
        if any(so_far.try_place(draft, so_far.hosts[host]) for host in lower.tolist()):
            return True
        so_far.restore(saved)
    return False


def _score(attempt: Placement, scale: Scale) -> tuple[object, ...]:
    so_far = attempt.so_far
    return (len(attempt.unplaced), scale.weigh(so_far), sorted(so_far.placed().items()))
