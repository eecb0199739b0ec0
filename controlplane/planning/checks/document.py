"""What a plan says by itself, beside what the inventory asks for: references, demand, reservations, identities, addresses, networks."""

from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from controlplane.model.estate import Disposition, Estate
from controlplane.model.finding import Finding
from controlplane.model.plan import Method, Plan
from controlplane.planning.checks.findings import critical, warning
from controlplane.planning.checks.world import pairs_apart


def document_findings(plan: Plan, estate: Estate) -> Iterator[Finding]:
    """Everything that is wrong with the document, whatever stands on the hosts."""
    yield from _references(plan, estate)
    yield from _demand(plan, estate)
    yield from _identities(plan)
    yield from _addresses(plan, estate)
    yield from _networks_shared(plan, estate)
    yield from _reserved(plan, estate)


def _references(plan: Plan, estate: Estate) -> Iterator[Finding]:
    images = {image.id for image in plan.images}
    networks = {(network.host, network.network) for network in plan.networks}
    for host in sorted(set(estate.hosts) ^ {host.id for host in plan.hosts}):
        yield critical(f"host {host}", "is in only one of plan and inventory", "plan again")
    for machine in plan.machines:
        where = f"machine {machine.id}"
        if machine.host not in estate.hosts:
            yield critical(where, f"stands on host {machine.host}, which the inventory does not have", "plan again")
        system = estate.systems.get(machine.system)
        if system is None:
            yield critical(where, f"belongs to system {machine.system}, which the inventory does not have", "plan again")
        elif (machine.ministry, machine.confidentiality, machine.tier) != (system.ministry, system.confidentiality, system.tier):
            yield critical(where, f"differs from its system {system.id} in ministry, grade or tier", "plan again")
        if machine.method is Method.IMAGE and machine.image not in images:
            yield critical(where, f"is made from image {machine.image or '(none)'}, which the plan does not hold", "plan again")
        if machine.method is Method.COLD and machine.source is None:
            yield critical(where, "is moved with its disk, but from no source", "name the `source` of its server")
        if not machine.nics:
            yield critical(where, "has no network card", "plan again")
        for nic in machine.nics:
            if (machine.host, nic.network) not in networks:
                yield critical(where, f"uses network {nic.network}, which the plan does not make on {machine.host}", "plan again")
        for entity in machine.derived_from:
            if entity not in plan.inputs:
                yield critical(where, f"rests on {entity}, whose facts the plan does not hold", "plan again")


def _demand(plan: Plan, estate: Estate) -> Iterator[Finding]:
    """Everything asked for is there, nothing else is, and no size is below what was asked."""
    planned = {machine.id: machine for machine in plan.machines}
    asked = {machine.id: machine.size for machine in estate.machines.values()}
    fates = {server.id: server for server in plan.servers}
    for server in estate.servers.values():
        fate = fates.get(server.id)
        if fate is None or fate.disposition is not server.disposition:
            yield critical(f"server {server.id}", f"wanted {server.disposition.value}, the plan says otherwise", "plan again")
        elif server.disposition is Disposition.MERGE:
            if fate.machine not in planned:
                yield critical(
                    f"server {server.id}", f"is merged into {fate.machine or '(none)'}, which is not planned", "plan again"
                )
        elif server.disposition in {Disposition.REHOST, Disposition.REPLATFORM} and fate.machine:
            wanted = server.target or server.size
            if wanted is not None:
                asked[fate.machine] = wanted
        elif fate.machine:
            yield critical(
                f"server {server.id}", f"gets machine {fate.machine} though it is to {server.disposition.value}", "plan again"
            )
    for machine in sorted(set(asked) - set(planned)):
        yield critical(f"machine {machine}", "is asked for and not planned", "plan again")
    for machine in sorted(set(planned) - set(asked)):
        yield critical(f"machine {machine}", "is planned and nobody asks for it", "plan again")
    for machine in sorted(set(planned) & set(asked)):
        if not asked[machine].fits_in(planned[machine].size):
            yield critical(f"machine {machine}", "is planned smaller than asked for", "plan again")


def _reserved(plan: Plan, estate: Estate) -> Iterator[Finding]:
    """Room for all that is reserved. What is reserved no longer does no harm: its room is free."""
    held = {each.id: each for each in plan.reservations}
    for reservation in estate.reservations.values():
        for number in range(1, reservation.count + 1):
            room = held.get(f"{reservation.id}/{number}")
            where = f"reservation {reservation.id}/{number}"
            if room is None:
                yield warning(where, "was made after the plan, which holds no room for it", "plan again")
            elif not reservation.size.fits_in(room.size) or room.system != reservation.system:
                yield critical(where, "is planned smaller than asked for, or for another system", "plan again")
            elif room.host not in estate.hosts:
                yield critical(where, f"holds room on host {room.host}, which the inventory does not have", "plan again")


def _identities(plan: Plan) -> Iterator[Finding]:
    kinds = {
        "id": [machine.id for machine in plan.machines],
        "uuid": [machine.uuid for machine in plan.machines],
        "MAC": [nic.mac for machine in plan.machines for nic in machine.nics],
        "address": [nic.address for machine in plan.machines for nic in machine.nics],
    }
    for kind, values in kinds.items():
        for value, count in sorted(Counter(values).items()):
            if count > 1:
                yield critical("plan", f"{kind} {value} is used {count} times", "plan again")


def _addresses(plan: Plan, estate: Estate) -> Iterator[Finding]:
    others = {server.address: f"server {server.id}" for server in estate.servers.values() if server.address}
    others |= {urlsplit(host.uri).hostname or "": f"host {host.id}" for host in estate.hosts.values()}
    declared = {machine.address for machine in estate.machines.values()} | set(others)
    for machine in plan.machines:
        for nic in machine.nics:
            where, network = f"machine {machine.id}", estate.networks.get(nic.network)
            if network is None:
                yield critical(where, f"uses network {nic.network}, which the inventory does not have", "plan again")
                continue
            subnet, address = ip_network(network.cidr), ip_address(nic.address)
            if address not in subnet or nic.prefix_length != subnet.prefixlen or nic.gateway != network.gateway:
                yield critical(
                    where, f"address {nic.address}/{nic.prefix_length} does not lie in {network.id} ({subnet})", "plan again"
                )
            if nic.address in {network.gateway, str(subnet.broadcast_address), str(subnet.network_address)}:
                yield critical(where, f"address {nic.address} is kept for network {network.id} itself", "choose another")
            ranges = [(ip_address(first), ip_address(last)) for first, last in network.reserved]
            if nic.address not in declared and any(int(a) <= int(address) <= int(b) for a, b in ranges):
                yield critical(where, f"address {nic.address} lies in a reserved range of {network.id}", "plan again")
            holder = others.get(nic.address)
            if holder is not None and holder != f"server {machine.server}":
                yield critical(where, f"address {nic.address} belongs to {holder}", "declare another address")


def _networks_shared(plan: Plan, estate: Estate) -> Iterator[Finding]:
    """Ministries that are kept apart share no network."""
    users: dict[str, set[str]] = {}
    for machine in plan.machines:
        for nic in machine.nics:
            users.setdefault(nic.network, set()).add(machine.ministry)
    for pair in sorted(map(sorted, pairs_apart(estate))):
        for network in sorted(name for name, ministries in users.items() if ministries.issuperset(pair)):
            yield critical(
                f"network {network}",
                f"is shared by {' and '.join(pair)}, who are kept apart",
                "give one of them a network of its own",
            )
