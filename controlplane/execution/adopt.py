"""Takes machines that stand on a host already under management: a preview first, then our mark and a record, nothing else.

The record of the provider's id goes first, so that a mark never stands without it; then the mark; success is what a second
look says. Run again after any interruption.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from controlplane.errors import KasumiError, RefusedError, UnreachableError
from controlplane.execution.apply import memory_of
from controlplane.execution.converge import MACHINE_SECONDS
from controlplane.execution.drift import differences
from controlplane.execution.observe import HostTarget, declared_host, observe_host, targets_of_estate
from controlplane.model.document import digest
from controlplane.model.drift import Drift
from controlplane.model.observed import HostObservation
from controlplane.model.plan import PlannedMachine
from controlplane.planning.adoption import Candidate, Matching, as_adopted, matching
from controlplane.planning.identity import machine_uuid
from controlplane.planning.inputs import PlanInputs
from controlplane.providers.deadline import with_deadline
from controlplane.providers.protocol import MachineRef, Provider
from controlplane.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What adopting would do. `drift`: what the next apply would then change, as the inventory asks for it."""

    host: str
    candidates: tuple[Candidate, ...]
    planned: Mapping[str, PlannedMachine] = field(hash=False)
    already: tuple[str, ...]
    refused: Mapping[str, str] = field(hash=False)
    drift: tuple[Drift, ...]
    foreign: int
    """Machines of the host that stay foreign."""


def preview(inputs: PlanInputs, store: Store, host: str, names: Sequence[str]) -> Preview:
    """Look, and change nothing. Raises UnreachableError for a host that does not answer, InfeasiblePlan."""
    estate = inputs.estate
    declared = declared_host(estate, host, verb="adopt")
    seen = inputs.observation.hosts[host]
    if not seen.reachable:
        raise UnreachableError(f"host {host} not reached: {seen.error}")
    memory = memory_of(store, estate.id)
    found = matching(estate, declared, seen, inputs.parent, memory.native_ids, names)
    looked, disks = _look_closely(_target(inputs, host), found)
    after = as_adopted(inputs, host, looked.candidates, disks)
    plan = after.plan()
    planned = {machine.id: machine for machine in plan.machines}
    unplanned = {c.machine: "no plan asks for it: see what `kasumi plan` says of its server" for c in looked.candidates}
    refused = {**looked.refused, **{name: why for name, why in unplanned.items() if name not in planned}}
    candidates = tuple(candidate for candidate in looked.candidates if candidate.machine not in refused)
    for candidate in candidates:
        memory.native_ids[candidate.uuid] = candidate.seen.given_id
    subjects = {candidate.machine for candidate in candidates}
    return Preview(
        host=host,
        candidates=candidates,
        planned=planned,
        already=looked.already,
        refused=refused,
        drift=tuple(d for d in differences(plan, after.observation, memory) if d.subject in subjects),
        foreign=sum(1 for m in seen.machines if m.mark is None) - sum(1 for c in candidates if c.seen.mark is None),
    )


def adopt(ready: Preview, inputs: PlanInputs, store: Store, *, actor: str) -> dict[str, str]:
    """Adopt what the preview showed; returns what went wrong by machine. Raises LockedError when another controller is at work."""
    estate = inputs.estate.id
    target = _target(inputs, ready.host)
    plan = digest(inputs.parent) if inputs.parent is not None else ""
    problems: dict[str, str] = {}
    with store.controller_lock(estate, verb="adopt"):
        provider = target.open()
        try:
            for candidate in ready.candidates:
                native_id = candidate.seen.given_id
                detail: dict[str, object] = {"host": ready.host, "native_id": native_id, "name": candidate.seen.name}
                store.record_native_ids(estate, {candidate.uuid: native_id}, datetime.now(UTC))
                _evidence(store, estate, actor, "adopt:intent", candidate.machine, detail)
                try:
                    _mark(provider, ready.planned[candidate.machine], native_id, plan)
                except KasumiError as error:
                    problems[candidate.machine] = str(error)
        finally:
            provider.close()
        after = observe_host(target)
        marked = {m.given_id: m.mark.machine for m in after.machines if m.mark is not None and m.mark.estate == estate}
        for candidate in ready.candidates:
            if marked.get(candidate.seen.given_id) != candidate.machine:
                problems.setdefault(candidate.machine, after.error or "done, but a second look finds no mark; run again")
            outcome = "failed" if candidate.machine in problems else "done"
            message = problems.get(candidate.machine, "")
            _evidence(store, estate, actor, f"adopt:{outcome}", candidate.machine, {"host": ready.host, "message": message})
    return problems


