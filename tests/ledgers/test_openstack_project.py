"""A project of a cloud as a ledger: recorded shapes of Nova, Cinder, Glance and Neutron, and whatever else they might answer."""

import json
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.inventory import load, read
from controlplane.ledgers.importing import prepare
from controlplane.ledgers.mapping import LedgerMap
from controlplane.ledgers.openstack_project import ledger_of
from controlplane.model.cloud import CloudPool, cloud_pool
from controlplane.model.facts import CATALOGUE
from controlplane.providers.openstack_project import Project
from tests.inventory.conftest import BASE

URI = "openstack://west"
FLAVOR = {"vcpus": 2, "ram": 4096, "disk": 20, "ephemeral": 0, "swap": 0, "original_name": "m1", "extra_specs": {}}
MAC, OTHER_MAC = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
IMAGE = {"id": "i1", "name": "any", "os_distro": "rhel", "os_version": "7.9", "os_type": "linux", "hw_firmware_type": "uefi"}


def fixed(address, mac=MAC, kind="fixed"):
    return {"addr": address, "version": 4, "OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": mac}


def server(**changes):
    return {
        "id": "6e3f",
        "name": "Web01.mof.example",
        "status": "ACTIVE",
        "metadata": {},
        "description": None,
        "flavor": FLAVOR,
        "image": {"id": "i1", "links": []},
        "addresses": {"lan": [fixed("10.0.20.31")]},
        "os-extended-volumes:volumes_attached": [],
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:power_state": 1,
        "OS-EXT-AZ:availability_zone": "az1",
        "OS-SRV-USG:launched_at": "2026-01-01T00:00:00",
    } | changes


def volume(name, size, *servers, device="/dev/vdb", **more):
    attachments = [{"server_id": one, "device": device} for one in servers]
    return {"id": f"id-{name}", "name": name, "size": size, "attachments": attachments, **more}


def attached(*names):
    return {"os-extended-volumes:volumes_attached": [{"id": f"id-{name}", "delete_on_termination": False} for name in names]}


def read_project(*servers, zone="", **others):
    ledger = ledger_of(URI, CloudPool(uri=URI, cloud="west", zone=zone), Project(servers=servers, **others))
    sound(ledger)
    facts = {row.name: {value.field: value.value for value in row.values} for row in ledger.rows}
    return facts, [str(remark.finding()) for remark in ledger.remarks]


def sound(ledger):
    for row in ledger.rows:
        assert row.name.isprintable()
        assert row.name and row.cell
        for value in row.values:
            assert value.field in CATALOGUE
            assert value.value not in (0, "", [], {}, None), value
            assert not isinstance(value.value, int) or value.value > 0
            assert not isinstance(value.value, str) or value.value.isprintable()
            for disk in value.value if value.field == "disks" else ():
                assert disk.get("size_gib", 1) > 0


def test_a_server_with_all_that_a_cloud_tells():
    facts, remarks = read_project(server(description="front"), images=[IMAGE])
    assert facts == {
        "Web01.mof.example": {
            "kind": "virtual",
            "label": "Web01.mof.example",
            "cpu.count": 2,
            "memory.total_mib": 4096,
            "power.state": "running",
            "location": "az1",
            "hypervisor": {"cluster": URI, "name": "Web01.mof.example", "id": "6e3f"},
            "notes": "front",
            "addresses": [{"mac": MAC, "address": "10.0.20.31"}],
            "networks": [{"network": "lan", "mac": MAC}],
            "disks": [{"name": "root", "size_gib": 20, "kind": "disk"}],
            "disks.total_gib": 20,
            "boot.mode": "uefi",
            "os.id": "rhel",
            "os.version": "7.9",
            "os.name": "rhel 7.9",
            "os.family": "linux",
        }
    }
    assert remarks == []


