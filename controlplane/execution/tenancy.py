"""Gives each ministry its project in a cloud, with its quota and our member's role there, as an administrator.

A verb of its own, so that everything else needs a member's credentials alone. First a look at all of them, which changes nothing; then each
by itself: project, quotas, role last, so that nobody can make anything in a project without its quota. Keystone's id goes on record as
soon as it is known. Run again after any interruption: what bears our mark is taken up.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from controlplane.errors import KasumiError, RefusedError, UnreachableError
from controlplane.model.estate import Estate
from controlplane.model.plan import Plan
from controlplane.model.tenancy import CloudPolicy, FoundTenant, Step, Tenant, TenantDifference
from controlplane.planning.tenancy import differences_of, tenants_of
from controlplane.providers.deadline import with_deadline
from controlplane.providers.opening import open_tenancy, project_of_login
from controlplane.providers.tenancy import TenancyHost
from controlplane.store import Store

T = TypeVar("T")
_SECONDS = 120.0
"""For all requests about one ministry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantLook:
    """One ministry's project. `problem`: why nothing can be done about it; `login_problem`: why clouds.yaml does not lead there."""

    tenant: Tenant
    project_id: str = ""
    differences: tuple[TenantDifference, ...] = ()
    problem: str = ""
    refused: bool = False
    """True where the problem is that something is not ours, and not a failure."""
    login: dict[str, object] = field(default_factory=dict, hash=False)
    login_problem: str = ""

    @property
    def to_do(self) -> tuple[TenantDifference, ...]:
        """The differences that something is done about."""
        return tuple(each for each in self.differences if each.step is not Step.LEAVE)


def look_at_tenants(estate: Estate, store: Store, name: str, plan: Plan | None) -> tuple[TenantLook, ...]:
    """How each ministry's project is; changes nothing. Raises UnreachableError, KasumiError for a cloud that is not declared."""
    cloud = _declared(estate, name)
    if plan is not None and plan.estate != estate.id:
        raise KasumiError(
            f"cloud {name}: the plan is of estate {plan.estate}, the inventory of {estate.id}; name a plan of this one"
        )
    tenants = tenants_of(estate, cloud, plan)
    host = open_tenancy(cloud, estate=estate.id)
    try:
        return tuple(_look(host, tenant, store.native_ids(estate.id)) for tenant in tenants)
    finally:
        host.close()


def prepare_tenants(
    looks: tuple[TenantLook, ...], estate: Estate, store: Store, name: str, *, actor: str, say: Callable[[str], None]
) -> tuple[TenantLook, ...]:
    """Do what the looks showed, and look again. Raises LockedError when another controller is at work, UnreachableError."""
    cloud = _declared(estate, name)
    with store.controller_lock(estate.id, verb="cloud prepare"):
        host = open_tenancy(cloud, estate=estate.id)
        try:
            return tuple(_prepared(host, each, _Journal(store, estate.id, actor, name, each.tenant, say)) for each in looks)
        finally:
            host.close()


@dataclass(frozen=True, slots=True)
class _Journal:
    """What was done for one ministry: evidence, record and talk."""

    store: Store
    estate: str
    actor: str
    cloud: str
    tenant: Tenant
    say: Callable[[str], None]

    def note(self, stage: str, **detail: object) -> None:
        self.store.append_evidence(
            self.estate,
            actor=self.actor,
            action=f"cloud:{stage}",
            subject=self.tenant.ministry,
            detail={"cloud": self.cloud, **detail},
            at=datetime.now(UTC),
        )

    def record(self, uuid: str, native_id: str) -> None:
        self.store.forget_native_ids(self.estate, [uuid])
        self.store.record_native_ids(self.estate, {uuid: native_id}, datetime.now(UTC))

    def recorded(self) -> dict[str, str]:
        return self.store.native_ids(self.estate)


