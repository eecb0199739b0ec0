"""What it takes to empty a host: the moves of its machines to others, in an order in which every state keeps every rule. Pure.

A drain is a rebalance of the estate with that host closed, in which nothing but its own machines may move.
"""

from dataclasses import dataclass

from controlplane.model.plan import Plan
from controlplane.model.rebalance import Rebalance, RebalancePolicy
from controlplane.planning.alter import with_closed_host
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.rebalance import rebalance


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """`closed`: the inputs with the host in maintenance. `stay`: machines that stand there and that no other host takes."""

    closed: PlanInputs
    moves: Rebalance
    machines: int
    stay: tuple[str, ...]


def drain_of(inputs: PlanInputs, plan: Plan, host: str, *, moves_per_window: int) -> Drain:
    """The moves off a host that answers, of the machines that stand there."""
    seen = {machine.uuid for machine in inputs.observation.hosts[host].machines}
    here = {machine.id for machine in plan.machines if machine.host == host and machine.uuid in seen}
    closed = with_closed_host(inputs, host)
    policy = RebalancePolicy(least_gain=1.0, empty_hosts=False, moves_per_window=moves_per_window)
    moves = rebalance(closed, plan, policy, frozenset(machine.id for machine in plan.machines) - here)
    gone = {move.machine for move in moves.moves if move.found == host}
    return Drain(closed=closed, moves=moves, machines=len(here), stay=tuple(sorted(here - gone)))
