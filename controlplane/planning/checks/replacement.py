"""Can the machines of lost hosts all be placed in the room of the others? Used to check plans and not to make them.

First the plain way, each on the roomiest host that takes it; where that fails, a bounded exhaustive search.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.model.plan import PlannedMachine

Vector = tuple[int, ...]
_STEPS = 20_000
"""Placements tried before giving up; what is not found by then counts as not possible, and the message says plan again."""

_Admits = Callable[[PlannedMachine, str], bool]
_Machines = Sequence[tuple[PlannedMachine, Vector]]
_Welcome = Callable[[PlannedMachine, str, Collection[str], Sequence[tuple[PlannedMachine, str]]], bool]
"""Whether a machine may join a host when some are lost and machines came to others in place of lost ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is free on each open host, and who may join whom, where that is a question at all."""

    free: Mapping[str, Vector] = field(hash=False)
    welcome: _Welcome | None
    most: Sequence[int] = field(init=False)
    by_room: Sequence[str] = field(init=False)
    """Hosts, the roomiest first."""

    def __post_init__(self) -> None:
        most = [max(amounts) or 1 for amounts in zip(*self.free.values(), strict=True)]
        object.__setattr__(self, "most", most)
        object.__setattr__(self, "by_room", sorted(self.free, key=lambda host: (-self.share(self.free[host]), host)))

    def share(self, amounts: Vector) -> float:
        """The least share of the largest host that is free."""
        return min(free / whole for free, whole in zip(amounts, self.most, strict=True))


def replaceable(
    machines: _Machines, room: Room, gone: Collection[str], admits: _Admits, staying: Sequence[PlannedMachine]
) -> bool:
    """True when an assignment to hosts that are not gone exists. Spreading of replicas is preferred, never required."""
    if all(host in gone for host in room.by_room):
        return not machines
    ordered = sorted(machines, key=lambda pair: (-max(x / y for x, y in zip(pair[1], room.most, strict=True)), pair[0].id))
    if _Search(room, gone, admits, ()).plainly(ordered):
        return True
    return any(_Search(room, gone, admits, staying).place(ordered, roomy, [_STEPS]) for roomy in (True, False))


class _Search:
    def __init__(self, room: Room, gone: Collection[str], admits: _Admits, staying: Sequence[PlannedMachine]) -> None:
        self._room = room
        self._gone = gone
        self._admits = admits
        self._taken: dict[str, Vector] = {}
        self._come: list[tuple[PlannedMachine, str]] = []
        self._hosts_of_group: dict[tuple[str, str], set[str]] = {}
        for machine in staying:
            if machine.replica_group:
                self._hosts_of_group.setdefault((machine.system, machine.replica_group), set()).add(machine.host)

    def plainly(self, machines: _Machines) -> bool:
        """Each machine on the first host, roomiest first, that takes it."""
        for machine, demand in machines:
            host = next((host for host in self._room.by_room if self._takes(machine, demand, host)), None)
            if host is None:
                return False
            self._put(machine, demand, host)
        return True

    def place(self, machines: _Machines, roomy: bool, budget: list[int]) -> bool:
        """Place the first machine, most roomy or tightest host first, and then the rest."""
        if not machines:
            return True
        (machine, demand), rest = machines[0], machines[1:]
        group = (machine.system, machine.replica_group)
        avoided = self._hosts_of_group.get(group, set()) if machine.replica_group else set()

        def rank(host: str) -> tuple[bool, float, str]:
            left = self._room.share(self._free(host))
            return (host in avoided, -left if roomy else left, host)

        for host in sorted((host for host in self._room.by_room if self._takes(machine, demand, host)), key=rank):
            if budget[0] <= 0:
                return False
            budget[0] -= 1
            before = self._free(host)
            self._put(machine, demand, host)
            if self.place(rest, roomy, budget):
                return True
            self._come.pop()
            self._taken[host] = before
        return False

    def _free(self, host: str) -> Vector:
        return self._taken.get(host, self._room.free[host])

    def _put(self, machine: PlannedMachine, demand: Vector, host: str) -> None:
        self._taken[host] = tuple(map(int.__sub__, self._free(host), demand))
        self._come.append((machine, host))

    def _takes(self, machine: PlannedMachine, demand: Vector, host: str) -> bool:
        if host in self._gone or not all(map(int.__le__, demand, self._free(host))) or not self._admits(machine, host):
            return False
        return self._room.welcome is None or self._room.welcome(machine, host, self._gone, self._come)
