"""A lower bound on the cost of any assignment: load and balance as if all hosts were one; moves cost nothing.

Both costs are convex and piecewise linear in what each host holds, so their sum over hosts is never below their value at
the sums (the bound used by the challenge's finalists, e.g. Mehta, O'Sullivan and Simonis, CP 2012).
"""

from dataclasses import dataclass

from controlplane.planning.reassign.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBound:
    """The bound, and its two parts."""

    load: int
    balance: int

    @property
    def total(self) -> int:
        """No assignment costs less."""
        return self.load + self.balance


def cost_bound(problem: Problem) -> CostBound:
    """Load over the summed safety capacities, and balance of what the summed capacities leave."""
    used = [sum(int(amount) for amount in column) for column in problem.size.T]
    room = [sum(int(amount) for amount in column) for column in problem.capacity.T]
    safe = [sum(int(amount) for amount in column) for column in problem.safety.T]
    load = sum(
        int(weight) * max(0, amount - limit) for weight, amount, limit in zip(problem.load_weight, used, safe, strict=True)
    )
    balance = sum(
        each.weight * max(0, each.target * (room[each.first] - used[each.first]) - (room[each.second] - used[each.second]))
        for each in problem.balances
    )
    return CostBound(load=load, balance=balance)
