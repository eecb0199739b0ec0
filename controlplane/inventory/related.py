"""Finds a thing of the estate by its id, and what belongs to it: pure look-ups for `kasumi inventory show`."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from controlplane.model.estate import Estate

KINDS = {
    "ministry": "ministries",
    "system": "systems",
    "server": "servers",
    "machine": "machines",
    "host": "hosts",
    "network": "networks",
    "site": "sites",
    "tier": "tiers",
    "image": "images",
}
"""Each kind and the field of the estate that holds it."""

Related = dict[str, tuple[object, ...]]


def find(estate: Estate, thing_id: str) -> dict[str, object]:
    """Everything of this id by kind: ids are unique within a kind only."""
    return {kind: _all(estate, kind)[thing_id] for kind in KINDS if thing_id in _all(estate, kind)}


def near(estate: Estate, thing_id: str) -> tuple[str, ...]:
    """At most three ids that look like this one."""
    return tuple(get_close_matches(thing_id, sorted({one for kind in KINDS for one in _all(estate, kind)}), n=3))


def related_to(estate: Estate, kind: str, thing_id: str) -> Related:
    """What belongs to a thing: its servers and machines whole, of everything else the ids; empty ones are left out."""
    return {name: things for name, things in _RELATED[kind](estate, thing_id).items() if things}


def _all(estate: Estate, kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(estate, KINDS[kind])
    return found


def _ids(things: Iterable[Any], field: str, value: str) -> tuple[object, ...]:
    return tuple(thing.id for thing in things if getattr(thing, field) == value)


def _of_ministry(estate: Estate, thing_id: str) -> Related:
    return {
        "systems": _ids(estate.systems.values(), "ministry", thing_id),
        "networks": _ids(estate.networks.values(), "ministry", thing_id),
    }


def _of_system(estate: Estate, thing_id: str) -> Related:
    return {
        "servers": tuple(server for server in estate.servers.values() if server.system == thing_id),
        "machines": tuple(machine for machine in estate.machines.values() if machine.system == thing_id),
    }


def _of_server(estate: Estate, thing_id: str) -> Related:
    server = estate.servers[thing_id]
    return {"ministry": (estate.systems[server.system].ministry,), "merged_into": (server.into,) if server.into else ()}


def _of_machine(estate: Estate, thing_id: str) -> Related:
    machine = estate.machines[thing_id]
    replicas = tuple(
        other.id
        for other in estate.machines.values()
        if machine.replica_group and (other.system, other.replica_group) == (machine.system, machine.replica_group)
        and other.id != thing_id
    )  # fmt: skip
    return {
        "ministry": (estate.systems[machine.system].ministry,),
        "takes_over_from": _ids(estate.servers.values(), "into", thing_id),
        "replicas": replicas,
    }


def _of_host(estate: Estate, thing_id: str) -> Related:
    host = estate.hosts[thing_id]
    return {"hosts_in_same_rack": tuple(other for other in _ids(estate.hosts.values(), "rack", host.rack) if other != thing_id)}


def _of_network(estate: Estate, thing_id: str) -> Related:
    return {
        "hosts": tuple(host.id for host in estate.hosts.values() if thing_id in host.networks),
        "servers": _ids(estate.servers.values(), "network", thing_id),
        "machines": _ids(estate.machines.values(), "network", thing_id),
    }


def _of_site(estate: Estate, thing_id: str) -> Related:
    return {"hosts": _ids(estate.hosts.values(), "site", thing_id)}


def _of_tier(estate: Estate, thing_id: str) -> Related:
    return {"systems": _ids(estate.systems.values(), "tier", thing_id)}


def _of_image(estate: Estate, thing_id: str) -> Related:
    return {
        "servers": _ids(estate.servers.values(), "image", thing_id),
        "machines": _ids(estate.machines.values(), "image", thing_id),
    }


_RELATED: dict[str, Callable[[Estate, str], Related]] = {
    "ministry": _of_ministry,
    "system": _of_system,
    "server": _of_server,
    "machine": _of_machine,
    "host": _of_host,
    "network": _of_network,
    "site": _of_site,
    "tier": _of_tier,
    "image": _of_image,
}
