"""The plan as it would read after some moves of a rebalance: what the independent checker is asked about each state."""

from collections.abc import Iterator
from dataclasses import replace

from controlplane.model.estate import Estate
from controlplane.model.plan import Plan, PlannedMachine
from controlplane.model.rebalance import Move, Rebalance
from controlplane.planning.build import planned_networks


def plans_between(plan: Plan, rebalance: Rebalance, estate: Estate) -> Iterator[Plan]:
    """The plan after the first move, after the second, and so on. Its hosts' sums stay those of `plan`."""
    for move in rebalance.moves:
        machines = tuple(_moved(machine, move) if machine.id == move.machine else machine for machine in plan.machines)
        plan = replace(plan, machines=machines, networks=planned_networks(machines, estate))
        yield plan


def _moved(machine: PlannedMachine, move: Move) -> PlannedMachine:
    entities = [f"host/{move.wanted}" if entity == f"host/{move.found}" else entity for entity in machine.derived_from]
    return replace(machine, host=move.wanted, derived_from=tuple(sorted(entities)))
