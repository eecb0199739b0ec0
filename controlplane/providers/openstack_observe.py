"""A look at one pool of a cloud in a constant number of listings, and how each answer reads in our words.

Servers with details, ports, networks, security groups and, where servers boot from them, volumes of our project, its quotas; and,
where our credentials may ask Placement, what the scheduler still has room for. No call for each server; listings come in pages of
up to 1,000.

Capacity is what may be promised, so the cloud's own overcommit and reservations are in it already: the quota, and with an
administrator's rights no more than Placement has room for beside what our project holds. What other projects take is therefore
no foreign machine of ours; it only makes the room smaller. Foreign are servers of our project without our mark.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from keystoneauth1.exceptions import EndpointNotFound
from openstack.exceptions import ServiceDisabledException

from controlplane.errors import KasumiError
from controlplane.model.cloud import BootPolicy, CloudPool
from controlplane.model.observed import (
    UNLIMITED,
    HostCapacity,
    ObservedGroup,
    ObservedMachine,
    ObservedNetwork,
    ObservedNic,
    PowerState,
    Quota,
)
from controlplane.model.resources import Resources, total
from controlplane.providers.openstack_cloud import Cloud, Json
from controlplane.providers.openstack_faults import ApiError
from controlplane.providers.openstack_flavor import AGGREGATE_SCOPE, asked_of
from controlplane.providers.openstack_mark import AGGREGATE, AUTOSTART, UUID, ZONE, estate_mark, is_marked, made_for, mark_of
from controlplane.providers.openstack_network import rule_of, usable_networks
from controlplane.providers.openstack_volume import is_volume_backed, root_volume_of

T = TypeVar("T")
_STATES = {
    "ACTIVE": PowerState.RUNNING,
    "SHUTOFF": PowerState.STOPPED,
    "SHELVED": PowerState.STOPPED,
    "SHELVED_OFFLOADED": PowerState.STOPPED,
    "PAUSED": PowerState.PAUSED,
    "SUSPENDED": PowerState.PAUSED,
}
_RUNS = 1
"""Nova's power state of a running instance; it tells what a server is whose resize waits to be confirmed."""
_GONE = frozenset({"DELETED", "SOFT_DELETED"})
_LOST_AFTER = timedelta(minutes=5)
"""By our clock, which NTP keeps beside the cloud's. No scheduler thinks that long about one server."""
_ROOM = {"VCPU": "vcpus", "MEMORY_MB": "memory_mib", "DISK_GB": "disk_gib"}
VOLUMES_GIB = "volumes_gib"
_OF_GROUPS = ("id", "name", "description", "security_group_rules")
_ANY_ROOM = "VCPU:1,MEMORY_MB:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What the listings of one look hold, as the services gave it."""

    servers: Sequence[Json]
    ports: Sequence[Json]
    networks: Sequence[Json]
    groups: Sequence[Json]
    volumes: Sequence[Json] = ()


def listing(cloud: Cloud) -> Listing:
    """All servers, ports, networks and groups that count. Raises ApiError."""
    project = cloud.project_id
    fields = ("id", "name", "device_id", "mac_address", "network_id", "fixed_ips", "security_groups", "description")
    servers = [s for s in cloud.every("compute", "/servers/detail", "servers") if in_pool(s, cloud.pool)]
    return Listing(
        servers=servers,
        ports=cloud.every("network", "/ports", "ports", project_id=project, fields=fields),
        networks=usable_networks(cloud),
        groups=cloud.every("network", "/security-groups", "security_groups", project_id=project, fields=_OF_GROUPS),
        volumes=_volumes(cloud) if any(map(is_volume_backed, servers)) else (),
    )


def in_pool(server: Json, pool: CloudPool) -> bool:
    """True for a server that is there and of this zone and aggregate, or was asked for there and has none, as no hypervisor took it.

    A server of ours is of the aggregate that it was made for. A foreign one is of that for which its flavor asks, and of pools
    that are no aggregate too, whose room it takes as well.
    """
    if is_gone(server):
        return False
    noted, zone = server["metadata"], pool.zone
    if zone and (server.get("OS-EXT-AZ:availability_zone") or noted.get(ZONE, zone)) != zone:
        return False
    if mark_of(noted) is not None:
        return bool(noted.get(AGGREGATE, "") == ",".join(pool.aggregate))
    asked = asked_of(pool)
    found = server["flavor"].get("extra_specs") or {}
    return not asked or {key: value for key, value in found.items() if key.startswith(AGGREGATE_SCOPE)} == asked


