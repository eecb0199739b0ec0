"""Cold migration: source down, disk copied and proven, target booted from the copy; a way back until finalized.

A record in the store names the phase; each phase is entered only after the world was seen to be so, and every verb may be
repeated after any interruption. Two copies never run at once: the target starts only while the source is seen stopped, and
the source only while the target is.
"""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from controlplane.connectors.disks import DiskExport, raw_sha256, source_sha256
from controlplane.connectors.services import problem_of
from controlplane.connectors.shell import LocalShell, Shell
from controlplane.connectors.ssh import shell_of_uri
from controlplane.errors import KasumiError, RefusedError
from controlplane.execution.migrate_checks import preflight
from controlplane.execution.migrate_leftovers import sweep
from controlplane.execution.observe import HostTarget, targets_of_plan
from controlplane.model.document import digest
from controlplane.model.estate import LibvirtSource
from controlplane.model.migration import Migration, Phase
from controlplane.model.observed import PowerState
from controlplane.model.plan import Method, Plan, PlannedMachine
from controlplane.providers.opening import open_copy_host, open_source_host
from controlplane.providers.protocol import CopyHost, MachineRef
from controlplane.providers.source import SourceHost
from controlplane.store import Store

SEGMENT_BYTES = 256 * 1024 * 1024
"""Size of one copied range: a cut costs at most this much again, and a fresh qemu-img for each costs little beside it."""
SHUTDOWN_SECONDS = 300.0
"""Old systems take minutes to stop; none is ever forced off."""
TARGET_SHUTDOWN_SECONDS = 120.0
ANSWER_SECONDS = 600.0
"""How long a booted target, or a source started again, may take until its services answer, software emulation included."""
_BETWEEN_LOOKS_SECONDS = 3.0
_NEVER_RAN = frozenset({None, PowerState.FAILED})
"""A target that is not there, or that a cloud could not make."""
_MAY_HOLD_DATA = frozenset({Phase.CUT_OVER, Phase.ROLLED_BACK})
"""The target was in use, so its disk is kept even where the machine itself is gone by now."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Everything one migration works with, opened for one command."""

    plan: Plan
    machine: PlannedMachine
    origin: LibvirtSource
    target: HostTarget
    source: SourceHost
    host: CopyHost
    store: Store
    actor: str
    say: Say

    @property
    def ref(self) -> MachineRef:
        """The machine as recorded."""
        return MachineRef(estate=self.plan.estate, machine=self.machine.id, uuid=self.machine.uuid)

    @property
    def network_names(self) -> dict[str, str]:
        """What the plan's networks are called on the new host."""
        return {network.network: network.name for network in self.plan.networks if network.host == self.target.id}

    def record(self) -> Migration | None:
        """What is on record for this machine."""
        return self.store.migration(self.plan.estate, self.machine.id)

    def save(self, record: Migration, **changes: object) -> Migration:
        """Write the record down with changes, and the step into the evidence chain."""
        now = datetime.now(UTC)
        record = replace(record, updated_at=now, **changes)  # type: ignore[arg-type]
        self.store.save_migration(record)
        return record

    def enter(self, record: Migration, phase: Phase, **changes: object) -> Migration:
        """Enter a phase: record, evidence, one line for the person watching."""
        record = self.save(record, phase=phase, problem="", **changes)
        self.evidence(phase.value, {key: str(value) for key, value in changes.items()})
        self.say(f"migrate {self.machine.id}: {phase.value}")
        return record

    def copy_shell(self) -> Shell:
        """Where the copy is gathered: the new host, or this controller."""
        uri = self.host.copy_place.uri
        return shell_of_uri(uri, ssh_config=self.plan.access.ssh_config) if uri else LocalShell()

    def evidence(self, what: str, detail: dict[str, object]) -> None:
        """Append one record about this machine to the evidence chain."""
        self.store.append_evidence(
            self.plan.estate,
            actor=self.actor,
            action=f"migrate:{what}",
            subject=self.machine.id,
            detail={"plan": digest(self.plan), "source": f"{self.origin.uri}#{self.origin.domain}", "host": self.target.id}
            | detail,
            at=datetime.now(UTC),
        )


