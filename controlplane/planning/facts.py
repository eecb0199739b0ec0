"""The facts a plan rests on, entity by entity, and which of them moved since.

Only what planning uses: a fact that is not here may change without making a plan stale, and nothing here changes by
carrying the plan out (no free memory, no machines of our own).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.model.document import to_data
from controlplane.model.estate import ClassPool, Estate, Host, LibvirtSource, Network, Server, Service, System, WantedMachine
from controlplane.model.needs import Cpu
from controlplane.model.observed import HostObservation, Observation
from controlplane.model.plan import Facts, Plan, PlannedImage, Scalar
from controlplane.model.resources import Resources
from controlplane.planning.capacity import foreign_use, physical_capacity
from controlplane.planning.demand import apart_ministries
from controlplane.planning.identity import machine_uuid
from controlplane.planning.leases import MADE_FROM, lease_entity, lease_facts

ANSWERS = "answers"
BELIEVED = "believed"
"""Value of `answers` for a host that nobody looked at."""
_PRESENT = "in the inventory"


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedFact:
    """One fact that is not as it was when the plan was made; `touches` are the ids of machines that rest on it."""

    entity: str
    field: str
    planned: Scalar
    now: Scalar
    touches: tuple[str, ...]


def input_facts(
    estate: Estate, observation: Observation, images: Mapping[str, PlannedImage], authorized_keys: tuple[str, ...]
) -> dict[str, Facts]:
    """Flat facts per entity: `estate`, and `KIND/ID` of each server, machine, system, host, network, image, tier and lease."""
    facts: dict[str, Facts] = {"estate": _estate_facts(estate, authorized_keys)}
    facts |= {f"server/{server.id}": _server_facts(server, estate) for server in estate.servers.values()}
    facts |= {f"machine/{machine.id}": _machine_facts(machine, estate) for machine in estate.machines.values()}
    apart = apart_ministries(estate)
    facts |= {f"system/{system.id}": _system_facts(system, apart.get(system.ministry, ())) for system in estate.systems.values()}
    wanted = _wanted(estate)
    facts |= {
        f"host/{host.id}": _host_facts(host, observation.hosts.get(host.id), estate.id, wanted) for host in estate.hosts.values()
    }
    facts |= {f"network/{network.id}": _network_facts(network) for network in estate.networks.values()}
    facts |= {f"image/{image.id}": _image_facts(image, estate.images[image.id].min_disk_gib) for image in images.values()}
    facts |= {
        f"tier/{tier.id}": {
            "host_failures": tier.host_failures,
            "spread_over": tier.spread_over,
            **({"survives": tier.survives} if tier.survives != "host" else {}),
        }
        for tier in estate.tiers.values()
    }
    facts |= lease_facts(estate)
    return {entity: dict(sorted(facts[entity].items())) for entity in sorted(facts)}


def moved_facts(plan: Plan, now: Mapping[str, Facts]) -> tuple[MovedFact, ...]:
    """Facts that differ between the plan's inputs and now, by entity and field.

    That a host no longer answers, or answers again, counts only when the plan places machines there.
    """
    moved: list[MovedFact] = []
    for entity in sorted(set(plan.inputs) | set(now)):
        before, after = plan.inputs.get(entity), now.get(entity)
        if before == after:
            continue
        touches = _touched(plan, entity)
        if before is None or after is None:
            pair = ("no", "yes") if before is None else ("yes", "no")
            moved.append(MovedFact(entity=entity, field=_PRESENT, planned=pair[0], now=pair[1], touches=touches))
            continue
        for name in _compared(before, after, used=bool(touches)):
            if before.get(name) != after.get(name):
                moved.append(MovedFact(entity=entity, field=name, planned=before.get(name), now=after.get(name), touches=touches))
    return tuple(moved)


def believed_hosts(plan: Plan) -> tuple[str, ...]:
    """The hosts that a plan believes as declared, since nobody looked at them when it was made."""
    return tuple(host.id for host in plan.hosts if plan.inputs.get(f"host/{host.id}", {}).get(ANSWERS) == BELIEVED)


def _touched(plan: Plan, entity: str) -> tuple[str, ...]:
    if entity == "estate":
        return tuple(sorted(machine.id for machine in plan.machines))
    return tuple(sorted(m.id for m in plan.machines if entity in m.derived_from or entity == lease_entity(m.id)))


def _compared(before: Facts, after: Facts, *, used: bool) -> list[str]:
    names = sorted(set(before) | set(after))
    if before.get(ANSWERS) == after.get(ANSWERS):
        return names
    return [name for name in names if not _is_observed(name) and (used or name != ANSWERS)]


def _is_observed(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] in {"observed", "foreign"}


def _estate_facts(estate: Estate, authorized_keys: tuple[str, ...]) -> Facts:
    access = estate.access
    return {
        "id": estate.id,
        "access.user": access.user,
        "access.identity_file": access.identity_file,
        "access.ssh_config": access.ssh_config,
        "access.authorized_key_files": " ".join(access.authorized_key_files),
        "access.authorized_keys": ", ".join(authorized_keys),
    }


def _server_facts(server: Server, estate: Estate) -> Facts:
    facts: Facts = {
        "system": server.system,
        "disposition": server.disposition.value,
        "into": server.into,
        "address": server.address,
        "mac": server.mac,
        "network": server.network,
        "image": server.image,
        "replica_group": server.replica_group,
        **(_size_facts("size", server.size) if server.size is not None else {}),
        **(_size_facts("target", server.target) if server.target is not None else {}),
        **_source_facts(server.source),
        **_asked_facts(server, estate),
    }
    return facts | _content_facts(server.roles, server.services, server.variables)


def _machine_facts(machine: WantedMachine, estate: Estate) -> Facts:
    facts: Facts = {
        "system": machine.system,
        "image": machine.image,
        "network": machine.network,
        "address": machine.address,
        "replica_group": machine.replica_group,
        **_size_facts("size", machine.size),
        **_asked_facts(machine, estate),
    }
    return facts | _content_facts(machine.roles, machine.services, machine.variables)


def _asked_facts(asked: Server | WantedMachine, estate: Estate) -> Facts:
    """Pins and needs, and only where something is stated, so that plans made before these words existed stay fresh."""
    needs = asked.needs
    stated: Facts = {
        "only_on": ", ".join(asked.only_on),
        "not_on": ", ".join(asked.not_on),
        "needs.network_mbps": needs.network_mbps,
        "needs.iops": needs.iops,
        "needs.load": " ".join(map(str, estate.load_profiles[needs.load].percent)) if needs.load else "",
        "needs.cpu": _cpu_fact(needs.cpu),
        "needs.licences": ", ".join(f"{product} for {estate.licences[product].sockets} sockets" for product in needs.licences),
        "needs.disk_class": needs.disk_class,
        "needs.together": ", ".join(f"{domain} {name}" for domain, name in needs.together),
    }
    return {name: value for name, value in stated.items() if value}


def _cpu_fact(cpu: Cpu) -> str:
    return " ".join(filter(None, (cpu.architecture, cpu.baseline, *cpu.features)))


def _system_facts(system: System, apart_from: tuple[str, ...]) -> Facts:
    return {
        "ministry": system.ministry,
        "study_class": system.study_class,
        "confidentiality": system.confidentiality,
        "tier": system.tier,
        "status": system.status,
        **({"apart_from": ", ".join(apart_from)} if apart_from else {}),
    }


def _host_facts(host: Host, seen: HostObservation | None, estate: str, wanted: frozenset[str]) -> Facts:
    facts: Facts = {
        "uri": host.uri,
        "site": host.site,
        "rack": host.rack,
        "power_feed": host.power_feed,
        "confidentiality": " ".join(map(str, sorted(host.confidentiality))),
        "pool.name": host.pool.name,
        "pool.path": host.pool.path,
        "maintenance": host.maintenance,
        "overcommit.vcpus": host.overcommit.vcpus,
        "overcommit.memory": host.overcommit.memory,
        "overcommit.disk": host.overcommit.disk,
        **_size_facts("capacity", host.capacity),
        **_size_facts("reserved", host.reserved),
        **_offer_facts(host),
        **{f"network.{network}": bridge for network, bridge in host.networks.items()},
    }
    if seen is None or not seen.reachable or seen.capacity is None:
        return facts | {ANSWERS: False}
    return facts | {
        ANSWERS: BELIEVED if seen.believed else True,
        "observed.architecture": seen.capacity.architecture,
        "observed.virtualisation": seen.capacity.virtualisation,
        **({"observed.basis": seen.capacity.basis} if seen.capacity.basis else {}),
        **_size_facts("observed", physical_capacity(host, seen.capacity, seen.disk_free_gib)),
        **_size_facts("foreign", foreign_use(estate, seen, seen.capacity, wanted)),
    }


def _offer_facts(host: Host) -> Facts:
    offers = host.offers
    stated: Facts = {
        "offers.network_mbps": offers.network_mbps,
        "offers.iops": offers.iops,
        "offers.cpu": _cpu_fact(offers.cpu),
        "offers.sockets": offers.sockets,
        "pool.storage": host.storage,
        **{f"pools.{pool.disk_class}.{name}": value for pool in host.pools for name, value in _pool_facts(pool).items()},
    }
    return {name: value for name, value in stated.items() if value}


def _pool_facts(pool: ClassPool) -> Facts:
    return {"name": pool.name, "path": pool.path, "disk_gib": pool.capacity_gib, "storage": pool.storage}


def _wanted(estate: Estate) -> frozenset[str]:
    """The uuids of the machines that an inventory asks for."""
    made_from = (server.id for server in estate.servers.values() if server.disposition in MADE_FROM)
    return frozenset(machine_uuid(estate.id, machine) for machine in (*estate.machines, *made_from))


def _network_facts(network: Network) -> Facts:
    return {
        "cidr": network.cidr,
        "confidentiality": network.confidentiality,
        "ministry": network.ministry,
        "gateway": network.gateway,
        "vlan": network.vlan,
        "dns": " ".join(network.dns),
        "reserved": " ".join(f"{first}-{last}" for first, last in network.reserved),
    }


def _image_facts(image: PlannedImage, min_disk_gib: int) -> Facts:
    return {"file": image.file, "format": image.format, "sha256": image.sha256, "os": image.os, "min_disk_gib": min_disk_gib}


def _size_facts(prefix: str, size: Resources) -> Facts:
    return {f"{prefix}.vcpus": size.vcpus, f"{prefix}.memory_mib": size.memory_mib, f"{prefix}.disk_gib": size.disk_gib}


def _source_facts(source: LibvirtSource | None) -> Facts:
    if source is None:
        return {}
    return {"source.uri": source.uri, "source.domain": source.domain, "source.disk_address": source.disk_address}


def _content_facts(roles: tuple[str, ...], services: tuple[Service, ...], variables: Mapping[str, object]) -> Facts:
    """What is placed on the machine, as one fact each: it goes into the plan as it is and decides nothing."""
    return {
        "roles": " ".join(roles),
        "services": json.dumps(to_data(services), ensure_ascii=False, sort_keys=True),
        "variables": json.dumps(to_data(variables), ensure_ascii=False, sort_keys=True),
    }