def is_gone(server: Json) -> bool:
    """True for a server that is deleted, though still told of."""
    return server["status"] in _GONE


def machines_of(found: Listing) -> tuple[ObservedMachine, ...]:
    """All servers of the project, foreign ones included, by name."""
    ports: dict[str, list[Json]] = {}
    for port in found.ports:
        ports.setdefault(port["device_id"], []).append(port)
    networks = {network["id"]: network["name"] for network in found.networks}
    groups = {group["id"]: group["name"] for group in found.groups}
    seen = (
        machine_of(server, [_nic(port, networks, groups) for port in ports.get(server["id"], ())], found.volumes)
        for server in found.servers
    )
    return tuple(sorted(seen, key=lambda machine: (machine.name, machine.native_id)))


def machine_of(server: Json, nics: Iterable[ObservedNic], volumes: Iterable[Json]) -> ObservedMachine:
    """One server. What it is called in the plan stands in its metadata; a server that is not ours goes by Nova's id."""
    noted: Mapping[str, str] = server.get("metadata") or {}
    flavor = server["flavor"]
    state = state_of(server)
    cards = tuple(sorted(nics, key=lambda nic: (nic.network, nic.mac)))
    live = state in {PowerState.RUNNING, PowerState.PAUSED}
    disk_gib, asked = flavor["disk"] or None, made_for(noted, flavor["original_name"])
    if is_volume_backed(server):
        root = root_volume_of(server, volumes)
        disk_gib = root["size"] if root is not None else None
        asked = replace(asked, disk_gib=disk_gib) if asked is not None and disk_gib is not None else asked
    return ObservedMachine(
        name=server["name"],
        uuid=noted.get(UUID) or server["id"],
        mark=mark_of(noted),
        state=state,
        vcpus=flavor["vcpus"],
        memory_mib=flavor["ram"],
        live_vcpus=flavor["vcpus"] if live else None,
        live_memory_mib=flavor["ram"] if live else None,
        autostart=noted.get(AUTOSTART) == "on",
        nics=cards,
        live_nics=cards if live else None,
        disk_gib=disk_gib,
        native_id=server["id"],
        made_for=asked,
        fault=(server.get("fault") or {}).get("message", ""),
        resize_unconfirmed=server["status"] == "VERIFY_RESIZE",
    )


def state_of(server: Json) -> PowerState:
    """The state of a server; under a task it is between two states whatever its status says.

    Only one that Nova says never ran has failed: such a one is deleted and made anew. A cloud that does not say leaves it crashed.
    A server that is still to be scheduled after minutes has failed too: the Nova API that took the order died before it passed it on.
    """
    never_ran = "OS-SRV-USG:launched_at" in server and server["OS-SRV-USG:launched_at"] is None
    if server["status"] == "ERROR":
        return PowerState.FAILED if never_ran else PowerState.CRASHED
    if server.get("OS-EXT-STS:task_state") == "scheduling" and never_ran and not server["hostId"]:
        lost = datetime.now(UTC) - datetime.fromisoformat(server["created"]) > _LOST_AFTER
        return PowerState.FAILED if lost else PowerState.CHANGING
    if server.get("OS-EXT-STS:task_state"):
        return PowerState.CHANGING
    if server["status"] == "VERIFY_RESIZE":
        return PowerState.RUNNING if server.get("OS-EXT-STS:power_state") == _RUNS else PowerState.STOPPED
    return _STATES.get(server["status"], PowerState.CHANGING)


def networks_of(found: Listing, estate: str) -> tuple[ObservedNetwork, ...]:
    """The networks we may use, by name; one that is not of our making is its own bridge."""
    mark = estate_mark(estate)
    return tuple(
        ObservedNetwork(
            name=network["name"],
            active=bool(network["admin_state_up"]),
            autostart=True,
            bridge="" if is_marked(network, mark) else network["name"],
        )
        for network in sorted(found.networks, key=lambda network: (network["name"], network["id"]))
    )


