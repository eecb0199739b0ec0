"""Can these machines all be placed in this room? A bounded exhaustive search, used to check plans and not to make them."""

from collections.abc import Callable, Mapping, Sequence

from controlplane.model.plan import PlannedMachine
from controlplane.model.resources import Resources

_STEPS = 20_000
"""Placements tried before giving up; what is not found by then counts as not possible, and the message says plan again."""


def replaceable(
    machines: Sequence[PlannedMachine],
    room: Mapping[str, Resources],
    admits: Callable[[PlannedMachine, str], bool],
    staying: Sequence[PlannedMachine],
    where: Mapping[str, str],
) -> bool:
    """True when an assignment exists that keeps within the room; spreading of replicas is preferred, never required."""
    most = [max((_tuple(free)[i] for free in room.values()), default=0) or 1 for i in range(3)]
    hosts_of_group: dict[tuple[str, str], set[str]] = {}
    for machine in staying:
        if machine.replica_group:
            hosts_of_group.setdefault((machine.system, machine.replica_group), set()).add(where[machine.id])
    ordered = sorted(machines, key=lambda m: (-max(x / y for x, y in zip(_tuple(m.size), most, strict=True)), m.id))
    for roomy in (True, False):
        budget = [_STEPS]
        if _search(ordered, dict(room), admits, hosts_of_group, most, roomy, budget):
            return True
    return False


def _search(
    machines: Sequence[PlannedMachine],
    room: dict[str, Resources],
    admits: Callable[[PlannedMachine, str], bool],
    hosts_of_group: Mapping[tuple[str, str], set[str]],
    most: Sequence[int],
    roomy: bool,
    budget: list[int],
) -> bool:
    if not machines:
        return True
    machine, rest = machines[0], machines[1:]
    avoided = hosts_of_group.get((machine.system, machine.replica_group), set()) if machine.replica_group else set()
    candidates = [host for host in room if machine.size.fits_in(room[host]) and admits(machine, host)]

    def rank(host: str) -> tuple[bool, float, str]:
        left = min(free / whole for free, whole in zip(_tuple(room[host]), most, strict=True))
        return (host in avoided, -left if roomy else left, host)

    for host in sorted(candidates, key=rank):
        if budget[0] <= 0:
            return False
        budget[0] -= 1
        room[host] -= machine.size
        if _search(rest, room, admits, hosts_of_group, most, roomy, budget):
            return True
        room[host] += machine.size
    return False


def _tuple(amount: Resources) -> tuple[int, int, int]:
    return (amount.vcpus, amount.memory_mib, amount.disk_gib)