def planned_move(plan: Plan, machine_id: str) -> tuple[PlannedMachine, LibvirtSource, HostTarget]:
    """The machine, where it is now and where it goes. Raises KasumiError for a machine that does not migrate."""
    machine = next((machine for machine in plan.machines if machine.id == machine_id), None)
    movable = ", ".join(machine.id for machine in plan.machines if machine.method is Method.COLD) or "none"
    if machine is None:
        raise KasumiError(f"machine {machine_id}: not in the accepted plan; machines that migrate: {movable}")
    if machine.method is not Method.COLD or machine.source is None:
        how = (
            "stands on its host and was adopted" if machine.method is Method.ADOPT else "is made from an image by `kasumi apply`"
        )
        raise KasumiError(f"machine {machine_id}: {how}; machines that migrate: {movable}")
    target = next(target for target in targets_of_plan(plan) if target.id == machine.host)
    return machine, machine.source, target


def with_move(
    plan: Plan, machine_id: str, store: Store, *, actor: str, copies: Path, say: Say, act: Callable[[Move], Migration]
) -> Migration:
    """Open both hosts, take this machine's lock, act, close. Raises what `act` raises, LockedError when already at work.

    `copies`: the folder for disks that are gathered on this controller, which those for a cloud are.
    """
    machine, origin, target = planned_move(plan, machine_id)
    with (
        store.controller_lock(f"{plan.estate}/{machine_id}", verb="migrate"),
        closing(open_source_host(origin.uri, ssh_config=plan.access.ssh_config)) as source,
        closing(
            open_copy_host(
                target.id, target.uri, target.pool, estate=plan.estate, ssh_config=target.ssh_config, copies=copies / plan.estate
            )
        ) as host,
    ):
        return act(
            Move(
                plan=plan,
                machine=machine,
                origin=origin,
                target=target,
                source=source,
                host=host,
                store=store,
                actor=actor,
                say=say,
            )
        )


def start(move: Move) -> Migration:
    """Everything up to a target that is ready to boot; the source is down from the first step on. Resumes where it stood.

    Raises KasumiError at the first thing that is not as it must be; the record then says which phase was reached.
    """
    record = move.record()
    if record is None or record.phase is Phase.ROLLED_BACK:
        record = _prepare(move, again=record is not None)
    if record.phase in {Phase.CUT_OVER, Phase.FINALIZED}:
        move.say(f"migrate {move.machine.id}: {record.phase.value} already, nothing to do")
        return record
    steps = {
        Phase.PREPARED: _stop_source,
        Phase.SOURCE_STOPPED: _copy,
        Phase.COPIED: _verify,
        Phase.VERIFIED: _define,
    }
    while record.phase is not Phase.READY:
        record = _attempt(move, record, steps[record.phase])
    return record


def cutover(move: Move) -> Migration:
    """Boot the target and see its services answer. Raises KasumiError when they do not; the way back stays open."""
    record = _on_record(move)
    if record.phase in {Phase.CUT_OVER, Phase.FINALIZED}:
        move.say(f"migrate {move.machine.id}: {record.phase.value} already, nothing to do")
        return record
    if record.phase is not Phase.READY:
        raise RefusedError(
            f"machine {move.machine.id}: cutover wants phase ready, found {record.phase.value}; `kasumi migrate start` first"
        )
    return _attempt(move, record, _cut_over)


def rollback(move: Move) -> Migration:
    """Stop the target, see it stopped, start the source again and see its services answer. Refused once finalized.

    Raises KasumiError when they do not answer in time; it is rolled back all the same, and the record says what was found.
    """
    record = _on_record(move)
    if record.phase is Phase.FINALIZED:
        raise RefusedError(f"machine {move.machine.id}: finalized at {record.updated_at:%Y-%m-%d %H:%M}; the way back is closed")
    if record.phase is Phase.ROLLED_BACK and _source_state(move, record) is PowerState.RUNNING:
        move.say(f"migrate {move.machine.id}: rolled back already, nothing to do")
        return record
    return _attempt(move, record, _roll_back)


def finalize(move: Move) -> Migration:
    """Close the way back. The source stays where it is, stopped and untouched; retiring it is another verb."""
    record = _on_record(move)
    if record.phase is Phase.FINALIZED:
        move.say(f"migrate {move.machine.id}: finalized already, nothing to do")
        return record
    if record.phase is not Phase.CUT_OVER:
        raise RefusedError(f"machine {move.machine.id}: finalize wants phase cut-over, found {record.phase.value}")
    if _target_state(move) is not PowerState.RUNNING:
        raise RefusedError(
            f"machine {move.machine.id}: finalize wants a running target; `kasumi reconcile --once` or roll back first"
        )
    return move.enter(record, Phase.FINALIZED)


def _attempt(move: Move, record: Migration, step: Callable[[Move, Migration], Migration]) -> Migration:
    try:
        return step(move, record)
    except KasumiError as error:
        latest = move.record() or record
        move.save(latest, problem=str(error))
        move.evidence("problem", {"phase": latest.phase.value, "message": str(error)})
        raise


