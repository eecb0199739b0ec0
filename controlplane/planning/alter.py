"""Alters what the planner is given: one small change each, for what-if and for trying repairs. Nothing real is touched.

Every function returns new inputs. What stands or was promised on something that goes is placed anew.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import IPv4Network
from math import ceil
from typing import Protocol, TypeVar

from controlplane.model.estate import Host, Ministry, Network, Server, System, Tier, WantedMachine
from controlplane.model.needs import Licence, Needs
from controlplane.model.resources import Overcommit, Resources
from controlplane.planning.believed import believed_host
from controlplane.planning.demand import demand_of
from controlplane.planning.identity import machine_uuid
from controlplane.planning.inputs import PlanInputs

_Asked = TypeVar("_Asked", Server, WantedMachine)
_UNUSED = IPv4Network("240.0.0.0/4")
"""Addresses that nobody may use: networks of a ministry that does not exist take theirs from here."""


def with_host_like(inputs: PlanInputs, like: str, *, own_rack: bool = False) -> tuple[PlanInputs, str]:
    """One more host like another, empty; in the other's rack, or in a rack with a power feed of its own. Its id is returned."""
    model = inputs.estate.hosts[like]
    number = next(n for n in range(1, len(inputs.estate.hosts) + 2) if f"{like}-more-{n}" not in inputs.estate.hosts)
    host_id = f"{like}-more-{number}"
    added = replace(model, id=host_id, maintenance=False)
    if own_rack:
        added = replace(added, rack=f"{host_id}-rack", power_feed=f"{host_id}-feed")
    return _with_host(inputs, added, answers=True), host_id


def without_hosts(inputs: PlanInputs, gone: Iterable[str]) -> PlanInputs:
    """These hosts are lost; their machines are placed anew on the others."""
    lost = frozenset(gone)
    estate, parent, seen = inputs.estate, inputs.parent, inputs.observation
    hosts = {name: host for name, host in estate.hosts.items() if name not in lost}
    kept = tuple(machine for machine in parent.machines if machine.host not in lost) if parent is not None else ()
    return replace(
        inputs,
        estate=replace(estate, hosts=hosts),
        observation=replace(seen, hosts={name: host for name, host in seen.hosts.items() if name not in lost}),
        parent=replace(parent, machines=kept) if parent is not None else None,
    )


def with_open_host(inputs: PlanInputs, host: str) -> PlanInputs:
    """A host is out of maintenance and answers, with what it declares where it did not answer before."""
    opened = replace(inputs.estate.hosts[host], maintenance=False)
    seen = inputs.observation.hosts.get(host)
    return _with_host(inputs, opened, answers=seen is None or not seen.reachable or seen.capacity is None)


def with_closed_host(inputs: PlanInputs, host: str) -> PlanInputs:
    """A host is in maintenance."""
    return _with_host(inputs, replace(inputs.estate.hosts[host], maintenance=True), answers=False)


def with_overcommit(inputs: PlanInputs, hosts: Iterable[str], dimension: str, ratio: float) -> PlanInputs:
    """Another overcommit ratio (`vcpus`, `memory` or `disk`) on these hosts."""
    for name in hosts:
        host = inputs.estate.hosts[name]
        given = host.overcommit
        ratios = {"vcpus": given.vcpus, "memory": given.memory, "disk": given.disk} | {dimension: ratio}
        inputs = _with_host(inputs, replace(host, overcommit=Overcommit(**ratios)), answers=False)
    return inputs


def with_growth(inputs: PlanInputs, percent: float, ministry: str = "") -> PlanInputs:
    """Every size of one ministry, or of all, grows by so many per cent, rounded up."""
    estate = inputs.estate
    factor = 1 + percent / 100

    def concerns(system: str) -> bool:
        return not ministry or estate.systems[system].ministry == ministry

    def grown(server: Server) -> Server:
        return replace(
            server,
            size=_scaled(server.size, factor) if server.size is not None else None,
            target=_scaled(server.target, factor) if server.target is not None else None,
        )

    servers = {name: grown(each) if concerns(each.system) else each for name, each in estate.servers.items()}
    machines = {
        name: replace(each, size=_scaled(each.size, factor)) if concerns(each.system) else each
        for name, each in estate.machines.items()
    }
    return replace(inputs, estate=replace(estate, servers=servers, machines=machines))


