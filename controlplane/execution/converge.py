"""Makes the world as the plan says: hosts in parallel, a limit for each host, and success is what a second look says.

Every step first writes its intent, then acts, then writes its outcome; each may be repeated from any point, so that a
controller killed anywhere is followed by one that finishes. Nothing here chooses: the actions come from `drift`.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from controlplane.errors import KasumiError, UnreachableError
from controlplane.execution.drift import Memory, differences, is_kept_stopped
from controlplane.execution.observe import OBSERVE_DEADLINE_SECONDS, HostTarget, observation_or_error
from controlplane.execution.seed_text import render_seed
from controlplane.model.drift import Action, Drift, Outcome, Result
from controlplane.model.observed import HostObservation, Observation
from controlplane.model.plan import Method, Plan, PlannedMachine
from controlplane.planning.leases import planned_leases
from controlplane.providers.deadline import with_deadline
from controlplane.providers.protocol import MachineRef, Provider

NETWORK_SECONDS = 30.0
MACHINE_SECONDS = 180.0
"""One definition, start or stop; a guest's own shutdown may take most of it."""
IMAGE_SECONDS = 3600.0
"""An image of some GiB over a slow line."""
SHUTDOWN_SECONDS = 90.0
"""What systemd gives its slowest service before it kills it; only then is a machine that must go forced off."""

_DEFINING = frozenset({Action.CREATE, Action.RESIZE, Action.RECONNECT, Action.SET_AUTOSTART})
_PLUGGING = frozenset({Action.CREATE, Action.RECONNECT})
_POWERING = frozenset({Action.CREATE, Action.START, Action.RESUME})
_LEAVING = frozenset({Action.REFUSE, Action.WAIT, Action.MIGRATE})
_PERMITTED = frozenset({Action.REMOVE, Action.RELEASE})
"""What only a person's word allows."""

Watcher = Callable[[Drift | Outcome], None]
"""Told of each difference before it is acted on, and of its outcome after."""


