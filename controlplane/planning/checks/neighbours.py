"""What machines share that not all of them may share: hosts and storage among ministries, licensed sockets among machines of a product."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from controlplane.model.plan import PlannedMachine
from controlplane.planning.checks.world import World

_Come = Sequence[tuple[PlannedMachine, str]]
Thing = tuple[str, str]
"""A host or a storage system, by kind and name."""


def things_used(world: World, machine: PlannedMachine, host: str) -> Iterator[Thing]:
    """What a machine uses on a host that others may use as well."""
    yield ("host", host)
    storage = world.estate.hosts[host].storage_of(world.needs(machine).disk_class)
    if storage:
        yield ("storage", storage)


class Neighbours:
    """Who stands where in a plan, and whether a machine may join them after hosts were lost."""

    def __init__(self, world: World, machines: Sequence[PlannedMachine]) -> None:
        self._world = world
        self._ministries: dict[Thing, Counter[str]] = {}
        self._running: dict[str, set[str]] = {}
        self._here: dict[str, list[PlannedMachine]] = {}
        for machine in machines:
            self._here.setdefault(machine.host, []).append(machine)
            for product in world.needs(machine).licences:
                self._running.setdefault(product, set()).add(machine.host)
            for thing in things_used(world, machine, machine.host) if world.apart else ():
                self._ministries.setdefault(thing, Counter())[machine.ministry] += 1

    def sockets(self, product: str, hosts: Collection[str] = (), *, without: Collection[str] = ()) -> int:
        """Sockets of hosts that run a product, and of these hosts, when some are lost."""
        counting = (self._running.get(product, set()) | set(hosts)) - set(without)
        return sum(self._world.estate.hosts[host].offers.sockets for host in counting)

    def welcome(self, machine: PlannedMachine, host: str, gone: Collection[str], come: _Come) -> bool:
        """Whether the machine may come to the host when `gone` are lost and others came in place of what was there."""
        return self._at_peace(machine, host, gone, come) and self._licensed(machine, host, gone, come)

    def _at_peace(self, machine: PlannedMachine, host: str, gone: Collection[str], come: _Come) -> bool:
        world = self._world
        if not any(machine.ministry in pair for pair in world.apart):
            return True
        wanted = set(things_used(world, machine, host))
        met = Counter[str]()
        for thing in wanted:
            met += self._ministries.get(thing, Counter())
        left = (other for lost in gone for other in self._here.get(lost, ()))
        met -= Counter(other.ministry for other in left for thing in things_used(world, other, other.host) if thing in wanted)
        met += Counter(other.ministry for other, to in come if wanted & set(things_used(world, other, to)))
        return not any(frozenset((machine.ministry, other)) in world.apart for other in met)

    def _licensed(self, machine: PlannedMachine, host: str, gone: Collection[str], come: _Come) -> bool:
        world = self._world
        for product in world.needs(machine).licences:
            if not world.estate.hosts[host].offers.sockets:
                return False
            there = {to for other, to in come if product in world.needs(other).licences}
            before, after = (self.sockets(product, hosts, without=gone) for hosts in (there, {*there, host}))
            if after > max(before, world.owned(product)):
                return False
        return True