def with_ministry_like(inputs: PlanInputs, like: str) -> PlanInputs:
    """One more ministry joins, with as many machines of the same sizes, grades, tiers and replica groups as another."""
    estate = inputs.estate
    name = next(f"{like}-more-{n}" for n in range(1, len(estate.ministries) + 2) if f"{like}-more-{n}" not in estate.ministries)
    suffix = name.removeprefix(like)
    model = estate.ministries[like]
    image = min(estate.images, key=lambda each: (estate.images[each].min_disk_gib, each), default="")
    systems: dict[str, System] = {}
    networks: dict[str, Network] = {}
    machines: dict[str, WantedMachine] = {}
    for draft in demand_of(estate).drafts:
        if draft.ministry != like:
            continue
        system, network = estate.systems[draft.system], estate.networks[draft.network]
        systems[system.id + suffix] = replace(system, id=system.id + suffix, ministry=name, savings=())
        if network.ministry == like:
            networks[network.id + suffix] = _own_network(network, network.id + suffix, name, len(networks))
        machines[draft.id + suffix] = WantedMachine(
            id=draft.id + suffix,
            system=system.id + suffix,
            size=draft.size,
            image=draft.image or image,
            network=network.id + suffix if network.ministry == like else network.id,
            replica_group=draft.replica_group,
            needs=draft.needs,
        )
    hosts = {
        host.id: replace(
            host, networks=host.networks | {n + suffix: host.networks[n] for n in host.networks if n + suffix in networks}
        )
        for host in estate.hosts.values()
    }
    joined = replace(
        estate,
        ministries={**estate.ministries, name: replace(model, id=name, name_en=f"one more like {model.name_en}")},
        systems={**estate.systems, **systems},
        machines={**estate.machines, **machines},
        networks={**estate.networks, **networks},
        hosts=hosts,
    )
    return replace(inputs, estate=joined)


def without_reservation(inputs: PlanInputs, reservation: str) -> PlanInputs:
    """No room is held for it."""
    left = {name: each for name, each in inputs.estate.reservations.items() if name != reservation}
    return replace(inputs, estate=replace(inputs.estate, reservations=left))


def afresh(inputs: PlanInputs) -> PlanInputs:
    """As if no machine of ours were there or promised: everything is placed anew."""
    hosts = {
        name: replace(seen, machines=tuple(m for m in seen.machines if m.mark is None or m.mark.estate != inputs.estate.id))
        for name, seen in inputs.observation.hosts.items()
    }
    return replace(inputs, parent=None, observation=replace(inputs.observation, hosts=hosts))


def with_free_machines(inputs: PlanInputs, machines: Iterable[str]) -> PlanInputs:
    """These machines may go elsewhere: where they stand or were promised is forgotten."""
    ids = frozenset(machines)
    uuids = {machine_uuid(inputs.estate.id, machine) for machine in ids}
    hosts = {
        name: replace(seen, machines=tuple(machine for machine in seen.machines if machine.uuid not in uuids))
        for name, seen in inputs.observation.hosts.items()
    }
    parent = inputs.parent
    kept = replace(parent, machines=tuple(m for m in parent.machines if m.id not in ids)) if parent is not None else None
    return replace(inputs, parent=kept, observation=replace(inputs.observation, hosts=hosts))


def with_host_changed(inputs: PlanInputs, host: str, change: Callable[[Host], Host]) -> PlanInputs:
    """Another declaration of one host."""
    return _with_host(inputs, change(inputs.estate.hosts[host]), answers=False)


def with_system_spread_over(inputs: PlanInputs, system: str, spread_over: str) -> PlanInputs:
    """Replicas of one system differ in no more than this failure domain."""
    tier = inputs.estate.tiers[inputs.estate.systems[system].tier]
    return _with_tier(inputs, system, replace(tier, spread_over=spread_over))


def with_system_surviving(inputs: PlanInputs, system: str, failures: int, survives: str) -> PlanInputs:
    """One system need survive the loss of no more hosts, racks or the like than this."""
    tier = inputs.estate.tiers[inputs.estate.systems[system].tier]
    return _with_tier(inputs, system, replace(tier, host_failures=failures, survives=survives))


