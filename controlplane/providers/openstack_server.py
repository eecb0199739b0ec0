"""Servers at Nova: found by mark and id, made once, changed in place, and every change waited for until the second look says so.

A server is looked for by our tag, by its name and by the id on record before another is made, so that one whose creation was
interrupted is found. Nova knows it from the moment it answers, hypervisor or not.
"""

import base64
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.observed import PowerState
from controlplane.providers.openstack_alone import make_alone
from controlplane.providers.openstack_cloud import Cloud, Json
from controlplane.providers.openstack_faults import fault_text
from controlplane.providers.openstack_mark import AGGREGATE, ESTATE, MACHINE, UUID, mark_of, tag
from controlplane.providers.openstack_observe import in_pool, is_gone, state_of
from controlplane.providers.protocol import MachineRef, Seed

_LOOK_SECONDS = 0.5
_BOOT_SECONDS = 1.0
"""No server was seen to run sooner, and a look at one costs Nova a question to Neutron."""
_LONGEST_LOOK_SECONDS = 3.0
_SETTLE_SECONDS = 170.0
"""For one change; the caller's deadline for a machine is a little longer, and its text says less."""
_RUNS_SECONDS = 30.0
"""Nova reads the power of a server it has just started by itself; a hypervisor under load is a few seconds late."""
_SEED_BYTES = 65_535
"""Nova's limit for user data in base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """What a server boots from: a volume, or a disk made of an image."""

    image: str = ""
    volume: str = ""


def find_server(cloud: Cloud, ref: MachineRef, host: str) -> Json | None:
    """Our server, or None; raises RefusedError when its mark, its id on record or its name belongs to somebody else, ApiError."""
    found = {server["id"]: server for server in _candidates(cloud, ref) if not is_gone(server)}
    mine = [server for server in found.values() if _bears(server, ref)]
    claiming = [s for s in found.values() if s not in mine and ref.uuid in {s["metadata"].get(UUID), s["id"]}]
    claiming += [s for s in found.values() if s not in mine and s not in claiming and s["id"] == ref.native_id]
    for server in claiming:
        mark = mark_of(server["metadata"])
        text = "no mark" if mark is None else f"the mark of {mark.estate}/{mark.machine}"
        raise RefusedError(
            f"machine {ref.machine} on {host}: server {server['name']} ({server['id']}) has our id but {text}; nothing was "
            "touched, clear it up by hand"
        )
    if len(mine) > 1:
        ids = ", ".join(sorted(server["id"] for server in mine))
        raise RefusedError(
            f"machine {ref.machine} on {host}: wanted one server with its mark, found {ids}; remove the copies by hand"
        )
    if mine:
        if ref.native_id and mine[0]["id"] != ref.native_id:
            raise RefusedError(
                f"machine {ref.machine} on {host}: wanted server {ref.native_id}, which is on record, found its mark on "
                f"{mine[0]['id']}; nothing was touched, clear it up by hand"
            )
        if not in_pool(mine[0], replace(cloud.pool, zone="")):
            raise RefusedError(
                f"machine {ref.machine} on {host}: wanted for {_aggregate_words(','.join(cloud.pool.aggregate))}, found server "
                f"{mine[0]['id']} made for {_aggregate_words(mine[0]['metadata'].get(AGGREGATE, ''))}; plan it on the host that it was made "
                "for, or have that one remove it first"
            )
        if not in_pool(mine[0], cloud.pool):
            raise RefusedError(
                f"machine {ref.machine} on {host}: wanted in zone {cloud.pool.zone}, found server {mine[0]['id']} in zone "
                f"{mine[0]['OS-EXT-AZ:availability_zone']}; move it back by hand, or plan it on the host of that zone"
            )
        return mine[0]
    here = (server for server in found.values() if in_pool(server, cloud.pool))
    namesake = next((server for server in here if server["name"] == ref.machine), None)
    if namesake is not None:
        raise RefusedError(
            f"machine {ref.machine} on {host}: wanted uuid {ref.uuid}, found a server of this name with uuid "
            f"{namesake['metadata'].get(UUID) or namesake['id']}; rename or remove it by hand"
        )
    return None


def create_server(
    cloud: Cloud,
    ref: MachineRef,
    *,
    disk: Disk,
    config_drive: bool,
    keypair: str,
    flavor: str,
    ports: Sequence[str],
    metadata: Mapping[str, str],
    seed: Seed | None,
    group: str,
) -> Json:
    """Ask for a server and wait until it runs. Raises KasumiError with its fault when it comes to nothing, ApiError."""
    body: Json = {
        "name": ref.machine,
        "flavorRef": flavor,
        "networks": [{"port": port} for port in ports],
        "metadata": dict(metadata),
        "tags": [tag(ref.uuid)],
        "config_drive": config_drive,
    }
    if disk.volume:
        body["block_device_mapping_v2"] = [
            {
                "boot_index": 0,
                "uuid": disk.volume,
                "source_type": "volume",
                "destination_type": "volume",
                "delete_on_termination": False,
            }
        ]
    else:
        body["imageRef"] = disk.image
    if keypair:
        body["key_name"] = keypair
    if seed is not None:
        body["user_data"] = _user_data(ref, seed)
    if cloud.pool.zone:
        body["availability_zone"] = cloud.pool.zone
    hints = {"os:scheduler_hints": {"group": group}} if group else {}
    made = make_alone(
        f"server of machine {ref.machine} on {cloud.pool.uri}",
        lambda: dict(cloud.post("compute", "/servers", {"server": body, **hints})["server"]),
        lambda: cloud.every("compute", "/servers", "servers", tags=tag(ref.uuid)),
        lambda server: delete_server(cloud, server, f"machine {ref.machine}: server {server['id']}"),
    )
    time.sleep(_BOOT_SECONDS)
    return settled(cloud, made["id"], f"machine {ref.machine}: server {made['id']}")


def settled(cloud: Cloud, server: str, what: str, *, wanted: Callable[[Json], bool] = lambda _: True) -> Json:
    """Look until no task is at work and it is as wanted. Raises KasumiError for a fault, or when time is up; ApiError."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    pause = _LOOK_SECONDS
    while True:
        found: Json = cloud.get("compute", f"/servers/{server}")["server"]
        at_work = found.get("OS-EXT-STS:task_state") or state_of(found) is PowerState.CHANGING
        if found["status"] == "ERROR" and not at_work:
            raise KasumiError(f"{what} on {cloud.pool.uri} is in ERROR: {fault_text(found.get('fault') or {})}")
        if not at_work and wanted(found):
            return found
        if time.monotonic() > deadline:
            doing = found.get("OS-EXT-STS:task_state") or "nothing"
            raise KasumiError(
                f"{what} on {cloud.pool.uri}: {found['status']} and doing {doing} after {_SETTLE_SECONDS:.0f} s; "
                "look at the cloud, then run again"
            )
        time.sleep(pause)
        pause = min(pause * 1.3, _LONGEST_LOOK_SECONDS)


