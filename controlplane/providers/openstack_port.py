"""Ports at Neutron: each carries the planned MAC and address and our mark, is made before its server and removed after it.

A boot that failed leaves its port behind; as the port is found by network and MAC and known by its mark, it is taken up again.
"""

import time
from collections.abc import Sequence

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.plan import PlannedNic
from controlplane.providers.openstack_cloud import Cloud, Json
from controlplane.providers.openstack_faults import ApiError
from controlplane.providers.openstack_mark import is_marked, machine_mark
from controlplane.providers.protocol import MachineRef

_LOOK_SECONDS = 0.5
_UNPLUG_SECONDS = 60.0


def mark_of_ref(ref: MachineRef) -> str:
    """The mark of this machine's ports."""
    return machine_mark(ref.estate, ref.machine, ref.uuid)


def ports_of(cloud: Cloud, ref: MachineRef) -> list[Json]:
    """All ports with the machine's mark, wherever they are plugged in. Raises ApiError."""
    return cloud.every("network", "/ports", "ports", project_id=cloud.project_id, description=mark_of_ref(ref))


def ensure_port(
    cloud: Cloud, ref: MachineRef, nic: PlannedNic, *, network: str, subnet: str, groups: Sequence[str], there: Sequence[Json]
) -> Json:
    """The port of one card; `there` are the ports with the machine's mark. Raises RefusedError, ApiError."""
    found = next((port for port in there if port["network_id"] == network and port["mac_address"].lower() == nic.mac), None)
    if found is None:
        body = {
            "network_id": network,
            "name": f"kasumi-{ref.machine}",
            "description": mark_of_ref(ref),
            "mac_address": nic.mac,
            "fixed_ips": [{"subnet_id": subnet, "ip_address": nic.address}],
            "security_groups": list(groups),
        }
        try:
            return dict(cloud.post("network", "/ports", {"port": body})["port"])
        except ApiError as error:
            if error.status == 409 and not error.of_quota:
                _refuse_taken(cloud, ref, nic, network)
            raise
    change: Json = {}
    if [fixed["ip_address"] for fixed in found["fixed_ips"]] != [nic.address]:
        change["fixed_ips"] = [{"subnet_id": subnet, "ip_address": nic.address}]
    if set(found["security_groups"]) != set(groups):
        change["security_groups"] = list(groups)
    if not change:
        return found
    return dict(cloud.put("network", f"/ports/{found['id']}", {"port": change})["port"])


def plug(cloud: Cloud, ref: MachineRef, server: Json, port: Json) -> bool:
    """Plug the port into the server; False when it is. Raises RefusedError when another server has it, ApiError."""
    if port["device_id"] == server["id"]:
        return False
    if port["device_id"]:
        raise RefusedError(
            f"machine {ref.machine} on {cloud.pool.uri}: its port {port['id']} is plugged into {port['device_owner']} "
            f"{port['device_id']}; take it out there by hand"
        )
    cloud.post("compute", f"/servers/{server['id']}/os-interface", {"interfaceAttachment": {"port_id": port["id"]}})
    return True


def unplug(cloud: Cloud, ref: MachineRef, server: Json, port: Json) -> None:
    """Take a port out of the server and see it out; one with the machine's mark is deleted then. Raises KasumiError, ApiError."""
    cloud.delete("compute", f"/servers/{server['id']}/os-interface/{port['id']}")
    deadline = time.monotonic() + _UNPLUG_SECONDS
    while (found := cloud.find("network", f"/ports/{port['id']}")) is not None and found["port"]["device_id"] == server["id"]:
        if time.monotonic() > deadline:
            raise KasumiError(
                f"machine {ref.machine} on {cloud.pool.uri}: port {port['id']} is still plugged in after {_UNPLUG_SECONDS:.0f} s; "
                "run again"
            )
        time.sleep(_LOOK_SECONDS)
    if found is not None and is_marked(port, mark_of_ref(ref)):
        cloud.delete("network", f"/ports/{port['id']}")


def _refuse_taken(cloud: Cloud, ref: MachineRef, nic: PlannedNic, network: str) -> None:
    """Somebody else's port with our MAC or address stands in the way of ours."""
    mark = mark_of_ref(ref)
    for what, query in (
        (f"MAC {nic.mac}", {"mac_address": nic.mac}),
        (f"address {nic.address}", {"fixed_ips": f"ip_address={nic.address}"}),
    ):
        for port in cloud.every("network", "/ports", "ports", network_id=network, **query):
            if not is_marked(port, mark):
                raise RefusedError(
                    f"machine {ref.machine} on {cloud.pool.uri}: {what} is taken by port {port['name'] or port['id']} of "
                    f"{port['device_owner'] or 'nobody'} {port['device_id']}; remove it by hand, or plan another"
                )
