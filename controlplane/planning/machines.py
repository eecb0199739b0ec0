"""Turns placed drafts into planned machines: uuid, MAC, address, order, and the reason for each choice."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_network

from controlplane.model.estate import Estate
from controlplane.model.plan import Method, Plan, PlannedMachine, PlannedNic
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft
from controlplane.planning.existing import Existing
from controlplane.planning.identity import AddressBook, machine_mac, machine_uuid
from controlplane.planning.infeasible import InfeasiblePlan

_COLD_AFTER_IMAGES = 100
_CLASS_STEP = 10


def finished_machines(
    drafts: Sequence[Draft],
    so_far: PlanSoFar,
    existing: Mapping[str, Existing],
    kept: frozenset[str],
    estate: Estate,
    parent: Plan | None,
) -> tuple[tuple[PlannedMachine, ...], tuple[str, ...]]:
    """The machines by order and id, and warnings. Raises InfeasiblePlan when a network has no address left."""
    addresses, address_reasons, warnings = _addresses(drafts, existing, estate, parent)
    macs = _macs(drafts, existing, estate, parent)
    placed = so_far.placed()
    groups: dict[tuple[str, str], list[str]] = {}
    for draft in drafts:
        if draft.replica_group:
            groups.setdefault((draft.system, draft.replica_group), []).append(draft.id)
    machines = []
    for draft in drafts:
        network = estate.networks[draft.network]
        order, order_reason = _order(draft, groups.get((draft.system, draft.replica_group), ()))
        machines.append(
            PlannedMachine(
                id=draft.id,
                uuid=machine_uuid(estate.id, draft.id),
                system=draft.system,
                ministry=draft.ministry,
                host=placed[draft.id],
                size=draft.size,
                method=draft.method,
                nics=(
                    PlannedNic(
                        network=network.id,
                        mac=macs[draft.id],
                        address=addresses[draft.id],
                        prefix_length=ip_network(network.cidr).prefixlen,
                        gateway=network.gateway,
                        dns=network.dns,
                    ),
                ),
                image=draft.image,
                source=draft.source,
                server=draft.server,
                confidentiality=draft.confidentiality,
                tier=draft.tier.id,
                replica_group=draft.replica_group,
                roles=draft.roles,
                services=draft.services,
                variables=draft.variables,
                order=order,
                reasons=(
                    f"machine: {draft.why}",
                    f"size: {draft.size_reason}",
                    f"host: {_host_reason(draft, so_far, existing, kept)}",
                    f"address: {address_reasons[draft.id]}",
                    f"order: {order_reason}",
                ),
                derived_from=_derived_from(draft, placed[draft.id]),
                disk_class=draft.needs.disk_class,
                together=next((name for domain, name in draft.needs.together if domain == "host"), ""),
            )
        )
    return tuple(sorted(machines, key=lambda machine: (machine.order, machine.id))), warnings


def _addresses(
    drafts: Sequence[Draft], existing: Mapping[str, Existing], estate: Estate, parent: Plan | None
) -> tuple[dict[str, str], dict[str, str], tuple[str, ...]]:
    """Address and reason by machine. Addresses of the accepted plan stay taken until their machines are gone."""
    addresses: dict[str, str] = {}
    reasons: dict[str, str] = {}
    warnings: list[str] = []
    for draft in drafts:
        known = existing.get(draft.id)
        previous = known.previous.nics[0] if known is not None and known.previous is not None and known.previous.nics else None
        if draft.address:
            addresses[draft.id] = draft.address
            reasons[draft.id] = (
                "kept from the server, as it moves as it is" if draft.method is Method.COLD else "as the inventory asks"
            )
            if previous is not None and previous.address != draft.address:
                warnings.append(
                    f"machine {draft.id}: address changes from {previous.address} to {draft.address}; "
                    "its guest keeps the old one until it is changed inside"
                )
        elif previous is not None and previous.network == draft.network:
            addresses[draft.id] = previous.address
            reasons[draft.id] = "kept from the accepted plan"
        if known is not None and known.in_place and known.previous is None and not draft.address:
            warnings.append(
                f"machine {draft.id}: found on {known.host}, but in no accepted plan; "
                "its address is assumed, check it inside the guest"
            )
    promised = [nic.address for machine in parent.machines for nic in machine.nics] if parent is not None else []
    book = AddressBook(estate, (*addresses.values(), *promised))
    full: list[str] = []
    for draft in drafts:
        if draft.id in addresses:
            continue
        addresses[draft.id] = book.take(draft.network)
        reasons[draft.id] = f"lowest free one of network {draft.network}"
        if not addresses[draft.id]:
            full.append(f"machine {draft.id}: network {draft.network} has no free address; widen its cidr or its reserved ranges")
    if full:
        raise InfeasiblePlan((), full)
    return addresses, reasons, tuple(warnings)


def _macs(drafts: Sequence[Draft], existing: Mapping[str, Existing], estate: Estate, parent: Plan | None) -> dict[str, str]:
    taken = {server.mac.lower() for server in estate.servers.values() if server.mac}
    if parent is not None:
        taken |= {nic.mac for machine in parent.machines for nic in machine.nics}
    macs: dict[str, str] = {}
    for draft in drafts:
        known = existing.get(draft.id)
        previous = known.previous.nics if known is not None and known.previous is not None else ()
        macs[draft.id] = draft.mac or (previous[0].mac if previous else machine_mac(estate.id, draft.id, taken))
        taken.add(macs[draft.id])
    return macs


def _host_reason(draft: Draft, so_far: PlanSoFar, existing: Mapping[str, Existing], kept: frozenset[str]) -> str:
    host = so_far.where(draft.id)
    if draft.id in kept and existing[draft.id].in_place:
        return f"stands on {host} already; the planner never moves an existing machine"
    if draft.id in kept:
        return f"{host}, as in the accepted plan"
    eligible = len(so_far.eligible(draft))
    reason = (
        f"{host}, one of {eligible} open hosts of {len(so_far.hosts)} that hold grade {draft.confidentiality} and carry "
        f"{draft.network}; fewest hosts in use, then even load"
    )
    if draft.replica_group:
        reason += f"; apart from the other replicas of {draft.replica_group} by {draft.tier.spread_over}"
    for domain, name in draft.needs.together:
        reason += f"; in one {domain.replace('_', ' ')} with the others of {name}"
    if draft.apart_from:
        reason += f"; no host and no storage shared with {', '.join(draft.apart_from)}"
    for product, sockets in draft.licences:
        reason += f"; within the {sockets} sockets that {product} is licensed for"
    if draft.needs.disk_class:
        reason += f"; with a pool for disks of class {draft.needs.disk_class}"
    if draft.tier.host_failures:
        failures, lost = draft.tier.host_failures, draft.tier.survives.replace("_", " ")
        reason += (
            f"; fits elsewhere after the loss of any {failures if failures > 1 else 'one'} {lost}{'s' if failures > 1 else ''}"
        )
    return reason


def _order(draft: Draft, replicas: Sequence[str]) -> tuple[int, str]:
    """A rank that does not shift when other machines come or go, but for replicas of its own group."""
    replica = min(sum(other < draft.id for other in replicas), _CLASS_STEP - 1)
    order = _CLASS_STEP * draft.study_class + replica + (_COLD_AFTER_IMAGES if draft.method is Method.COLD else 0)
    reason = f"systems of class {draft.study_class} " + (
        "first, others use them" if draft.study_class == 1 else "after lower classes"
    )
    if draft.replica_group:
        reason += f"; replica {replica + 1} of {draft.replica_group}"
    if draft.method is Method.COLD:
        reason += "; after machines made from images, as its move is timed by a person"
    return order, reason


def _derived_from(draft: Draft, host: str) -> tuple[str, ...]:
    entities = {
        "estate",
        draft.origin,
        f"system/{draft.system}",
        f"tier/{draft.tier.id}",
        f"network/{draft.network}",
        f"host/{host}",
    }
    return tuple(sorted(entities | ({f"image/{draft.image}"} if draft.image else set())))
