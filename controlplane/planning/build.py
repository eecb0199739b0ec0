"""Estate, observation and accepted plan to the next plan. Pure: the same inputs give the same bytes."""

import uuid
from collections.abc import Mapping
from ipaddress import IPv4Network

from controlplane.errors import KasumiError
from controlplane.model.document import digest
from controlplane.model.estate import Disposition, Estate
from controlplane.model.observed import Observation
from controlplane.model.plan import (
    Plan,
    PlannedAccess,
    PlannedHost,
    PlannedImage,
    PlannedMachine,
    PlannedNetwork,
    PlannedNic,
    PlannedServer,
    PlannedSystem,
)
from controlplane.model.resources import Resources
from controlplane.planning.addresses import free_address, free_mac, taken_addresses
from controlplane.planning.constraints import HostState, host_states
from controlplane.planning.demand import Demand, demands_of
from controlplane.planning.facts import input_facts
from controlplane.planning.placement import Placement, place

_UUID_NAMESPACE = uuid.UUID("6f1f6f0e-6b0d-5b1e-9d0a-6b6173756d69")
NETWORK_PREFIX = "kasumi-"
"""Provider-side names of our networks begin so, which keeps them apart from an administrator's own."""


class InfeasiblePlanError(KasumiError):
    """No plan keeps every promise; the message says which machine fits nowhere, and why on each host."""


def build_plan(
    estate: Estate,
    observation: Observation,
    parent: Plan | None,
    *,
    images: Mapping[str, PlannedImage],
    authorized_keys: tuple[str, ...],
) -> Plan:
    """The next plan. Raises InfeasiblePlanError, or KasumiError when a network has no free address left."""
    demands, warnings = demands_of(estate)
    _refuse_twins(demands)
    before = {machine.id: machine for machine in parent.machines} if parent is not None else {}
    kept = {demand.id: before[demand.id].host for demand in demands if demand.id in before and before[demand.id].host in estate.hosts}
    placement = place(demands, estate, observation, kept)
    if not placement.feasible:
        raise InfeasiblePlanError(_infeasible_text(placement, demands))
    states = _filled(estate, observation, demands, placement)
    machines = _machines(estate, demands, placement, before, states)
    return Plan(
        estate=estate.id,
        parent=digest(parent) if parent is not None else "",
        inputs=input_facts(estate, observation, images, authorized_keys),
        access=PlannedAccess(
            user=estate.access.user,
            authorized_keys=authorized_keys,
            identity_file=estate.access.identity_file,
            ssh_config=estate.access.ssh_config,
        ),
        ministries={ministry.id: ministry.name_en for _, ministry in sorted(estate.ministries.items())},
        systems=_systems(estate),
        hosts=tuple(_host(state, parent) for state in states.values()),
        networks=_networks(estate, machines),
        images=tuple(images[image] for image in sorted({machine.image for machine in machines} - {""})),
        machines=machines,
        servers=_servers(estate),
        warnings=(*warnings, *_host_warnings(states), *_bound_note(placement)),
    )


def _refuse_twins(demands: tuple[Demand, ...]) -> None:
    seen: set[str] = set()
    for demand in demands:
        if demand.id in seen:
            raise KasumiError(f"machine {demand.id}: wanted by a system and by a server of this name; rename one in the inventory")
        seen.add(demand.id)


def _filled(
    estate: Estate, observation: Observation, demands: tuple[Demand, ...], placement: Placement
) -> dict[str, HostState]:
    states = host_states(estate, observation)
    for demand in demands:
        states[placement.hosts[demand.id]].put(demand)
    return states


def _machines(
    estate: Estate,
    demands: tuple[Demand, ...],
    placement: Placement,
    before: Mapping[str, PlannedMachine],
    states: Mapping[str, HostState],
) -> tuple[PlannedMachine, ...]:
    kept_nics = {machine.id: machine.nics[0] for machine in before.values()}
    taken = taken_addresses(estate, demands) | {nic.address for nic in kept_nics.values()}
    macs = {demand.mac for demand in demands} | {nic.mac for nic in kept_nics.values()}
    planned = []
    for order, demand in enumerate(sorted(demands, key=lambda demand: (demand.source is not None, demand.id))):
        nic, why = _nic(estate, demand, kept_nics.get(demand.id), taken, macs)
        taken.add(nic.address)
        macs.add(nic.mac)
        host = states[placement.hosts[demand.id]].host
        planned.append(
            PlannedMachine(
                id=demand.id,
                uuid=str(uuid.uuid5(_UUID_NAMESPACE, f"{estate.id}/{demand.id}")),
                system=demand.system.id,
                ministry=demand.system.ministry,
                host=host.id,
                size=demand.size,
                method=demand.method,
                nics=(nic,),
                image=demand.image,
                source=demand.source,
                server=demand.server,
                confidentiality=demand.system.confidentiality,
                tier=demand.system.tier,
                replica_group=demand.replica_group,
                roles=demand.roles,
                services=demand.services,
                variables=demand.variables,
                order=order,
                reasons=(*demand.reasons, _why_host(estate, demand, host.id, before, states), why),
                derived_from=(*demand.derived_from, f"tier/{demand.system.tier}", f"host/{host.id}"),
            )
        )
    return tuple(planned)


