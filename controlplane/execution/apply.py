"""Carries out a saved plan: refuse it when its inputs moved, accept it, converge to it, say how it ended."""

from dataclasses import dataclass
from datetime import UTC, datetime

from controlplane.errors import ExitCode, RefusedError
from controlplane.execution.converge import Convergence, Permissions, Watcher, converge
from controlplane.execution.drift import Memory, differences, unplanned_foreign
from controlplane.execution.journal import EvidenceJournal
from controlplane.execution.observe import observe_hosts, targets_of_plan
from controlplane.execution.stale import refuse_stale
from controlplane.model.document import digest
from controlplane.model.drift import Action, Drift, Result
from controlplane.model.estate import Estate
from controlplane.model.observed import Observation
from controlplane.model.plan import Plan
from controlplane.planning.facts import believed_hosts
from controlplane.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One finished attempt: what was found and done, and the drift that is left."""

    convergence: Convergence
    foreign: int
    exit_code: ExitCode


def memory_of(store: Store, estate: str) -> Memory:
    """What drift needs from the store."""
    return Memory(
        recorded_uuids=store.recorded_uuids(estate),
        native_ids=store.native_ids(estate),
        migrations={migration.machine: migration for migration in store.migrations(estate)},
        today=datetime.now(UTC).date(),
    )


def apply_plan(plan: Plan, estate: Estate, store: Store, *, actor: str, watch: Watcher, permissions: Permissions) -> Attempt:
    """Accept the plan and converge to it. Run again at any time: what is done is left alone.

    Raises RefusedError when the plan is stale, built on another accepted plan, or would remove machines without
    permission; LockedError when another controller is at work.
    """
    plan_digest = digest(plan)
    _refuse_believed(plan, plan_digest)
    _refuse_classed(plan, plan_digest)
    with store.controller_lock(plan.estate, verb="apply"):
        before = observe_hosts(targets_of_plan(plan))
        _refuse_other_parent(plan, plan_digest, store.accepted_plan(plan.estate))
        memory = memory_of(store, plan.estate)
        refuse_stale(plan, estate, before, store.accepted_plan(plan.estate), memory)
        leaving = [drift for drift in differences(plan, before, memory) if drift.action in {Action.REMOVE, Action.RELEASE}]
        if leaving and not permissions.remove:
            raise RefusedError(_removal_text(leaving))
        store.accept_plan(plan, actor=actor, at=datetime.now(UTC))
        return attempt(plan, store, before, actor=actor, verb="apply", watch=watch, permissions=permissions)


def attempt(
    plan: Plan, store: Store, before: Observation, *, actor: str, verb: str, watch: Watcher, permissions: Permissions
) -> Attempt:
    """Converge once to an accepted plan and record run, observation and drift. The caller holds the controller lock."""
    plan_digest = digest(plan)
    _forget_lost(plan, store, before)
    run = store.begin_run(plan.estate, verb, plan_digest, actor, datetime.now(UTC))
    done = converge(
        plan,
        plan_digest,
        targets_of_plan(plan),
        before,
        memory_of(store, plan.estate),
        journal=EvidenceJournal(store, estate=plan.estate, plan=plan_digest, actor=actor),
        watch=watch,
        permissions=permissions,
    )
    now = datetime.now(UTC)
    store.record_native_ids(plan.estate, _given_ids(plan, done.observation), now)
    store.forget_native_ids(plan.estate, _released(before, done))
    record_look(plan, store, done.observation)
    finished = Attempt(convergence=done, foreign=unplanned_foreign(plan, done.observation), exit_code=exit_code_of(done))
    counts: dict[str, object] = {result.value: sum(1 for o in done.outcomes if o.result is result) for result in Result}
    store.end_run(run, "ok" if finished.exit_code is ExitCode.DONE else "failed", counts, now)
    return finished


def _forget_lost(plan: Plan, store: Store, before: Observation) -> None:
    """A machine that is gone is made anew with another id; were the old one still on record then, a crash would leave it refused."""
    lost = {drift.subject for drift in differences(plan, before, memory_of(store, plan.estate)) if drift.action is Action.CREATE}
    store.forget_native_ids(plan.estate, [machine.uuid for machine in plan.machines if machine.id in lost])


def _released(before: Observation, done: Convergence) -> list[str]:
    """The uuids of adopted machines that were let go of; another adoption puts an id on record anew."""
    gone = {o.drift.subject for o in done.outcomes if o.drift.action is Action.RELEASE and o.result is Result.DONE}
    seen = (machine for host in before.hosts.values() for machine in host.machines)
    return [each.uuid for each in seen if each.mark is not None and each.mark.adopted and each.mark.machine in gone]


def _given_ids(plan: Plan, observation: Observation) -> dict[str, str]:
    """Ids that providers gave to our machines, by uuid; of copies with one uuid none is ours for sure."""
    planned = {machine.uuid: machine.id for machine in plan.machines}
    found: dict[str, list[str]] = {}
    for host in observation.hosts.values():
        for seen in host.machines:
            if seen.native_id and seen.mark is not None and not seen.mark.adopted and planned.get(seen.uuid) == seen.mark.machine:
                found.setdefault(seen.uuid, []).append(seen.native_id)
    return {uuid: ids[0] for uuid, ids in found.items() if len(ids) == 1}


def record_look(plan: Plan, store: Store, observation: Observation) -> tuple[Drift, ...]:
    """Keep the latest look at each host and the drift it shows; returns that drift."""
    for host in observation.hosts.values():
        store.record_observation(plan.estate, host)
    left = differences(plan, observation, memory_of(store, plan.estate))
    store.record_drift(plan.estate, left, datetime.now(UTC))
    return left


def exit_code_of(done: Convergence) -> ExitCode:
    """Never better than the worst outcome; machines that wait for their migration are no failure."""
    wrong = [
        outcome for outcome in done.outcomes if outcome.result is not Result.DONE and outcome.drift.action is not Action.MIGRATE
    ]
    if any(outcome.result is Result.FAILED for outcome in wrong):
        return ExitCode.PARTLY_FAILED if done.changed else ExitCode.FAILED
    if done.unreachable or any(outcome.result is Result.UNREACHABLE for outcome in wrong):
        return ExitCode.UNREACHABLE
    if any(outcome.drift.action is Action.REFUSE for outcome in wrong):
        return ExitCode.REFUSED
    return ExitCode.PARTLY_FAILED if wrong else ExitCode.DONE


def _refuse_classed(plan: Plan, plan_digest: str) -> None:
    """Every disk that is made stands in its host's own pool so far: one that was to stand elsewhere is better not made."""
    classed = [machine for machine in plan.machines if machine.disk_class]
    if classed:
        some = ", ".join(f"{machine.id} ({machine.disk_class})" for machine in classed[:5]) + (", …" if len(classed) > 5 else "")
        raise RefusedError(
            f"plan {plan_digest[:12]} wants disks of {len(classed)} machines in a pool for their class: {some}; apply makes disks in "
            "the host's own pool only; nothing was changed; take `needs.disk_class` off what is to be made now, and plan again"
        )


