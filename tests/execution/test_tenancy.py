"""Each ministry's project is made by itself: one that fails stops no other, a run that is cut off is taken up, a second finds nothing."""

from dataclasses import replace

import pytest

from controlplane.errors import KasumiError, LockedError, RefusedError, UnreachableError
from controlplane.execution import tenancy
from controlplane.execution.tenancy import look_at_tenants, prepare_tenants
from controlplane.model.tenancy import CloudPolicy, FoundQuota, FoundTenant, Step, Tenancy
from controlplane.settings import Settings
from controlplane.store import open_store
from tests.planning.estates import host, size, small_estate

CLOUD = CloudPolicy(
    id="west", administrator="admin", member="kasumi", member_domain="Default", tenancy=Tenancy.PROJECT, domain="Default",
    headroom_percent=None, ministries={"mic": "west-mic", "mof": "west-mof"},
)  # fmt: skip
HOSTS = {
    name: host(name, uri=f"openstack://west-{name}/az1", networks={name: ""}, capacity=size(8, 16384, 100))
    for name in ("mic", "mof")
}
ESTATE = replace(small_estate(), hosts=HOSTS, clouds={"west": CLOUD})


class Administrator:
    """Keystone and the quotas of one cloud; `fails` by ministry, `cut` after so many makings."""

    def __init__(self):
        self.projects, self.quotas, self.members = {}, {}, set()
        self.fails, self.cut, self.calls = {}, None, []

    def look(self, tenant, recorded):
        if tenant.ministry in self.fails:
            raise self.fails[tenant.ministry]
        project = self.projects.get(tenant.ministry, "")
        quotas = {(q.service, q.name): FoundQuota(limit=10, used=0) for q in tenant.quotas} | self.quotas.get(project, {})
        if not project:
            return FoundTenant(domain_id="default")
        return FoundTenant(domain_id="default", project_id=project, is_member=project in self.members, quotas=quotas)

    def make_project(self, tenant, domain_id):
        self.calls.append(("make", tenant.ministry))
        self.projects[tenant.ministry] = f"p-{tenant.ministry}"
        if self.cut == tenant.ministry:
            raise UnreachableError("the line was cut")
        return self.projects[tenant.ministry]

    def set_quotas(self, tenant, project_id, quotas):
        self.calls.append(("set", tenant.ministry))
        self.quotas[project_id] = {(q.service, q.name): FoundQuota(limit=q.amount, used=0) for q in quotas}

    def give_role(self, tenant, project_id):
        self.calls.append(("give", tenant.ministry))
        self.members.add(project_id)

    def login(self, tenant, project_id):
        return {"auth": {"project_id": project_id}}

    def close(self):
        pass


@pytest.fixture
def admin(monkeypatch):
    made = Administrator()
    monkeypatch.setattr(tenancy, "open_tenancy", lambda policy, *, estate: made)
    monkeypatch.setattr(tenancy, "project_of_login", lambda entry: f"p-{entry.removeprefix('west-')}")
    return made


@pytest.fixture
def store(tmp_path):
    made = open_store(Settings(home=tmp_path, inventory=tmp_path, database_url=f"sqlite:///{tmp_path}/kasumi.db"))
    yield made
    made.close()


def prepared(store):
    looks = look_at_tenants(ESTATE, store, "west", None)
    return prepare_tenants(looks, ESTATE, store, "west", actor="me", say=lambda _: None)


def test_made_with_its_quota_before_anybody_may_use_it_and_found_again(admin, store):
    looks = look_at_tenants(ESTATE, store, "west", None)
    assert admin.calls == []
    assert {d.step for look in looks for d in look.differences} == {Step.MAKE, Step.SET, Step.GIVE}
    done = prepared(store)
    assert admin.calls == [(step, ministry) for ministry in ("mic", "mof") for step in ("make", "set", "give")]
    assert [(look.project_id, look.differences, look.problem, look.login_problem) for look in done] == [
        ("p-mic", (), "", ""),
        ("p-mof", (), "", ""),
    ]
    assert store.native_ids(ESTATE.id) == {look.tenant.uuid: look.project_id for look in done}
    admin.calls.clear()
    assert [look.differences for look in prepared(store)] == [(), ()]
    assert admin.calls == []


def test_one_that_fails_stops_no_other(admin, store):
    admin.fails["mic"] = RefusedError("somebody else's")
    mic, mof = prepared(store)
    assert (mic.problem, mic.refused, mic.project_id) == ("somebody else's", True, "")
    assert (mof.problem, mof.project_id) == ("", "p-mof")
    assert {ministry for _, ministry in admin.calls} == {"mof"}


def test_a_run_that_was_cut_off_after_making_is_taken_up(admin, store):
    admin.cut = "mic"
    with pytest.raises(UnreachableError, match="the line was cut"):
        prepared(store)
    admin.cut = None
    looks = look_at_tenants(ESTATE, store, "west", None)
    assert ("project", Step.RECORD) in {(d.what, d.step) for d in looks[0].differences}
    assert [look.differences for look in prepared(store)] == [(), ()]
    assert admin.calls.count(("make", "mic")) == 1


def test_a_quota_that_somebody_sets_back_at_once_is_told(admin, store, monkeypatch):
    monkeypatch.setattr(admin, "set_quotas", lambda *_: None)
    mic, _ = prepared(store)
    assert "done, but a second look still finds otherwise: quota " in mic.problem


def test_an_entry_that_leads_to_another_project_is_told(admin, store, monkeypatch):
    monkeypatch.setattr(tenancy, "project_of_login", lambda entry: "p-mof")
    mic, mof = prepared(store)
    assert mic.login_problem == "entry west-mic of clouds.yaml leads to project p-mof, wanted p-mic of mic; correct it"
    assert (mic.differences, mof.login_problem) == ((), "")


def test_two_runs_with_one_store_keep_each_other_out(admin, store):
    looks = look_at_tenants(ESTATE, store, "west", None)
    with store.controller_lock(ESTATE.id, verb="apply"), pytest.raises(LockedError):
        prepare_tenants(looks, ESTATE, store, "west", actor="me", say=lambda _: None)
    assert admin.calls == []


def test_a_cloud_that_is_not_declared_is_named(admin, store):
    with pytest.raises(KasumiError, match="cloud east: not in kasumi_clouds of the inventory, which has west"):
        look_at_tenants(ESTATE, store, "east", None)
