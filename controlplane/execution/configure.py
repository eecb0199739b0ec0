"""Pushes the security policy and middleware to machines of the accepted plan, and records what was done.

Machines made from an image are ours to configure. One that came by migration or was adopted is configured only when it is named: it
runs a ministry's legacy system, which must not change because somebody ran a command for all.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path

from controlplane.connectors.ansible import Engine, Login, Push, Pushed, Target, push
from controlplane.connectors.push_events import Notice, Tally, Watch
from controlplane.discovery.record import server_keys
from controlplane.errors import ExitCode, KasumiError
from controlplane.execution.reachable import KeyBook, Reached, wait_until_reachable
from controlplane.execution.reconcile import accepted
from controlplane.model.document import digest, to_data
from controlplane.model.plan import Method, Plan, PlannedMachine
from controlplane.settings import resource
from controlplane.store import Store

WAIT_SECONDS = 420.0
"""A first boot under software emulation on a busy machine took up to four minutes; with hardware it takes seconds."""


class Status(StrEnum):
    """What became of one machine."""

    OK = "ok"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    """Its ssh host key is not the one on record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to push and how. `machines` empty: all made from an image. `tags` empty: everything."""

    machines: tuple[str, ...] = ()
    check: bool = False
    diff: bool = False
    tags: tuple[str, ...] = ()
    engine: Engine = Engine.MITOGEN
    wait_seconds: float = WAIT_SECONDS
    accept_host_keys: frozenset[str] = frozenset()
    vault_password_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineResult:
    """One machine: its tasks by how they ended (`changed` are among `ok`) and why it did not get to the end."""

    machine: str
    status: Status
    ok: int = 0
    changed: int = 0
    failed: int = 0
    skipped: int = 0
    task: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigureResult:
    """The whole push. `policy` is the SHA-256 of the playbooks that were pushed."""

    machines: tuple[MachineResult, ...]
    check: bool
    engine: Engine
    policy: str
    seconds: float

    @property
    def changed(self) -> int:
        """Changes made, or that would be made when checking."""
        return sum(machine.changed for machine in self.machines)

    @property
    def exit_code(self) -> ExitCode:
        """Never better than the worst machine."""
        found = {machine.status for machine in self.machines}
        if Status.FAILED in found:
            return ExitCode.PARTLY_FAILED if len(found) > 1 else ExitCode.FAILED
        if Status.REFUSED in found:
            return ExitCode.REFUSED
        return ExitCode.UNREACHABLE if Status.UNREACHABLE in found else ExitCode.DONE


def configure(store: Store, estate: str, *, home: Path, options: Options, actor: str, watch: Watch) -> ConfigureResult:
    """Configure machines as their roles say; may be repeated, the second time nothing changes.

    Raises KasumiError when there is no accepted plan, a machine or role is unknown, or Ansible itself breaks; LockedError
    when another push is on its way; KeyboardInterrupt when asked to stop, with everything cleaned up.
    """
    plan = accepted(store, estate)
    machines = selected(plan, options.machines)
    _refuse_unknown(options.accept_host_keys, [machine.id for machine in plan.machines])
    refuse_unknown_roles(machines)
    with store.controller_lock(f"{estate}/configure", verb="configure"):
        began = time.monotonic()
        run = store.begin_run(estate, "configure", digest(plan), actor, datetime.now(UTC))
        try:
            recorded = store.native_ids(estate)
            result = _configure(plan, machines, recorded, home=home, options=options, watch=watch, began=began)
        except BaseException as error:
            why = str(error) or type(error).__name__
            store.end_run(run, "failed", {"error": why}, datetime.now(UTC))
            raise
        _record(store, plan, result, actor=actor, tags=options.tags, accepted_keys=options.accept_host_keys)
        counts: dict[str, object] = {status.value: sum(1 for m in result.machines if m.status is status) for status in Status}
        summary = counts | {"changed": result.changed, "check": result.check, "engine": result.engine.value}
        store.end_run(run, "ok" if result.exit_code is ExitCode.DONE else "failed", summary, datetime.now(UTC))
    return result


def selected(plan: Plan, names: Sequence[str]) -> tuple[PlannedMachine, ...]:
    """The named machines, or all that were made from an image. Raises KasumiError for a name the plan does not have."""
    if not names:
        return tuple(machine for machine in plan.machines if machine.method is Method.IMAGE)
    _refuse_unknown(names, [machine.id for machine in plan.machines])
    return tuple(machine for machine in plan.machines if machine.id in set(names))


def refuse_unknown_roles(machines: Sequence[PlannedMachine]) -> None:
    """Raise KasumiError when a machine asks for a role that is not shipped."""
    folder = resource("playbooks") / "roles"
    known = sorted(path.name for path in folder.iterdir() if (path / "tasks").is_dir())
    for machine in machines:
        for role in machine.roles:
            if role not in known:
                remedy = f"known: {', '.join(known)}; correct `roles` in the inventory and plan again"
                raise KasumiError(f"machine {machine.id}: no role {role!r}; {remedy}")


def target_of(machine: PlannedMachine) -> Target:
    """The machine as Ansible sees it: groups role_*, ministry_*, system_*, its own variables and kasumi_services."""
    groups = [f"role_{role}" for role in machine.roles] + [f"ministry_{machine.ministry}", f"system_{machine.system}"]
    services = [to_data(service) for service in machine.services]
    return Target(
        id=machine.id,
        address=machine.nics[0].address,
        groups=tuple(group.replace("-", "_") for group in groups),
        variables={**machine.variables, "kasumi_services": services},
    )


def policy_digest(folder: Path) -> str:
    """SHA-256 over names and contents of everything under the playbooks folder that Ansible reads."""
    whole = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        whole.update(f"{file.relative_to(folder)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def _configure(
    plan: Plan,
    machines: Sequence[PlannedMachine],
    recorded: Mapping[str, str],
    *,
    home: Path,
    options: Options,
    watch: Watch,
    began: float,
) -> ConfigureResult:
    keys = KeyBook(known_hosts=home / "known_hosts", trusted=server_keys(home), accept=options.accept_host_keys)
    reached = wait_until_reachable(
        plan, machines, keys, recorded, seconds=options.wait_seconds, say=lambda text: watch(Notice(text=text))
    )
    playbooks = resource("playbooks")
    pushed = Pushed(tallies={}, failures=(), engine=options.engine)
    if reached.ready:
        wanted = Push(
            playbook=playbooks / "site.yml",
            targets=tuple(target_of(machine) for machine in machines if machine.id in reached.ready),
            login=Login(
                user=plan.access.user,
                identity_file=plan.access.identity_file,
                ssh_config=plan.access.ssh_config,
                known_hosts=keys.known_hosts,
            ),
            check=options.check,
            diff=options.diff,
            tags=options.tags,
            vault_password_file=options.vault_password_file,
            engine=options.engine,
        )
        pushed = push(wanted, watch=watch)
    return ConfigureResult(
        machines=tuple(_result(machine.id, reached, pushed) for machine in machines),
        check=options.check,
        engine=pushed.engine,
        policy=policy_digest(playbooks),
        seconds=time.monotonic() - began,
    )


def _result(machine: str, reached: Reached, pushed: Pushed) -> MachineResult:
    if machine in reached.refused:
        return MachineResult(machine=machine, status=Status.REFUSED, message=reached.refused[machine])
    if machine in reached.unreachable:
        return MachineResult(machine=machine, status=Status.UNREACHABLE, message=reached.unreachable[machine])
    tally = pushed.tallies.get(machine, Tally())
    failure = next((failure for failure in pushed.failures if failure.machine == machine), None)
    if failure is None:
        return MachineResult(
            machine=machine, status=Status.OK, ok=tally.ok, changed=tally.changed, failed=tally.failed, skipped=tally.skipped
        )
    return MachineResult(
        machine=machine, status=Status.UNREACHABLE if failure.unreachable else Status.FAILED, ok=tally.ok, changed=tally.changed,
        failed=tally.failed, skipped=tally.skipped, task=failure.task, message=failure.message,
    )  # fmt: skip


def _record(
    store: Store, plan: Plan, result: ConfigureResult, *, actor: str, tags: tuple[str, ...], accepted_keys: frozenset[str]
) -> None:
    """One evidence record for each machine; messages stay out, they are Ansible's words and may quote anything."""
    plan_digest = digest(plan)
    for machine in result.machines:
        detail: dict[str, object] = {
            "plan": plan_digest, "policy": result.policy, "check": result.check, "tags": list(tags),
            "engine": result.engine.value,
            "ok": machine.ok, "changed": machine.changed, "failed": machine.failed, "task": machine.task,
        }  # fmt: skip
        if machine.machine in accepted_keys:
            detail["changed_host_key_accepted"] = True
        store.append_evidence(
            plan.estate,
            actor=actor,
            action=f"configure:{machine.status.value}",
            subject=machine.machine,
            detail=detail,
            at=datetime.now(UTC),
        )


def _refuse_unknown(names: Sequence[str] | frozenset[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=3)
            remedy = f"did you mean {' or '.join(near)}?" if near else "`kasumi show accepted` lists all"
            raise KasumiError(f"machine {name}: not in the accepted plan; {remedy}")
