"""The ssh host key of an adopted machine: from its hypervisor by the id on record, else as a person vouched for it."""

from types import SimpleNamespace

import pytest

from controlplane.discovery.record import server_keys
from controlplane.execution import reachable
from controlplane.execution.reachable import KeyBook, wait_until_reachable
from controlplane.model.plan import Method
from tests.execution.plans import machine, plan

MAIL = machine("mail", method=Method.ADOPT)
NATIVE = "11111111-1111-4111-8111-111111111111"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFirst00"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAISecond0"


class Hypervisor:
    """Tells these keys of the machine with this id, and of no other."""

    def __init__(self, *keys):
        self.keys, self.asked = keys, []

    def ssh_host_keys(self, ref):
        self.asked.append(ref.native_id)
        return self.keys

    def close(self):
        pass


@pytest.fixture
def look(tmp_path, monkeypatch):
    """One look at the machine, without waiting."""
    monkeypatch.setattr(reachable, "ssh_problem", lambda _: "")

    def once(hypervisor):
        target = SimpleNamespace(id="hv1", estate="test", open=lambda: hypervisor)
        monkeypatch.setattr(reachable, "targets_of_plan", lambda _: (target,))
        keys = KeyBook(known_hosts=tmp_path / "known_hosts", trusted=server_keys(tmp_path))
        said = []
        found = wait_until_reachable(plan(MAIL), [MAIL], keys, {MAIL.uuid: NATIVE}, seconds=0, say=said.append)
        return found, said

    return once


def test_its_hypervisor_is_asked_by_the_id_on_record(look):
    hypervisor = Hypervisor(KEY)
    found, said = look(hypervisor)
    assert (found.ready, hypervisor.asked) == ({"mail"}, [NATIVE])
    assert said == ["mail: ssh host key learned through hv1"]


def test_where_it_does_not_tell_a_person_vouches(look, tmp_path):
    found, _ = look(Hypervisor())
    assert "compare and record them: `kasumi trust mail`" in found.unreachable["mail"]
    server_keys(tmp_path).learn("mail", (KEY,), address=MAIL.nics[0].address)
    found, said = look(Hypervisor())
    assert (found.ready, said) == ({"mail"}, ["mail: ssh host key learned through `kasumi trust`"])
    found, _ = look(Hypervisor(OTHER))
    assert "its ssh host key changed" in found.refused["mail"]