def test_a_boot_volume_takes_the_place_of_the_flavors_disk_and_names_the_image():
    boot = volume("boot", 40, "6e3f", device="/dev/vda", volume_image_metadata={"os_distro": "windows", "os_version": "2019"})
    data = volume("", 100, "6e3f", "other", volume_image_metadata={"os_distro": "debian"}) | {"id": "id-data"}
    flavor = FLAVOR | {"ephemeral": 5, "swap": 512}
    facts, _ = read_project(server(image="", flavor=flavor, **attached("boot", "data")), volumes=[data, boot])
    found = facts["Web01.mof.example"]
    assert [(disk["name"], disk["size_gib"], disk.get("shared")) for disk in found["disks"]] == [
        ("ephemeral", 5, None),
        ("swap", 1, None),
        ("boot", 40, False),
        ("id-data", 100, True),
    ]
    assert (found["disks.total_gib"], found["os.id"], found["os.version"], found["os.family"]) == (
        146,
        "windows",
        "2019",
        "windows",
    )


@pytest.mark.parametrize(
    ("changes", "others", "unknown"),
    [
        (attached("data"), {}, "id-data"),
        (attached("data"), {"volumes": [volume("data", 0, "6e3f")]}, "data"),
        ({"flavor": FLAVOR | {"disk": 0}}, {"images": [IMAGE | {"virtual_size": None}]}, "root"),
        ({"flavor": FLAVOR | {"disk": None}}, {"images": [IMAGE | {"virtual_size": 5}]}, "root"),
        ({"flavor": {key: FLAVOR[key] for key in ("vcpus", "ram", "disk", "swap")}}, {}, "ephemeral"),
        ({"image": ""}, {}, "volumes"),
        ({"os-extended-volumes:volumes_attached": None}, {}, "volumes"),
    ],
)
def test_a_disk_that_is_not_known_leaves_their_sum_unknown_and_is_told(changes, others, unknown):
    facts, remarks = read_project(server(**changes), **others)
    assert "disks.total_gib" not in facts["Web01.mof.example"]
    wanted = f"{URI}:6e3f: 'Web01.mof.example': size of its disks is not known, as that of {unknown} is not"
    assert wanted in remarks


def test_a_flavor_without_disk_makes_the_root_disk_as_large_as_the_image():
    facts, _ = read_project(server(flavor=FLAVOR | {"disk": 0}), images=[IMAGE | {"virtual_size": 2 * 1024**3 + 1}])
    assert facts["Web01.mof.example"]["disks.total_gib"] == 3


def test_ours_and_what_never_ran_are_told_and_not_imported():
    mark = {"kasumi_estate": "lab", "kasumi_machine": "web1", "kasumi_uuid": "1-1"}
    failed = {"status": "ERROR", "OS-SRV-USG:launched_at": None}
    facts, remarks = read_project(server(metadata=mark), server(id="7", name="broken", **failed), server(id="8", name=" "))
    assert facts == {}
    assert sorted(remarks) == [
        f"{URI}:6e3f: 'Web01.mof.example': is machine web1 of estate lab, not imported",
        f"{URI}:7: 'broken': never ran and holds nothing, not imported",
        f"{URI}:8: has no name; not imported, name it in the cloud",
    ]


def test_a_floating_address_is_not_the_servers_own_and_a_card_without_address_is_found_by_its_port():
    addresses = {"lan": [fixed("10.0.20.31"), fixed("203.0.113.9", kind="floating"), fixed("fd00::31")]}
    ports = [{"id": port, "device_id": "6e3f", "mac_address": mac} for port, mac in (("p1", MAC), ("p2", OTHER_MAC))]
    facts, remarks = read_project(server(addresses=addresses), ports=ports, images=[IMAGE])
    assert facts["Web01.mof.example"]["addresses"] == [
        {"mac": MAC, "address": "10.0.20.31"},
        {"mac": MAC, "address": "fd00::31"},
        {"mac": OTHER_MAC},
    ]
    assert facts["Web01.mof.example"]["networks"] == [{"network": "lan", "mac": MAC}, {"mac": OTHER_MAC}]
    assert remarks == [
        f"{URI}:6e3f: 'Web01.mof.example': floating address 203.0.113.9 leads to it; its own are imported",
    ]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"status": "SHUTOFF"}, "stopped"),
        ({"status": "SHELVED_OFFLOADED"}, "stopped"),
        ({"status": "SUSPENDED"}, "paused"),
        ({"status": "ERROR"}, None),
        ({"OS-EXT-STS:task_state": "rebooting"}, None),
    ],
)
def test_states(changes, state):
    assert read_project(server(**changes))[0]["Web01.mof.example"].get("power.state") == state


