"""Each machine on its host by itself: is it open, of the right grade, network, name and processor, and not barred by a pin."""

from collections.abc import Iterator

from controlplane.model.finding import Finding
from controlplane.planning.checks.findings import critical, warning
from controlplane.planning.checks.world import World


def host_findings(world: World) -> Iterator[Finding]:
    """What is wrong with machines where they stand, whatever else stands there."""
    yield from _closed_hosts(world)
    yield from _names(world)
    yield from _zones(world)
    yield from _pins(world)
    yield from _processors(world)


def _closed_hosts(world: World) -> Iterator[Finding]:
    """Nothing new on hosts that do not answer or are in maintenance."""
    for machine in world.machines:
        host = world.estate.hosts[machine.host]
        if not world.answers(host.id):
            yield warning(f"machine {machine.id}", f"stands on {host.id}, which does not answer", "bring the host back")
        elif host.maintenance:
            text = f"stands on {host.id}, which is in maintenance"
            yield world.judge((machine,), f"machine {machine.id}", text, "move it before the work begins")


def _names(world: World) -> Iterator[Finding]:
    """No other machine of the same name on the host."""
    for machine in world.machines:
        seen = world.seen.get(machine.host)
        for other in seen.machines if seen is not None else ():
            if other.name == machine.id and other.uuid != machine.uuid:
                text = f"has the name of another machine on {machine.host} (uuid {other.uuid})"
                yield critical(f"machine {machine.id}", text, "remove or rename the other")


def _zones(world: World) -> Iterator[Finding]:
    """Grade and network."""
    for machine in world.machines:
        host, grade = world.estate.hosts[machine.host], machine.confidentiality
        if grade not in host.confidentiality:
            text = f"has grade {grade}, host {host.id} holds {sorted(host.confidentiality)}"
            yield world.judge((machine,), f"machine {machine.id}", text, "move it to a host of its grade")
        for nic in machine.nics:
            network = world.estate.networks.get(nic.network)
            if network is None:
                continue
            wrong = []
            if nic.network not in host.networks:
                wrong.append(f"host {host.id} does not carry network {nic.network}")
            if network.confidentiality < grade:
                wrong.append(f"network {nic.network} is for grades up to {network.confidentiality}, the machine has {grade}")
            if network.ministry and network.ministry != machine.ministry:
                wrong.append(f"network {nic.network} belongs to {network.ministry}, the machine to {machine.ministry}")
            for text in wrong:
                yield world.judge((machine,), f"machine {machine.id}", text, "choose another network or host")


def _pins(world: World) -> Iterator[Finding]:
    """Hosts that a machine is bound to, and hosts that are forbidden to it."""
    for machine in world.machines:
        if not world.pinned_rightly(machine, machine.host):
            only, never = world.pins_of(machine)
            text = f"stands on {machine.host}, may only on {list(only) or 'any'} and not on {list(never)}"
            yield world.judge((machine,), f"machine {machine.id}", text, "move it, or change its `only_on` or `not_on`")


def _processors(world: World) -> Iterator[Finding]:
    """Architecture, level and features of the host's processor."""
    for machine in world.machines:
        lacking = world.lacking(machine, world.estate.hosts[machine.host])
        if lacking:
            text = f"stands on {machine.host}, whose processor lacks {lacking}"
            yield world.judge((machine,), f"machine {machine.id}", text, "move it, or state what the host offers")
