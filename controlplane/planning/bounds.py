"""How few hosts could do: a lower bound printed beside the number used, so that the gap is an output and not a claim."""

from collections import Counter
from dataclasses import dataclass

from controlplane.model.plan import Plan

_DIMENSIONS = {"vcpus": "vCPU", "memory_mib": "memory", "disk_gib": "disk"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostsUsed:
    """Hosts with machines of the plan, and the fewest that any plan for these machines could use, with what binds."""

    used: int
    bound: int
    binding: str


def hosts_used(plan: Plan) -> HostsUsed:
    """Lower bound: over dimensions, the fewest hosts, roomiest first, that hold the sum; and the largest replica group.

    The first is the L1 bound of vector packing (Caprara and Toth 2001) for unequal hosts. Zones and failures are left out.
    """
    bounds = [(_fewest(plan, dimension), name) for dimension, name in _DIMENSIONS.items()]
    groups = Counter((machine.system, machine.replica_group) for machine in plan.machines if machine.replica_group)
    bounds += [(size, f"replicas of {name}") for (_, name), size in sorted(groups.items())]
    bound, binding = max(bounds, key=lambda pair: pair[0])
    return HostsUsed(used=len({machine.host for machine in plan.machines}), bound=bound, binding=binding)


def _fewest(plan: Plan, dimension: str) -> int:
    wanted = sum(getattr(machine.size, dimension) for machine in plan.machines)
    of_plan = {host.id: 0 for host in plan.hosts}
    for machine in plan.machines:
        of_plan[machine.host] = of_plan.get(machine.host, 0) + getattr(machine.size, dimension)
    rooms = sorted(
        (
            getattr(host.promised_capacity, dimension) - getattr(host.allocated_after, dimension) + of_plan[host.id]
            for host in plan.hosts
        ),
        reverse=True,
    )
    count = 0
    for room in rooms:
        if wanted <= 0:
            break
        wanted -= room
        count += 1
    return count
