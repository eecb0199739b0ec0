"""Empties one hypervisor of a cloud of our machines, one after the other, by the cloud's own means.

The zone stays the same, so every rule that the accepted plan rests on holds before, between and after. Machines of others are told of and
never touched, and so is the hypervisor itself: that nothing new comes there is its administrator's to say, and looked for first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from controlplane.errors import KasumiError, RefusedError, UnreachableError
from controlplane.execution.apply import memory_of
from controlplane.execution.converge import MACHINE_SECONDS
from controlplane.execution.observe import HostTarget, observation_or_error, targets_of_plan
from controlplane.model.observed import HostObservation, ObservedMachine, PowerState
from controlplane.model.plan import Plan
from controlplane.providers.deadline import with_deadline
from controlplane.providers.opening import open_drain_host
from controlplane.providers.protocol import DrainHost, Hypervisor, MachineRef
from controlplane.store import Store

_LOOK_SECONDS = 60.0
_MOVE_SECONDS = 3 * MACHINE_SECONDS
"""A cold move waits for the guest's shutdown, the copy and its confirmation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """One machine of ours on the hypervisor. `how`: live, cold, evacuate; empty with `why` when it is left."""

    ref: MachineRef
    state: PowerState
    how: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draining:
    """What draining would do. `foreign`: servers of others on the hypervisor, which stay."""

    host: str
    hypervisor: Hypervisor
    leaving: tuple[Leaving, ...]
    foreign: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What became of one machine; `to` is empty when it stayed, and `message` says why."""

    machine: str
    how: str
    to: str
    message: str = ""


def look_at_hypervisor(plan: Plan, store: Store, host: str, name: str) -> Draining:
    """What is to be moved and how; changes nothing. Raises RefusedError where new servers may still come, KasumiError."""
    target = _target(plan, host)
    provider = open_drain_host(target.id, target.uri, estate=target.estate)
    try:
        seen = _observed(provider, host)
        hypervisor = _hypervisor(provider, name)
    finally:
        provider.close()
    if hypervisor.up and hypervisor.enabled:
        raise RefusedError(
            f"hypervisor {name}: the cloud may still place new servers there; first `openstack compute service set --disable "
            f"{name} nova-compute`, and after the maintenance --enable"
        )
    recorded = memory_of(store, plan.estate).native_ids
    planned = {machine.uuid: machine.id for machine in plan.machines}
    leaving = [
        _leaving(plan.estate, machine, hypervisor, recorded)
        for machine in seen.machines
        if machine.given_id in hypervisor.servers
        and machine.mark is not None
        and machine.mark.estate == plan.estate
        and planned.get(machine.uuid) == machine.mark.machine
    ]
    return Draining(host=host, hypervisor=hypervisor, leaving=tuple(leaving), foreign=len(hypervisor.servers) - len(leaving))


def drain(
    ready: Draining, plan: Plan, store: Store, *, actor: str, say: Callable[[str], None]
) -> tuple[tuple[Moved, ...], frozenset[str]]:
    """Move them one after the other; returns what became of each, and the ids of ours that a second look still finds there.

    May be run again at any time: who stands elsewhere is left alone. Raises LockedError when another controller is at work.
    """
    target = _target(plan, ready.host)
    moved: list[Moved] = []
    with store.controller_lock(plan.estate, verb="drain"):
        provider = open_drain_host(target.id, target.uri, estate=target.estate)
        try:
            for leaving in ready.leaving:
                if leaving.how:
                    moved.append(_move(provider, leaving, ready, store, actor))
                    done = moved[-1]
                    say(f"{done.machine}: {done.how} to {done.to}" if done.to else f"{done.machine}: stays: {done.message}")
            left = _hypervisor(provider, ready.hypervisor.name).servers
        finally:
            provider.close()
    return tuple(moved), frozenset(leaving.ref.native_id for leaving in ready.leaving) & left


def _target(plan: Plan, host: str) -> HostTarget:
    found = next((target for target in targets_of_plan(plan) if target.id == host), None)
    if found is None:
        raise KasumiError(f"drain: {host} is no host of the accepted plan; `kasumi status` shows them")
    return found


def _observed(provider: DrainHost, host: str) -> HostObservation:
    seen = observation_or_error(host, provider.observe, _LOOK_SECONDS)
    if not seen.reachable:
        raise UnreachableError(f"host {host} not reached: {seen.error}")
    return seen


def _hypervisor(provider: DrainHost, name: str) -> Hypervisor:
    return with_deadline(partial(provider.hypervisor, name), seconds=_LOOK_SECONDS, what=f"hypervisor {name}")


def _leaving(estate: str, machine: ObservedMachine, hypervisor: Hypervisor, recorded: dict[str, str]) -> Leaving:
    name = machine.mark.machine if machine.mark is not None else machine.name
    ref = MachineRef(estate=estate, machine=name, uuid=machine.uuid, native_id=machine.given_id)
    if recorded.get(machine.uuid) != machine.given_id:
        return Leaving(ref=ref, state=machine.state, how="", why="its id is not on record; see `kasumi status`")
    if not hypervisor.up:
        return Leaving(ref=ref, state=machine.state, how="evacuate")
    if machine.state in {PowerState.RUNNING, PowerState.PAUSED}:
        return Leaving(ref=ref, state=machine.state, how="live")
    if machine.state is PowerState.STOPPED:
        return Leaving(ref=ref, state=machine.state, how="cold")
    return Leaving(ref=ref, state=machine.state, how="", why=f"it is {machine.state}; bring it to rest first")


def _move(provider: DrainHost, leaving: Leaving, ready: Draining, store: Store, actor: str) -> Moved:
    machine, name = leaving.ref.machine, ready.hypervisor.name
    detail: dict[str, object] = {"host": ready.host, "hypervisor": name, "how": leaving.how}

    def note(stage: str, **more: object) -> None:
        store.append_evidence(
            leaving.ref.estate, actor=actor, action=f"drain:{stage}", subject=machine, detail=detail | more, at=datetime.now(UTC)
        )

    note("intent")
    try:
        to = with_deadline(partial(provider.move_off, leaving.ref, name), seconds=_MOVE_SECONDS, what=f"{machine} off {name}")
    except KasumiError as error:
        note("failed", message=str(error))
        return Moved(machine=machine, how=leaving.how, to="", message=str(error))
    note("done", to=to)
    return Moved(machine=machine, how=leaving.how, to=to)
