"""The watch looks at real libvirt hosts (test driver), hangs with none of them, and follows what others do to the store."""

import socket
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controlplane.execution.observe import HostTarget
from controlplane.model.document import digest
from controlplane.model.drift import Action
from controlplane.model.estate import Access, Estate
from controlplane.reporting.books import BookKeeper
from controlplane.reporting.watch import HostWatch, Watch
from tests.execution.plans import POOL, SEEN_AT, host, machine, seen


def estate() -> Estate:
    return Estate(
        id="test", name="", access=Access(), ministries={}, systems={}, servers={}, machines={}, sites={}, hosts={}, networks={},
        images={}, tiers={},
    )  # fmt: skip


def eventually(true, seconds=120.0):
    """Wait for something that other threads bring about."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@pytest.fixture
def watching(store):
    started = []

    def make(**options):
        watch = Watch(store, estate(), **({"interval_seconds": 0.2, "deadline_seconds": 5.0} | options))
        watch.start()
        started.append(watch)
        return watch

    yield make
    for watch in started:
        watch.stop()


@pytest.fixture
def silent(tmp_path):
    """The socket of a libvirtd that takes connections and never says a word."""
    path = tmp_path / "silent"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        yield f"qemu+unix:///system?socket={path}", listening
        listening.shutdown(socket.SHUT_RDWR)


def states(watch):
    return {planned.id: state for planned, _, _, state in watch.state().planned_and_seen()}


def test_it_sees_what_runs_and_what_is_missing(accepted, watching):
    watch = watching()
    eventually(lambda: states(watch) == {"web1": "running", "web2": "absent"})
    eventually(lambda: watch.state().books.drift is not None and watch.state().books.drift.standing)
    assert ("hv2", "web2", Action.CREATE) in {(d.host, d.subject, d.action) for d in watch.state().books.drift.drift}


def test_looks_are_recorded(accepted, watching, store):
    watching()
    eventually(lambda: set(store.last_good_observation("test").hosts) == {"hv1", "hv2"})


def test_a_hung_host_delays_nobody_and_has_one_call_outstanding(accepted, watching, store, silent):
    uri, listening = silent
    hung = replace(accepted, hosts=(accepted.hosts[0], replace(accepted.hosts[1], uri=uri)))
    store.accept_plan(hung, actor="me@here", at=SEEN_AT)
    before = threading.active_count()
    watch = watching(deadline_seconds=0.5)
    eventually(lambda: watch.state().hosts[1].up is False)
    eventually(lambda: watch.state().hosts[0].good is not None)
    first = watch.state().hosts[0].good.observed_at
    eventually(lambda: watch.state().hosts[0].good.observed_at > first)
    down = watch.state().hosts[1]
    assert "no answer within 0.5 s" in down.error
    assert down.duration_seconds >= 0.5
    assert down.good is None
    assert states(watch)["web2"] == "unknown"
    listening.setblocking(False)
    calls = [listening.accept()[0]]
    time.sleep(1.0)
    with pytest.raises(BlockingIOError):
        listening.accept()
    calls[0].close()
    assert threading.active_count() - before <= 5, "a thread for each host, one for the store, libvirt's events"


def test_a_host_that_answers_again_is_up_again(test_host, tmp_path):
    uri = test_host("hv1")
    file = tmp_path / "hv1.xml"
    text = file.read_text()
    file.unlink()
    target = HostTarget(id="hv1", uri=uri, pool=POOL, estate="test")
    looks = []
    watch = HostWatch(target, interval_seconds=0.1, deadline_seconds=5.0, last_good=host("hv1"), seen=looks.append)
    assert watch.view("").up is None
    watch.start()
    eventually(lambda: watch.view("").up is False)
    assert watch.view("").good == host("hv1"), "what was known stays"
    assert "hv1" in watch.view("").error
    file.write_text(text)
    eventually(lambda: watch.view("").up is True)
    assert watch.view("").error == ""
    watch.stop()
    assert looks[0].reachable is False


def test_trouble_that_nobody_foresaw_is_shown_and_the_watch_goes_on(monkeypatch):
    target = HostTarget(id="hv1", uri="test:///default", pool=POOL, estate="test")
    monkeypatch.setattr(HostTarget, "open", lambda _: 1 / 0)
    looks = []
    watch = HostWatch(target, interval_seconds=0.05, deadline_seconds=5.0, last_good=None, seen=looks.append)
    watch.start()
    eventually(lambda: len(looks) >= 2)
    watch.stop()
    assert "ZeroDivisionError" in watch.view("").error


def test_what_was_known_before_a_restart_is_served_with_its_age(accepted, watching, store, tmp_path):
    for each in ("hv1", "hv2"):
        (tmp_path / f"{each}.xml").unlink()
    store.record_observation("test", host("hv1", seen(machine("web1"))))
    watch = watching()
    eventually(lambda: watch.state().hosts[0].up is False)
    assert watch.state().hosts[0].good.observed_at == SEEN_AT


def test_a_plan_accepted_later_brings_its_hosts(accepted, watching, store, test_host):
    watch = watching()
    third = replace(accepted.hosts[0], id="hv3", uri=test_host("hv3"))
    later = replace(accepted, parent=digest(accepted), hosts=(accepted.hosts[0], third), machines=accepted.machines[:1])
    store.accept_plan(later, actor="me@here", at=SEEN_AT)
    eventually(lambda: [each.id for each in watch.state().hosts] == ["hv1", "hv3"])
    eventually(lambda: watch.state().hosts[1].up)


def test_without_a_plan_the_hosts_of_the_inventory_are_watched(watching):
    assert watching().state().hosts == ()


def test_a_newer_look_of_another_command_counts(accepted, store):
    """After a repair, reconcile's look is newer than ours; ours must not bring the difference back."""
    for each in ("hv1", "hv2"):
        store.record_observation("test", host(each, networks=()))
    keeper = BookKeeper(store, "test")
    assert {d.subject for d in keeper.read(answers=lambda _: True).drift.drift} == {"web1", "web2"}
    store.record_observation("test", host("hv1", seen(machine("web1"), nics=(), live_nics=()), networks=()))
    assert "state" not in {d.what for d in keeper.read(answers=lambda _: True).drift.drift if d.subject == "web1"}


def test_what_differs_on_a_silent_host_is_not_known(accepted, store):
    for each in ("hv1", "hv2"):
        store.record_observation("test", host(each, networks=()))
    books = BookKeeper(store, "test").read(answers=lambda name: name == "hv1")
    assert {d.host for d in books.drift.drift} == {"hv1"}


def test_runs_are_counted_once_they_are_over(store):
    keeper = BookKeeper(store, "test")

    def counted():
        return {verb: (each.total, each.failed) for verb, each in keeper.read(answers=lambda _: True).runs.items()}

    now = datetime.now(UTC)
    first = store.begin_run("test", "apply", "0", "me", now)
    second = store.begin_run("test", "reconcile", "0", "me", now)
    store.end_run(second, "failed", {}, now)
    assert counted() == {"reconcile": (1, 1)}
    assert counted() == {"reconcile": (1, 1)}
    store.end_run(first, "ok", {}, now)
    assert counted() == {"reconcile": (1, 1), "apply": (1, 0)}
    store.end_run(store.begin_run("test", "apply", "0", "me", now), "ok", {}, now)
    assert counted() == {"reconcile": (1, 1), "apply": (2, 0)}
    assert counted() == {"reconcile": (1, 1), "apply": (2, 0)}
