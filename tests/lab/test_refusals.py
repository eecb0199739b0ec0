"""The lab refuses in words that help, and leaves alone what it did not make."""

import os
import shutil
from pathlib import Path

import pytest

from controlplane.errors import ExitCode, KasumiError, LockedError, RefusedError
from lab import command, image, layout, lifecycle, namespaces, ownership, status


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KASUMI_LAB_HOME", str(tmp_path / "lab"))
    return tmp_path / "lab"


def test_without_root_it_says_so(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for verb in (lifecycle.up, lifecycle.down, status.pieces):
        with pytest.raises(KasumiError, match=r"wanted root.*found user id 1000; run it with sudo"):
            verb()


def test_missing_tools_are_named_with_the_line_that_installs_them(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    there = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda tool, path: None if tool in {"libvirtd", "mmdebstrap"} else there(tool, path=path)
    )
    with pytest.raises(KasumiError) as caught:
        ownership.require_abilities()
    assert "apt-get install --no-install-recommends libvirt-daemon-system mmdebstrap" in str(caught.value)


def test_a_home_with_foreign_files_is_left_alone(home: Path):
    home.mkdir()
    (home / "thesis.txt").write_text("years of work")
    for verb in (ownership.claim_home, ownership.refuse_foreign_home):
        with pytest.raises(RefusedError, match=r"found files there without our kasumi-lab.json; it is left alone") as caught:
            verb()
    assert caught.value.exit_code == ExitCode.REFUSED
    assert (home / "thesis.txt").read_text() == "years of work"


def test_an_empty_home_and_our_own_are_claimed(home: Path):
    home.mkdir()
    ownership.claim_home()
    ownership.remember_shared_hosts(3)
    ownership.claim_home()
    assert ownership.shared_hosts() == 3


def test_a_thing_without_our_mark_is_refused():
    with pytest.raises(RefusedError, match=r"wanted interface kl0 to be free or ours, found one that the lab did not make"):
        namespaces.refuse_foreign("interface kl0", "")


def test_the_lab_of_another_home_is_named():
    with pytest.raises(RefusedError, match=r"`KASUMI_LAB_HOME=/srv/other kasumi lab down`"):
        namespaces.refuse_foreign("interface kl0", "kasumi-lab /srv/other")


def test_what_is_absent_or_ours_is_not_refused():
    namespaces.refuse_foreign("interface kl0", None)
    namespaces.refuse_foreign("interface kl0", namespaces.mark())


def test_one_command_at_a_time(tmp_path):
    # Not on the folder that `kasumi lab` locks: it may be at work meanwhile.
    with (
        ownership.one_at_a_time(str(tmp_path)),
        pytest.raises(LockedError, match="found another `kasumi lab` at work") as caught,
        ownership.one_at_a_time(str(tmp_path)),
    ):
        pass
    assert caught.value.exit_code == ExitCode.LOCKED


def test_fewer_hosts_than_there_are_is_refused():
    ownership.claim_home()
    ownership.remember_shared_hosts(3)
    with pytest.raises(KasumiError, match="wanted 2 shared hosts, found 3 already there"):
        lifecycle._wanted_hosts(2)
    assert lifecycle._wanted_hosts(None) == 3
    assert lifecycle._wanted_hosts(4) == 4


def test_a_failing_tool_is_quoted():
    with pytest.raises(KasumiError, match=r"`sh -c echo broken >&2; exit 3` failed with code 3: broken"):
        command.run(["sh", "-c", "echo broken >&2; exit 3"])


def test_a_changed_recipe_has_another_digest(tmp_path, monkeypatch):
    copy = tmp_path / "recipe"
    shutil.copytree(image.RECIPE, copy)
    before = image.recipe_digest()
    monkeypatch.setattr(image, "RECIPE", copy)
    assert image.recipe_digest() == before
    (copy / "packages").write_text((copy / "packages").read_text() + "vim\n")
    assert image.recipe_digest() != before


def test_every_script_of_the_build_counts():
    used_at_run_time = {"host-namespaces.sh", "server-namespaces.sh"}
    assert {path.name for path in image.RECIPE.iterdir()} - used_at_run_time == set(image.PARTS)


def test_several_failures_are_all_told():
    def fail(text: str) -> None:
        raise KasumiError(text)

    with pytest.raises(KasumiError, match=r"(?s)hv1.*hv2"):
        lifecycle._together([lambda: fail("hv1"), lambda: fail("hv2")])


def test_paths_follow_the_environment(monkeypatch):
    monkeypatch.delenv("KASUMI_LAB_HOME")
    monkeypatch.delenv("KASUMI_LAB_CACHE", raising=False)
    assert (layout.home(), layout.cache()) == (Path("/var/lib/kasumi-lab"), Path("/var/cache/kasumi-lab"))
