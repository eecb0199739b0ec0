"""Ministries' projects on a real cloud: made and given quotas as its administrator, used with a member's rights alone."""

import json
import secrets
from dataclasses import replace

import pytest
import yaml

from controlplane.model.cloud import cloud_pool
from controlplane.providers.openstack_cloud import Cloud
from lab.openstack import layout
from lab.openstack.configuration import read_secrets
from tests.openstack.world import clear, make_world

pytestmark = [pytest.mark.lab, pytest.mark.slow]

_OTHERS = """            ledger-2: *ledger
            ledger-db: {size: {vcpus: 1, memory: 700MiB, disk: 1GiB}, image: empty, network: mof}
"""
_MHLW = """    cloud-3: {kasumi_host: {<<: *host, uri: "openstack://west-mhlw/az2?boot=volume", rack: r3, networks: {mhlw: ''}}}
ministry_mhlw: {vars: {kasumi_ministry: {name: 厚生労働省, name_en: Health}}}
ministry_mof:
"""
_CLOUDS = f"""
kasumi_clouds:
  west:
    administrator: {layout.ADMIN_CLOUD}
    member: {layout.MEMBER}
    ministries: {{mof: west-mof, mhlw: west-mhlw}}
kasumi_networks:
  mhlw: {{cidr: 10.77.21.0/24, confidentiality: 2, ministry: mhlw}}
  mof: {{cidr: 10.77.20.0/24, gateway: 10.77.20.1, confidentiality: 2, ministry: mof}}
"""


@pytest.fixture
def world(running_cloud, tmp_path, monkeypatch):
    """Two ministries in one cloud, which clouds.yaml knows as its administrator alone; one wants one machine."""
    estate = f"tenants-{secrets.token_hex(2)}"
    clouds = tmp_path / "clouds.yaml"
    known = yaml.safe_load(running_cloud.clouds_yaml.read_text(encoding="utf-8"))["clouds"]
    clouds.write_text(yaml.safe_dump({"clouds": {running_cloud.admin: known[running_cloud.admin]}}), encoding="utf-8")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    made = make_world(tmp_path, estate, clouds, "west-mof", running_cloud.admin)
    made.edit("hosts.yml", _OTHERS, "")
    made.edit("hosts.yml", "              replica_group: ledger\n", "")
    made.edit("hosts.yml", "image: empty", "only_on: [cloud-2]\n              image: empty")
    made.edit("hosts.yml", "ministry_mof:\n", _MHLW)
    shared = tmp_path / "inventory" / "group_vars" / "all" / "estate.yml"
    lines = [line for line in shared.read_text(encoding="utf-8").splitlines() if not line.startswith("kasumi_networks")]
    shared.write_text("\n".join(lines) + _CLOUDS, encoding="utf-8")
    try:
        yield made
    finally:
        remove(made)


def admin_of(world):
    return world.hand.admin


def named(world, ministry, kind="projects"):
    query = {"name": f"kasumi-{world.estate}-{ministry}"}
    return admin_of(world).get("identity", f"/{kind}", **query)[kind]


def remove(world):
    """Servers and what they used, then projects and domains of this estate's names."""
    admin = admin_of(world)
    for ministry in ("mof", "mhlw"):
        for project in named(world, ministry):
            if "west-mof" in world.clouds_yaml.read_text(encoding="utf-8") and ministry == "mof":
                clear(world)
            for group in admin.every("network", "/security-groups", "security_groups", project_id=project["id"]):
                admin.delete("network", f"/security-groups/{group['id']}")
            admin.delete("identity", f"/projects/{project['id']}")
        for domain in named(world, ministry, "domains"):
            admin.call("identity", "PATCH", f"/domains/{domain['id']}", json={"domain": {"enabled": False}})
            admin.delete("identity", f"/domains/{domain['id']}")


def prepare(world, *options, code=0):
    return world.kasumi("cloud", "prepare", "west", *options, code=code)


def looked(world, *options, code=0):
    return json.loads(prepare(world, "--check", "-o", "json", *options, code=code).stdout)


def quotas(world, project):
    """What Nova, Neutron and Cinder say that a project may have."""
    found = admin_of(world).get("compute", f"/os-quota-sets/{project}")["quota_set"]
    found |= admin_of(world).get("network", f"/quotas/{project}")["quota"]
    return found | admin_of(world).get("block_storage", f"/os-quota-sets/{project}")["quota_set"]