def at_rest(cloud: Cloud, server: Json, what: str) -> Json:
    """The server once no task is at work on it, and a resize that waited is confirmed. Raises KasumiError, ApiError."""
    if state_of(server) is PowerState.CHANGING:
        server = settled(cloud, server["id"], what)
    return confirmed(cloud, server, what)


def act(cloud: Cloud, server: Json, action: str, argument: object = None) -> None:
    """Ask Nova for an action. Raises ApiError."""
    cloud.post("compute", f"/servers/{server['id']}/action", {action: argument})


def resize_server(cloud: Cloud, server: Json, flavor: str, flavor_name: str, what: str) -> Json:
    """Another flavor, confirmed. A running server is restarted by it, and gets the old one back when it does not run with it.

    Raises KasumiError when it keeps or got back the old one, ApiError.
    """
    before, ran = server["flavor"]["original_name"], state_of(server) is PowerState.RUNNING
    act(cloud, server, "resize", {"flavorRef": flavor})
    found = settled(cloud, server["id"], what)
    if found["flavor"]["original_name"] != flavor_name:
        raise KasumiError(
            f"{what} on {cloud.pool.uri}: wanted flavor {flavor_name}, still {found['flavor']['original_name']}; no hypervisor "
            "took it: free room there, or plan another size"
        )
    if ran and found["status"] == "VERIFY_RESIZE" and not _comes_to_run(cloud, found):
        act(cloud, found, "revertResize")
        back = settled(cloud, server["id"], what, wanted=lambda seen: bool(seen["status"] != "VERIFY_RESIZE"))
        raise KasumiError(
            f"{what} on {cloud.pool.uri}: wanted flavor {flavor_name}, but with it the server did not run within {_RUNS_SECONDS:.0f} s, "
            f"so the resize was reverted: it is {back['status']} with flavor {before} again; look at its console, then plan another size"
        )
    return confirmed(cloud, found, what)


