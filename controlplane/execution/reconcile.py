"""One cycle of keeping the accepted plan true: look at all hosts, name what differs, repair it, say it in one sentence."""

from dataclasses import dataclass

from controlplane.errors import KasumiError
from controlplane.execution.apply import Attempt, attempt, record_look
from controlplane.execution.converge import Permissions, Watcher
from controlplane.execution.drift import unplanned_foreign
from controlplane.execution.observe import observe_hosts, targets_of_plan
from controlplane.model.drift import Drift
from controlplane.model.observed import Observation
from controlplane.model.plan import Plan
from controlplane.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look found: the plan it was held against, all drift, foreign machines counted."""

    plan: Plan
    observation: Observation
    drift: tuple[Drift, ...]
    foreign: int


def accepted(store: Store, estate: str) -> Plan:
    """The accepted plan. Raises KasumiError when there is none yet."""
    plan = store.accepted_plan(estate)
    if plan is None:
        raise KasumiError(
            f"estate {estate}: no plan was accepted yet; make one with `kasumi plan -o FILE` and `kasumi apply FILE`"
        )
    return plan


def look(store: Store, estate: str) -> Look:
    """Observe without changing any host; the observation and its drift are remembered."""
    plan = accepted(store, estate)
    observation = observe_hosts(targets_of_plan(plan))
    drift = record_look(plan, store, observation)
    return Look(plan=plan, observation=observation, drift=drift, foreign=unplanned_foreign(plan, observation))


def reconcile(store: Store, estate: str, *, actor: str, watch: Watcher, permissions: Permissions) -> Attempt:
    """Observe and repair once. A second call with nothing changed does nothing. Raises LockedError, KasumiError."""
    with store.controller_lock(estate, verb="reconcile"):
        plan = accepted(store, estate)
        before = observe_hosts(targets_of_plan(plan))
        return attempt(plan, store, before, actor=actor, verb="reconcile", watch=watch, permissions=permissions)