def _on_record(move: Move) -> Migration:
    record = move.record()
    if record is None:
        raise RefusedError(f"machine {move.machine.id}: no migration was started; `kasumi migrate start {move.machine.id}` first")
    return record


def _prepare(move: Move, *, again: bool) -> Migration:
    found = move.source.look(move.origin.domain)
    preflight(move.plan, move.machine, move.origin, move.host, found, again=again)
    if again:
        move.say(f"migrate {move.machine.id}: rolled back earlier; the target and its copy are made anew")
        move.host.remove(move.ref)
        move.store.forget_native_ids(move.plan.estate, [move.machine.uuid])
    now = datetime.now(UTC)
    record = Migration(
        estate=move.plan.estate,
        machine=move.machine.id,
        plan=digest(move.plan),
        phase=Phase.PREPARED,
        source_uri=move.origin.uri,
        source_domain=move.origin.domain,
        source_uuid=found.uuid,
        disk=found.disks[0],
        source_was_autostart=found.autostart,
        started_at=now,
        updated_at=now,
    )
    return move.enter(record, Phase.PREPARED)


def _stop_source(move: Move, record: Migration) -> Migration:
    move.source.set_autostart(record.source_domain, uuid=record.source_uuid, autostart=False)
    move.evidence("stopping-source", {})
    move.source.shut_down(record.source_domain, uuid=record.source_uuid, timeout_seconds=SHUTDOWN_SECONDS)
    _see_source_stopped(move, record)
    return move.enter(record, Phase.SOURCE_STOPPED)


def _copy(move: Move, record: Migration) -> Migration:
    _see_source_stopped(move, record)
    move.host.ensure_storage()
    path = str(move.host.ensure_copy_file(move.machine, size_bytes=record.disk.size_bytes))
    config = move.plan.access.ssh_config
    address = move.origin.disk_address or _host_of(move.origin.uri)
    size = record.disk.size_bytes
    began, first = time.monotonic(), record.copied_bytes
    with (
        closing(shell_of_uri(move.origin.uri, ssh_config=config)) as old,
        closing(move.copy_shell()) as new,
        DiskExport(old, new, record.disk, name=move.machine.uuid, address=address) as export,
    ):
        while record.copied_bytes < size:
            length = min(SEGMENT_BYTES, size - record.copied_bytes)
            export.copy_range(path, offset=record.copied_bytes, length=length)
            record = move.save(record, copied_bytes=record.copied_bytes + length)
            rate = (record.copied_bytes - first) / max(time.monotonic() - began, 0.001)
            left = (size - record.copied_bytes) / rate
            move.say(
                f"migrate {move.machine.id}: copied {record.copied_bytes >> 20} of {size >> 20} MiB, {rate / 2**20:.0f} MiB/s, "
                f"{left:.0f} s left"
            )
        _sweep_leftovers(move, old, new)
    return move.enter(record, Phase.COPIED)


def _sweep_leftovers(move: Move, *shells: Shell) -> None:
    """What other migrations left where this one came by; that it cannot be swept now stops nothing."""
    copies = move.host.copy_place.folder if not move.host.copy_place.uri else None
    try:
        swept = sweep(move.plan, move.store, shells, copies=copies, at_work_on=move.machine.id)
    except KasumiError as error:
        swept = (f"what other migrations left was not looked for: {error}",)
    for line in swept:
        move.say(f"migrate {move.machine.id}: {line}")


def _verify(move: Move, record: Migration) -> Migration:
    _see_source_stopped(move, record)
    config = move.plan.access.ssh_config
    path = str(move.host.ensure_copy_file(move.machine, size_bytes=record.disk.size_bytes))
    with (
        closing(shell_of_uri(move.origin.uri, ssh_config=config)) as old,
        closing(move.copy_shell()) as new,
    ):
        of_source = source_sha256(old, record.disk)
        of_target = raw_sha256(new, path, size_bytes=record.disk.size_bytes)
    if of_source != of_target:
        move.save(record, phase=Phase.SOURCE_STOPPED, copied_bytes=0, source_sha256=of_source, target_sha256=of_target)
        raise KasumiError(
            f"machine {move.machine.id}: the copy differs from the source: SHA-256 {of_source[:16]}… there, {of_target[:16]}… here; "
            "nothing was booted. `kasumi migrate start` copies again, `kasumi migrate rollback` starts the source"
        )
    return move.enter(record, Phase.VERIFIED, source_sha256=of_source, target_sha256=of_target)