def _comes_to_run(cloud: Cloud, server: Json) -> bool:
    """True when a resized server runs before time is up: Nova may tell its power a little late."""
    deadline = time.monotonic() + _RUNS_SECONDS
    while state_of(server) is not PowerState.RUNNING:
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
        server = cloud.get("compute", f"/servers/{server['id']}")["server"]
    return True


def confirmed(cloud: Cloud, server: Json, what: str) -> Json:
    """Confirm a resize that waits for it; nothing happens to another server. Raises KasumiError, ApiError."""
    if server["status"] != "VERIFY_RESIZE":
        return server
    act(cloud, server, "confirmResize")
    return settled(cloud, server["id"], what, wanted=lambda found: bool(found["status"] != "VERIFY_RESIZE"))


def note(cloud: Cloud, server: Json, uuid: str, metadata: Mapping[str, str]) -> None:
    """Set these metadata, leave all others, and see that our tag is there. Raises ApiError."""
    if any(server["metadata"].get(key) != value for key, value in metadata.items()):
        cloud.post("compute", f"/servers/{server['id']}/metadata", {"metadata": dict(metadata)})
    if tag(uuid) not in server["tags"]:
        cloud.call("compute", "PUT", f"/servers/{server['id']}/tags/{tag(uuid)}")


def delete_server(cloud: Cloud, server: Json, what: str) -> None:
    """Delete it and see it gone. Raises KasumiError when it does not go, ApiError."""
    cloud.delete("compute", f"/servers/{server['id']}")
    deadline = time.monotonic() + _SETTLE_SECONDS
    while (found := cloud.find("compute", f"/servers/{server['id']}")) is not None:
        if time.monotonic() > deadline:
            raise KasumiError(
                f"{what} on {cloud.pool.uri}: asked to delete it, still {found['server']['status']} after {_SETTLE_SECONDS:.0f} s; "
                "look at the cloud, then run again"
            )
        time.sleep(_LOOK_SECONDS)


def _candidates(cloud: Cloud, ref: MachineRef) -> list[Json]:
    """By short listings, which are cheap and mostly empty; details are read of what they name."""
    found = {ref.native_id} - {""}
    for query in ({"tags": tag(ref.uuid)}, {"name": f"^{ref.machine}$"}):
        found |= {server["id"] for server in cloud.every("compute", "/servers", "servers", **query)}
    servers = (cloud.find("compute", f"/servers/{server}") for server in sorted(found))
    return [server["server"] for server in servers if server is not None]


def _bears(server: Json, ref: MachineRef) -> bool:
    noted: Mapping[str, str] = server["metadata"]
    return (noted.get(ESTATE), noted.get(MACHINE), noted.get(UUID)) == (ref.estate, ref.machine, ref.uuid)


def _aggregate_words(properties: str) -> str:
    return f"an aggregate with {properties}" if properties else "any hypervisor"


def _user_data(ref: MachineRef, seed: Seed) -> str:
    text = base64.b64encode(seed.user_data.encode()).decode()
    if len(text) > _SEED_BYTES:
        raise KasumiError(f"machine {ref.machine}: first-boot data of {len(text)} bytes, a cloud takes {_SEED_BYTES}; shorten it")
    return text
