"""Who stands with whom: replicas apart, groups together, ministries that share neither host nor storage."""

from collections.abc import Iterator
from itertools import combinations

from controlplane.model.finding import Finding
from controlplane.model.plan import PlannedMachine
from controlplane.planning.checks.neighbours import Thing, things_used
from controlplane.planning.checks.world import World, domain, place


def company_findings(world: World) -> Iterator[Finding]:
    """What is wrong with the company of machines."""
    yield from _spreading(world)
    yield from _companions(world)
    yield from _strangers(world)


def _spreading(world: World) -> Iterator[Finding]:
    """Replicas on different hosts and in different failure domains."""
    groups: dict[tuple[str, str], list[PlannedMachine]] = {}
    for machine in world.machines:
        if machine.replica_group:
            groups.setdefault((machine.system, machine.replica_group), []).append(machine)
    for (_, name), members in sorted(groups.items()):
        over = world.estate.tiers[members[0].tier].spread_over
        for one, other in combinations(members, 2):
            first, second = world.estate.hosts[one.host], world.estate.hosts[other.host]
            same = first.id == second.id or (over != "host" and domain(first, over) == domain(second, over))
            if same:
                text = f"{one.id} on {first.id} and {other.id} on {second.id} share a {over}"
                yield world.judge((one, other), f"replica group {name}", text, "spread them")


def _companions(world: World) -> Iterator[Finding]:
    """Machines that are kept together share what they are to share."""
    groups: dict[tuple[str, str, str], list[PlannedMachine]] = {}
    for machine in world.machines:
        for over, name in world.needs(machine).together:
            groups.setdefault((machine.system, over, name), []).append(machine)
    for (_, over, name), members in sorted(groups.items()):
        places = {place(world.estate.hosts[machine.host], over) for machine in members}
        if len(places) > 1:
            text = f"{', '.join(f'{machine.id} on {machine.host}' for machine in members)}: not all in one {over}"
            yield world.judge(members, f"{over} group {name}", text, "put them together")


def _strangers(world: World) -> Iterator[Finding]:
    """Ministries that are kept apart share no host and no storage."""
    here: dict[Thing, dict[str, list[PlannedMachine]]] = {}
    for machine in world.machines if world.apart else ():
        for thing in things_used(world, machine, machine.host):
            here.setdefault(thing, {}).setdefault(machine.ministry, []).append(machine)
    for thing, ministries in sorted(here.items()):
        for one, other in combinations(sorted(ministries), 2):
            if frozenset((one, other)) in world.apart:
                text = f"holds {ministries[one][0].id} of {one} and {ministries[other][0].id} of {other}, who are kept apart"
                yield world.judge([*ministries[one], *ministries[other]], " ".join(thing), text, "move one of them")