class Journal(Protocol):
    """Where intents and outcomes are written before and after each step."""

    def intent(self, drift: Drift) -> None:
        """Called before acting."""

    def outcome(self, outcome: Outcome) -> None:
        """Called when the step ended, however it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What a person allowed beyond the plain repair: removing machines that left the plan."""

    remove: bool = False
    machines_per_host: int = 4
    """Steps at once on one host; four starts at once doubled the rate of one on two cores, more did not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """What one attempt did. `observation` is the second look; `unreachable` maps host to why."""

    outcomes: tuple[Outcome, ...]
    unreachable: dict[str, str] = field(hash=False)
    observation: Observation

    @property
    def changed(self) -> int:
        """How many differences were repaired."""
        return sum(1 for outcome in self.outcomes if outcome.result is Result.DONE)


def converge(
    plan: Plan,
    plan_digest: str,
    targets: Sequence[HostTarget],
    before: Observation,
    memory: Memory,
    *,
    journal: Journal,
    watch: Watcher,
    permissions: Permissions,
) -> Convergence:
    """Repair what differs from the plan on every host that answered; may be called for ever, and repeats nothing done."""
    drifts = differences(plan, before, memory)
    work = [
        _Host(plan, plan_digest, target, before.hosts[target.id], memory, journal, watch, permissions)
        for target in targets
        if target.id in before.hosts and before.hosts[target.id].reachable
    ]
    outcomes: list[Outcome] = []
    after = dict(before.hosts)
    busy = [(host, [drift for drift in drifts if drift.host == host.target.id]) for host in work]
    with ThreadPoolExecutor(max_workers=max(1, len(busy))) as pool:
        for host_outcomes, observation in pool.map(lambda pair: pair[0].converge(pair[1]), busy):
            outcomes.extend(host_outcomes)
            after[observation.host] = observation
    return Convergence(
        outcomes=tuple(outcomes),
        unreachable={host.host: host.error for host in after.values() if not host.reachable},
        observation=Observation(hosts=after),
    )


class _Host:
    """One host's share of the work; holds the connection while it lasts."""

    def __init__(
        self,
        plan: Plan,
        plan_digest: str,
        target: HostTarget,
        before: HostObservation,
        memory: Memory,
        journal: Journal,
        watch: Watcher,
        permissions: Permissions,
    ) -> None:
        self.plan = plan
        self.plan_digest = plan_digest
        self.target = target
        self.before = before
        self.memory = memory
        self.journal = journal
        self.watch = watch
        self.permissions = permissions
        self.machines = {machine.id: machine for machine in plan.machines if machine.host == target.id}
        leases = planned_leases(plan)
        self.lying = {machine for machine in self.machines if is_kept_stopped(leases.get(machine), memory.today)}
        self.images = {image.id: image for image in plan.images}
        self.network_names = {network.network: network.name for network in plan.networks if network.host == target.id}
        self.unready: dict[str, str] = {}
        """Networks that are not as planned, and why: no machine is plugged into one of them."""

    def converge(self, drifts: list[Drift]) -> tuple[list[Outcome], HostObservation]:
        if not drifts:
            return [], self.before
        if all(self._left(drift) for drift in drifts):
            return [self._leave(drift) for drift in drifts], self.before
        provider = self.target.open()
        try:
            outcomes = self._networks(
                provider, [drift for drift in drifts if drift.what.startswith("network") and self._is_network(drift)]
            )
            self.unready = {o.drift.subject: o.message for o in outcomes if o.result is not Result.DONE}
            outcomes += self._all_machines(provider, [drift for drift in drifts if not self._is_network(drift)])
            after = observation_or_error(self.target.id, provider.observe, OBSERVE_DEADLINE_SECONDS)
        finally:
            provider.close()
        return self._second_look(outcomes, after), after

    def _is_network(self, drift: Drift) -> bool:
        return any(network.name == drift.subject and network.host == drift.host for network in self.plan.networks)

    def _left(self, drift: Drift) -> bool:
        return drift.action in _LEAVING or (drift.action in _PERMITTED and not self.permissions.remove)

    def _leave(self, drift: Drift) -> Outcome:
        outcome = Outcome(drift=drift, result=Result.LEFT, message=_why_left(drift))
        self.watch(outcome)
        return outcome

    def _networks(self, provider: Provider, drifts: list[Drift]) -> list[Outcome]:
        planned = {network.name: network for network in self.plan.networks if network.host == self.target.id}
        return [
            self._leave(drift)
            if self._left(drift)
            else self._step([drift], partial(provider.ensure_network, planned[drift.subject]), NETWORK_SECONDS)[0]
            for drift in drifts
        ]

    def _all_machines(self, provider: Provider, drifts: list[Drift]) -> list[Outcome]:
        by_machine: dict[str, list[Drift]] = {}
        for drift in drifts:
            by_machine.setdefault(drift.subject, []).append(drift)
        created = [
            self.machines[subject] for subject, group in by_machine.items() if any(d.action is Action.CREATE for d in group)
        ]
        problem = self._prepare(provider, created) if created else None
        outcomes: list[Outcome] = []
        with ThreadPoolExecutor(max_workers=self.permissions.machines_per_host) as pool:
            for group in pool.map(lambda group: self._machine(provider, group, problem), by_machine.values()):
                outcomes.extend(group)
        return outcomes

    def _prepare(self, provider: Provider, created: list[PlannedMachine]) -> KasumiError | None:
        """Storage and base images once per host; a failure is the failure of each machine that needs them."""
        try:
            with_deadline(provider.ensure_storage, seconds=NETWORK_SECONDS, what=f"storage pool on {self.target.id}")
            for image in sorted({machine.image for machine in created if machine.method is Method.IMAGE}):
                place = partial(provider.ensure_image, self.images[image])
                with_deadline(place, seconds=IMAGE_SECONDS, what=f"image {image} on {self.target.id}")
        except KasumiError as error:
            return error
        return None

    def _machine(self, provider: Provider, group: list[Drift], problem: KasumiError | None) -> list[Outcome]:
        stopping = [drift for drift in group if drift.action in _LEAVING]
        if stopping:
            return [self._leave(drift) for drift in group]
        if any(drift.action in _PERMITTED for drift in group):
            return self._remove(provider, group)
        machine = self.machines[group[0].subject]
        actions = {drift.action for drift in group}

        def act() -> str:
            if machine.id in self.lying:
                ref = self._ref(machine, made_now=False)
                if Action.STOP in actions:
                    provider.stop(ref, force_after_seconds=None)
                if Action.SET_AUTOSTART in actions:
                    provider.set_autostart(ref, autostart=False)
                return ""
            if Action.CREATE in actions and problem is not None:
                raise problem
            if actions & _PLUGGING:
                self._see_networks(machine)
            starting = bool(actions & _POWERING)
            told = self._define(provider, machine, starting=starting) if actions & _DEFINING else ""
            if starting:
                provider.start(self._ref(machine, made_now=Action.CREATE in actions))
            return told

        return self._step(group, act, MACHINE_SECONDS)

    def _see_networks(self, machine: PlannedMachine) -> None:
        for nic in machine.nics:
            name = self.network_names.get(nic.network, "")
            if name in self.unready:
                raise KasumiError(
                    f"machine {machine.id} on {self.target.id}: its network {name} is not ready: {self.unready[name]}"
                )

    def _define(self, provider: Provider, machine: PlannedMachine, *, starting: bool) -> str:
        from_image = machine.method is Method.IMAGE
        return provider.ensure_machine(
            machine,
            plan=self.plan_digest,
            network_names=self.network_names,
            image=self.images[machine.image] if from_image else None,
            seed=render_seed(machine, self.plan.access) if from_image else None,
            native_id=self.memory.native_ids.get(machine.uuid, ""),
            starting=starting,
        )

    def _remove(self, provider: Provider, group: list[Drift]) -> list[Outcome]:
        if not self.permissions.remove:
            return [self._leave(drift) for drift in group]
        seen = next(
            machine
            for machine in self.before.machines
            if machine.mark is not None and (machine.mark.estate, machine.mark.machine) == (self.plan.estate, group[0].subject)
        )
        ref = MachineRef(estate=self.plan.estate, machine=group[0].subject, uuid=seen.uuid, native_id=seen.native_id)

        def act() -> None:
            if group[0].action is Action.RELEASE:
                provider.release(ref)
                return
            provider.stop(ref, force_after_seconds=SHUTDOWN_SECONDS)
            provider.remove(ref)

        return self._step(group, act, MACHINE_SECONDS)

    def _ref(self, machine: PlannedMachine, *, made_now: bool) -> MachineRef:
        """What was made a moment ago has an id that is not on record yet."""
        native_id = "" if made_now else self.memory.native_ids.get(machine.uuid, "")
        return MachineRef(estate=self.plan.estate, machine=machine.id, uuid=machine.uuid, native_id=native_id)

    def _step(self, group: list[Drift], act: Callable[[], str | None], seconds: float) -> list[Outcome]:
        for drift in group:
            self.journal.intent(drift)
            self.watch(drift)
        began = time.monotonic()
        result, message = Result.DONE, ""
        try:
            message = with_deadline(act, seconds=seconds, what=f"{group[0].subject} on {self.target.id}") or ""
        except UnreachableError as error:
            result, message = Result.UNREACHABLE, str(error)
        except KasumiError as error:
            result, message = Result.FAILED, str(error)
        took = time.monotonic() - began
        outcomes = [Outcome(drift=drift, result=result, message=message, duration_seconds=took) for drift in group]
        for outcome in outcomes:
            self.journal.outcome(outcome)
            self.watch(outcome)
        return outcomes

    def _second_look(self, outcomes: list[Outcome], after: HostObservation) -> list[Outcome]:
        """Only what is gone at the second look was done; a running instance that lags is named."""
        if not after.reachable:
            return [
                replace(outcome, result=Result.UNREACHABLE, message=after.error) if outcome.result is Result.DONE else outcome
                for outcome in outcomes
            ]
        left = {
            (drift.subject, drift.what): drift
            for drift in differences(self.plan, Observation(hosts={after.host: after}), self.memory)
        }
        checked: list[Outcome] = []
        for outcome in outcomes:
            still = left.pop((outcome.drift.subject, outcome.drift.what), None)
            if outcome.result is not Result.DONE or still is None:
                checked.append(outcome)
            elif still.what.startswith("running "):
                checked.append(self._lagging(still))
            else:
                message = f"done, but a second look still finds {still.what} {still.found}, wanted {still.wanted}; run again"
                checked.append(replace(outcome, result=Result.FAILED, message=message))
        touched = {outcome.drift.subject for outcome in outcomes if outcome.result is Result.DONE}
        checked.extend(
            self._lagging(drift) for drift in left.values() if drift.what.startswith("running ") and drift.subject in touched
        )
        return checked

    def _lagging(self, drift: Drift) -> Outcome:
        late = replace(drift, action=Action.RESTART_NEEDED)
        return self._leave(late)


def _why_left(drift: Drift) -> str:
    return {
        Action.REFUSE: f"wanted {drift.wanted}, found {drift.found}; nothing was touched: a person must clear this up",
        Action.WAIT: "between two states; run again in a moment",
        Action.MIGRATE: f"comes with its data: `kasumi migrate start {drift.subject}`",
        Action.REMOVE: "left the plan; `kasumi apply --yes` removes it and the disks made for it",
        Action.RELEASE: "left the plan, and was adopted; `kasumi apply --yes` takes our mark off and lets it run on",
        Action.RESTART_NEEDED: "configured; the running machine follows at its next restart",
    }.get(drift.action, "")
