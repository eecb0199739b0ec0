"""Servers that stood in a cloud before us: what we could not keep of one, and our mark put on it and taken off again.

The mark is metadata and a tag of the server and the description of its ports; nothing else changes. What says whose it is
comes last when the mark is put on, and goes last when it is taken off, so that either may be broken off and done again.
"""

from controlplane.errors import RefusedError
from controlplane.model.observed import PowerState
from controlplane.model.plan import PlannedMachine
from controlplane.providers.openstack_cloud import Cloud, Json
from controlplane.providers.openstack_mark import (
    ADOPTED,
    AGGREGATE,
    AUTOSTART,
    ESTATE,
    MACHINE,
    MADE_FOR,
    PLAN,
    UUID,
    aggregate_note,
    mark_of,
    tag,
)
from controlplane.providers.openstack_observe import state_of
from controlplane.providers.openstack_port import mark_of_ref
from controlplane.providers.openstack_server import note
from controlplane.providers.openstack_volume import is_volume_backed, root_volume
from controlplane.providers.protocol import Foreign, MachineRef

_KEYS = (AUTOSTART, PLAN, MADE_FOR, ESTATE, MACHINE, ADOPTED, AGGREGATE, UUID)
"""In the order in which they are taken off: while the mark is whole it says adopted, so a cut leaves nothing that we delete."""
_STEADY = frozenset({PowerState.RUNNING, PowerState.STOPPED, PowerState.PAUSED})


def look_at(cloud: Cloud, server: Json) -> Foreign:
    """The size of its root disk, and what a plan cannot say of it. Raises ApiError."""
    obstacles = []
    disk_gib = server["flavor"]["disk"] or None
    if is_volume_backed(server):
        volume = root_volume(cloud, server)
        disk_gib = volume["size"] if volume is not None else None
        if volume is None:
            obstacles.append(
                "it boots from a volume that Cinder does not show us; see `openstack volume list`, or leave it foreign"
            )
    elif disk_gib is None:
        obstacles.append("its flavor states no disk, so a plan would give it another; resize it to a flavor with its disk first")
    state = state_of(server)
    if state not in _STEADY or server["status"] == "VERIFY_RESIZE":
        obstacles.append(f"it is {server['status']}; bring it to rest first")
    return Foreign(disk_gib=disk_gib, obstacles=tuple(obstacles))


def put_mark(cloud: Cloud, ref: MachineRef, host: str, *, plan: str, autostart: bool) -> None:
    """Put our mark on the server of this id. Raises RefusedError for one with another mark, ApiError."""
    server = cloud.get("compute", f"/servers/{ref.native_id}")["server"]
    mark = mark_of(server["metadata"])
    if mark is not None and (mark.estate, mark.machine, server["metadata"][UUID]) != (ref.estate, ref.machine, ref.uuid):
        raise RefusedError(
            f"machine {ref.machine} on {host}: server {server['name']} bears the mark of {mark.estate}/{mark.machine}; nothing "
            "was touched"
        )
    _describe_ports(cloud, server, mark_of_ref(ref))
    marks = {ESTATE: ref.estate, MACHINE: ref.machine, UUID: ref.uuid, PLAN: plan, **aggregate_note(cloud.pool)}
    note(cloud, server, ref.uuid, {ADOPTED: "yes", AUTOSTART: "on" if autostart else "off"} | marks)


def take_mark(cloud: Cloud, ref: MachineRef, host: str) -> None:
    """Take it off again; nothing happens where there is none. Raises RefusedError for another mark and for one of our making, ApiError."""
    found = cloud.find("compute", f"/servers/{ref.native_id}")
    server: Json = found["server"] if found is not None else {"metadata": {}}
    noted = server["metadata"]
    if UUID not in noted:
        return
    if (noted.get(ESTATE, ref.estate), noted.get(MACHINE, ref.machine), noted[UUID]) != (ref.estate, ref.machine, ref.uuid):
        raise RefusedError(
            f"machine {ref.machine} on {host}: server {server['name']} bears the mark of {noted.get(ESTATE)}/{noted.get(MACHINE)}; "
            "nothing was touched"
        )
    if ADOPTED not in noted and ESTATE in noted:
        raise RefusedError(
            f"machine {ref.machine} on {host}: server {server['name']} was made by us, not adopted; take it out of the inventory, "
            "plan, and `kasumi apply --yes` removes it"
        )
    _describe_ports(cloud, server, "")
    cloud.delete("compute", f"/servers/{server['id']}/tags/{tag(ref.uuid)}")
    for key in _KEYS:
        if key in noted:
            cloud.delete("compute", f"/servers/{server['id']}/metadata/{key}")


def refuse_larger_volume(server: Json, volume: Json | None, machine: PlannedMachine, host: str) -> None:
    """Raises RefusedError for an adopted server whose volume, which is not of our making, would have to grow."""
    if volume is not None and ADOPTED in server["metadata"] and machine.size.disk_gib > volume["size"]:
        raise RefusedError(
            f"machine {machine.id} on {host}: wanted a disk of {machine.size.disk_gib} GiB, found its volume {volume['id']} with "
            f"{volume['size']} GiB; the machine was adopted, and its volume is not ours to change: extend it by hand, or plan the size it has"
        )


def _describe_ports(cloud: Cloud, server: Json, description: str) -> None:
    for port in cloud.every("network", "/ports", "ports", device_id=server["id"]):
        if port["description"] != description:
            cloud.put("network", f"/ports/{port['id']}", {"port": {"description": description}})