def test_deleted_servers_and_other_zones_are_left_out_and_bare_metal_is_physical():
    metal = FLAVOR | {"extra_specs": {"resources:VCPU": "0", "resources:CUSTOM_BAREMETAL": "1"}}
    away = server(id="2", name="away", **{"OS-EXT-AZ:availability_zone": "az2"})
    facts, _ = read_project(server(flavor=metal), away, server(id="3", name="gone", status="SOFT_DELETED"), zone="az1")
    assert {name: found["kind"] for name, found in facts.items()} == {"Web01.mof.example": "physical"}


def test_a_project_without_servers_is_no_silent_zero():
    end = "that we may see, see that the project is the right one"
    assert read_project() == ({}, [f"{URI}: has no server {end}"])
    assert read_project(server(), zone="az2") == ({}, [f"{URI}: has no server in this zone {end}"])


def test_what_our_rights_do_not_reach_is_told_once():
    _, remarks = read_project(server(), refused={"volumes": "GET /volumes/detail: 403 Policy does not allow it"})
    assert remarks == [f"{URI}: 'GET /volumes/detail: 403 Policy does not allow it': disks of servers with volumes are not known"]


ANY = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.floats(),
        st.text(max_size=12),
        st.sampled_from(["6e3f", "i1", "id-data", "0", "ACTIVE", "{{ x }}", "=1+1", "10.0.20.5", "\ud800", MAC]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


def like(shape):
    """The shape, with any part of it replaced by anything or left out."""
    if isinstance(shape, dict):
        parts = st.fixed_dictionaries({key: like(part) for key, part in shape.items()})
        left_out = st.sets(st.sampled_from([*shape, ""]), max_size=2)
        whole = st.builds(lambda parts, out: {key: part for key, part in parts.items() if key not in out}, parts, left_out)
    elif isinstance(shape, list):
        whole = st.lists(st.one_of([like(part) for part in shape]), max_size=3) if shape else st.just([])
    else:
        whole = st.sampled_from([shape, shape, 0, -1] if isinstance(shape, int) else [shape, shape, "a\x1b[2J\nb\ud800"])
    return st.one_of(whole, whole, whole, ANY)


PROJECTS = st.builds(
    Project,
    servers=like([server(**attached("data")), server(id="7", image="", metadata={"kasumi_estate": "lab"})]),
    volumes=like([volume("data", 100, "6e3f", volume_image_metadata=IMAGE)]),
    images=like([IMAGE | {"virtual_size": 5}]),
    ports=like([{"id": "p", "device_id": "6e3f", "mac_address": OTHER_MAC}]),
)


@given(PROJECTS, st.sampled_from([cloud_pool(URI + part) for part in ("", "/az1", "?aggregate=ssd=true")]))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_services_answer_no_exception_and_no_silent_zero(project, pool):
    sound(ledger_of(URI, pool, project))


@given(PROJECTS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_services_answer_the_inventory_afterwards_is_valid_and_the_same_again(project):
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        for file in BASE.rglob("*.yml"):
            target = directory / file.relative_to(BASE)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
        ledger = ledger_of(URI, cloud_pool(URI), project)
        prepare(ledger, directory, ministry="mof", system="ledger", mapping=LedgerMap()).carry_out()
        assert read(directory)[1] == ()
        assert not prepare(ledger, directory, ministry="mof", system="ledger", mapping=LedgerMap()).differs


class Services(BaseHTTPRequestHandler):
    """Keystone, and behind it Nova, Glance and Neutron with one server in all and two pages; a cloud without Cinder."""

    let_in: bool
    asked: list[str]

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        kinds = {"compute": "compute/v2.1", "image": "image/v2", "network": "network/v2.0"}
        catalog = [
            {"type": kind, "name": kind, "endpoints": [{"interface": "public", "region": "r", "url": f"{self.url}/{path}"}]}
            for kind, path in kinds.items()
        ]
        token = {
            "project": {"id": "p1", "name": "p"},
            "catalog": catalog,
            "expires_at": "2099-01-01T00:00:00Z",
            "user": {"id": "u"},
        }
        refusal = {"error": {"code": 401, "message": "The request you have made requires authentication."}}
        self.answer(201, {"token": token}, ("X-Subject-Token", "t")) if self.let_in else self.answer(401, refusal)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path.endswith(("/v3", "/v2.1", "/v2", "/v2.0")):
            version = {"id": path.rpartition("/")[2], "status": "CURRENT", "version": "2.96", "min_version": "2.1"}
            self.answer(200, {"version": version | {"links": [{"rel": "self", "href": f"{self.url}{path}"}]}})
            return
        self.asked.append(path)
        documents = {
            "/compute/v2.1/servers/detail": {"servers": [server()], "servers_links": [{"rel": "next", "href": "there"}]},
            "/image/v2/images": {"images": [IMAGE] if "os_hidden" in query else []},
            "/network/v2.0/ports": {"ports": []},
        }
        self.answer(200, {"servers": []} if "marker=6e3f" in query else documents[path])

    def answer(self, status, document, *headers):
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def log_message(self, *_):
        pass


@pytest.fixture
def cloud(tmp_path, monkeypatch):
    handler = type("Handler", (Services,), {"let_in": True, "asked": []})
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    login = {"username": "u", "password": "p", "project_name": "p", "user_domain_id": "default", "project_domain_id": "default"}
    clouds = {
        name: {"region_name": "r", "identity_api_version": "3", "auth": {"auth_url": f"http://127.0.0.1:{port}/v3", **login}}
        for name, port in (("west", running.server_port), ("away", 9))
    }
    (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": clouds}), encoding="utf-8")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    yield handler
    running.shutdown()
    thread.join()
    running.server_close()


def test_the_command_on_a_cloud_without_volumes_lists_page_by_page_and_asks_for_nothing_else(import_, cloud):
    done = import_(URI, "--system", "ledger")
    assert done.returncode == 0, done.stdout + done.stderr
    found = load(Path("inventory")).servers["web01"]
    assert (found.os, found.size.vcpus, found.size.memory_mib, found.size.disk_gib) == ("rhel-7.9", 2, 4096, 20)
    assert (found.address, found.mac, found.source) == ("10.0.20.31", MAC, None)
    assert cloud.asked == ["/compute/v2.1/servers/detail"] * 2 + ["/image/v2/images"] * 2 + ["/network/v2.0/ports"]
    assert "nothing to write" in import_(URI, "--system", "ledger").stderr


@pytest.mark.parametrize(
    ("uri", "code", "said"),
    [
        ("openstack://away", 4, "servers on openstack://away: no answer"),
        ("openstack://nowhere", 1, "describe cloud nowhere in clouds.yaml"),
        ("openstack://west", 5, "cloud west refuses our credentials"),
        ("openstack://me:secret@west", 1, "the cloud's URI holds a user, password or port"),
        ("openstack://[", 1, "the cloud's URI is not a URI"),
    ],
)
def test_a_cloud_that_cannot_be_listed(import_, cloud, uri, code, said):
    cloud.let_in = False
    done = import_(uri)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "secret" not in done.stderr
    assert not list(Path("inventory").glob("50-*"))


def test_a_cloud_may_be_named_as_a_person_says_it(import_, cloud):
    done = import_("openstack", "away")
    assert done.returncode == 4
    assert "servers on openstack://away: no answer" in done.stderr
    done = import_("ledger.csv", "away")
    assert done.returncode == 64
    assert "one ledger at a time, found 'ledger.csv' and 'away'" in done.stderr