def groups_of(found: Listing, estate: str) -> tuple[ObservedGroup, ...]:
    """The security groups of ours, by name."""
    mark = estate_mark(estate)
    ours = sorted((group for group in found.groups if is_marked(group, mark)), key=lambda group: (group["name"], group["id"]))
    return tuple(
        ObservedGroup(name=group["name"], rules=tuple(sorted(str(rule_of(rule)) for rule in group["security_group_rules"])))
        for group in ours
    )


_QUOTAS = (
    ("cores", "maxTotalCores", "totalCoresUsed"),
    ("instances", "maxTotalInstances", "totalInstancesUsed"),
    ("ram_mib", "maxTotalRAMSize", "totalRAMUsed"),
    ("server_groups", "maxServerGroups", "totalServerGroupsUsed"),
    ("volumes", "maxTotalVolumes", "totalVolumesUsed"),
    (VOLUMES_GIB, "maxTotalVolumeGigabytes", "totalGigabytesUsed"),
)
"""Ours, and what Nova and Cinder call the limit and what is used of it."""


def quotas_of(*limits: Json) -> tuple[Quota, ...]:
    """Our project's quotas, and how much of each is used, of the limits that services tell."""
    absolute = {name: value for told in limits for name, value in told["limits"]["absolute"].items()}
    return tuple(
        Quota(name=name, limit=absolute[limit] if absolute[limit] >= 0 else None, used=absolute[used])
        for name, limit, used in _QUOTAS
        if limit in absolute and used in absolute
    )


def room_of(candidates: Json, members: frozenset[str] | None) -> Resources:
    """What Placement has room for, over all hypervisors that can take anything; `members` narrows it to those of a zone."""
    left = dict.fromkeys(_ROOM, 0)
    for provider, summary in candidates["provider_summaries"].items():
        if members is not None and provider not in members:
            continue
        for kind, amount in summary["resources"].items():
            if kind in left:
                left[kind] += max(0, amount["capacity"] - amount["used"])
    return Resources(**{_ROOM[kind]: amount for kind, amount in left.items()})


def capacity_of(
    cloud: Cloud, machines: Sequence[ObservedMachine], quotas: Sequence[Quota], *, estate: str
) -> tuple[HostCapacity, int | None]:
    """What may be promised, and the disk that is free where we may see it. Raises ApiError."""
    held = [_size(machine) for machine in machines if machine.state is not PowerState.FAILED]
    foreign = [_size(m) for m in machines if m.mark is None or m.mark.estate != estate]
    limits = {quota.name: quota.limit for quota in quotas}
    cores, ram = limits.get("cores"), limits.get("ram_mib")
    most = Resources(
        vcpus=cores if cores is not None else UNLIMITED, memory_mib=ram if ram is not None else UNLIMITED, disk_gib=UNLIMITED
    )
    room = _room(cloud)
    if room is not None:
        there = room + total(held)  # what never came to be holds a quota, but no room
        most = Resources(
            vcpus=min(most.vcpus, there.vcpus), memory_mib=min(most.memory_mib, there.memory_mib), disk_gib=there.disk_gib
        )
    used_by_foreign, disk_free_gib = total(foreign), room.disk_gib if room is not None else None
    if cloud.pool.boot is BootPolicy.VOLUME:
        ours = sum(size.disk_gib for size in held) - used_by_foreign.disk_gib
        whole, foreign_gib, disk_free_gib = volume_room(quotas, ours_gib=ours)
        most, used_by_foreign = replace(most, disk_gib=whole), replace(used_by_foreign, disk_gib=foreign_gib)
    capacity = HostCapacity(
        total=most,
        used_by_foreign=used_by_foreign,
        hypervisor="openstack",
        version=cloud.nova_microversion,
        architecture="",
        virtualisation="cloud",
        basis="quota" if room is None else "quota and placement",
    )
    return capacity, disk_free_gib


