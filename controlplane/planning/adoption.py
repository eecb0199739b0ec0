"""Which machines on a host are those that the inventory says stand there, and how the world looks once they are adopted.

A server that is to be kept as it is (`rehost`) and whose `source` lies on a shared host has nowhere to move: it is adopted.
Here it is found on its host, or is refused with the reason; nothing is guessed, and what fits twice fits nothing. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from controlplane.model.estate import Disposition, Estate, Host, Server
from controlplane.model.observed import HostObservation, Mark, ObservedMachine
from controlplane.model.plan import Method, Plan
from controlplane.planning.capacity import counted_as_foreign
from controlplane.planning.identity import machine_uuid
from controlplane.planning.inputs import PlanInputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A machine of the inventory and the one on the host that it is; `seen` is that one before it is adopted."""

    machine: str
    uuid: str
    seen: ObservedMachine


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """What can be adopted, what is ours already, and why the rest cannot be: machine to reason, with the next move."""

    candidates: tuple[Candidate, ...]
    already: tuple[str, ...]
    refused: Mapping[str, str]


def matching(
    estate: Estate, host: Host, seen: HostObservation, accepted: Plan | None, recorded: Mapping[str, str], names: Sequence[str]
) -> Matching:
    """Find the machines of these names, or all that the inventory says stand on the host.

    `recorded`: the provider's id on record by planned uuid.
    """
    here = {server.id for server in estate.servers.values() if _stands_on(server, host)}
    candidates: list[Candidate] = []
    already: list[str] = []
    refused: dict[str, str] = {}
    for name in sorted(set(names) or here):
        server = estate.servers.get(name)
        if server is None or name not in here:
            refused[name] = _why_not_here(estate, host, name)
            continue
        found = _found(server, seen)
        if len(found) != 1:
            refused[name] = _not_one(server, host, found)
            continue
        uuid = machine_uuid(estate.id, name)
        if _is_ours(found[0], estate.id, name) and recorded.get(uuid) == found[0].given_id:
            already.append(name)
            continue
        objection = next(_objections(estate, server, found[0], accepted, recorded.get(uuid, "")), "")
        if objection:
            refused[name] = objection
        else:
            candidates.append(Candidate(machine=name, uuid=uuid, seen=found[0]))
    claims: dict[str, list[str]] = {}
    for candidate in candidates:
        claims.setdefault(candidate.seen.given_id, []).append(candidate.machine)
    for machines in claims.values():
        if len(machines) > 1:
            why = f"{' and '.join(machines)} name the same machine on {host.id}; correct the `source` of all but one"
            refused |= dict.fromkeys(machines, why)
    return Matching(
        candidates=tuple(candidate for candidate in candidates if candidate.machine not in refused),
        already=tuple(already),
        refused=refused,
    )


def as_adopted(inputs: PlanInputs, host: str, candidates: Sequence[Candidate], disks: Mapping[str, int | None]) -> PlanInputs:
    """The same inputs with the candidates adopted; `disks`: GiB of the disk by machine."""
    by_id = {candidate.seen.given_id: candidate for candidate in candidates}
    seen = inputs.observation.hosts[host]
    machines = tuple(
        _adopted(machine, by_id[machine.given_id], inputs.estate.id, disks) if machine.given_id in by_id else machine
        for machine in seen.machines
    )
    capacity = seen.capacity
    if capacity is not None:
        foreign = capacity.used_by_foreign
        for candidate in candidates:
            if candidate.seen.mark is None:
                foreign -= counted_as_foreign(candidate.seen, capacity)
        capacity = replace(capacity, used_by_foreign=foreign)
    looked = replace(seen, machines=machines, capacity=capacity)
    return replace(inputs, observation=replace(inputs.observation, hosts={**inputs.observation.hosts, host: looked}))


def _stands_on(server: Server, host: Host) -> bool:
    return server.disposition is Disposition.REHOST and server.source is not None and server.source.uri == host.uri


def _why_not_here(estate: Estate, host: Host, name: str) -> str:
    server = estate.servers.get(name)
    if server is None:
        return "is no server of the inventory; import it with `kasumi inventory import`, or name one that is"
    if server.source is not None and server.source.uri != host.uri:
        other = next((each.id for each in estate.hosts.values() if each.uri == server.source.uri), "")
        move = f"`kasumi adopt {other} {name}`" if other else "`kasumi migrate` moves it here"
        return f"its source is {server.source.uri}, not {host.id} ({host.uri}); {move}"
    return (
        f"the inventory does not say that it stays on {host.id}: wanted `disposition: rehost` and `source: {{uri: {host.uri}, "
        f"domain: NAME}}`, found {server.disposition.value}{'' if server.source is not None else ' without source'}; add that"
    )


def _found(server: Server, seen: HostObservation) -> list[ObservedMachine]:
    wanted = server.source.domain if server.source is not None else ""
    by_id = [machine for machine in seen.machines if machine.given_id == wanted]
    return by_id or [machine for machine in seen.machines if machine.name == wanted]


def _not_one(server: Server, host: Host, found: Sequence[ObservedMachine]) -> str:
    wanted = server.source.domain if server.source is not None else ""
    if not found:
        return f"wanted {wanted} on {host.id}, found none of this name or id; correct `source.domain`"
    ids = ", ".join(sorted(machine.given_id for machine in found))
    return f"wanted one machine {wanted} on {host.id}, found {len(found)}: {ids}; name the id in `source.domain`"


def _is_ours(seen: ObservedMachine, estate: str, machine: str) -> bool:
    return seen.mark is not None and (seen.mark.estate, seen.mark.machine) == (estate, machine)


def _objections(estate: Estate, server: Server, seen: ObservedMachine, accepted: Plan | None, recorded: str) -> Iterator[str]:
    """Why this machine of the host must not be adopted as this server."""
    if seen.mark is not None and not (_is_ours(seen, estate.id, server.id) and seen.mark.adopted):
        whose = "this" if seen.mark.estate == estate.id else "another"
        yield f"{seen.name} bears the mark of {seen.mark.estate}/{seen.mark.machine}, of {whose} estate; it is left alone"
    if recorded and recorded != seen.given_id:
        yield f"was adopted as {recorded}, found {seen.given_id}; `kasumi adopt --release` forgets the former one"
    planned = next((m for m in accepted.machines if m.id == server.id), None) if accepted is not None else None
    if planned is not None and planned.method is not Method.ADOPT:
        yield (
            f"the accepted plan makes or moves a machine of this id on {planned.host}; remove that first: take it out of the "
            "inventory, plan, and `kasumi apply --yes`"
        )
    there = estate.hosts.get(planned.host) if planned is not None else None
    if planned is not None and (there is None or server.source is None or there.uri != server.source.uri):
        yield f"the accepted plan has it on {planned.host}; move it back, or adopt it there"
    macs = sorted(nic.mac for nic in seen.nics)
    if macs != [server.mac.lower()]:
        yield (
            f"wanted one network card {server.mac.lower()}, found {', '.join(macs) or 'none'}; a plan knows one card and would take "
            "the others out: correct `mac`, or leave it foreign"
        )


def _adopted(seen: ObservedMachine, candidate: Candidate, estate: str, disks: Mapping[str, int | None]) -> ObservedMachine:
    return replace(
        seen,
        uuid=candidate.uuid,
        native_id=seen.given_id,
        mark=Mark(estate=estate, machine=candidate.machine, plan="", adopted=True),
        disk_gib=disks[candidate.machine],
        autostart=seen.autostart or bool(seen.native_id),  # a cloud keeps it in the mark only
    )