def _declared(estate: Estate, name: str) -> CloudPolicy:
    if name not in estate.clouds:
        known = ", ".join(sorted(estate.clouds)) or "none"
        raise KasumiError(f"cloud {name}: not in kasumi_clouds of the inventory, which has {known}; see docs/openstack.md")
    return estate.clouds[name]


def _look(host: TenancyHost, tenant: Tenant, recorded: dict[str, str]) -> TenantLook:
    try:
        found = _within(partial(host.look, tenant, recorded), tenant)
        if not found.project_id:
            return TenantLook(tenant=tenant, differences=differences_of(tenant, found, recorded))
        return TenantLook(
            tenant=tenant,
            project_id=found.project_id,
            differences=differences_of(tenant, found, recorded),
            login=host.login(tenant, found.project_id),
            login_problem=_login_problem(tenant, found.project_id),
        )
    except UnreachableError:
        raise
    except KasumiError as error:
        return TenantLook(tenant=tenant, problem=str(error), refused=isinstance(error, RefusedError))


def _login_problem(tenant: Tenant, project_id: str) -> str:
    try:
        leads_to = _within(partial(project_of_login, tenant.login), tenant)
    except KasumiError as error:
        return str(error)
    if leads_to == project_id:
        return ""
    return (
        f"entry {tenant.login} of clouds.yaml leads to project {leads_to}, wanted {project_id} of {tenant.ministry}; correct it"
    )


def _prepared(host: TenancyHost, before: TenantLook, journal: _Journal) -> TenantLook:
    if before.problem or not before.to_do:
        return before
    tenant = before.tenant
    journal.note("intent", wanted=[f"{d.step.value} {d.what}: {d.wanted}" for d in before.to_do])
    try:
        _make(host, tenant, journal)
    except UnreachableError:
        raise
    except KasumiError as error:
        journal.note("failed", message=str(error))
        refused = isinstance(error, RefusedError)
        return TenantLook(tenant=tenant, differences=before.differences, problem=str(error), refused=refused)
    after = _look(host, tenant, journal.recorded())
    if after.to_do and not after.problem:
        left = ", ".join(each.what for each in after.to_do)
        after = replace(
            after, problem=f"done, but a second look still finds otherwise: {left}; somebody else changes it: run again"
        )
    journal.note("failed" if after.problem else "done", project=after.project_id, message=after.problem)
    if not after.problem:
        journal.say(f"{tenant.ministry}: project {tenant.name} ({after.project_id}) made or set as wanted")
    return after


def _make(host: TenancyHost, tenant: Tenant, journal: _Journal) -> None:
    """Looks before each act: the first look may be old by now."""
    found = _seen(host, tenant, journal)
    if not found.domain_id:
        journal.record(tenant.domain_uuid, _within(partial(host.make_domain, tenant), tenant))
        found = _seen(host, tenant, journal)
    if not found.project_id:
        journal.record(tenant.uuid, _within(partial(host.make_project, tenant, found.domain_id), tenant))
        found = _seen(host, tenant, journal)
    differing = {d.what for d in differences_of(tenant, found, journal.recorded()) if d.step is Step.SET}
    quotas = [quota for quota in tenant.quotas if f"quota {quota.name}" in differing]
    if quotas:
        _within(partial(host.set_quotas, tenant, found.project_id, quotas), tenant)
    if not found.is_member:
        _within(partial(host.give_role, tenant, found.project_id), tenant)


def _seen(host: TenancyHost, tenant: Tenant, journal: _Journal) -> FoundTenant:
    """A look, after which every id that it found is on record."""
    recorded = journal.recorded()
    found = _within(partial(host.look, tenant, recorded), tenant)
    for uuid, native_id in ((tenant.domain_uuid, found.domain_id), (tenant.uuid, found.project_id)):
        if uuid and native_id and recorded.get(uuid) != native_id:
            journal.record(uuid, native_id)
    return found


def _within(call: Callable[[], T], tenant: Tenant) -> T:
    return with_deadline(call, seconds=_SECONDS, what=f"project of {tenant.ministry}")