def with_licence(inputs: PlanInputs, product: str, sockets: int) -> PlanInputs:
    """A product is licensed for so many sockets."""
    licences = {**inputs.estate.licences, product: Licence(id=product, sockets=sockets)}
    return replace(inputs, estate=replace(inputs.estate, licences=licences))


def with_ministries_together(inputs: PlanInputs, one: str, other: str) -> PlanInputs:
    """Two ministries are no longer kept apart."""

    def sharing(ministry: Ministry) -> Ministry:
        if ministry.id not in {one, other}:
            return ministry
        return replace(ministry, apart_from=tuple(each for each in ministry.apart_from if each not in {one, other}))

    ministries = {name: sharing(each) for name, each in inputs.estate.ministries.items()}
    return replace(inputs, estate=replace(inputs.estate, ministries=ministries))


def with_together_changed(inputs: PlanInputs, system: str, group: tuple[str, str], domain: str) -> PlanInputs:
    """A group of a system is kept together in another domain, or with an empty one not at all."""

    def changed(needs: Needs) -> Needs:
        kept = [each for each in needs.together if each != group]
        if len(kept) < len(needs.together) and domain:
            kept.append((domain, group[1]))
        return replace(needs, together=tuple(sorted(set(kept))))

    def regrouped(asked: _Asked) -> _Asked:
        return replace(asked, needs=changed(asked.needs)) if asked.system == system else asked

    return _with_asked(inputs, regrouped)


def without_pins(inputs: PlanInputs, machine: str) -> PlanInputs:
    """A machine, be it wanted as such or made from a server, may stand on any host."""

    def unpinned(asked: _Asked) -> _Asked:
        return replace(asked, only_on=(), not_on=()) if asked.id == machine else asked

    return _with_asked(inputs, unpinned)


def with_machine_size(inputs: PlanInputs, machine: str, size: Resources) -> PlanInputs:
    """Another size for one machine, be it wanted as such or made from a server."""
    estate = inputs.estate
    if machine in estate.machines:
        changed = replace(estate.machines[machine], size=size)
        return replace(inputs, estate=replace(estate, machines={**estate.machines, machine: changed}))
    server = replace(estate.servers[machine], target=size)
    return replace(inputs, estate=replace(estate, servers={**estate.servers, machine: server}))


class _Change(Protocol):
    def __call__(self, asked: _Asked) -> _Asked: ...


def _with_asked(inputs: PlanInputs, change: _Change) -> PlanInputs:
    estate = inputs.estate
    machines = {name: change(each) for name, each in estate.machines.items()}
    servers = {name: change(each) for name, each in estate.servers.items()}
    return replace(inputs, estate=replace(estate, machines=machines, servers=servers))


def _with_tier(inputs: PlanInputs, system: str, wanted: Tier) -> PlanInputs:
    estate = inputs.estate
    given = estate.systems[system]
    tier_id = f"{given.tier}, {wanted.spread_over}, {wanted.survives}, {wanted.host_failures}"
    tier = replace(wanted, id=tier_id)
    changed = replace(
        estate, tiers={**estate.tiers, tier_id: tier}, systems={**estate.systems, system: replace(given, tier=tier_id)}
    )
    return replace(inputs, estate=changed)


def _with_host(inputs: PlanInputs, host: Host, *, answers: bool) -> PlanInputs:
    estate = replace(inputs.estate, hosts={**inputs.estate.hosts, host.id: host})
    if not answers:
        return replace(inputs, estate=estate)
    seen = replace(believed_host(host, estate.id, inputs.parent), believed=False)
    return replace(
        inputs, estate=estate, observation=replace(inputs.observation, hosts={**inputs.observation.hosts, host.id: seen})
    )


def _own_network(network: Network, network_id: str, ministry: str, number: int) -> Network:
    prefix = IPv4Network(network.cidr).prefixlen
    start = int(_UNUSED.network_address) + number * 2 ** (32 - prefix)
    cidr = str(IPv4Network((start, prefix)))
    return replace(network, id=network_id, ministry=ministry, cidr=cidr, gateway="", dns=(), reserved=())


def _scaled(size: Resources, factor: float) -> Resources:
    return Resources(
        vcpus=ceil(size.vcpus * factor - 1e-9),
        memory_mib=ceil(size.memory_mib * factor - 1e-9),
        disk_gib=ceil(size.disk_gib * factor - 1e-9),
    )