def _nic(
    estate: Estate, demand: Demand, kept: PlannedNic | None, taken: set[str], macs: set[str]
) -> tuple[PlannedNic, str]:
    network = estate.networks[demand.network]
    if demand.address:
        address, why = demand.address, f"address {demand.address} as the inventory says"
    elif kept is not None and kept.network == demand.network:
        address, why = kept.address, f"keeps address {kept.address}"
    else:
        found = free_address(network, taken)
        if found is None:
            raise KasumiError(f"machine {demand.id}: network {network.id} ({network.cidr}) has no free address left; widen it or free some")
        address, why = found, f"address {found} is the lowest free one in {network.id}"
    mac = demand.mac or (kept.mac if kept is not None else free_mac(estate.id, demand.id, macs))
    nic = PlannedNic(
        network=network.id,
        mac=mac,
        address=address,
        prefix_length=IPv4Network(network.cidr).prefixlen,
        gateway=network.gateway,
        dns=network.dns,
    )
    return nic, why


def _why_host(
    estate: Estate, demand: Demand, host_id: str, before: Mapping[str, PlannedMachine], states: Mapping[str, HostState]
) -> str:
    if demand.id in before and before[demand.id].host == host_id:
        return f"stays on {host_id}: a plan never moves a machine that exists"
    room = states[host_id].room
    left = f"{room.vcpus} vCPU, {room.memory_mib} MiB, {room.disk_gib} GiB left after this plan"
    others = [
        placed.id
        for state in states.values()
        for placed in state.placed.values()
        if demand.replica_group and placed.replica_group == demand.replica_group and placed.id != demand.id
        and placed.system.id == demand.system.id
    ]  # fmt: skip
    apart = f", apart from {', '.join(others)} by {estate.tiers[demand.system.tier].spread_over}" if others else ""
    safe = ", another host can take it over" if estate.tiers[demand.system.tier].host_failures else ""
    return f"on {host_id}: {left}{apart}{safe}"


def _systems(estate: Estate) -> tuple[PlannedSystem, ...]:
    return tuple(
        PlannedSystem(
            id=system.id,
            ministry=system.ministry,
            name=system.name,
            name_en=system.name_en,
            study_class=system.study_class,
            promised_saving_thousand_yen=sum(saving.cost_thousand_yen for saving in system.savings) if system.savings else None,
        )
        for _, system in sorted(estate.systems.items())
    )


def _host(state: HostState, parent: Plan | None) -> PlannedHost:
    before = state.foreign
    for machine in parent.machines if parent is not None else ():
        if machine.host == state.host.id:
            before += machine.size
    capacity = state.seen.capacity if state.seen is not None else None
    return PlannedHost(
        id=state.host.id,
        uri=state.host.uri,
        site=state.host.site,
        rack=state.host.rack,
        pool=state.host.pool,
        virtualisation=capacity.virtualisation if capacity is not None else "",
        physical=state.physical,
        promised_capacity=state.promised,
        allocated_before=before,
        allocated_after=state.foreign + state.used,
    )


def _networks(estate: Estate, machines: tuple[PlannedMachine, ...]) -> tuple[PlannedNetwork, ...]:
    used = sorted({(machine.host, nic.network) for machine in machines for nic in machine.nics})
    return tuple(
        PlannedNetwork(host=host, network=network, name=f"{NETWORK_PREFIX}{network}", bridge=estate.hosts[host].networks[network])
        for host, network in used
    )


def _servers(estate: Estate) -> tuple[PlannedServer, ...]:
    def successor(disposition: Disposition, server: str, into: str, movable: bool) -> str:
        if disposition is Disposition.MERGE:
            return into
        return server if disposition is Disposition.REPLATFORM or (disposition is Disposition.REHOST and movable) else ""

    return tuple(
        PlannedServer(
            id=server.id,
            system=server.system,
            ministry=estate.systems[server.system].ministry,
            size=server.size,
            disposition=server.disposition,
            machine=successor(server.disposition, server.id, server.into, server.source is not None),
            reason=server.reason,
        )
        for _, server in sorted(estate.servers.items())
    )


def _host_warnings(states: Mapping[str, HostState]) -> tuple[str, ...]:
    return tuple(
        f"host {state.host.id} was not reached ({state.seen.error if state.seen is not None else 'never looked at'}); it takes no new machine"
        for state in states.values()
        if not state.open and not state.host.maintenance
    )


def _bound_note(placement: Placement) -> tuple[str, ...]:
    used = len(set(placement.hosts.values()))
    return (f"{used} hosts used; no placement of these machines can use fewer than {placement.lower_bound}",) if placement.hosts else ()


def _infeasible_text(placement: Placement, demands: tuple[Demand, ...]) -> str:
    sizes = {demand.id: demand.size for demand in demands}
    lines = []
    for machine, why in sorted(placement.unplaced.items()):
        lines.append(f"machine {machine} ({_size(sizes[machine])}) fits on no host:")
        lines += [f"  {host}: {'; '.join(found)}" for host, found in sorted(why.items())]
    for host, machines in sorted(placement.unprotected.items()):
        lines.append(f"after the loss of host {host} there is no room for {', '.join(machines)}, whose tier must survive it")
    if not placement.unplaced:
        next_move = "add a host, free memory on the others, or put the system into a tier without this promise"
    else:
        next_move = "add capacity, relax what is named above, or make the machine smaller"
    return "the estate cannot be planned:\n" + "\n".join(lines) + f"\nno file was written; {next_move}, then plan again"


def _size(size: Resources) -> str:
    return f"{size.vcpus} vCPU, {size.memory_mib} MiB, {size.disk_gib} GiB"
