"""On which hosts a machine may stand whatever else stands there: open, of its grade, network, pins and processor."""

from collections.abc import Iterator, Mapping, Sequence

from controlplane.model.estate import Host, Network
from controlplane.model.needs import Cpu
from controlplane.planning.capacity import HostRoom
from controlplane.planning.demand import Draft
from controlplane.planning.objections import Objection, Rule

Zone = tuple[int, str, str, tuple[str, ...], tuple[str, ...], Cpu]
"""Machines of one zone may stand on the same hosts."""


def zone_of(draft: Draft) -> Zone:
    """What decides on which hosts a machine may stand."""
    return (draft.confidentiality, draft.network, draft.ministry, draft.only_on, draft.not_on, draft.needs.cpu)


def closed_objections(room: HostRoom) -> Iterator[Objection]:
    """Why no new machine at all may come."""
    if not room.answers:
        yield Objection(rule=Rule.CLOSED, text=f"does not answer ({room.error})")
    if room.host.maintenance:
        yield Objection(rule=Rule.CLOSED, text="is in maintenance")


def zone_objections(draft: Draft, room: HostRoom, networks: Mapping[str, Network]) -> Iterator[Objection]:
    """Why this machine may never stand on this host."""
    yield from shared_objections(draft, room, networks)
    yield from pin_objections(draft, room)


def shared_objections(draft: Draft, room: HostRoom, networks: Mapping[str, Network]) -> Iterator[Objection]:
    """Those that are the same for hosts that are alike: grade, network, processor."""
    host, grade = room.host, draft.confidentiality
    if grade not in host.confidentiality:
        held = ", ".join(map(str, sorted(host.confidentiality))) or "none"
        yield Objection(rule=Rule.ZONE, text=f"grade {grade} wanted, the host holds {held}")
    yield from (Objection(rule=Rule.NETWORK, text=text) for text in _network(draft, host, networks[draft.network]))
    yield from (Objection(rule=Rule.CPU, text=text) for text in _lacking(draft.needs.cpu, room))


def pin_objections(draft: Draft, room: HostRoom) -> Iterator[Objection]:
    """Hosts the machine is bound to, or kept off."""
    if draft.only_on and room.host.id not in draft.only_on:
        yield Objection(rule=Rule.PIN, text=f"may stand only on {', '.join(draft.only_on)}")
    if room.host.id in draft.not_on:
        yield Objection(rule=Rule.PIN, text="is forbidden to it (`not_on`)")


def rooms_alike(rooms: Sequence[HostRoom]) -> tuple[tuple[HostRoom, ...], ...]:
    """Hosts of the same grades, networks and processor."""
    found: dict[tuple[object, ...], list[HostRoom]] = {}
    for room in rooms:
        host = room.host
        found.setdefault((host.confidentiality, frozenset(host.networks), host.offers.cpu, room.architecture), []).append(room)
    return tuple(map(tuple, found.values()))


def _network(draft: Draft, host: Host, network: Network) -> Iterator[str]:
    if network.id not in host.networks:
        carried = ", ".join(sorted(host.networks)) or "none"
        yield f"network {network.id} wanted, the host carries {carried}"
    if network.confidentiality < draft.confidentiality:
        yield f"network {network.id} is for grades up to {network.confidentiality}, wanted {draft.confidentiality}"
    if network.ministry not in {"", draft.ministry}:
        yield f"network {network.id} belongs to {network.ministry}, not {draft.ministry}"


def _lacking(wanted: Cpu, room: HostRoom) -> Iterator[str]:
    """What the processor lacks. Levels of one architecture are ordered by their last digit; not stated counts as lacking."""
    has = room.host.offers.cpu
    if wanted.architecture and wanted.architecture != room.architecture:
        yield f"architecture {wanted.architecture} wanted, the host is {room.architecture or 'of none that is stated'}"
    if wanted.baseline and wanted.baseline > has.baseline:
        yield f"processor of level {wanted.baseline} wanted, the host states {has.baseline or 'none'}"
    missing = sorted(set(wanted.features) - set(has.features))
    if missing:
        yield f"processor without {', '.join(missing)}, as far as the host states"
