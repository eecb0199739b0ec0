"""What becomes of a resize that does not go well: no hypervisor takes it, or the server does not run with its new flavor."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.resources import Resources
from controlplane.providers import openstack_server
from controlplane.providers.openstack import OpenStackProvider
from controlplane.providers.openstack_flavor import Choice, Flavor
from controlplane.providers.openstack_mark import MADE_FOR, tag
from controlplane.providers.openstack_server import resize_server
from controlplane.providers.protocol import MachineRef
from tests.execution.plans import machine

_RUNS, _STOPPED = 1, 4


class Nova:
    """One server; `resized` is how it is once it was asked to resize, `later` how it is at the looks after the first one."""

    pool = SimpleNamespace(uri="openstack://west/az1")

    def __init__(self, *, status="ACTIVE", power=_RUNS, resized=None, later=None):
        self.server = {
            "id": "6e3f", "status": status, "flavor": {"original_name": "old"}, "OS-EXT-STS:power_state": power,
        }  # fmt: skip
        self.resized = {"status": "VERIFY_RESIZE", "flavor": {"original_name": "new"}} | (resized or {})
        self.later = later or {}
        self.asked = []

    def get(self, *_):
        seen = {"server": dict(self.server)}
        self.server |= self.later if self.asked == ["resize"] else {}
        return seen

    def post(self, service, path, body):
        (action,) = body
        self.asked.append(action)
        if action == "metadata":
            self.server["metadata"] |= body[action]
            return
        follows = {
            "resize": self.resized,
            "confirmResize": {"status": "ACTIVE" if self.server["OS-EXT-STS:power_state"] == _RUNS else "SHUTOFF"},
            "revertResize": {"status": "ACTIVE", "flavor": {"original_name": "old"}, "OS-EXT-STS:power_state": _RUNS},
        }
        self.server |= follows[action]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(openstack_server, "_LOOK_SECONDS", 0.0)


def resize(nova):
    return resize_server(nova, dict(nova.server), "f2", "new", "machine web1: server 6e3f")


@pytest.mark.parametrize(
    "nova",
    [
        Nova(),
        Nova(status="SHUTOFF", power=_STOPPED),
        Nova(resized={"OS-EXT-STS:power_state": 0}, later={"OS-EXT-STS:power_state": _RUNS}),
    ],
    ids=["running", "stopped", "told late to run"],
)
def test_it_is_confirmed(nova):
    before = nova.server["status"]
    found = resize(nova)
    assert nova.asked == ["resize", "confirmResize"]
    assert (found["status"], found["flavor"]["original_name"]) == (before, "new")


def test_one_that_does_not_run_with_its_new_flavor_gets_the_old_one_back(monkeypatch):
    monkeypatch.setattr(openstack_server, "_RUNS_SECONDS", 0.0)
    nova = Nova(resized={"OS-EXT-STS:power_state": _STOPPED})
    with pytest.raises(
        KasumiError, match="did not run within 0 s, so the resize was reverted: it is ACTIVE with flavor old again"
    ):
        resize(nova)
    assert nova.asked == ["resize", "revertResize"]
    assert nova.server["flavor"]["original_name"] == "old"


def test_one_that_no_hypervisor_took_is_told():
    nova = Nova(resized={"status": "ACTIVE", "flavor": {"original_name": "old"}})
    with pytest.raises(KasumiError, match="wanted flavor new, still old; no hypervisor took it"):
        resize(nova)
    assert nova.asked == ["resize"]


def test_one_that_ended_in_error_is_told_with_its_fault():
    fault = {"message": "the disk could not be copied"}
    nova = Nova(resized={"status": "ERROR", "fault": fault, "OS-SRV-USG:launched_at": "2026-01-01T00:00:00"})
    with pytest.raises(KasumiError, match="is in ERROR: the disk could not be copied"):
        resize(nova)
    assert nova.asked == ["resize"]


def adjust(monkeypatch, nova, taken):
    """Adjust a machine of 1 GiB that was made with flavor `old`; the flavor for its size is `taken`."""
    planned = replace(machine("web1"), size=Resources(vcpus=1, memory_mib=512, disk_gib=1))
    noted = {MADE_FOR: "1/512/1/old", "kasumi_autostart": "on"}
    nova.server |= {"metadata": noted, "tags": [tag(planned.uuid)], "image": {"id": "i1"}}
    provider = OpenStackProvider("cloud1", nova, estate="test")
    choice = Choice(flavor=Flavor(id="f", name=taken, size=planned.size, special=False))
    monkeypatch.setattr(provider, "_flavor", lambda *_, **__: choice)
    monkeypatch.setattr(provider, "_connect", lambda *_: False)
    ref = MachineRef(estate="test", machine="web1", uuid=planned.uuid)
    provider._adjust(ref, dict(nova.server), planned, "p" * 64, {})


LARGE = {"vcpus": 2, "ram": 4096, "disk": 40, "original_name": "large"}


def test_somebodys_resize_to_a_larger_disk_keeps_its_way_back(monkeypatch):
    nova = Nova(status="VERIFY_RESIZE")
    nova.server["flavor"] = LARGE
    with pytest.raises(RefusedError, match=r"`openstack server resize revert 6e3f` takes it back, .*; or plan the larger size"):
        adjust(monkeypatch, nova, "old")
    assert nova.asked == []


def test_once_it_is_confirmed_only_a_larger_plan_is_left(monkeypatch):
    nova = Nova()
    nova.server["flavor"] = LARGE
    with pytest.raises(RefusedError, match="as that would cut off data: plan the larger size"):
        adjust(monkeypatch, nova, "old")
    assert nova.asked == []


def test_our_own_resize_that_was_cut_off_is_confirmed_though_its_flavor_has_a_larger_disk(monkeypatch):
    nova = Nova(status="VERIFY_RESIZE")
    nova.server["flavor"] = LARGE
    adjust(monkeypatch, nova, "large")
    assert nova.asked == ["confirmResize", "metadata"]
    assert nova.server["metadata"][MADE_FOR] == "1/512/1/large"
