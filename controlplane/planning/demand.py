"""What the estate asks for: the machines to be made, from wanted machines and from servers by their disposition.

First step of planning. Knows nothing of hosts; what cannot be planned at all is a problem, what is left out a warning.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from controlplane.model.estate import (
    Disposition,
    Estate,
    LibvirtSource,
    Reservation,
    Server,
    Service,
    System,
    Tier,
    WantedMachine,
)
from controlplane.model.needs import Needs
from controlplane.model.plan import Method, PlannedServer
from controlplane.model.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A machine to be made, all but its host, address and MAC; `address` and `mac` are the declared ones or empty."""

    id: str
    system: str
    ministry: str
    study_class: int
    size: Resources
    size_reason: str
    why: str
    method: Method
    network: str
    address: str = ""
    mac: str = ""
    image: str = ""
    source: LibvirtSource | None = None
    server: str = ""
    confidentiality: int
    tier: Tier
    replica_group: str = ""
    only_on: tuple[str, ...] = ()
    not_on: tuple[str, ...] = ()
    needs: Needs = Needs()
    load: tuple[int, ...] = ()
    """Per cents of its load profile; empty: all its vCPUs count at every hour."""
    apart_from: tuple[str, ...] = ()
    """Ministries with whose machines it shares no host and no storage."""
    licences: tuple[tuple[str, int], ...] = ()
    """Products it needs a licence of, each with the sockets it is licensed for."""
    roles: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    variables: dict[str, object] = field(default_factory=dict, hash=False)

    @property
    def origin(self) -> str:
        """The entity of the inventory that asks for it."""
        return f"server/{self.server}" if self.server else f"machine/{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """All drafts by id, what becomes of every server, what is left out, and what stands in the way of any plan.

    `reserved` are drafts of machines that do not exist yet, for which only room is held.
    """

    drafts: tuple[Draft, ...]
    reserved: tuple[Draft, ...]
    servers: tuple[PlannedServer, ...]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]


def demand_of(estate: Estate) -> Demand:
    """What the estate asks for. A machine made from a server has the server's id, since it takes over its part."""
    drafts: dict[str, Draft] = {}
    problems: list[str] = []
    warnings: list[str] = []
    for wanted in estate.machines.values():
        drafts[wanted.id] = _from_wanted(wanted, estate)
    servers: list[PlannedServer] = []
    for _, server in sorted(estate.servers.items()):
        system = estate.systems[server.system]
        machine, note = "", ""
        if server.disposition is Disposition.MERGE:
            machine = server.into
            if machine not in estate.machines:
                problems.append(
                    f"server {server.id}: merged into machine {machine or '(none)'}, which is not wanted; "
                    "name a wanted machine in `into` or choose another disposition"
                )
        elif server.disposition in {Disposition.REHOST, Disposition.REPLATFORM}:
            draft, note = _from_server(server, estate, system)
            if draft is None:
                warnings.append(f"server {server.id}: {note}")
            elif server.id in estate.machines:
                problems.append(
                    f"machine {server.id}: asked for twice, by server {server.id} and as a wanted machine; rename one"
                )
            else:
                problems += _missing(draft)
                if draft.method is Method.COLD and not draft.mac:
                    warnings.append(
                        f"server {server.id}: moves as it is, but no `mac` is declared; its guest may name its card anew"
                    )
                machine = draft.id
                drafts[draft.id] = draft
        servers.append(
            PlannedServer(
                id=server.id,
                system=server.system,
                ministry=system.ministry,
                size=server.size,
                disposition=server.disposition,
                machine=machine,
                reason="; ".join(part for part in (server.reason, note) if part),
            )
        )
    apart = apart_ministries(estate)

    def finished(draft: Draft) -> Draft:
        return replace(draft, apart_from=apart[draft.ministry]) if draft.ministry in apart else draft

    made = tuple(finished(_with_image_disk(draft, estate)) for _, draft in sorted(drafts.items()))
    reserved = tuple(finished(draft) for _, each in sorted(estate.reservations.items()) for draft in _reserved(each, estate))
    return Demand(
        drafts=made,
        reserved=reserved,
        servers=tuple(servers),
        warnings=tuple(warnings),
        problems=(*problems, *_shared_networks((*made, *reserved))),
    )


def _reserved(reservation: Reservation, estate: Estate) -> Iterator[Draft]:
    system = estate.systems[reservation.system]
    for number in range(1, reservation.count + 1):
        yield Draft(
            id=f"{reservation.id}/{number}",
            system=system.id,
            ministry=system.ministry,
            study_class=system.study_class,
            size=reservation.size,
            size_reason="as reserved",
            why=f"reserved by system {system.id} until {reservation.until}",
            method=Method.IMAGE,
            network=reservation.network,
            confidentiality=system.confidentiality,
            tier=estate.tiers[system.tier],
            needs=reservation.needs,
            load=_load(reservation.needs, estate),
            licences=_licences(reservation.needs, estate),
        )


def _from_wanted(wanted: WantedMachine, estate: Estate) -> Draft:
    system = estate.systems[wanted.system]
    return Draft(
        id=wanted.id,
        system=system.id,
        ministry=system.ministry,
        study_class=system.study_class,
        size=wanted.size,
        size_reason="as the inventory asks",
        why=f"wanted by system {system.id}",
        method=Method.IMAGE,
        network=wanted.network,
        address=wanted.address,
        image=wanted.image,
        confidentiality=system.confidentiality,
        tier=estate.tiers[system.tier],
        replica_group=wanted.replica_group,
        only_on=wanted.only_on,
        not_on=wanted.not_on,
        needs=wanted.needs,
        load=_load(wanted.needs, estate),
        licences=_licences(wanted.needs, estate),
        roles=wanted.roles,
        services=wanted.services,
        variables=wanted.variables,
    )


