"""One machine added to a fleet that stands, again and again: milliseconds each, of CPU, so that other load does not count.

The plan so far is kept between the additions, as a service that plans would; a plan written anew for each is another matter.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import quantiles

from benchmarks.planning_scale import made_estate, seen
from controlplane.model.estate import Estate, Tier
from controlplane.planning.capacity import rooms_of
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft, demand_of
from controlplane.planning.placement import _best_fit, _place_one, place


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """Milliseconds of the median, the slowest of a hundred and the slowest; additions a second; machines that fitted nowhere."""

    median_ms: float
    p99_ms: float
    worst_ms: float
    a_second: float
    unplaced: int


def added_to_made(machines: int, hosts: int, more: int, *, plain: bool) -> Added:
    """`more` machines, one by one, on top of `machines` that the product placed."""
    estate = made_estate(machines + more, hosts)
    if plain:
        estate = _without_side_constraints(estate)
    drafts = demand_of(estate).drafts
    rooms = rooms_of(estate, seen(estate), None, frozenset(draft.id for draft in drafts))
    placement = place(drafts[:machines], lambda: PlanSoFar(rooms, estate.networks, drafts))
    if placement.unplaced:
        raise RuntimeError(f"{len(placement.unplaced)} of {machines} machines fit nowhere")
    return add(placement.so_far, drafts[machines:])


def add(so_far: PlanSoFar, drafts: Sequence[Draft]) -> Added:
    """Each by itself, best fit on a host in use first, as plans place what is left over."""
    spent, unplaced = [], 0
    for draft in drafts:
        began = time.process_time_ns()
        host = _place_one(draft, so_far, so_far.open_to(draft), _best_fit)
        spent.append((time.process_time_ns() - began) / 1e6)
        unplaced += host < 0
    hundredths = quantiles(spent, n=100, method="inclusive")
    return Added(
        median_ms=hundredths[49],
        p99_ms=hundredths[98],
        worst_ms=max(spent),
        a_second=1000 * len(spent) / sum(spent),
        unplaced=unplaced,
    )


def _without_side_constraints(estate: Estate) -> Estate:
    return replace(
        estate,
        machines={name: replace(machine, replica_group="") for name, machine in estate.machines.items()},
        systems={name: replace(system, tier="standard", confidentiality=1) for name, system in estate.systems.items()},
        tiers={"standard": Tier(id="standard", host_failures=0, spread_over="host")},
    )
