"""In which order a migration acts on both sides, whatever it finds there; the disks are moved on real hosts elsewhere."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from controlplane.errors import KasumiError, RefusedError
from controlplane.execution import migrate, migrate_checks
from controlplane.execution.migrate import Move
from controlplane.execution.migrate_checks import preflight
from controlplane.execution.observe import targets_of_plan
from controlplane.model.migration import Migration, Phase, SourceDisk
from controlplane.model.observed import Mark, PowerState
from controlplane.model.plan import Method
from controlplane.providers.protocol import CopyPlace
from controlplane.providers.source import SourceMachine
from controlplane.settings import Settings
from controlplane.store import open_store
from tests.execution.plans import SEEN_AT, host, machine, plan, seen

WEB = machine("web1", method=Method.COLD)
PLAN = plan(WEB)


@dataclass
class Sides:
    """Both hosts in one: the old one with its domain, the new one with what was made there; `did` is what was asked of them."""

    source: PowerState = PowerState.STOPPED
    target: PowerState | None = None
    boots_what_it_makes: bool = True
    did: list[str] = field(default_factory=list)

    def close(self):
        pass

    def look(self, name):
        return SourceMachine(
            name=name, uuid="old", state=self.source, autostart=False, firmware="bios", disks=(), macs=(WEB.nics[0].mac,)
        )

    def set_autostart(self, name, *, uuid, autostart):
        pass

    def observe(self):
        return host("hv1", *(() if self.target is None else (seen(WEB, state=self.target),)))

    def ensure_machine(self, planned, **_):
        self.did.append("ensure target")
        if self.target in {None, PowerState.FAILED}:
            assert self.source is PowerState.STOPPED
            self.target = PowerState.RUNNING if self.boots_what_it_makes else PowerState.STOPPED
        return ""

    def remove(self, ref):
        self.did.append("remove target")
        self.target = None

    def start(self, who, *, uuid=None):
        if uuid is not None:
            assert self.target is not PowerState.RUNNING
            self.did.append("start source")
            self.source = PowerState.RUNNING
        else:
            assert self.source is PowerState.STOPPED
            self.did.append("start target")
            self.target = PowerState.RUNNING

    def stop(self, ref, *, force_after_seconds):
        self.did.append("stop target")
        if self.target is PowerState.RUNNING:
            self.target = PowerState.STOPPED


@pytest.fixture
def move(tmp_path):
    def begin(phase, **world):
        sides = Sides(**world)
        store = open_store(Settings(home=tmp_path, database_url=f"sqlite:///{tmp_path / 'kasumi.db'}", inventory=Path("/none")))
        record = Migration(
            estate="test", machine="web1", plan="a" * 64, phase=phase, source_uri="qemu+ssh://old/system", source_domain="web1",
            source_uuid="old", disk=SourceDisk(path="/x", format="raw", size_bytes=512), started_at=SEEN_AT, updated_at=SEEN_AT,
        )  # fmt: skip
        store.save_migration(record)
        target = next(each for each in targets_of_plan(PLAN) if each.id == "hv1")
        return sides, Move(
            plan=PLAN, machine=WEB, origin=WEB.source, target=target, source=sides, host=sides, store=store, actor="me@here",
            say=lambda _: None,
        )  # fmt: skip

    return begin


@pytest.mark.parametrize("boots_what_it_makes", [True, False])
def test_the_target_is_made_and_started_only_while_the_source_is_seen_stopped(move, boots_what_it_makes):
    sides, moving = move(Phase.READY, boots_what_it_makes=boots_what_it_makes)
    assert migrate.cutover(moving).phase is Phase.CUT_OVER
    assert sides.did == ["ensure target", "start target", "ensure target"]
    sides, moving = move(Phase.READY, source=PowerState.RUNNING)
    with pytest.raises(KasumiError, match="must be stopped, found running"):
        migrate.cutover(moving)
    assert sides.did == []


def test_rolling_back_before_the_cutover_removes_what_was_prepared_once_the_source_runs(move):
    sides, moving = move(Phase.READY)
    assert migrate.rollback(moving).phase is Phase.ROLLED_BACK
    assert sides.did == ["start source", "remove target"]


def test_rolling_back_makes_no_target_that_a_cloud_could_not_make(move):
    sides, moving = move(Phase.READY, target=PowerState.FAILED)
    migrate.rollback(moving)
    assert sides.did == ["start source", "remove target"]


def test_rolling_back_after_the_cutover_keeps_the_stopped_target_with_what_it_wrote(move):
    sides, moving = move(Phase.CUT_OVER, target=PowerState.RUNNING)
    migrate.rollback(moving)
    assert sides.did == ["ensure target", "stop target", "start source"]
    assert sides.target is PowerState.STOPPED


@pytest.mark.parametrize("phase", [Phase.CUT_OVER, Phase.ROLLED_BACK])
@pytest.mark.parametrize("target", [None, PowerState.FAILED])
def test_rolling_back_deletes_no_disk_of_a_target_that_was_in_use_and_that_somebody_took_away(move, phase, target):
    sides, moving = move(phase, target=target)
    assert migrate.rollback(moving).phase is Phase.ROLLED_BACK
    assert sides.did == ["start source"]


def test_a_target_that_is_not_at_rest_keeps_the_source_down(move):
    sides, moving = move(Phase.CUT_OVER, target=PowerState.CRASHED)
    with pytest.raises(KasumiError, match="the target is still crashed; the source was not started, two never run at once"):
        migrate.rollback(moving)
    assert sides.source is PowerState.STOPPED
    assert moving.record().phase is Phase.CUT_OVER


@pytest.mark.parametrize(
    ("stands", "again", "why"),
    [
        (seen(WEB), False, "web1 stands there already (running) and no migration on record made it"),
        (seen(WEB, mark=Mark(estate="test", machine="web1", plan="", adopted=True)), False, "was adopted as web1"),
        (seen(WEB, mark=Mark(estate="test", machine="web1", plan="", adopted=True)), True, "was adopted as web1"),
        (seen(WEB, state=PowerState.STOPPED), True, ""),
    ],
    ids=["made otherwise", "adopted", "adopted after a rollback", "left by a rollback"],
)
def test_what_stands_at_the_targets_place_and_is_not_its_own_keeps_the_source_running(move, monkeypatch, stands, again, why):
    def no_shell(*_, **__):
        raise KasumiError("no shell here")

    monkeypatch.setattr(migrate_checks, "shell_of_uri", no_shell)
    sides, moving = move(Phase.PREPARED, source=PowerState.RUNNING)
    target = SimpleNamespace(
        observe=lambda: host("hv1", stands), obstacles=lambda *_, **__: (), copy_place=CopyPlace(uri="qemu+ssh://hv1/system", folder=Path("/x"))
    )  # fmt: skip
    with pytest.raises(RefusedError, match="cannot be migrated now") as refused:
        preflight(PLAN, WEB, moving.origin, target, sides.look("web1"), again=again)
    assert (why in str(refused.value)) if why else ("host hv1: " not in str(refused.value))


def test_an_adopted_machine_does_not_migrate_and_is_not_said_to_be_made_from_an_image():
    mail = machine("mail", method=Method.ADOPT)
    with pytest.raises(KasumiError, match="machine mail: stands on its host and was adopted; machines that migrate: web1"):
        migrate.planned_move(plan(WEB, mail), "mail")