def _from_server(server: Server, estate: Estate, system: System) -> tuple[Draft | None, str]:
    """The draft, or None and why there is none."""
    if system.status == "planned":
        return None, f"its system {system.id} is still planned, so no machine is made; declare it active when demand is confirmed"
    rehost = server.disposition is Disposition.REHOST
    if rehost and server.source is None:
        return None, "rehost, but no known method moves it: it names no libvirt `source`; add one, or choose replatform or retain"
    sized = _size(server, rehost)
    if sized is None:
        return None, f"{server.disposition.value}, but its size is not declared; add `size` or, for replatform, `target`"
    size, size_reason = sized
    method = _moved_by(server, estate) if rehost else Method.IMAGE
    draft = Draft(
        id=server.id,
        system=system.id,
        ministry=system.ministry,
        study_class=system.study_class,
        size=size,
        size_reason=size_reason,
        why=f"takes the place of server {server.id} ({server.disposition.value})",
        method=method,
        network=server.network,
        address=server.address if rehost else "",
        mac=server.mac.lower() if rehost else "",
        image="" if rehost else server.image,
        source=server.source if rehost else None,
        server=server.id,
        confidentiality=system.confidentiality,
        tier=estate.tiers[system.tier],
        replica_group=server.replica_group,
        only_on=server.only_on,
        not_on=server.not_on,
        needs=server.needs,
        load=_load(server.needs, estate),
        licences=_licences(server.needs, estate),
        roles=server.roles,
        services=server.services,
        variables=server.variables,
    )
    return draft, ""


def _load(needs: Needs, estate: Estate) -> tuple[int, ...]:
    return estate.load_profiles[needs.load].percent if needs.load else ()


def _licences(needs: Needs, estate: Estate) -> tuple[tuple[str, int], ...]:
    return tuple((product, estate.licences[product].sockets) for product in needs.licences)


def apart_ministries(estate: Estate) -> dict[str, tuple[str, ...]]:
    """Ministry to those it is kept apart from; it holds both ways, whoever states it."""
    pairs = {(one.id, other) for one in estate.ministries.values() for other in one.apart_from}
    both = pairs | {(other, one) for one, other in pairs}
    return {ministry: tuple(sorted(other for one, other in both if one == ministry)) for ministry in {one for one, _ in both}}


def _shared_networks(drafts: Iterable[Draft]) -> list[str]:
    """Networks that carry machines of two ministries that may not share one."""
    users: dict[str, dict[str, Draft]] = {}
    for draft in drafts:
        users.setdefault(draft.network, {}).setdefault(draft.ministry, draft)
    return [
        f"network {network}: carries {one.id} of {ministry} and {by_ministry[other].id} of {other}, which are kept apart "
        "(`apart_from`); give one of them a network of its own"
        for network, by_ministry in sorted(users.items())
        for ministry, one in sorted(by_ministry.items())
        for other in one.apart_from
        if ministry < other and other in by_ministry
    ]


def _moved_by(server: Server, estate: Estate) -> Method:
    """How a server that is kept as it is comes under management: one that runs on a shared host has nowhere to go."""
    shared = {host.uri for host in estate.hosts.values()}
    return Method.ADOPT if server.source is not None and server.source.uri in shared else Method.COLD


def _size(server: Server, rehost: bool) -> tuple[Resources, str] | None:
    """The size to plan and why, or None where nothing states one; of a disk that moves as it is, the declared size counts."""
    if server.size is None:
        return (
            None
            if rehost or server.target is None
            else (server.target, f"{server.target_reason or f'the target of server {server.id}'}, none declared")
        )
    if server.target is None:
        return server.size, "as the ledger declares; no target is stated"
    reason = server.target_reason or f"the target of server {server.id}"
    target, why = server.target, f"{reason}, declared {_size_text(server.size)}"
    if rehost and target.disk_gib < server.size.disk_gib:
        return replace(target, disk_gib=server.size.disk_gib), f"{why}; a disk that moves as it is does not shrink"
    return target, why


def _size_text(size: Resources) -> str:
    return f"{size.vcpus} vCPU, {size.memory_mib} MiB, {size.disk_gib} GiB"


def _missing(draft: Draft) -> list[str]:
    """What a server must state before a machine can be made of it."""
    fields = {"network": draft.network}
    if draft.method is Method.IMAGE:
        fields["image"] = draft.image
    else:
        fields["address"] = draft.address
    if draft.method is Method.ADOPT:
        fields["mac"] = draft.mac
    return [
        f"server {draft.server}: wanted a machine ({draft.why}), found no `{name}`; add it to the server in the inventory"
        for name, value in fields.items()
        if not value
    ]


def _with_image_disk(draft: Draft, estate: Estate) -> Draft:
    image = estate.images.get(draft.image)
    if image is None or draft.size.disk_gib >= image.min_disk_gib:
        return draft
    why = (
        f"{draft.size_reason}; disk raised from {draft.size.disk_gib} to {image.min_disk_gib} GiB, the least for image {image.id}"
    )
    return replace(draft, size=replace(draft.size, disk_gib=image.min_disk_gib), size_reason=why)
