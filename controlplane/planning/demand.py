"""Which machines the estate wants: those its systems ask for, and those that take the place of servers. Decides no host."""

from dataclasses import dataclass, field

from controlplane.model.estate import Disposition, Estate, LibvirtSource, Server, Service, System
from controlplane.model.plan import Method
from controlplane.model.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """One machine to be placed; `address` and `mac` empty: the planner picks them."""

    id: str
    system: System
    size: Resources
    method: Method
    network: str
    address: str = ""
    mac: str = ""
    image: str = ""
    server: str = ""
    source: LibvirtSource | None = None
    replica_group: str = ""
    roles: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    variables: dict[str, object] = field(default_factory=dict, hash=False)
    reasons: tuple[str, ...]
    derived_from: tuple[str, ...]


def demands_of(estate: Estate) -> tuple[tuple[Demand, ...], tuple[str, ...]]:
    """All machines wanted, by id, and warnings about servers that cannot become one by a known method."""
    wanted = [_of_machine(estate, machine_id) for machine_id in estate.machines]
    warnings = []
    for server in estate.servers.values():
        if server.disposition is Disposition.REPLATFORM:
            wanted.append(_replatformed(estate, server))
        elif server.disposition is Disposition.REHOST and server.source is not None:
            wanted.append(_rehosted(estate, server, server.source))
        elif server.disposition is Disposition.REHOST:
            warnings.append(
                f"server {server.id}: rehost wanted, but it is {server.kind} without `source`; no method moves it yet, it stays where it is"
            )
    return tuple(sorted(wanted, key=lambda demand: demand.id)), tuple(sorted(warnings))


def _of_machine(estate: Estate, machine_id: str) -> Demand:
    machine = estate.machines[machine_id]
    merged = sorted(server.id for server in estate.servers.values() if server.into == machine_id)
    reasons = [f"system {machine.system} asks for it"]
    if merged:
        reasons.append(f"takes over {', '.join(merged)}")
    return Demand(
        id=machine.id,
        system=estate.systems[machine.system],
        size=machine.size,
        method=Method.IMAGE,
        network=machine.network,
        address=machine.address,
        image=machine.image,
        replica_group=machine.replica_group,
        roles=machine.roles,
        services=machine.services,
        variables=machine.variables,
        reasons=(*reasons, "size as declared by its system"),
        derived_from=(f"machine/{machine.id}", f"system/{machine.system}", f"network/{machine.network}", f"image/{machine.image}"),
    )


def _size_of(server: Server) -> tuple[Resources, str]:
    if server.target is not None:
        return server.target, "size as targeted for after the move, declared, not measured"
    return server.size, "size of the server as its ledger declares it, not measured"


def _replatformed(estate: Estate, server: Server) -> Demand:
    size, why = _size_of(server)
    return Demand(
        id=server.id,
        system=estate.systems[server.system],
        size=size,
        method=Method.IMAGE,
        network=server.network,
        image=server.image,
        server=server.id,
        replica_group=server.replica_group,
        roles=server.roles,
        services=server.services,
        variables=server.variables,
        reasons=(f"takes the place of server {server.id} on a new system: {server.reason or 'replatform'}", why),
        derived_from=(f"server/{server.id}", f"system/{server.system}", f"network/{server.network}", f"image/{server.image}"),
    )


def _rehosted(estate: Estate, server: Server, source: LibvirtSource) -> Demand:
    size, why = _size_of(server)
    return Demand(
        id=server.id,
        system=estate.systems[server.system],
        size=size,
        method=Method.COLD,
        network=server.network,
        address=server.address,
        mac=server.mac,
        server=server.id,
        source=source,
        replica_group=server.replica_group,
        roles=server.roles,
        services=server.services,
        variables=server.variables,
        reasons=(f"server {server.id} moves with its disk: {server.reason or 'rehost'}", why, "keeps its MAC and address"),
        derived_from=(f"server/{server.id}", f"system/{server.system}", f"network/{server.network}"),
    )
