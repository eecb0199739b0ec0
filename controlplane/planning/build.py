"""Builds the plan: every choice is made here, in order: demand, what exists already, hosts, addresses, the document.

Pure: the same estate, observation, accepted plan, images and keys give the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from controlplane.model.cloud import is_cloud
from controlplane.model.document import digest
from controlplane.model.estate import Estate, Host
from controlplane.model.observed import Observation
from controlplane.model.plan import (
    Method,
    Plan,
    PlannedAccess,
    PlannedHost,
    PlannedImage,
    PlannedMachine,
    PlannedNetwork,
    PlannedReservation,
    PlannedSystem,
)
from controlplane.model.resources import Resources, total
from controlplane.planning.believed import believed_warnings
from controlplane.planning.capacity import HostRoom, rooms_of
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.contention import contention_warnings
from controlplane.planning.demand import Demand, Draft, demand_of
from controlplane.planning.existing import Existing, existing_machines
from controlplane.planning.facts import input_facts
from controlplane.planning.infeasible import InfeasiblePlan, why_unplaced
from controlplane.planning.machines import finished_machines
from controlplane.planning.placement import place
from controlplane.planning.savings import counted_rows
from controlplane.planning.standing import Standing, stand_existing


def build_plan(
    estate: Estate,
    observation: Observation,
    parent: Plan | None,
    *,
    images: Mapping[str, PlannedImage],
    authorized_keys: tuple[str, ...],
) -> Plan:
    """The plan for an estate, built on the accepted plan `parent`.

    Raises InfeasiblePlan, whose text names every machine that fits nowhere, why on each host, and the next move.
    """
    demand = demand_of(estate)
    existing, problems = existing_machines(demand.drafts, estate, observation, parent)
    demand = _without_unadopted(demand, existing)
    drafts = demand.drafts
    problems = (*demand.problems, *problems, *_missing_images(drafts, images))
    rooms = rooms_of(estate, observation, parent, frozenset(draft.id for draft in drafts))
    if problems:
        raise InfeasiblePlan((), problems)

    def start() -> Standing:
        return stand_existing(PlanSoFar(rooms, estate.networks, (*drafts, *demand.reserved)), drafts, existing)

    standing = start()
    if standing.problems:
        raise InfeasiblePlan((), standing.problems)
    placement = place((*standing.to_place, *demand.reserved), lambda: start().so_far, estate.policy)
    if placement.unplaced:
        raise InfeasiblePlan(
            tuple(why_unplaced(draft, placement.so_far) for draft in sorted(placement.unplaced, key=lambda draft: draft.id)), ()
        )
    machines, address_warnings = finished_machines(drafts, placement.so_far, existing, standing.kept, estate, parent)
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
        systems=_planned_systems(estate),
        hosts=_planned_hosts(rooms, machines, existing),
        networks=planned_networks(machines, estate),
        images=tuple(image for _, image in sorted(images.items()) if any(machine.image == image.id for machine in machines)),
        machines=machines,
        servers=demand.servers,
        warnings=(
            *believed_warnings(observation),
            *demand.warnings,
            *standing.warnings,
            *address_warnings,
            *_room_warnings(rooms),
            *contention_warnings(rooms, (*drafts, *demand.reserved), placement.so_far.placed()),
        ),
        reservations=_reservations(demand.reserved, placement.so_far.placed(), estate),
    )


def _without_unadopted(demand: Demand, existing: Mapping[str, Existing]) -> Demand:
    """A machine that stands on a shared host and was not adopted is foreign still: it keeps its room, and waits."""
    waiting = {draft.id: draft for draft in demand.drafts if draft.method is Method.ADOPT and draft.id not in existing}
    if not waiting:
        return demand
    return replace(
        demand,
        drafts=tuple(draft for draft in demand.drafts if draft.id not in waiting),
        servers=tuple(replace(server, machine="") if server.machine in waiting else server for server in demand.servers),
        warnings=(
            *demand.warnings,
            *(
                f"server {draft.id}: stands on shared host {draft.source.uri} as {draft.source.domain}, and is not adopted; it is "
                "in no plan until `kasumi adopt` takes it over"
                for draft in waiting.values()
                if draft.source is not None
            ),
        ),
    )


def _missing_images(drafts: Sequence[Draft], images: Mapping[str, PlannedImage]) -> tuple[str, ...]:
    return tuple(
        f"machine {draft.id}: wants image {draft.image}, which is not among the images at hand; declare it or choose another"
        for draft in drafts
        if draft.image and draft.image not in images
    )


def _reservations(reserved: Sequence[Draft], placed: Mapping[str, str], estate: Estate) -> tuple[PlannedReservation, ...]:
    return tuple(
        PlannedReservation(
            id=draft.id,
            system=draft.system,
            ministry=draft.ministry,
            host=placed[draft.id],
            size=draft.size,
            until=estate.reservations[draft.id.rpartition("/")[0]].until.isoformat(),
        )
        for draft in sorted(reserved, key=lambda draft: draft.id)
    )


def _planned_systems(estate: Estate) -> tuple[PlannedSystem, ...]:
    """A row of savings that is the total of others is promised by nobody."""
    rows, _ = counted_rows(estate)
    return tuple(
        PlannedSystem(
            id=system.id,
            ministry=system.ministry,
            name=system.name,
            name_en=system.name_en,
            study_class=system.study_class,
            promised_saving_thousand_yen=sum(saving.cost_thousand_yen for saving in rows[system.id]) if rows[system.id] else None,
        )
        for _, system in sorted(estate.systems.items())
    )


def _planned_hosts(
    rooms: Sequence[HostRoom], machines: Sequence[PlannedMachine], existing: Mapping[str, Existing]
) -> tuple[PlannedHost, ...]:
    before: dict[str, list[Resources]] = {room.host.id: [] for room in rooms}
    after: dict[str, list[Resources]] = {room.host.id: [] for room in rooms}
    for _, known in sorted(existing.items()):
        if known.in_place:
            before[known.host].append(_in_own_pool(known))
    for machine in machines:
        after[machine.host].append(machine.in_own_pool)
    return tuple(_planned_host(room, total(before[room.host.id]), total(after[room.host.id])) for room in rooms)


def _in_own_pool(known: Existing) -> Resources:
    classed = known.previous is not None and known.previous.disk_class
    return replace(known.size, disk_gib=0) if classed else known.size


def _planned_host(room: HostRoom, before: Resources, after: Resources) -> PlannedHost:
    host = room.host
    return PlannedHost(
        id=host.id,
        uri=host.uri,
        site=host.site,
        rack=host.rack,
        pool=host.pool,
        virtualisation=room.virtualisation,
        physical=room.physical,
        promised_capacity=room.promised,
        allocated_before=room.foreign + room.leaving + before,
        allocated_after=room.foreign + after,
    )


def planned_networks(machines: Sequence[PlannedMachine], estate: Estate) -> tuple[PlannedNetwork, ...]:
    """Each network on each host where a machine uses it."""
    used = sorted({(machine.host, nic.network) for machine in machines for nic in machine.nics})
    return tuple(_planned_network(estate.hosts[host], network) for host, network in used)


def _planned_network(host: Host, network: str) -> PlannedNetwork:
    """A network that a cloud has already keeps its name; ours, and libvirt's over a bridge, get one from us."""
    there = host.networks.get(network, "")
    name = there if there and is_cloud(host.uri) else f"kasumi-{network}"
    return PlannedNetwork(host=host.id, network=network, name=name, bridge=there)


def _unseen(host: Host) -> str:
    if is_cloud(host.uri):
        return "the cloud does not say how much disk it has for us"
    return f"its pool {host.pool.name} does not exist yet"


def _room_warnings(rooms: Sequence[HostRoom]) -> tuple[str, ...]:
    silent = [
        f"host {room.host.id}: does not answer ({room.error}); it takes no new machines" for room in rooms if not room.answers
    ]
    unseen = [
        f"host {room.host.id}: {_unseen(room.host)}; {room.physical.disk_gib} GiB are believed as declared"
        for room in rooms
        if room.answers and not room.disk_seen
    ]
    leaving = [
        f"host {room.host.id}: machine {machine} bears our mark but is not in this plan; its room is kept until it is removed"
        for room in rooms
        for machine in room.leaving_machines
    ]
    return (*silent, *unseen, *leaving)


__all__ = ["InfeasiblePlan", "build_plan", "planned_networks"]