def _refuse_believed(plan: Plan, plan_digest: str) -> None:
    believed = believed_hosts(plan)
    if believed:
        raise RefusedError(
            f"plan {plan_digest[:12]} was made offline: nobody looked at {len(believed)} of its {len(plan.hosts)} hosts, "
            "their capacities are believed as declared; nothing was changed; "
            "run `kasumi plan --rebase` on it where the hosts can be reached, and apply what that writes"
        )


def _refuse_other_parent(plan: Plan, plan_digest: str, accepted: Plan | None) -> None:
    if accepted is None:
        if plan.parent:
            raise RefusedError(f"plan {plan_digest[:12]} builds on {plan.parent[:12]}, but nothing was accepted here; plan again")
        return
    now = digest(accepted)
    if now not in {plan_digest, plan.parent}:
        parent = plan.parent[:12] or "no plan"
        raise RefusedError(f"plan {plan_digest[:12]} builds on {parent}, but {now[:12]} was accepted meanwhile; plan again")


def _removal_text(leaving: list[Drift]) -> str:
    told = ""
    for action, what in (
        (Action.REMOVE, "this plan removes machines and the disks made for them:\n"),
        (Action.RELEASE, "this plan lets go of adopted machines, which run on without our mark:\n"),
    ):
        lines = [f"  - {drift.subject} on {drift.host} ({drift.found})\n" for drift in leaving if drift.action is action]
        told += what + "".join(lines) if lines else ""
    return f"{told}nothing was changed; confirm with --yes"
