"""What of the cloud is there and alive, one record for each piece. Looks, changes nothing."""

from lab import ownership
from lab.openstack import layout, lifecycle, network, services
from lab.status import Piece


def pieces() -> list[Piece]:
    """Every piece of the cloud, empty when it is not up. May be repeated. Raises KasumiError without root."""
    ownership.require_root()
    if not lifecycle.is_up():
        return []
    there = services.all_found()
    wire = "up" if network.namespace() is not None else "absent"
    found = [Piece(name="cloud", kind="network", state=wire, address=layout.ADDRESS, detail=f"by {layout.UPLINK}")]
    for service in (service for group in services.everything() for service in group):
        process = there.get(service.name)
        state = "absent" if process is None else "up" if services.listens(process, service) else "silent"
        found.append(
            Piece(
                name=service.name,
                kind="service",
                state=state,
                address=layout.API_URLS.get(service.name),
                pid=process.pid if process else None,
                detail=_detail(service.name),
            )
        )
    return found


def _detail(name: str) -> str:
    what = name.removeprefix("nova-compute-")
    if what in {host.name for host in layout.GUEST_HOSTS}:
        return f"{what} in zone {layout.GUEST_ZONE}, whose servers are real guests"
    return f"{', '.join(layout.ZONES[what])} in zone {what}" if what in layout.ZONES else ""
