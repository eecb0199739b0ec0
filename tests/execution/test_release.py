"""Letting go of an adopted machine claims nothing that was not seen: where it stands decides."""

from datetime import UTC, datetime

import pytest

from controlplane.errors import RefusedError, UnreachableError
from controlplane.execution.adopt import stands_on
from controlplane.model.observed import HostObservation, Mark, ObservedMachine, PowerState

NATIVE = "11111111-1111-4111-8111-111111111111"
MARK = Mark(estate="test", machine="mail", plan="", adopted=True)


def host(name, *marks, error=""):
    machines = tuple(
        ObservedMachine(
            name="mailsv01",
            uuid="planned",
            mark=mark,
            state=PowerState.RUNNING,
            vcpus=1,
            memory_mib=512,
            live_vcpus=1,
            live_memory_mib=512,
            autostart=True,
            nics=(),
            live_nics=(),
            native_id=NATIVE,
        )
        for mark in marks
    )
    return HostObservation(
        host=name, observed_at=datetime(2026, 1, 1, tzinfo=UTC), duration_seconds=0.1, machines=machines, error=error
    )


def look(*hosts):
    return stands_on({each.host: each for each in hosts}, "hv1", "mail", NATIVE)


def test_one_that_stands_on_the_host_is_released_whoever_else_is_silent():
    assert look(host("hv1", MARK), host("hv2", error="no answer"))
    assert look(host("hv1", None), host("hv2", error="no answer"))


def test_one_that_is_nowhere_is_gone_only_when_all_hosts_answered():
    assert not look(host("hv1"), host("hv2"))
    with pytest.raises(
        UnreachableError, match="may stand with our mark on a host that does not answer: hv2; nothing was released"
    ):
        look(host("hv1"), host("hv2", error="no answer"))


def test_a_host_that_does_not_answer_and_one_that_has_it_are_named():
    with pytest.raises(UnreachableError, match="host hv1 not reached: no answer"):
        look(host("hv1", error="no answer"), host("hv2"))
    with pytest.raises(RefusedError, match="stands on hv2, not on hv1; `kasumi adopt hv2 mail --release`"):
        look(host("hv1"), host("hv2", MARK))
