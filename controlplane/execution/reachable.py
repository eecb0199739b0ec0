"""Waits until planned machines can be configured: their host keys are known from the hypervisor, and ssh answers.

One thread for each hypervisor, which asks for its machines in turn; a host that does not answer delays no other.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from controlplane.connectors.host_keys import KnownHosts, Learned
from controlplane.connectors.ssh_answer import ssh_problem
from controlplane.errors import KasumiError, RefusedError, UnreachableError
from controlplane.execution.observe import HostTarget, targets_of_plan
from controlplane.model.plan import Method, Plan, PlannedMachine
from controlplane.providers.deadline import with_deadline
from controlplane.providers.protocol import MachineRef, Provider

Say = Callable[[str], None]
_POLL_SECONDS = 2.0
_AGENT_SECONDS = 20.0
"""Three keys of three questions each, at three seconds for a question at worst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBook:
    """Where host keys are recorded, and the machines whose changed key a person vouches for.

    `trusted`: the keys that `kasumi trust` recorded of servers. They serve for an adopted machine, which is one of those still, when its
    hypervisor does not tell: nothing of ours was in it at its first boot.
    """

    known_hosts: Path
    trusted: KnownHosts
    accept: frozenset[str] = frozenset()


@dataclass(slots=True)
class Reached:
    """Which machines may be configured now, and why the others may not."""

    ready: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    """Machines whose changed key was accepted."""


def wait_until_reachable(
    plan: Plan, machines: Sequence[PlannedMachine], keys: KeyBook, recorded: Mapping[str, str], *, seconds: float, say: Say
) -> Reached:
    """Wait for all of them at once, at most `seconds`; each is looked at once at least. Never raises for a machine.

    `recorded`: the provider's id on record by planned uuid.
    """
    targets = {target.id: target for target in targets_of_plan(plan)}
    hosts = sorted({machine.host for machine in machines})
    deadline = time.monotonic() + seconds
    whole = Reached()
    if not hosts:
        return whole
    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        parts = pool.map(
            lambda host: _wait_on_host(
                targets[host], [m for m in machines if m.host == host], keys, recorded, deadline=deadline, say=say
            ),
            hosts,
        )
        for part in parts:
            whole.ready |= part.ready
            whole.refused |= part.refused
            whole.unreachable |= part.unreachable
            whole.accepted |= part.accepted
    return whole


def _wait_on_host(
    target: HostTarget,
    machines: Sequence[PlannedMachine],
    keys: KeyBook,
    recorded: Mapping[str, str],
    *,
    deadline: float,
    say: Say,
) -> Reached:
    reached = Reached()
    waiting = {machine.id: machine for machine in machines}
    said: dict[str, str] = {}
    provider = target.open()
    try:
        while waiting:
            for machine in list(waiting.values()):
                try:
                    problem = _look(provider, target, machine, keys, recorded, reached, say)
                except RefusedError as error:
                    reached.refused[machine.id] = str(error)
                    del waiting[machine.id]
                    continue
                except UnreachableError as error:
                    problem = str(error)
                except KasumiError as error:  # it is not there, and waiting makes nothing
                    reached.unreachable[machine.id] = str(error)
                    del waiting[machine.id]
                    continue
                if not problem:
                    reached.ready.add(machine.id)
                    del waiting[machine.id]
                elif said.get(machine.id) != problem:
                    said[machine.id] = problem
                    say(f"waiting for {machine.id}: {problem}")
            if time.monotonic() >= deadline:
                break
            if waiting:
                time.sleep(_POLL_SECONDS)
    finally:
        provider.close()
    reached.unreachable |= {machine: f"{said[machine]}; is it running? see `kasumi status`" for machine in waiting}
    return reached


def _look(
    provider: Provider,
    target: HostTarget,
    machine: PlannedMachine,
    keys: KeyBook,
    recorded: Mapping[str, str],
    reached: Reached,
    say: Say,
) -> str:
    """Empty when the machine is ready, else what is missing. Raises RefusedError for a changed key, KasumiError."""
    owner, address = f"{target.estate}/{machine.id}", machine.nics[0].address
    known = KnownHosts(keys.known_hosts)
    adopted = machine.method is Method.ADOPT
    native_id = recorded.get(machine.uuid, "") if adopted else ""
    ref = MachineRef(estate=target.estate, machine=machine.id, uuid=machine.uuid, native_id=native_id)
    found = with_deadline(
        lambda: provider.ssh_host_keys(ref), seconds=_AGENT_SECONDS, what=f"host keys of {machine.id} on {target.id}"
    )
    source = target.id
    if not found and adopted:
        found, source = tuple(f"{key.kind} {key.key}" for key in keys.trusted.at(address)), "`kasumi trust`"
    if found:
        learned = known.learn(owner, found, address=address, accept=machine.id in keys.accept)
        if learned is Learned.NEW:
            say(f"{machine.id}: ssh host key learned through {source}")
        elif learned is Learned.REPLACED:
            reached.accepted.add(machine.id)
            say(f"{machine.id}: changed ssh host key accepted as you said")
    elif not known.knows(owner, address=address):
        move = f"; compare and record them: `kasumi trust {machine.id}`" if adopted else ""
        return f"{target.id} does not tell its ssh host keys yet (guest agent or console){move}"
    return ssh_problem(address)
