"""Routers at Neutron, where the host's URI asks for one: each subnet that we make has its gateway there.

A router of the project is used as it is; where there is none of the name, one is made with the estate's mark. Its way out of
the cloud is its owner's affair. Nothing is deleted.
"""

from controlplane.errors import KasumiError, RefusedError
from controlplane.providers.openstack_alone import make_alone
from controlplane.providers.openstack_cloud import Cloud, Json
from controlplane.providers.openstack_faults import ApiError
from controlplane.providers.openstack_mark import estate_mark, is_marked

_TAKEN = frozenset({400, 409})
"""What Neutron answers when the gateway's address is a port's, or the subnet overlaps another of the router."""


def ensure_gateway(cloud: Cloud, subnet: Json, *, estate: str) -> None:
    """The subnet's gateway, on the router that the pool names. Does nothing without one, or for a subnet without gateway or not ours.

    Raises RefusedError for several routers of the name, KasumiError when the address is somebody else's, ApiError.
    """
    if not cloud.pool.router or not subnet["gateway_ip"] or not is_marked(subnet, estate_mark(estate)):
        return
    router = _ensure_router(cloud, cloud.pool.router, estate=estate)
    ports = cloud.every("network", "/ports", "ports", network_id=subnet["network_id"], device_id=router["id"])
    if any(fixed["subnet_id"] == subnet["id"] for port in ports for fixed in port["fixed_ips"]):
        return
    try:
        cloud.put("network", f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    except ApiError as error:
        if error.status not in _TAKEN or error.of_quota:
            raise
        raise KasumiError(
            f"router {router['name']} on {cloud.pool.uri}: wanted the gateway {subnet['gateway_ip']} of {subnet['cidr']} there: "
            f"{error.text}; see who has that address, or leave the gateway out of the network"
        ) from None


def _ensure_router(cloud: Cloud, name: str, *, estate: str) -> Json:
    def named() -> list[Json]:
        return cloud.every("network", "/routers", "routers", name=name, project_id=cloud.project_id)

    found = named()
    if len(found) > 1:
        raise RefusedError(f"router {name} on {cloud.pool.uri}: wanted one, found {len(found)}; rename all but the one to use")
    if found:
        return found[0]
    body = {"name": name, "description": estate_mark(estate), "admin_state_up": True}
    return make_alone(
        f"router {name} on {cloud.pool.uri}",
        lambda: dict(cloud.post("network", "/routers", {"router": body})["router"]),
        named,
        lambda router: cloud.delete("network", f"/routers/{router['id']}"),
    )
