"""The lab's inventory has as many hosts as the lab."""

from pathlib import Path

import pytest
import yaml

from controlplane.errors import RefusedError
from lab import inventory, layout


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("KASUMI_LAB_HOME", str(tmp_path / "lab"))


def hosts_of(directory: Path) -> dict[str, dict[str, object]]:
    return yaml.safe_load((directory / inventory.HOSTS_FILE).read_text())["hypervisors"]["hosts"]


def test_without_a_number_it_is_the_packaged_one(tmp_path):
    written = inventory.write_to(tmp_path / "inventory")
    assert list(hosts_of(written)) == ["hv1", "hv2"]
    assert (written / "group_vars").is_dir()


def test_hosts_beyond_the_packaged_ones_have_their_own_address_and_rack(tmp_path):
    found = hosts_of(inventory.write_to(tmp_path / "inventory", shared=5))
    assert list(found) == ["hv1", "hv2", "hv3", "hv4", "hv5"]
    for host in layout.hosts(5)[:-1]:
        assert found[host.name]["ansible_host"] == host.address
        assert host.address in found[host.name]["kasumi_host"]["uri"]
    assert len({entry["kasumi_host"]["rack"] for entry in found.values()}) == 5


def test_fewer_hosts_too(tmp_path):
    assert list(hosts_of(inventory.write_to(tmp_path / "inventory", shared=1))) == ["hv1"]


def test_files_that_are_there_are_not_overwritten(tmp_path):
    (tmp_path / "mine.yml").write_text("a: 1\n")
    with pytest.raises(RefusedError, match=r"new or empty, found files there"):
        inventory.write_to(tmp_path)