def _define(move: Move, record: Migration) -> Migration:
    for network in move.plan.networks:
        if network.host == move.target.id and any(nic.network == network.network for nic in move.machine.nics):
            move.host.ensure_network(network)
    taken = move.host.take_in(
        replace(move.machine, autostart=False),
        plan=digest(move.plan),
        network_names=move.network_names,
        sha256=record.source_sha256,
        size_bytes=record.disk.size_bytes,
        told=move.say,
    )
    move.evidence("taken-in", {"copy": taken})
    return move.enter(record, Phase.READY)


def _cut_over(move: Move, record: Migration) -> Migration:
    _see_source_stopped(move, record)
    if record.cut_over_at is None:
        record = move.save(record, cut_over_at=datetime.now(UTC))
    move.evidence("starting-target", {})
    _ensure_target(move, autostart=False)
    move.host.start(move.ref)
    _see_services(move, "target", "look at its console, then `kasumi migrate cutover` again or `kasumi migrate rollback`")
    _ensure_target(move, autostart=move.machine.autostart)
    return move.enter(record, Phase.CUT_OVER)


def _roll_back(move: Move, record: Migration) -> Migration:
    state = _target_state(move)
    if state not in _NEVER_RAN:
        _ensure_target(move, autostart=False)
        move.host.stop(move.ref, force_after_seconds=TARGET_SHUTDOWN_SECONDS)
        state = _target_state(move)
    if state not in {*_NEVER_RAN, PowerState.STOPPED}:
        raise KasumiError(
            f"machine {move.machine.id}: the target is still {state}; the source was not started, two never run at once: bring "
            "the target to rest by hand, then roll back again"
        )
    move.evidence("starting-source", {"target_writes_lost_since": str(record.cut_over_at or "none")})
    move.source.start(record.source_domain, uuid=record.source_uuid)
    move.source.set_autostart(record.source_domain, uuid=record.source_uuid, autostart=record.source_was_autostart)
    if _source_state(move, record) is not PowerState.RUNNING:
        raise KasumiError(f"machine {move.machine.id}: the source was started but does not run; look at {record.source_uri}")
    if state in _NEVER_RAN and record.phase not in _MAY_HOLD_DATA:  # nothing was written to what was prepared for it
        move.host.remove(move.ref)
    record = move.enter(record, Phase.ROLLED_BACK)
    _see_services(move, "source", f"look at the console of {record.source_domain} on {record.source_uri}")
    return record


def _see_services(move: Move, side: str, then: str) -> None:
    """Wait until all services answer; source and target share the address. Raises KasumiError when they do not in time."""
    address = move.machine.nics[0].address
    deadline = time.monotonic() + ANSWER_SECONDS
    move.say(f"migrate {move.machine.id}: {side} runs, waiting for {len(move.machine.services)} services at {address}")
    while problems := [problem for service in move.machine.services if (problem := problem_of(address, service))]:
        if time.monotonic() > deadline:
            raise KasumiError(
                f"machine {move.machine.id}: the {side} runs but after {ANSWER_SECONDS:.0f} s {problems[0]}; {then}"
            )
        time.sleep(_BETWEEN_LOOKS_SECONDS)


def _ensure_target(move: Move, *, autostart: bool) -> None:
    """Where making a machine boots it, it is made here and not before the cutover: the caller has seen the source stopped."""
    told = move.host.ensure_machine(
        replace(move.machine, autostart=autostart),
        plan=digest(move.plan),
        network_names=move.network_names,
        image=None,
        seed=None,
        starting=True,
    )
    if told:
        move.say(f"migrate {move.machine.id}: {told}")


def _see_source_stopped(move: Move, record: Migration) -> None:
    state = _source_state(move, record)
    if state is not PowerState.STOPPED:
        raise KasumiError(
            f"machine {move.machine.id}: the source {record.source_domain} on {record.source_uri} must be stopped, found {state}; "
            "somebody started it: stop it, or `kasumi migrate rollback` and start again"
        )


def _source_state(move: Move, record: Migration) -> PowerState:
    found = move.source.look(record.source_domain)
    if found.uuid != record.source_uuid:
        raise KasumiError(
            f"machine {move.machine.id}: {record.source_domain} on {record.source_uri} is another domain now "
            f"(uuid {found.uuid}, on record {record.source_uuid}); a person must clear this up"
        )
    return found.state


def _target_state(move: Move) -> PowerState | None:
    found = next((machine for machine in move.host.observe().machines if machine.uuid == move.machine.uuid), None)
    return found.state if found is not None else None


def _host_of(uri: str) -> str:
    return urlsplit(uri).hostname or "127.0.0.1"
