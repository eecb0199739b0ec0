"""What the controller remembers comes back as it was, on both databases, and nobody can rewrite its evidence unseen."""

import os
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, inspect, text

from controlplane.errors import KasumiError, LockedError
from controlplane.model.document import digest
from controlplane.model.drift import Action, Drift
from controlplane.model.migration import Migration, Phase, SourceDisk
from controlplane.settings import Settings
from controlplane.store import open_store
from controlplane.store.state import KEPT_OBSERVATIONS, Acceptance
from tests.execution.plans import SEEN_AT, host, machine, plan, seen

FIRST = plan(machine("web1"))
SECOND = replace(plan(machine("web1"), machine("db1")), parent=digest(FIRST))

FIRST_TABLES = {"alembic_version", "plans", "machines", "observations", "runs", "drift", "migrations", "evidence"}


def accept(store, *plans):
    for each in plans:
        store.accept_plan(each, actor="me@here", at=SEEN_AT)


def test_nothing_is_accepted_at_first(store):
    assert store.accepted_plan("test") is None
    assert store.recorded_uuids("test") == frozenset()


def test_the_last_accepted_plan_comes_back_equal(store):
    accept(store, FIRST, SECOND, SECOND)
    assert store.accepted_plan("test") == SECOND
    assert store.plan("test", digest(FIRST)[:10]) == FIRST
    assert store.accepted_plan("another") is None
    assert store.acceptance("test") == Acceptance(digest=digest(SECOND), at=SEEN_AT, actor="me@here")
    assert store.recorded_uuids("test") == {m.uuid for m in SECOND.machines}
    assert [record.action for record in store.evidence("test")] == ["plan:accepted"] * 2


def test_an_unknown_digest_is_named(store):
    with pytest.raises(KasumiError, match="plan abc: 0 accepted plans begin so"):
        store.plan("test", "abc")


def test_machines_of_earlier_plans_stay_on_record(store):
    accept(store, SECOND, replace(FIRST, parent=digest(SECOND)))
    assert machine("db1").uuid in store.recorded_uuids("test")


def test_an_id_on_record_stays_until_it_is_forgotten(store):
    store.record_native_ids("test", {"u1": "nova-1", "u2": "nova-2"}, SEEN_AT)
    store.record_native_ids("test", {"u1": "nova-9", "u3": "nova-3"}, SEEN_AT)
    assert store.native_ids("test") == {"u1": "nova-1", "u2": "nova-2", "u3": "nova-3"}
    store.forget_native_ids("test", ["u1"])
    store.forget_native_ids("another", ["u2"])
    store.record_native_ids("test", {"u1": "nova-9"}, SEEN_AT)
    assert store.native_ids("test") == {"u1": "nova-9", "u2": "nova-2", "u3": "nova-3"}
    assert store.native_ids("another") == {}


def test_the_last_look_and_the_last_good_look_differ(store):
    good = host("hv1", seen(machine("web1")))
    bad = host("hv1", error="no answer", observed_at=SEEN_AT + timedelta(minutes=1), capacity=None, networks=())
    store.record_observation("test", good)
    store.record_observation("test", bad)
    assert store.latest_observation("test").hosts == {"hv1": bad}
    assert store.last_good_observation("test").hosts == {"hv1": good}


def test_old_looks_go_but_never_the_last_good_one(store, settings):
    good = host("hv1")
    store.record_observation("test", good)
    for minute in range(KEPT_OBSERVATIONS + 5):
        store.record_observation("test", host("hv1", error="down", observed_at=SEEN_AT + timedelta(minutes=minute)))
    assert store.last_good_observation("test").hosts == {"hv1": good}
    url = settings.database_url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM observations")) == KEPT_OBSERVATIONS + 1
    engine.dispose()


def test_drift_of_the_latest_look_replaces_the_one_before(store):
    item = Drift(host="hv1", subject="web1", what="state", wanted="running", found="absent", action=Action.CREATE)
    store.record_drift("test", (item,), SEEN_AT)
    assert store.latest_drift("test").drift == (item,)
    store.record_drift("test", (), SEEN_AT + timedelta(minutes=1))
    assert store.latest_drift("test").drift == ()
    assert store.latest_drift("test").at == SEEN_AT + timedelta(minutes=1)


