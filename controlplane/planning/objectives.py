"""What makes one plan better than another once no rule is broken: the objectives of the policy, in their order.

Watts and prices only choose among plans. They are no facts a plan rests on: one stays valid when they change.
"""

import numpy as np

from controlplane.model.running import Objective, Policy
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.footprint import Footprint, host_year


class Scale:
    """Weighs plans so far for one policy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def weigh(self, so_far: PlanSoFar) -> tuple[float, ...]:
        """One number for each objective, the most important first; less is better."""
        return tuple(self._term(objective, so_far) for objective in self._policy.objectives)

    def idle(self, so_far: PlanSoFar, host: int) -> tuple[float, ...]:
        """What it takes to have a host in use at all, in the order of the objectives that tell hosts apart."""
        year = host_year(so_far.host(host), 0.0, self._policy)
        return tuple(_amount(each, year) for each in self._policy.objectives if each in {Objective.POWER, Objective.COST})

    def _term(self, objective: Objective, so_far: PlanSoFar) -> float:
        used = so_far.used()
        if objective is Objective.HOSTS:
            return len(used)
        if objective is Objective.BALANCE:
            return round(float(so_far.loads(np.arange(len(so_far.hosts))).max(initial=0.0)), 6)
        loads = so_far.vcpu_loads(used).tolist()
        years = (host_year(so_far.host(host), load, self._policy) for host, load in zip(used.tolist(), loads, strict=True))
        return round(sum(_amount(objective, year) for year in years), 3)


def _amount(objective: Objective, year: Footprint) -> float:
    return year.kwh if objective is Objective.POWER else year.thousand_yen
