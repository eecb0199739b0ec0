"""How many more machines of one shape fit on top of a plan while every rule holds, and what binds on each host.

Counts by placing them, one after the other, so the number is one that could be planned: losses, zones and room included.
Greedy: several orders are tried and the best counts; the bound beside it is by room alone.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush

from controlplane.model.estate import Estate, Tier
from controlplane.model.plan import Method, Plan
from controlplane.model.resources import Resources
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft
from controlplane.planning.dimensions import Amount
from controlplane.planning.inputs import PlanInputs, stand_as_planned
from controlplane.planning.objections import Objection, Rule

ANY_NETWORK = "(any)"
"""Stands for a network that every host carries: the question then leaves networks out."""
MOST = 20_000
"""Machines counted at most; a larger answer says that it stopped there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostHeadroom:
    """One host: how many fit when all go there, how many stand there in the total, and what objects to the next."""

    host: str
    eligible: bool
    """False where such a machine may never stand: closed, another grade, network not carried."""
    alone: int
    in_total: int
    objections: tuple[Objection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """`fits` machines of the shape can be added; by room alone no more than `room_bound` could.

    `binding` counts eligible hosts by the rule that stops them in the end. `stopped` is true when counting ended at its limit.
    """

    shape: Resources
    tier: str
    confidentiality: int
    network: str
    fits: int
    room_bound: int
    hosts: tuple[HostHeadroom, ...]
    binding: tuple[tuple[Rule, int], ...]
    stopped: bool


def shape_draft(
    size: Resources, *, tier: Tier, confidentiality: int = 1, network: str = ANY_NETWORK, ministry: str = ""
) -> Draft:
    """A machine that nobody asks for yet, of this size."""
    return Draft(
        id="(one more)", system="(one more)", ministry=ministry, study_class=1, size=size, size_reason="", why="",
        method=Method.IMAGE, network=network, confidentiality=confidentiality, tier=tier,
    )  # fmt: skip


def headroom(shape: Draft, plan: Plan, inputs: PlanInputs) -> Headroom:
    """Count how many of `shape` fit beside everything the plan holds. Its groups are left out: they are no replicas."""
    shape = replace(shape, replica_group="", needs=replace(shape.needs, together=()))
    asked = _with_any_network(inputs) if shape.network == ANY_NETWORK else inputs
    empty, _ = stand_as_planned(asked, plan, (shape,))
    eligible = empty.eligible(shape)
    bound = sum(_by_room(empty.size(shape), empty.free(host)) for host in eligible)
    copies = tuple(replace(shape, id=f"(one more {number})") for number in range(min(bound, MOST) + 1))
    alone = _each_alone(copies, _fresh(asked, plan, copies), eligible)
    fits, filled = -1, empty
    for order in _ORDERS:
        so_far = _fresh(asked, plan, copies)
        count = _fill(copies, so_far, eligible, order)
        if count > fits:
            fits, filled = count, so_far
    standing = Counter(filled.where(copy.id) for copy in copies)
    hosts = tuple(
        HostHeadroom(
            host=host,
            eligible=host in eligible,
            alone=alone.get(host, 0),
            in_total=standing[host],
            objections=filled.objections(copies[-1], host),
        )
        for host in filled.hosts
    )
    binding = Counter(rule for host in hosts if host.eligible for rule in {objection.rule for objection in host.objections})
    return Headroom(
        shape=shape.size,
        tier=shape.tier.id,
        confidentiality=shape.confidentiality,
        network=shape.network,
        fits=fits,
        room_bound=bound,
        hosts=hosts,
        binding=tuple(sorted(binding.items(), key=lambda pair: (-pair[1], pair[0].value))),
        stopped=fits >= MOST,
    )


_Order = Callable[[PlanSoFar, str], tuple[float | str, ...]]


def _fresh(inputs: PlanInputs, plan: Plan, copies: Sequence[Draft]) -> PlanSoFar:
    return stand_as_planned(inputs, plan, tuple(copies))[0]


def _each_alone(copies: Sequence[Draft], so_far: PlanSoFar, hosts: Sequence[str]) -> dict[str, int]:
    """How many each host takes while none go to others."""
    found: dict[str, int] = {}
    for host in hosts:
        found[host] = _fill(copies, so_far, (host,), _by_id)
        for copy in reversed(copies[: found[host]]):
            so_far.take_off(copy)
    return found


def _fill(copies: Sequence[Draft], so_far: PlanSoFar, hosts: Sequence[str], order: _Order) -> int:
    """Place copies until no host takes one; the last one only asks. A host that refused one refuses all: they are alike.

    Only the host that takes a copy changes its place in the order.
    """
    open_hosts = [(order(so_far, host), host) for host in hosts]
    heapify(open_hosts)
    for count, copy in enumerate(copies[:-1]):
        while open_hosts:
            _, host = heappop(open_hosts)
            if so_far.try_place(copy, host):
                heappush(open_hosts, (order(so_far, host), host))
                break
        else:
            return count
    return len(copies) - 1


def _by_id(so_far: PlanSoFar, host: str) -> tuple[float | str, ...]:
    return (host,)


def _emptiest(so_far: PlanSoFar, host: str) -> tuple[float | str, ...]:
    free, capacity = so_far.free(host), so_far.capacity(host)
    return (-min((part / most for part, most in zip(free, capacity, strict=True) if most), default=0.0), host)


_ORDERS = (_emptiest, _by_id)


def _by_room(wanted: Amount, free: Amount) -> int:
    return max(0, min((left // part for left, part in zip(free, wanted, strict=True) if part), default=0))


def _with_any_network(inputs: PlanInputs) -> PlanInputs:
    estate = inputs.estate
    highest = max((grade for host in estate.hosts.values() for grade in host.confidentiality), default=1)
    some = next(iter(estate.networks.values()))
    network = replace(some, id=ANY_NETWORK, ministry="", confidentiality=highest)
    hosts = {host.id: replace(host, networks={**host.networks, ANY_NETWORK: ""}) for host in estate.hosts.values()}
    changed: Estate = replace(estate, networks={**estate.networks, ANY_NETWORK: network}, hosts=hosts)
    return replace(inputs, estate=changed)