def test_drift_keeps_the_instant_since_which_it_stands(store):
    def found(state):
        return Drift(host="hv1", subject="web1", what="state", wanted="running", found=state, action=Action.START)

    other = Drift(host="hv1", subject="db1", what="state", wanted="running", found="absent", action=Action.CREATE)
    later = SEEN_AT + timedelta(minutes=1)
    store.record_drift("test", (found("stopped"),), SEEN_AT)
    store.record_drift("test", (found("crashed"), other), later)
    assert [each.since for each in store.latest_drift("test").standing] == [SEEN_AT, later]
    store.record_drift("test", (other,), later)
    store.record_drift("test", (found("stopped"), other), later + timedelta(minutes=1))
    assert [each.since for each in store.latest_drift("test").standing] == [later + timedelta(minutes=1), later]


def test_a_plan_and_its_evidence_are_kept_or_lost_together(store, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(store._chain, "append_within", broken)
    with pytest.raises(RuntimeError):
        accept(store, FIRST)
    assert store.accepted_plan("test") is None
    assert store.acceptance("test") is None


def test_a_process_with_the_number_of_a_dead_run_does_not_revive_it(store):
    store.begin_run("test", "apply", "0" * 64, "me@here", datetime(2001, 1, 1, tzinfo=UTC))
    assert [run.result for run in store.runs("test")] == ["interrupted"]


def test_runs_after_one_come_oldest_first(store):
    first, second, third = (store.begin_run("test", "apply", "0", "me", datetime.now(UTC)) for _ in range(3))
    assert [run.id for run in store.runs_after("test", first)] == [second, third]


def test_a_store_of_the_first_version_is_upgraded(store, settings):
    store.append_evidence("test", actor="me", action="a", subject="s", detail={}, at=SEEN_AT)
    engine = create_engine(settings.database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        for name in sorted(set(inspect(connection).get_table_names()) - FIRST_TABLES):
            connection.execute(text(f"DROP TABLE {name}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        connection.execute(
            text("INSERT INTO drift (estate, at, document) VALUES ('test', '2026-01-02 03:04:05', '[{\"host\": \"hv1\"}]')")
        )
    engine.dispose()
    again = open_store(settings)
    assert again.latest_drift("test") is None
    assert again.first_broken_evidence("test") is None
    again.close()


def test_runs_end_or_are_found_interrupted(store):
    done = store.begin_run("test", "apply", "0" * 64, "me@here", SEEN_AT)
    store.end_run(done, "ok", {"done": 3}, SEEN_AT + timedelta(seconds=5))
    store.begin_run("test", "reconcile", "0" * 64, "me@here", datetime.now(UTC))
    running, ended = store.runs("test")
    assert (ended.result, ended.summary, ended.ended_at) == ("ok", {"done": 3}, SEEN_AT + timedelta(seconds=5))
    assert running.result == ""


def test_a_run_whose_process_is_gone_is_interrupted(store, settings):
    script = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC; from controlplane.settings import Settings\n"
        "from controlplane.store import open_store\n"
        "s = open_store(Settings(home=Path(sys.argv[1]), database_url=sys.argv[2], inventory=Path()))\n"
        "s.begin_run('test', 'apply', '0', 'me', datetime.now(UTC))\n"
    )
    subprocess.run([sys.executable, "-c", script, settings.home, settings.database_url], check=True, cwd=Path.cwd())
    assert [run.result for run in store.runs("test")] == ["interrupted"]


def test_a_migration_record_is_replaced_not_doubled(store):
    record = Migration(
        estate="test", machine="db1", plan="0", phase=Phase.PREPARED, source_uri="qemu+ssh://old/system", source_domain="db1",
        source_uuid="u", disk=SourceDisk(path="/d", format="qcow2", size_bytes=5), started_at=SEEN_AT, updated_at=SEEN_AT,
    )  # fmt: skip
    store.save_migration(record)
    later = replace(record, phase=Phase.CUT_OVER, copied_bytes=5, cut_over_at=SEEN_AT)
    store.save_migration(later)
    assert store.migration("test", "db1") == later
    assert store.migrations("test") == (later,)
    assert store.migration("test", "other") is None


def test_the_chain_holds_and_each_kind_of_tampering_shows(store, settings):
    for number in range(5):
        store.append_evidence("test", actor="me", action="create:intent", subject=f"m{number}", detail={"n": number}, at=SEEN_AT)
    assert store.first_broken_evidence("test") is None
    engine = create_engine(settings.database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE evidence SET actor = 'other' WHERE number = 4"))
    assert store.first_broken_evidence("test") == 4
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM evidence WHERE number = 2"))
    assert store.first_broken_evidence("test") == 2
    engine.dispose()


def test_many_threads_make_one_chain(store):
    def work(name):
        for number in range(10):
            store.append_evidence("test", actor=name, action="a", subject=str(number), detail={}, at=SEEN_AT)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [record.number for record in store.evidence("test")] == list(range(1, 41))
    assert store.first_broken_evidence("test") is None


def test_the_lock_keeps_a_second_controller_out_and_says_who(store, settings):
    other = open_store(settings)
    with store.controller_lock("test", verb="apply"):
        words = rf'test: another controller is at work .*"apply", "pid": {os.getpid()}'
        with pytest.raises(LockedError, match=words) as caught, other.controller_lock("test", verb="reconcile"):
            pass
        assert caught.value.exit_code == 75
        with other.controller_lock("test/web1", verb="migrate"):
            pass
    with other.controller_lock("test", verb="reconcile"):
        pass
    other.close()


def test_the_lock_dies_with_its_holder(store, settings):
    script = (
        "import sys; from pathlib import Path; from controlplane.settings import Settings\n"
        "from controlplane.store import open_store\n"
        "s = open_store(Settings(home=Path(sys.argv[1]), database_url=sys.argv[2], inventory=Path()))\n"
        "with s.controller_lock('test', verb='apply'):\n  print('held', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, settings.home, settings.database_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockedError), store.controller_lock("test", verb="apply"):
            pass
        holder.kill()
        holder.wait()
        deadline = datetime.now(UTC) + timedelta(seconds=120)
        while True:
            try:
                with store.controller_lock("test", verb="apply"):
                    break
            except LockedError:
                assert datetime.now(UTC) < deadline


def test_a_newer_schema_is_refused(store, settings):
    engine = create_engine(settings.database_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(KasumiError, match="its schema 9999 is of a newer kasumi"):
        open_store(settings)


def test_the_sqlite_file_is_private(tmp_path):
    settings = Settings(home=tmp_path / "home", database_url=f"sqlite:///{tmp_path}/home/kasumi.db", inventory=tmp_path)
    open_store(settings).close()
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "home" / "kasumi.db").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "not a database URL"),
        ("mysql://u:secret@h/d", "wanted SQLite in a file or PostgreSQL"),
        ("postgresql://u:secret@127.0.0.1:1/d", "see that it runs"),
    ],
)
def test_a_bad_url_is_explained_without_its_password(url, words, tmp_path):
    with pytest.raises(KasumiError, match=words) as caught:
        open_store(Settings(home=tmp_path, database_url=url, inventory=tmp_path))
    assert "secret" not in str(caught.value)


def test_a_database_that_fails_at_work_is_told_in_a_line(store, settings):
    accept(store, FIRST)
    if settings.database_url.startswith("sqlite"):
        store._engine.dispose()
        event.listen(store._engine.pool, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON"))
        why = "attempt to write a readonly database"
    else:
        other = create_engine(settings.database_url.replace("postgresql:", "postgresql+psycopg:"))
        with other.connect() as connection:
            connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid()"))
        other.dispose()
        why = "terminating connection due to administrator command"
    with pytest.raises(KasumiError, match=rf"^database .*: {why}; see that it runs, or that its file"):
        accept(store, SECOND)
