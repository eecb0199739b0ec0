"""After every loss that a tier must survive its machines fit elsewhere, all at once."""

from collections.abc import Iterator, Sequence
from itertools import chain, combinations

from controlplane.model.finding import Finding, Severity
from controlplane.model.plan import PlannedMachine
from controlplane.planning.checks.neighbours import Neighbours
from controlplane.planning.checks.replacement import Room, replaceable
from controlplane.planning.checks.world import Crowd, World, place


def loss_findings(world: World) -> Iterator[Finding]:
    """Machines of each tier can be re-placed after every loss the tier must survive."""
    crowd = Crowd(world.machines, world.demand)
    left = _left(world, crowd, world.machines)
    stood: tuple[Crowd, Room] | None = None
    tiers = [world.estate.tiers[machine.tier] for machine in world.machines]
    for over, level in sorted({(tier.survives, tier.host_failures) for tier in tiers if tier.host_failures}):
        domains: dict[tuple[str, ...], list[str]] = {}
        for host in sorted(world.estate.hosts.values(), key=lambda host: host.id):
            domains.setdefault(place(host, over), []).append(host.id)
        silent = [domain for domain, hosts in domains.items() if not all(map(world.answers, hosts))]
        answering = [domain for domain in domains if domain not in silent]
        for lost in combinations(answering, min(max(0, level - len(silent)), len(answering))):
            gone = frozenset(chain.from_iterable(domains[domain] for domain in (*silent, *lost)))
            protected = [machine for machine in crowd.on(gone) if _must_survive(world, machine, over, level)]
            if _survives(world, protected, crowd, left, gone):
                continue
            if stood is None:
                in_place = [machine for machine in world.machines if world.in_place(machine)]
                alone = Crowd(in_place, world.demand)
                stood = (alone, _left(world, alone, in_place))
            standing = [machine for machine in protected if world.in_place(machine)]
            already = not _survives(world, standing, *stood, gone)
            severity = Severity.WARNING if already and len(standing) == len(protected) else Severity.CRITICAL
            where = f"loss of {' and '.join(sorted(gone))}"
            names = ", ".join(sorted(machine.id for machine in protected))
            text = f"not all of {names} can be placed elsewhere"
            yield Finding(severity=severity, where=where, what=text, remedy="add a host or move machines")


def _must_survive(world: World, machine: PlannedMachine, over: str, level: int) -> bool:
    """A tier that survives racks survives hosts, one that survives sites survives everything in them."""
    tier = world.estate.tiers[machine.tier]
    return tier.host_failures >= level and (over in {"host", tier.survives} or tier.survives == "site")


def _survives(world: World, moving: Sequence[PlannedMachine], crowd: Crowd, left: Room, gone: frozenset[str]) -> bool:
    if not moving:
        return True
    demands = [(machine, world.demand(machine)) for machine in moving]
    staying = [machine for machine in crowd.replicas_of(moving) if machine.host not in gone]
    return replaceable(demands, left, gone, lambda machine, host: world.admits(machine, world.estate.hosts[host]), staying)


def _left(world: World, crowd: Crowd, machines: Sequence[PlannedMachine]) -> Room:
    """What is free on each open host, and who may be met there."""
    free = {
        host_id: tuple(
            most - other - taken
            for most, other, taken in zip(promised, world.others(host_id), crowd.taken.get(host_id, world.nothing), strict=True)
        )
        for host_id, promised in world.promised.items()
        if not world.estate.hosts[host_id].maintenance and world.answers(host_id)
    }
    shy = bool(world.apart) or any(world.needs(machine).licences for machine in machines)
    return Room(free=free, welcome=Neighbours(world, machines).welcome if shy else None)
