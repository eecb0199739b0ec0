"""Can these machines all be placed in this room? A bounded exhaustive search, used to check plans and not to make them."""

from collections.abc import Callable, Collection, Mapping, Sequence

from controlplane.model.plan import PlannedMachine

Vector = tuple[int, ...]
_STEPS = 20_000
"""Placements tried before giving up; what is not found by then counts as not possible, and the message says plan again."""


def replaceable(
    machines: Sequence[tuple[PlannedMachine, Vector]],
    room: Mapping[str, Vector],
    admits: Callable[[PlannedMachine, str], bool],
    staying: Sequence[PlannedMachine],
    ministries: Mapping[str, Sequence[str]],
    apart: Collection[frozenset[str]],
) -> bool:
    """True when an assignment exists that keeps within the room and keeps ministries `apart`.

    `ministries` are those with machines on each host. Spreading of replicas is preferred, never required.
    """
    if not room:
        return not machines
    search = _Search(room, admits, staying, ministries, apart)
    ordered = sorted(machines, key=lambda pair: (-max(x / y for x, y in zip(pair[1], search.most, strict=True)), pair[0].id))
    return any(search.place(ordered, dict(room), roomy, [_STEPS]) for roomy in (True, False))


class _Search:
    def __init__(
        self,
        room: Mapping[str, Vector],
        admits: Callable[[PlannedMachine, str], bool],
        staying: Sequence[PlannedMachine],
        ministries: Mapping[str, Sequence[str]],
        apart: Collection[frozenset[str]],
    ) -> None:
        self.most = [max(amounts) or 1 for amounts in zip(*room.values(), strict=True)]
        self._admits = admits
        self._apart = apart
        self._ministries = {host: list(names) for host, names in ministries.items()}
        self._hosts_of_group: dict[tuple[str, str], set[str]] = {}
        for machine in staying:
            if machine.replica_group:
                self._hosts_of_group.setdefault((machine.system, machine.replica_group), set()).add(machine.host)

    def place(
        self, machines: Sequence[tuple[PlannedMachine, Vector]], room: dict[str, Vector], roomy: bool, budget: list[int]
    ) -> bool:
        """Place the first machine, most roomy or tightest host first, and then the rest."""
        if not machines:
            return True
        (machine, demand), rest = machines[0], machines[1:]
        group = (machine.system, machine.replica_group)
        avoided = self._hosts_of_group.get(group, set()) if machine.replica_group else set()
        candidates = [
            host
            for host, free in room.items()
            if all(map(int.__le__, demand, free)) and self._admits(machine, host) and not self._meets(machine.ministry, host)
        ]

        def rank(host: str) -> tuple[bool, float, str]:
            left = min(free / whole for free, whole in zip(room[host], self.most, strict=True))
            return (host in avoided, -left if roomy else left, host)

        for host in sorted(candidates, key=rank):
            if budget[0] <= 0:
                return False
            budget[0] -= 1
            before = room[host]
            room[host] = tuple(map(int.__sub__, before, demand))
            self._ministries[host].append(machine.ministry)
            if self.place(rest, room, roomy, budget):
                return True
            self._ministries[host].pop()
            room[host] = before
        return False

    def _meets(self, ministry: str, host: str) -> bool:
        """True when a ministry is on the host from which this one is kept apart."""
        return bool(self._apart) and any(frozenset((ministry, other)) in self._apart for other in self._ministries[host])
