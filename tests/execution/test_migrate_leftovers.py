"""Leftovers of killed migrations go with the next one that comes by, and nothing that somebody may still need."""

from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.connectors import disks
from controlplane.connectors.disks import DiskExport
from controlplane.connectors.shell import LocalShell
from controlplane.execution.migrate_leftovers import copy_is_over, export_is_over, sweep
from controlplane.model.migration import Migration, Phase, SourceDisk
from controlplane.model.plan import Method
from controlplane.planning.identity import machine_uuid
from controlplane.settings import Settings
from controlplane.store import open_store
from tests.execution.plans import SEEN_AT, machine, plan

PLAN = plan(machine("web1", method=Method.COLD), machine("web2", method=Method.COLD))
RECORD = Migration(
    estate="test", machine="web2", plan="a" * 64, phase=Phase.SOURCE_STOPPED, source_uri="qemu+ssh://old/system", source_domain="web2",
    source_uuid="old", disk=SourceDisk(path="/x", format="raw", size_bytes=512), started_at=SEEN_AT, updated_at=SEEN_AT,
)  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "export", "copy"),
    [
        (Phase.PREPARED, False, False),
        (Phase.SOURCE_STOPPED, False, False),
        (Phase.COPIED, True, False),
        (Phase.VERIFIED, True, False),
        (Phase.READY, True, True),
        (Phase.CUT_OVER, True, True),
        (Phase.FINALIZED, True, True),
        (Phase.ROLLED_BACK, True, True),
    ],
)
def test_what_may_be_taken_up_again_is_kept(phase, export, copy):
    record = replace(RECORD, phase=phase)
    assert (export_is_over(record, PLAN), copy_is_over(record, PLAN)) == (export, copy)


@pytest.mark.parametrize("phase", list(Phase))
def test_of_a_machine_that_the_plan_moves_no_more_a_whole_copy_stays(phase):
    record = replace(RECORD, phase=phase, machine="gone")
    assert export_is_over(record, PLAN)
    assert copy_is_over(record, PLAN) is (phase not in {Phase.COPIED, Phase.VERIFIED})


@pytest.fixture
def left(tmp_path, monkeypatch):
    """Exports whose controllers were killed, with servers and keys, and cut copies: of two machines of ours, and of a stranger."""
    monkeypatch.setattr(disks, "_FOLDERS", f"{tmp_path}/run-")
    disk = tmp_path / "disk.raw"
    disk.write_bytes(b"x" * 65536)
    names = {name: machine_uuid("test", name) for name in ("web2", "gone")} | {"stranger": machine_uuid("other", "web2")}
    copies = tmp_path / "copies"
    copies.mkdir()
    killed = []
    for uuid in names.values():
        source = SourceDisk(path=str(disk), format="raw", size_bytes=65536)
        killed.append(DiskExport(LocalShell(), LocalShell(), source, name=uuid, address="127.0.0.1"))
        killed[-1].__enter__()
        (copies / f"{uuid}.raw").write_bytes(b"x")
    yield names, copies
    for each in killed:
        each.__exit__()


@pytest.fixture
def store(tmp_path):
    opened = open_store(Settings(home=tmp_path, database_url=f"sqlite:///{tmp_path / 'kasumi.db'}", inventory=Path("/none")))
    yield opened
    opened.close()


def test_only_what_is_over_is_swept_and_only_while_nobody_is_at_work_on_it(left, store, tmp_path):
    names, copies = left

    def swept():
        return sweep(PLAN, store, (LocalShell(), LocalShell()), copies=copies, at_work_on="web1")

    def there():
        files = {path.stem for path in copies.iterdir()}
        pids = {name for name in disks.exports(LocalShell()) if (tmp_path / f"run-{name}" / "pid").exists()}
        assert pids == disks.exports(LocalShell())
        return {name for name, uuid in names.items() if uuid in files}, {name for name, uuid in names.items() if uuid in pids}

    everything = {"web2", "gone", "stranger"}
    assert swept() == ()
    store.save_migration(RECORD)
    store.save_migration(replace(RECORD, machine="gone"))
    with store.controller_lock("test/gone", verb="migrate"):
        assert swept() == ()
    assert there() == (everything, everything)
    assert len(swept()) == 2
    assert there() == ({"web2", "stranger"}, {"web2", "stranger"})
    store.save_migration(replace(RECORD, phase=Phase.COPIED))
    assert swept() == ("this machine: ended the export that a killed migration of web2 left",)
    assert there() == ({"web2", "stranger"}, {"stranger"})
    store.save_migration(replace(RECORD, phase=Phase.ROLLED_BACK))
    assert swept() == (f"{copies / names['web2']}.raw: removed the copy that a killed migration of web2 left",)
    assert there() == ({"stranger"}, {"stranger"})
    assert swept() == ()
