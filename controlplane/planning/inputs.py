"""Everything the planner is given, as one value: what-if, repairs and rebasing ask the same planner about another one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.model.estate import Estate
from controlplane.model.observed import Observation
from controlplane.model.plan import Plan, PlannedImage
from controlplane.planning.build import build_plan
from controlplane.planning.capacity import rooms_of
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft, demand_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInputs:
    """Estate, what was seen on its hosts, the accepted plan, images and public keys."""

    estate: Estate
    observation: Observation
    parent: Plan | None
    images: Mapping[str, PlannedImage] = field(hash=False)
    authorized_keys: tuple[str, ...]

    def plan(self) -> Plan:
        """The plan for these inputs. Raises InfeasiblePlan."""
        return build_plan(self.estate, self.observation, self.parent, images=self.images, authorized_keys=self.authorized_keys)


def stand_as_planned(inputs: PlanInputs, plan: Plan, more: tuple[Draft, ...] = ()) -> tuple[PlanSoFar, dict[str, Draft]]:
    """A plan so far in which everything that is asked for stands where a finished plan put it, and its drafts by id.

    Room that the plan holds for what is reserved is taken too. `more` are drafts that may be placed beside them. A machine that
    the plan does not have, or has on a host that is gone, is left out.
    """
    demand = demand_of(inputs.estate)
    drafts = {draft.id: draft for draft in demand.drafts}
    rooms = rooms_of(inputs.estate, inputs.observation, inputs.parent, frozenset(drafts))
    so_far = PlanSoFar(rooms, inputs.estate.networks, (*demand.drafts, *demand.reserved, *more))
    asked = drafts | {draft.id: draft for draft in demand.reserved}
    standing = {each.id: each.host for each in plan.machines} | {each.id: each.host for each in plan.reservations}
    for name, host in standing.items():
        if name in asked and host in inputs.estate.hosts:
            so_far.force(asked[name], host)
    so_far.settle()
    return so_far, drafts