def test_each_ministry_gets_a_project_with_its_quota_and_a_member_makes_machines_there(world):
    admin = admin_of(world)
    body = {"name": f"kasumi-{world.estate}-mhlw", "description": "of somebody else", "domain_id": "default"}
    foreign = admin.post("identity", "/projects", {"project": body})["project"]

    shown = prepare(world, "--check", "--detailed-exitcode", code=3)
    assert "make" in shown.stdout
    assert "it has the name of the one for mhlw, but not our mark: it is somebody else's and left alone" in shown.stderr
    assert "not confirmed, nothing was changed" in prepare(world, code=5).stderr
    assert named(world, "mof") == []

    prepare(world, "--yes", code=3)
    assert admin.get("identity", f"/projects/{foreign['id']}")["project"]["description"] == "of somebody else"
    admin.delete("identity", f"/projects/{foreign['id']}")
    done = prepare(world, "--yes")
    assert "2 of 2 ministries' projects as wanted, 0 differences left" in done.stderr
    assert "entry west-mof of clouds.yaml" in done.stderr

    (mof,), (mhlw,) = named(world, "mof"), named(world, "mhlw")
    assert mof["description"] == f"kasumi ministry {world.estate}/mof"
    found = quotas(world, mof["id"])
    assert (found["cores"], found["ram"], found["instances"]) == (16, 32 * 1024, 16)
    assert (found["network"], found["port"]) == (100, 500)  # the cloud's own are enough, and stay
    assert found["security_group"] == 1 + 1 + 16
    found = quotas(world, mhlw["id"])
    assert (found["cores"], found["gigabytes"], found["volumes"]) == (8, 100, 8)

    entries = looked(world)["clouds_yaml"]["clouds"]
    assert entries["west-mof"]["auth"]["project_id"] == mof["id"]
    for entry in entries.values():
        entry["auth"]["password"] = read_secrets().member
    known = yaml.safe_load(world.clouds_yaml.read_text(encoding="utf-8"))
    world.clouds_yaml.write_text(yaml.safe_dump({"clouds": known["clouds"] | entries}), encoding="utf-8")
    assert {each["login_problem"] for each in looked(world)["tenants"]} == {""}

    world.kasumi("plan", "-o", world.plan)
    world.kasumi("apply", world.plan)
    (server,) = world.ours()
    assert server["tenant_id"] == mof["id"]
    assert world.hand.cloud.project_id == mof["id"]

    # Somebody changes quotas past us; one of them to less than is used is told and left.
    admin.put("compute", f"/os-quota-sets/{mof['id']}", {"quota_set": {"cores": 64, "instances": 3}})
    drift = looked(world, "--detailed-exitcode", code=2)["differences"]
    assert [(d["what"], d["wanted"], d["found"], d["step"]) for d in drift] == [
        ("quota cores", "16", "64", "set"),
        ("quota instances", "16", "3", "set"),
    ]
    # Another controller, that has nothing on record, takes up what bears our mark and makes nothing anew.
    other = replace(world, folder=world.folder / "second")
    other.folder.mkdir()
    (other.folder / "inventory").symlink_to(world.folder / "inventory")
    assert {d["step"] for d in looked(other)["differences"]} == {"record", "set"}
    prepare(other, "--yes")
    assert looked(other, "--detailed-exitcode")["differences"] == []
    assert looked(world, "--detailed-exitcode")["differences"] == []
    assert quotas(world, mof["id"])["cores"] == 16
    assert [len(named(world, ministry)) for ministry in ("mof", "mhlw")] == [1, 1]
    actions = [row["action"] for row in json.loads(world.kasumi("evidence", "-o", "json").stdout)["evidence"]]
    assert {"cloud:intent", "cloud:done"} <= set(actions)


def test_each_ministry_gets_a_domain_and_quotas_follow_the_plan(world):
    world.edit(
        "group_vars/all/estate.yml", "    ministries: {", "    tenancy: domain\n    headroom_percent: 50\n    ministries: {"
    )
    assert "no plan is accepted; name a plan" in prepare(world, "--check", code=1).stderr
    world.kasumi("plan", "--offline", "-o", world.plan)
    prepare(world, world.plan, "--yes")
    (domain,), (project,) = named(world, "mof", "domains"), named(world, "mof")
    assert project["domain_id"] == domain["id"]
    found = quotas(world, project["id"])
    assert (found["cores"], found["ram"], found["instances"]) == (2, 768, 2)
    assert looked(world, world.plan, "--detailed-exitcode")["differences"] == []

    # Somebody takes our mark off: it is ours no more, and nothing is made beside it.
    description = {"project": {"description": "mine now"}}
    admin_of(world).call("identity", "PATCH", f"/projects/{project['id']}", json=description)
    told = prepare(world, world.plan, "--yes", code=3)
    assert "it is on record as that of mof, but its description is not" in told.stderr
    assert named(world, "mof") == [named(world, "mof")[0] | {"description": "mine now"}]
    assert cloud_pool("openstack://west-mof").cloud not in world.clouds_yaml.read_text(encoding="utf-8")
    assert isinstance(admin_of(world), Cloud)
