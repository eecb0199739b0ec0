"""Configures machines of the accepted plan over ssh: learn their host keys from the hypervisor, wait for them, run the playbook."""

import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

from controlplane.connectors.ansible import Push, PushResult, Target, Watcher, push
from controlplane.errors import ExitCode, KasumiError, UnreachableError
from controlplane.execution.host_keys import known_hosts_file, remember_keys
from controlplane.execution.observe import targets_of_plan
from controlplane.model.document import digest, to_data
from controlplane.model.plan import Method, Plan, PlannedMachine
from controlplane.providers.deadline import with_deadline
from controlplane.providers.protocol import MachineRef, Provider
from controlplane.settings import Settings, resource
from controlplane.store import Store

BOOT_SECONDS = 420.0
"""A first boot under software emulation on a busy machine took up to four minutes."""
_LOOK_SECONDS = 2.0
_ASK_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to configure and how."""

    machines: tuple[str, ...] = ()
    check: bool = False
    diff: bool = False
    tags: tuple[str, ...] = ()
    accept_new_host_keys: bool = False


def chosen_machines(plan: Plan, names: Sequence[str]) -> tuple[PlannedMachine, ...]:
    """The machines named, or all that were made from an image. Raises KasumiError for an unknown name.

    A migrated machine is somebody's running system: it is configured only when it is named.
    """
    machines = {machine.id: machine for machine in plan.machines}
    for name in names:
        if name not in machines:
            near = get_close_matches(name, machines, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(machines) or 'none'}"
            raise KasumiError(f"machine {name}: not in the accepted plan; {hint}", ExitCode.USAGE)
    if names:
        return tuple(machines[name] for name in dict.fromkeys(names))
    return tuple(machine for machine in plan.machines if machine.method is Method.IMAGE)


def configure(plan: Plan, wish: Wish, store: Store, settings: Settings, *, actor: str, watch: Watcher) -> PushResult:
    """Run `playbooks/site.yml` on the machines. May be repeated; a second run changes nothing.

    Raises UnreachableError naming machines that did not come up, RefusedError for a changed host key.
    """
    machines = chosen_machines(plan, wish.machines)
    if not machines:
        raise KasumiError(
            "configure: the accepted plan has no machine made from an image; name a machine to configure a migrated one"
        )
    run = store.begin_run(plan.estate, "configure", digest(plan), actor, datetime.now(UTC))
    result: PushResult | None = None
    try:
        keys = _host_keys(plan, machines, watch)
        remember_keys(settings.home, keys, accept_changed=wish.accept_new_host_keys)
        _await_ssh(machines)
        result = push(_push(plan, machines, wish, known_hosts_file(settings.home)), watch)
    finally:
        counts: dict[str, object] = {host: dict(found) for host, found in result.hosts.items()} if result is not None else {}
        outcome = "ok" if result is not None and exit_code_of(result) is ExitCode.DONE else "failed"
        store.end_run(run, outcome, counts, datetime.now(UTC))
        store.append_evidence(
            plan.estate,
            actor=actor,
            action="configure:check" if wish.check else "configure:run",
            subject=" ".join(machine.id for machine in machines),
            detail={"plan": digest(plan), "result": outcome, "hosts": counts, "tags": list(wish.tags)},
            at=datetime.now(UTC),
        )
    return result


def exit_code_of(result: PushResult) -> ExitCode:
    """Never better than the worst machine."""
    bad = {host for host, counts in result.hosts.items() if counts["failures"] or counts["unreachable"]}
    if not bad:
        return ExitCode.DONE if result.return_code == 0 else ExitCode.FAILED
    if len(bad) < len(result.hosts):
        return ExitCode.PARTLY_FAILED
    return ExitCode.UNREACHABLE if all(result.hosts[host]["unreachable"] for host in bad) else ExitCode.FAILED


def _host_keys(plan: Plan, machines: Sequence[PlannedMachine], watch: Watcher) -> dict[str, tuple[str, ...]]:
    by_host: dict[str, list[PlannedMachine]] = {}
    for machine in machines:
        by_host.setdefault(machine.host, []).append(machine)
    targets = {target.id: target for target in targets_of_plan(plan)}
    keys: dict[str, tuple[str, ...]] = {}

    def of_host(host: str) -> dict[str, tuple[str, ...]]:
        provider = targets[host].open()
        try:
            return {machine.nics[0].address: _keys_of(provider, plan, machine, watch) for machine in by_host[host]}
        finally:
            provider.close()

    with ThreadPoolExecutor(max_workers=len(by_host)) as pool:
        for found in pool.map(of_host, by_host):
            keys |= found
    return keys


def _keys_of(provider: Provider, plan: Plan, machine: PlannedMachine, watch: Watcher) -> tuple[str, ...]:
    ref = MachineRef(estate=plan.estate, machine=machine.id, uuid=machine.uuid)
    deadline = time.monotonic() + BOOT_SECONDS
    waiting = False
    while True:
        what = f"ssh host keys of {machine.id}"
        keys = with_deadline(lambda: provider.ssh_host_keys(ref), seconds=_ASK_SECONDS, what=what)
        if keys:
            return keys
        if time.monotonic() > deadline:
            raise UnreachableError(
                f"machine {machine.id} on {machine.host}: its guest agent showed no ssh host key within {BOOT_SECONDS:.0f} s; look at its console"
            )
        if not waiting:
            watch.note(f"waiting for {machine.id} to boot")
            waiting = True
        time.sleep(_LOOK_SECONDS)


def _await_ssh(machines: Sequence[PlannedMachine]) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    for machine in machines:
        address = machine.nics[0].address
        while True:
            try:
                socket.create_connection((address, 22), timeout=5).close()
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise UnreachableError(
                        f"machine {machine.id}: no ssh at {address} ({error}); look at its network and packet filter"
                    ) from None
                time.sleep(_LOOK_SECONDS)


def _push(plan: Plan, machines: Sequence[PlannedMachine], wish: Wish, known_hosts: Path) -> Push:
    return Push(
        playbook=resource("playbooks") / "site.yml",
        targets=tuple(_target(plan, machine) for machine in machines),
        identity_file=str(Path(plan.access.identity_file).expanduser()) if plan.access.identity_file else "",
        known_hosts=known_hosts,
        ssh_config=plan.access.ssh_config,
        check=wish.check,
        diff=wish.diff,
        tags=wish.tags,
    )


def _target(plan: Plan, machine: PlannedMachine) -> Target:
    services = [{"name": service.name, "port": service.port} for service in machine.services if service.port != 22]
    groups = [f"role_{role}" for role in machine.roles] + [f"ministry_{machine.ministry}", f"system_{machine.system}"]
    return Target(
        name=machine.id,
        address=machine.nics[0].address,
        user=plan.access.user,
        groups=tuple(group.replace("-", "_") for group in groups),
        variables={
            "baseline_services": services,
            "kasumi_machine": {"id": machine.id, "ministry": machine.ministry, "system": machine.system, "host": machine.host},
            **to_data(dict(machine.variables)),
        },
    )