def volume_room(quotas: Iterable[Quota], *, ours_gib: int) -> tuple[int, int, int | None]:
    """GiB of volumes that the project may have, that are not of our machines, and that are left; None: no limit tells."""
    quota = next((quota for quota in quotas if quota.name == VOLUMES_GIB), None)
    if quota is None or quota.limit is None:
        return UNLIMITED, 0, None
    return quota.limit, max(0, quota.used - ours_gib), max(0, quota.limit - quota.used)


def see_zone(cloud: Cloud) -> None:
    """Raises KasumiError for a zone that the cloud does not have; asked for while no server of ours is seen there, ApiError."""
    zones = _if_we_may(lambda: cloud.get("compute", "/os-availability-zone")["availabilityZoneInfo"])
    names = sorted(zone["zoneName"] for zone in zones or ())
    if names and cloud.pool.zone not in names:
        raise KasumiError(
            f"{cloud.pool.uri}: wanted availability zone {cloud.pool.zone}, found {', '.join(names)}; correct the host's uri in the "
            "inventory"
        )


def _room(cloud: Cloud) -> Resources | None:
    """None without the rights to ask Placement, or without one to be asked."""
    query = {"resources": _ANY_ROOM, "required": "!COMPUTE_STATUS_DISABLED"}

    def ask() -> Resources:
        candidates = cloud.get("placement", "/allocation_candidates", **query)
        return room_of(candidates, _providers_in(cloud) if cloud.pool.zone or cloud.pool.aggregate else None)

    return _if_we_may(ask)


def _volumes(cloud: Cloud) -> Sequence[Json]:
    """Volumes of the project; of servers that are not ours we can do without them."""
    if cloud.pool.boot is BootPolicy.VOLUME:
        return cloud.every("block_storage", "/volumes/detail", "volumes")
    return _if_we_may(lambda: cloud.every("block_storage", "/volumes/detail", "volumes")) or ()


def _if_we_may(ask: Callable[[], T]) -> T | None:
    """None where there is no such service or we may not ask it."""
    try:
        return ask()
    except (EndpointNotFound, ServiceDisabledException):
        return None
    except ApiError as error:
        if error.status in {401, 403, 404}:
            return None
        raise


def _providers_in(cloud: Cloud) -> frozenset[str]:
    """The resource providers of the pool's hypervisors: Placement knows them by the hypervisor's id."""
    hypervisors = cloud.every("compute", "/os-hypervisors/detail", "hypervisors")
    hosts = {hypervisor["service"]["host"] for hypervisor in hypervisors}
    if cloud.pool.zone:
        hosts &= _hosts_in_zone(cloud)
    if cloud.pool.aggregate:
        hosts &= hosts_with(cloud.pool.aggregate, cloud.get("compute", "/os-aggregates")["aggregates"])
    return frozenset(hypervisor["id"] for hypervisor in hypervisors if hypervisor["service"]["host"] in hosts)


def _hosts_in_zone(cloud: Cloud) -> set[str]:
    return {
        host
        for zone in cloud.get("compute", "/os-availability-zone/detail")["availabilityZoneInfo"]
        if zone["zoneName"] == cloud.pool.zone
        for host in zone.get("hosts") or ()
    }


def hosts_with(properties: Iterable[str], aggregates: Iterable[Json]) -> set[str]:
    """Hosts whose aggregates have all these properties between them; a value may be several with commas between, as Nova reads it."""
    having = [
        {
            host
            for each in aggregates
            for host in each["hosts"]
            if wanted in map(str.strip, each["metadata"].get(key, "").split(","))
        }
        for key, _, wanted in (text.partition("=") for text in properties)
    ]
    return set.intersection(*having)


def _nic(port: Json, networks: Mapping[str, str], groups: Mapping[str, str]) -> ObservedNic:
    return ObservedNic(
        network=networks.get(port["network_id"], ""),
        mac=port["mac_address"].lower(),
        address=next((fixed["ip_address"] for fixed in port["fixed_ips"]), ""),
        security_groups=tuple(sorted(groups.get(group, group) for group in port["security_groups"])),
    )


def _size(machine: ObservedMachine) -> Resources:
    return Resources(vcpus=machine.vcpus, memory_mib=machine.memory_mib, disk_gib=machine.disk_gib or 0)
