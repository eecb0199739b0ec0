"""`kasumi inventory` as a person runs it."""

import json
from types import SimpleNamespace

import pytest
import yaml

from controlplane.cli.app import main
from tests.inventory.mistakes import MOF


@pytest.fixture
def kasumi(inventory, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KASUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: str) -> SimpleNamespace:
        monkeypatch.setattr("sys.argv", ["kasumi", "inventory", *arguments, "-i", str(inventory)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return SimpleNamespace(returncode=ended.value.code, stdout=said.out, stderr=said.err)

    return run


def test_check_of_a_sound_inventory(kasumi):
    done = kasumi("check")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        "inventory of small (小さな霞が関): 1 ministries, 1 systems, 2 servers, 2 machines, 2 hosts, 2 networks, "
        "1 sites, 2 tiers, 1 images; no mistakes\n"
    )
    assert json.loads(kasumi("check", "-o", "json").stdout) == {"schema_version": 1, "findings": []}


def test_check_prints_mistakes_as_data(kasumi, change):
    change(MOF, "disposition: merge", "disposition: mrege")
    change(MOF, "memory: 1GiB", "memory: 8GB")
    done = kasumi("check")
    assert done.returncode == 1
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [
        "inventory/20-mof.yml:39:38",
        "inventory/20-mof.yml:40:26",
    ]
    assert "2 mistakes; correct and run `kasumi inventory check` again" in done.stderr
    found = json.loads(kasumi("check", "-o", "json").stdout)["findings"]
    assert [(one["severity"], one["remedy"]) for one in found] == [
        ("critical", "did you mean 8GiB?"),
        ("critical", "did you mean merge?"),
    ]
    assert kasumi("list").returncode == 1


KINDS = ["ministries", "systems", "servers", "machines", "hosts", "networks", "sites", "tiers", "images"]


@pytest.mark.parametrize("kind", KINDS)
def test_list(kasumi, kind):
    found = yaml.safe_load(kasumi("list", kind, "-o", "yaml").stdout)
    assert found["schema_version"] == 1
    ids = [one["id"] for one in found[kind]]
    assert ids
    assert ids == sorted(ids)


def test_list_as_table_and_csv(kasumi):
    table = kasumi("list", "servers").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["id", "ledger-fax", "ledger-old"]
    csv = kasumi("list", "servers", "-o", "csv").stdout.splitlines()
    assert csv[1] == "ledger-fax,ledger,physical,merge,1,1024,40,,False,"


def test_list_of_nothing_known(kasumi):
    done = kasumi("list", "ministers")
    assert (done.returncode, done.stdout) == (64, "")
    assert "no kind 'ministers'; wanted one of ministries, systems" in done.stderr


def test_show_a_system_with_its_servers_and_savings(kasumi):
    found = json.loads(kasumi("show", "ledger", "-o", "json").stdout)["system"]
    assert [saving["cost_thousand_yen"] for saving in found["savings"]] == [-50]
    assert {kind: [one["id"] for one in things] for kind, things in found["related"].items()} == {
        "servers": ["ledger-old", "ledger-fax"],
        "machines": ["ledger-1", "ledger-2"],
    }


@pytest.mark.parametrize(
    ("thing", "kind", "related"),
    [
        ("mof", "ministry", {"systems": ["ledger"], "networks": ["mof"]}),
        ("mof", "network", {"hosts": ["hv1", "hv2"], "servers": ["ledger-old", "ledger-fax"]}),
        ("ledger-fax", "server", {"ministry": ["mof"], "merged_into": ["ledger-1"]}),
        ("ledger-1", "machine", {"ministry": ["mof"], "takes_over_from": ["ledger-fax"], "replicas": ["ledger-2"]}),
        ("hv1", "host", {}),
        ("east", "site", {"hosts": ["hv1", "hv2"]}),
        ("high", "tier", {"systems": ["ledger"]}),
        ("debian-12", "image", {"machines": ["ledger-1", "ledger-2"]}),
    ],
)
def test_show_anything_by_its_id(kasumi, thing, kind, related):
    assert yaml.safe_load(kasumi("show", thing).stdout)[kind]["related"] == related


def test_show_of_nothing_known(kasumi):
    done = kasumi("show", "ledgr-1")
    assert done.returncode == 1
    assert "nothing has the id 'ledgr-1'; did you mean ledger-1 or" in done.stderr
    assert kasumi("show", "ledger", "-o", "csv").returncode == 64
