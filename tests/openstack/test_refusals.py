"""What the lab's OpenStack decides without being up: versions, recipes, names, knobs, and what it refuses."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from controlplane.errors import ExitCode, KasumiError, LockedError, RefusedError
from lab import layout as lab_layout
from lab import namespaces, ownership
from lab.openstack import configuration, faults, layout, lifecycle, network, packages, services, snapshot, status


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KASUMI_LAB_HOME", str(tmp_path / "lab"))
    monkeypatch.setenv("KASUMI_LAB_CACHE", str(tmp_path / "cache"))
    return layout.home()


def test_the_cloud_has_a_home_of_its_own_beside_the_labs(home):
    assert home == lab_layout.home().with_name("lab-openstack")


def test_every_package_has_one_version():
    lines = packages.CONSTRAINTS.read_text().splitlines()
    assert len(lines) > 150
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.+!]*", line) for line in lines)
    assert {"keystone", "glance", "openstack-placement", "neutron", "nova", "python-openstackclient"} <= {
        line.split("==")[0] for line in lines
    }


def test_other_versions_are_installed_elsewhere(tmp_path, monkeypatch):
    before = packages.place()
    other = tmp_path / "constraints.txt"
    other.write_text(packages.CONSTRAINTS.read_text() + "extra==1\n")
    monkeypatch.setattr(packages, "CONSTRAINTS", other)
    assert packages.place() != before
    assert packages.place().parent == tmp_path / "cache" / "openstack"


@pytest.mark.parametrize("part", snapshot.PARTS)
def test_what_shapes_the_databases_makes_another_snapshot(part, tmp_path, monkeypatch):
    copy = tmp_path / "package"
    shutil.copytree(Path(snapshot.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(snapshot, "__file__", str(copy / "snapshot.py"))
    before = snapshot.place()
    assert snapshot.place() == before
    changed = next(path for path in sorted((copy / part).rglob("*")) if path.is_file()) if (copy / part).is_dir() else copy / part
    changed.write_text(changed.read_text() + "\n# changed\n")
    assert snapshot.place() != before


def test_configuration_is_whole_and_for_its_owner_only(tmp_path, monkeypatch):
    shipped = tmp_path / "python" / "etc" / "nova"
    shipped.mkdir(parents=True)
    (shipped / "api-paste.ini").write_text("[composite:osapi_compute]\n")
    monkeypatch.setattr(packages, "place", lambda: tmp_path / "python")
    layout.state().mkdir(parents=True)
    made = configuration.new_secrets()
    configuration.write_all(made)
    configuration.write_all(configuration.read_secrets())
    for name in ("keystone.conf", "glance-api.conf", "placement.conf", "neutron.conf", "nova.conf", "rabbitmq.conf"):
        text = (layout.etc() / name).read_text()
        assert "{{" not in text
        assert (layout.etc() / name).stat().st_mode & 0o077 == 0
    assert made.service in (layout.etc() / "nova.conf").read_text()
    assert made.admin not in "".join(path.read_text() for path in layout.etc().iterdir())
    assert (layout.state() / "secrets.json").stat().st_mode & 0o077 == 0
    assert (layout.home() / "python" / "kasumi_lab" / "binding.py").exists()


def test_passwords_are_new_in_each_cloud():
    layout.state().mkdir(parents=True)
    first, second = configuration.new_secrets(), configuration.new_secrets()
    assert not {first.admin, first.service, first.database} & {second.admin, second.service, second.database}


def test_passwords_are_not_shown():
    layout.state().mkdir(parents=True)
    made = configuration.new_secrets()
    assert made.admin not in repr(made)


def test_an_unknown_service_is_told_with_those_there_are():
    with pytest.raises(KasumiError, match=r"wanted service nova, found only mariadb, epmd, rabbitmq, keystone,") as caught:
        services.named("nova")
    assert caught.value.exit_code == ExitCode.USAGE


def test_every_service_has_a_port_and_a_name_of_its_own():
    everything = [service for group in services.everything() for service in group]
    assert len({service.port for service in everything}) == len(everything) == len(set(services.names()))


def test_an_unknown_knob_is_refused():
    with pytest.raises(ValueError, match="found spawn_fials_on"):
        faults.turn(spawn_fials_on=["cmp01"])


def test_every_knob_is_one_the_driver_reads():
    driver = (configuration.INSIDE / "virt" / "kasumi_lab.py").read_text()
    assert {knob for knob in faults.KNOBS if f'turned.get("{knob}"' in driver or f'knobs().get("{knob}"' in driver} == set(
        faults.KNOBS
    )


def test_knobs_are_turned_back():
    layout.knobs().parent.mkdir(parents=True)
    faults.turn(spawn_delay_seconds=3)
    assert faults.turned() == json.loads(layout.knobs().read_text()) == {"spawn_delay_seconds": 3}
    faults.turn()
    assert faults.turned() == {}


def test_without_root_it_says_so(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for verb in (lifecycle.up, lifecycle.reset, lifecycle.down, status.pieces):
        with pytest.raises(KasumiError, match=r"wanted root.*found user id 1000; run it with sudo"):
            verb()


def test_missing_tools_are_named_with_the_line_that_installs_them(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda tool, path: None if tool in {"mariadbd", "rabbitmq-server"} else tool)
    with (
        pytest.raises(KasumiError, match="apt-get install --no-install-recommends mariadb-server rabbitmq-server"),
        lifecycle.alone(),
    ):
        pass


def test_one_command_at_a_time_for_each_part(tmp_path):
    ours, other = tmp_path / "ours", tmp_path / "other"
    ours.mkdir()
    other.mkdir()
    with (
        ownership.one_at_a_time(str(ours)),
        ownership.one_at_a_time(str(other)),
        pytest.raises(LockedError, match="found another `kasumi lab` at work"),
        ownership.one_at_a_time(str(ours)),
    ):
        pass


def test_a_home_with_foreign_files_is_left_alone(home):
    home.mkdir()
    (home / "thesis.txt").write_text("years of work")
    with pytest.raises(RefusedError, match=r"found files there without our kasumi-lab.json; it is left alone"):
        ownership.claim_home(home)


def test_the_cloud_of_another_home_is_named():
    with pytest.raises(RefusedError, match=r"`KASUMI_LAB_HOME=/srv/other kasumi lab down`"):
        namespaces.refuse_foreign("interface kl1", "kasumi-lab /srv/other-openstack", home=layout.home())


def test_the_part_that_stays_unmounts_what_the_other_mounted(tmp_path, monkeypatch, home):
    monkeypatch.setattr(ownership, "NAMED", tmp_path / "netns")
    monkeypatch.setattr(ownership, "_netns_is_mount", lambda: True)
    (tmp_path / "netns").mkdir()
    (tmp_path / "netns" / "kl-cloud").touch()
    ownership.claim_home(home)
    assert ownership.netns_was_mounted(home)
    ownership.leave_netns_folder()
    assert not ownership.netns_was_mounted(home)
    assert (tmp_path / "netns" / "kl-cloud").exists()


def test_a_cloud_of_another_version_is_left_alone(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for needless in (packages.ensure, network.ensure, network.refuse_foreign):
        monkeypatch.setattr(f"{needless.__module__}.{needless.__name__}", lambda: False)
    monkeypatch.setattr(lifecycle, "LOCK_FOLDER", str(lab_layout.home().parent))
    ownership.claim_home(layout.home())
    layout.state().mkdir()
    configuration.new_secrets()
    (layout.state() / snapshot.RECIPE).write_text("state-of-last-year")
    with pytest.raises(RefusedError, match=r"found one that another version made; .* `kasumi lab reset` makes it anew"):
        lifecycle.up()


def test_a_service_cannot_be_started_without_a_cloud():
    with pytest.raises(KasumiError, match=r"found no cloud at .*; `kasumi lab up --openstack` first"):
        lifecycle.require_up()
