"""A ministry's project at Keystone: known by id and mark, never by name; what stands in the way is told and left alone."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.tenancy import CloudPolicy, FoundQuota, Tenancy, Tenant, WantedQuota
from controlplane.providers.openstack_mark import tag
from controlplane.providers.openstack_tenancy import OpenStackTenancy

POLICY = CloudPolicy(
    id="west", administrator="west-admin", member="kasumi", member_domain="Default", tenancy=Tenancy.PROJECT, domain="gov",
    headroom_percent=None, ministries={"mof": "west-mof"},
)  # fmt: skip
TENANT = Tenant(
    ministry="mof", uuid="u1", domain_uuid="", name="kasumi-lab-mof", domain="gov", login="west-mof",
    quotas=(
        WantedQuota(service="compute", name="cores", amount=4),
        WantedQuota(service="block_storage", name="volumes", amount=4),
        WantedQuota(service="network", name="port", amount=9, at_least=True),
    ),
)  # fmt: skip
MARK = "kasumi ministry lab/mof"
DOMAINS = {"gov": {"id": "d1", "name": "gov", "enabled": True}, "Default": {"id": "default", "name": "Default", "enabled": True}}


def project(project_id="p1", **changes):
    ours = {
        "id": project_id,
        "name": "kasumi-lab-mof",
        "description": MARK,
        "tags": [tag("u1")],
        "enabled": True,
        "domain_id": "d1",
    }
    return ours | changes


class Administrator:
    """Keystone with these projects, and one answer of each of the others."""

    pool = SimpleNamespace(uri="openstack://west-admin", cloud="west-admin")

    def __init__(self, *projects, domains=DOMAINS, users=("kasumi",), roles=("member",)):
        self.projects = {each["id"]: each for each in projects}
        self.domains, self.users, self.roles = dict(domains), users, roles
        self.granted = set()
        self.changes = []

    def errors(self, _):
        return nullcontext()

    def found_at(self):
        return "https://west/v3", "one"

    def get(self, service, path, **query):
        if service != "identity":
            return {
                "compute": {"quota_set": {"id": "p1", "cores": {"limit": 20, "in_use": 2, "reserved": 1}}},
                "block_storage": {"quota_set": {"volumes": {"limit": -1, "in_use": 0, "reserved": 0}}},
                "network": {"quota": {"port": {"limit": 500, "used": 7, "reserved": 0}}},
            }[service]
        kind = path.removeprefix("/")
        things = {
            "projects": list(self.projects.values()),
            "domains": list(self.domains.values()),
            "users": [{"id": name, "name": name, "domain_id": "default"} for name in self.users],
            "roles": [{"id": name, "name": name} for name in self.roles],
        }[kind]
        tagged = query.pop("tags", "")
        found = [thing for thing in things if not tagged or tagged in thing["tags"]]
        return {kind: [thing for thing in found if all(thing[key] == value for key, value in query.items())]}

    def find(self, service, path):
        *_, kind, name = path.split("/")
        if kind == "roles":
            return {} if path in self.granted else None
        found = (
            self.projects.get(name) if kind == "projects" else next((d for d in self.domains.values() if d["id"] == name), None)
        )
        return {kind.removesuffix("s"): found} if found is not None else None

    def post(self, service, path, body):
        ((kind, thing),) = body.items()
        self.changes.append((path, thing))
        return {kind: thing | {"id": "new"}}

    def put(self, service, path, body):
        self.changes.append((service, path, body))

    def call(self, service, method, path):
        self.granted.add(path)


def line(admin, policy=POLICY):
    return OpenStackTenancy(admin, policy, estate="lab")


def test_what_is_there_is_seen_with_what_is_used():
    admin = Administrator(project())
    found = line(admin).look(TENANT, {"u1": "p1"})
    assert (found.domain_id, found.project_id, found.is_member) == ("d1", "p1", False)
    assert found.quotas["compute", "cores"] == FoundQuota(limit=20, used=3)
    assert found.quotas["block_storage", "volumes"] == FoundQuota(limit=None, used=0)
    assert found.quotas["network", "port"] == FoundQuota(limit=500, used=7)
    line(admin).give_role(TENANT, "p1")
    assert line(admin).look(TENANT, {"u1": "p1"}).is_member
    assert admin.changes == []


def test_a_project_bears_our_mark_from_its_making_on():
    admin = Administrator()
    assert line(admin).look(TENANT, {}).project_id == ""
    assert line(admin).make_project(TENANT, "d1") == "new"
    ((path, made),) = admin.changes
    assert (path, made["description"], made["domain_id"], made["tags"]) == ("/projects", MARK, "d1", [tag("u1")])


@pytest.mark.parametrize(
    ("projects", "recorded"),
    [
        ([project()], {}),
        ([project(name="renamed")], {"u1": "p1"}),
        ([project(name="renamed")], {}),
        ([project(), project("p2", name="copy")], {"u1": "p1"}),
        ([project()], {"u1": "gone"}),
        ([project("p2", name="other", description="", tags=[]), project()], {}),
    ],
    ids=["not recorded", "renamed", "renamed, not recorded", "copied", "recorded one is gone", "beside others"],
)
def test_ours_is_found(projects, recorded):
    assert line(Administrator(*projects)).look(TENANT, recorded).project_id == "p1"


@pytest.mark.parametrize(
    ("projects", "recorded", "told"),
    [
        ([project(description="of others", tags=[])], {}, "it is somebody else's and left alone"),
        ([project(description="of others")], {}, "it is somebody else's and left alone"),
        ([project(description="of others")], {"u1": "p1"}, "its description is not 'kasumi ministry lab/mof'; it is left alone"),
        ([project(), project("p2", name="copy")], {}, r"2 bear our mark \(p1, p2\) and none is on record"),
        ([project(enabled=False)], {"u1": "p1"}, "somebody disabled it; it is left so"),
    ],
    ids=["name of others", "tag of others", "mark taken off", "copied, not recorded", "disabled"],
)
def test_what_is_not_ours_is_refused_and_left(projects, recorded, told):
    admin = Administrator(*projects)
    with pytest.raises(RefusedError, match=told):
        line(admin).look(TENANT, recorded)
    assert admin.changes == []


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ({"users": ()}, "wanted user kasumi of domain Default, found none; it is yours to make"),
        ({"roles": ()}, "wanted the role member, found none"),
        ({"domains": {"Default": DOMAINS["Default"]}}, "wanted domain gov for the projects of ministries, found none"),
    ],
)
def test_what_others_have_to_make_is_named(missing, told):
    with pytest.raises(KasumiError, match=told):
        line(Administrator(**missing)).look(TENANT, {})


def test_a_domain_of_its_own_is_made_marked_and_never_taken():
    own = Tenant(
        ministry="mof", uuid="u1", domain_uuid="u2", name="kasumi-lab-mof", domain="kasumi-lab-mof", login="west-mof", quotas=()
    )
    admin = Administrator()
    assert line(admin).look(own, {}).domain_id == ""
    assert line(admin).make_domain(own) == "new"
    assert admin.changes == [("/domains", {"name": "kasumi-lab-mof", "description": MARK})]
    there = {"id": "d9", "name": "kasumi-lab-mof", "description": MARK, "enabled": True}
    assert line(Administrator(domains=DOMAINS | {"own": there})).look(own, {}).domain_id == "d9"
    with pytest.raises(RefusedError, match=r"domain kasumi-lab-mof .* is somebody else's"):
        line(Administrator(domains=DOMAINS | {"own": there | {"description": ""}})).look(own, {})


def test_quotas_are_set_in_one_request_for_each_service():
    admin = Administrator(project())
    line(admin).set_quotas(TENANT, "p1", TENANT.quotas)
    assert admin.changes == [
        ("compute", "/os-quota-sets/p1", {"quota_set": {"cores": 4}}),
        ("block_storage", "/os-quota-sets/p1", {"quota_set": {"volumes": 4}}),
        ("network", "/quotas/p1", {"quota": {"port": 9}}),
    ]


def test_what_clouds_yaml_needs_is_said_without_a_password():
    assert line(Administrator()).login(TENANT, "p1") == {
        "auth_type": "password",
        "auth": {"auth_url": "https://west/v3", "username": "kasumi", "user_domain_name": "Default", "project_id": "p1"},
        "region_name": "one",
    }