def release(inputs: PlanInputs, store: Store, host: str, names: Sequence[str], *, actor: str) -> tuple[str, ...]:
    """Take our mark off machines that were adopted and are in no accepted plan, and forget their ids.

    Returns those that stand nowhere any more, of which there was only the record to forget. Raises, with nothing changed,
    RefusedError for one that the accepted plan has, that was never adopted or stands elsewhere, and UnreachableError for one that may
    stand on a host that does not answer. Raises KasumiError when a second look does not find the marks gone: nothing is forgotten then.
    """
    estate = inputs.estate.id
    declared_host(inputs.estate, host, verb="adopt")
    planned = {machine.id for machine in inputs.parent.machines} if inputs.parent is not None else set()
    target = _target(inputs, host)
    with store.controller_lock(estate, verb="adopt"):
        recorded = store.native_ids(estate)
        gone = []
        for name in names:
            if name in planned:
                raise RefusedError(
                    f"machine {name}: the accepted plan has it; take it out of the inventory, plan, and `kasumi apply --yes` lets it go"
                )
            if machine_uuid(estate, name) not in recorded:
                raise RefusedError(f"machine {name}: no adoption is on record; there is nothing to release")
            if not stands_on(inputs.observation.hosts, host, name, recorded[machine_uuid(estate, name)]):
                gone.append(name)
        provider = target.open()
        try:
            for name in names:
                uuid = machine_uuid(estate, name)
                ref = MachineRef(estate=estate, machine=name, uuid=uuid, native_id=recorded[uuid])
                _evidence(store, estate, actor, "release:intent", name, {"host": host, "native_id": recorded[uuid]})
                with_deadline(partial(provider.release, ref), seconds=MACHINE_SECONDS, what=f"{name} on {host}")
        finally:
            provider.close()
        _see_unmarked(observe_host(target), [recorded[machine_uuid(estate, name)] for name in names])
        for name in names:
            uuid = machine_uuid(estate, name)
            store.forget_native_ids(estate, [uuid])
            detail = {"host": host, "native_id": recorded[uuid], "gone": name in gone}
            _evidence(store, estate, actor, "release:done", name, detail)
    return tuple(gone)


def stands_on(seen: Mapping[str, HostObservation], host: str, name: str, native_id: str) -> bool:
    """Whether the host has the machine. To forget one while its mark stands on another host would leave it to nobody.

    Raises RefusedError where another host has it, UnreachableError where one that does not answer may have it.
    """
    if not seen[host].reachable:
        raise UnreachableError(f"host {host} not reached: {seen[host].error}")
    for other, found in sorted(seen.items()):
        if other != host and any(machine.given_id == native_id and machine.mark is not None for machine in found.machines):
            raise RefusedError(f"machine {name}: stands on {other}, not on {host}; `kasumi adopt {other} {name} --release`")
    here = any(machine.given_id == native_id for machine in seen[host].machines)
    if not here and (silent := ", ".join(sorted(other for other, found in seen.items() if not found.reachable))):
        raise UnreachableError(
            f"machine {name}: not on {host}, and it may stand with our mark on a host that does not answer: {silent}; nothing was "
            f"released or forgotten: run again when all answer"
        )
    return here


def _see_unmarked(after: HostObservation, native_ids: Sequence[str]) -> None:
    if not after.reachable:
        raise UnreachableError(
            f"host {after.host} not reached for a second look: {after.error}; our marks were taken off, as far as it said, and nothing "
            "is forgotten until they are seen gone: run again"
        )
    left = sorted(machine.name for machine in after.machines if machine.given_id in native_ids and machine.mark is not None)
    if left:
        raise KasumiError(f"adopt: a second look at {after.host} still finds our mark on {', '.join(left)}; run again")


def _target(inputs: PlanInputs, host: str) -> HostTarget:
    return next(target for target in targets_of_estate(inputs.estate) if target.id == host)


def _look_closely(target: HostTarget, found: Matching) -> tuple[Matching, dict[str, int | None]]:
    """What the look at the whole host does not tell, for each candidate."""
    disks: dict[str, int | None] = {}
    refused = dict(found.refused)
    provider = target.open()
    try:
        for candidate in found.candidates:
            native_id = candidate.seen.given_id
            foreign = with_deadline(
                partial(provider.look_at_foreign, native_id),
                seconds=MACHINE_SECONDS,
                what=f"{candidate.seen.name} on {target.id}",
            )
            disks[candidate.machine] = foreign.disk_gib
            if foreign.obstacles:
                refused[candidate.machine] = "; ".join(foreign.obstacles)
    finally:
        provider.close()
    left = tuple(candidate for candidate in found.candidates if candidate.machine not in refused)
    return Matching(candidates=left, already=found.already, refused=refused), disks


def _mark(provider: Provider, machine: PlannedMachine, native_id: str, plan: str) -> None:
    with_deadline(
        lambda: provider.adopt(machine, native_id=native_id, plan=plan),
        seconds=MACHINE_SECONDS,
        what=f"{machine.id} on {provider.host}",
    )


def _evidence(store: Store, estate: str, actor: str, action: str, machine: str, detail: dict[str, object]) -> None:
    store.append_evidence(estate, actor=actor, action=action, subject=machine, detail=detail, at=datetime.now(UTC))
