"""Servers off one hypervisor of a cloud, by Nova's own means and with an administrator's rights.

Nova chooses where to, and keeps zone and server groups. A server is wholly on one hypervisor at any time: a move that fails leaves it
where it was. Evacuating is for a hypervisor that is down: a server is never made a second time while the first may run.
"""

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.observed import PowerState
from controlplane.providers.openstack_cloud import Cloud, Json
from controlplane.providers.openstack_observe import state_of
from controlplane.providers.openstack_server import act, at_rest, confirmed, settled
from controlplane.providers.protocol import Hypervisor

HOST = "OS-EXT-SRV-ATTR:host"
"""Shown to administrators alone."""
_ALIVE = frozenset({PowerState.RUNNING, PowerState.PAUSED})


def look_at(cloud: Cloud, name: str) -> Hypervisor:
    """The hypervisor of this name. Raises KasumiError when there is none, ApiError."""
    services = cloud.get("compute", "/os-services", binary="nova-compute", host=name)["services"]
    if not services:
        raise KasumiError(f"hypervisor {name}: {cloud.pool.uri} has none of this name; `openstack hypervisor list` shows them")
    servers = cloud.every("compute", "/servers/detail", "servers", host=name, all_tenants="true")
    return Hypervisor(
        name=name,
        up=services[0]["state"] == "up",
        enabled=services[0]["status"] == "enabled",
        servers=frozenset(server["id"] for server in servers if server.get(HOST) == name),
    )


def move_off(cloud: Cloud, server: Json, hypervisor: str, what: str) -> str:
    """Have Nova move it and see where it is then. Raises KasumiError when it stays, ApiError."""
    if HOST not in server:
        raise RefusedError(
            f"{what} on {cloud.pool.uri}: our credentials do not show its hypervisor; an administrator's are needed"
        )
    server = at_rest(cloud, server, what)
    if server[HOST] != hypervisor:
        return str(server[HOST])
    alive = state_of(server) in _ALIVE
    down = not look_at(cloud, hypervisor).up
    if down:
        act(cloud, server, "evacuate", {})
    elif alive:
        act(cloud, server, "os-migrateLive", {"host": None, "block_migration": "auto"})
    else:
        act(cloud, server, "migrate")
    found = confirmed(cloud, settled(cloud, server["id"], what), what)
    if found[HOST] == hypervisor:
        raise KasumiError(
            f"{what} on {cloud.pool.uri}: wanted off {hypervisor}, still there and untouched; no other hypervisor of its zone took "
            "it: free room there, and look at `openstack server event list`"
        )
    if down and alive and state_of(found) is PowerState.STOPPED:  # Nova from 2.95 on leaves what it evacuated stopped
        act(cloud, found, "os-start")
        settled(cloud, server["id"], what, wanted=lambda started: state_of(started) is PowerState.RUNNING)
    return str(found[HOST])
