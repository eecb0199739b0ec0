"""How a server leaves a hypervisor of a cloud: by its state and the hypervisor's, and what is said when it stays."""

from types import SimpleNamespace

import pytest

from controlplane.errors import KasumiError, RefusedError, UnreachableError
from controlplane.execution import drain
from controlplane.providers.openstack_drain import HOST, look_at, move_off
from tests.execution.plans import plan


class Nova:
    """One server on one hypervisor; `after` is how the server is found once it was asked to move."""

    pool = SimpleNamespace(uri="openstack://west/az1")

    def __init__(self, *, up=True, after=None, **server):
        self.server = {"id": "6e3f", "status": "ACTIVE", HOST: "cmp01"} | server
        self.up = up
        self.after = after or {HOST: "cmp02"}
        self.asked = []

    def get(self, service, path, **query):
        if path == "/os-services":
            state = {"state": "up" if self.up else "down", "status": "disabled"}
            return {"services": [state] if query["host"] == "cmp01" else []}
        return {"server": self.server}

    def every(self, *_, **query):
        assert query == {"host": "cmp01", "all_tenants": "true"}
        return [self.server, {"id": "stale", HOST: "cmp03"}]

    def post(self, service, path, body):
        ((action, _),) = body.items()
        self.asked.append(action)
        follows = {"os-start": {"status": "ACTIVE"}, "confirmResize": {"status": "SHUTOFF"}}
        self.server = self.server | follows.get(action, self.after)


def moved(nova):
    to = move_off(nova, nova.server, "cmp01", "machine web1: server 6e3f")
    return to, nova.asked, nova.server["status"]


@pytest.mark.parametrize(
    ("nova", "outcome"),
    [
        (Nova(), ("cmp02", ["os-migrateLive"], "ACTIVE")),
        (Nova(status="PAUSED"), ("cmp02", ["os-migrateLive"], "PAUSED")),
        (
            Nova(status="SHUTOFF", after={HOST: "cmp02", "status": "VERIFY_RESIZE"}),
            ("cmp02", ["migrate", "confirmResize"], "SHUTOFF"),
        ),
        (Nova(up=False), ("cmp02", ["evacuate"], "ACTIVE")),
        (Nova(up=False, after={HOST: "cmp02", "status": "SHUTOFF"}), ("cmp02", ["evacuate", "os-start"], "ACTIVE")),
        (Nova(up=False, status="SHUTOFF"), ("cmp02", ["evacuate"], "SHUTOFF")),
        (Nova(**{HOST: "cmp09"}), ("cmp09", [], "ACTIVE")),
    ],
    ids=["running", "paused", "stopped", "down", "down, left stopped", "down, stopped before", "gone already"],
)
def test_it_leaves_as_its_state_allows(nova, outcome):
    assert moved(nova) == outcome


def test_one_that_stays_is_told_and_not_asked_again():
    nova = Nova(after={HOST: "cmp01"})
    with pytest.raises(KasumiError, match="wanted off cmp01, still there and untouched; no other hypervisor of its zone took"):
        moved(nova)
    assert nova.asked == ["os-migrateLive"]


def test_without_an_administrators_rights_it_is_refused():
    nova = Nova()
    del nova.server[HOST]
    with pytest.raises(RefusedError, match="our credentials do not show its hypervisor"):
        moved(nova)
    assert nova.asked == []


def test_a_hypervisor_is_looked_at_and_one_that_is_not_there_is_named():
    found = look_at(Nova(up=False), "cmp01")
    assert (found.up, found.enabled, found.servers) == (False, False, {"6e3f"})
    with pytest.raises(KasumiError, match="hypervisor cmp07: openstack://west/az1 has none of this name"):
        look_at(Nova(), "cmp07")


def test_a_cloud_that_does_not_answer_is_not_reached(monkeypatch):
    def silent():
        raise UnreachableError("no answer")

    provider = SimpleNamespace(observe=silent, close=lambda: None)
    monkeypatch.setattr(drain, "open_drain_host", lambda *_, **__: provider)
    with pytest.raises(UnreachableError, match="host hv1 not reached: no answer"):
        drain.look_at_hypervisor(plan(hosts=("hv1",)), SimpleNamespace(), "hv1", "cmp01")
