"""A view of an estate in which every metric has something to say; tests change one thing in it."""

from dataclasses import replace
from datetime import datetime, timedelta

from controlplane.model.document import digest
from controlplane.model.drift import Action, Drift
from controlplane.model.estate import Disposition
from controlplane.model.migration import Migration, Phase, SourceDisk
from controlplane.model.observed import ApiUse, PowerState, Quota, Usage
from controlplane.model.plan import Method, Plan, PlannedServer, PlannedSystem
from controlplane.model.resources import Resources
from controlplane.reporting.cloud_use import CloudUse
from controlplane.reporting.consumption import Consumption
from controlplane.reporting.run_tally import tally
from controlplane.reporting.watched import Books, HostView, Watched
from controlplane.store import Run
from controlplane.store.state import Acceptance, DriftRecord, StandingDrift
from tests.execution.plans import SEEN_AT, host, machine, plan, seen

NOW = SEEN_AT + timedelta(seconds=30)
PHYSICAL = Resources(vcpus=8, memory_mib=16384, disk_gib=100)


def full_plan() -> Plan:
    web1, web2, db1 = machine("web1"), machine("web2", host="hv2"), machine("db1", host="hv2", method=Method.COLD)
    base = plan(web1, web2, db1)
    return replace(
        base,
        hosts=tuple(
            replace(
                each, physical=PHYSICAL, promised_capacity=Resources(vcpus=16, memory_mib=15000, disk_gib=90),
                allocated_after=Resources(vcpus=2, memory_mib=1024, disk_gib=8),
            )
            for each in base.hosts
        ),
        systems=(
            PlannedSystem(
                id="portal", ministry="mic", name="窓口", name_en="Portal", study_class=1, promised_saving_thousand_yen=74046
            ),
            PlannedSystem(
                id="board", ministry="mic", name="掲示板", name_en="Board", study_class=1, promised_saving_thousand_yen=-46
            ),
            PlannedSystem(id="mail", ministry="mic", name="郵", name_en="Mail", study_class=2, promised_saving_thousand_yen=None),
        ),
        servers=tuple(
            PlannedServer(
                id=name, system="portal", ministry="mic", size=Resources(vcpus=2, memory_mib=2048, disk_gib=20),
                disposition=disposition, machine=into, reason="",
            )
            for name, disposition, into in (
                ("old-web", Disposition.REHOST, "web1"), ("old-mirror", Disposition.MERGE, "web1"),
                ("old-db", Disposition.REHOST, "db1"), ("old-fax", Disposition.RETIRE, ""), ("old-kept", Disposition.RETAIN, ""),
            )
        ),
    )  # fmt: skip


def run(verb: str, result: str, seconds: float = 3.0, run_id: int = 1) -> Run:
    return Run(
        id=run_id, verb=verb, plan="0" * 64, actor="me@here", started_at=SEEN_AT,
        ended_at=SEEN_AT + timedelta(seconds=seconds) if result in {"ok", "failed"} else None, result=result, summary={},
    )  # fmt: skip


def migration(phase: Phase, problem: str = "") -> Migration:
    return Migration(
        estate="test", machine="db1", plan="0", phase=phase, source_uri="qemu+ssh://old/system", source_domain="db1",
        source_uuid="u", disk=SourceDisk(path="/d", format="qcow2", size_bytes=1000), copied_bytes=250, problem=problem,
        started_at=SEEN_AT, updated_at=SEEN_AT,
    )  # fmt: skip


def standing(action: Action, on: str, since: datetime) -> StandingDrift:
    return StandingDrift(
        drift=Drift(host=on, subject=f"{on}-{action}", what="state", wanted="running", found="stopped", action=action),
        since=since,
    )


def full_view(at: datetime = NOW, cpu_seconds: float = 100.0) -> Watched:
    accepted = full_plan()
    web1, web2, _ = accepted.machines
    used = Usage(cpu_seconds=cpu_seconds, memory_used_mib=200)
    foreign = replace(seen(machine("other")), mark=None, memory_mib=1024, vcpus=2)
    one = host("hv1", seen(web1, usage=used), foreign, capacity=_capacity(), disk_free_gib=40)
    two = host(
        "hv2", seen(web2, state=PowerState.STOPPED, live_vcpus=None, live_memory_mib=None), capacity=_capacity(), disk_free_gib=90
    )
    one = replace(
        one,
        quotas=(Quota(name="cores", limit=20, used=3), Quota(name="instances", limit=None, used=2)),
        api_use=(ApiUse(service="compute", requests=4, failures=1, seconds=0.5),),
    )
    ministries = {each.uuid: each.ministry for each in accepted.machines}
    before = replace(one, machines=(seen(web1, usage=Usage(cpu_seconds=0.0)),))
    runs = (run("apply", "ok", 70.0), run("reconcile", "ok"), run("reconcile", "failed", 20.0), run("reconcile", "interrupted"))
    return Watched(
        estate="test",
        at=at,
        interval_seconds=60,
        hosts=tuple(
            HostView(id=each.host, pool="kasumi", site="east", ministry=of, up=True, good=each, duration_seconds=0.25)
            for each, of in ((one, "mic"), (two, ""))
        ),
        books=Books(
            read_at=at,
            plan=accepted,
            acceptance=Acceptance(digest=digest(accepted), at=SEEN_AT, actor="me@here"),
            drift=DriftRecord(
                at=SEEN_AT,
                standing=(
                    standing(Action.START, "hv2", SEEN_AT - timedelta(minutes=5)),
                    standing(Action.MIGRATE, "hv2", SEEN_AT - timedelta(minutes=1)),
                    standing(Action.REFUSE, "hv1", SEEN_AT),
                ),
            ),
            migrations=(migration(Phase.PREPARED),),
            recent_runs=runs,
            runs=tally(runs, {}),
            evidence_records=12,
            evidence_whole=True,
            evidence_verified_at=SEEN_AT,
        ),
        consumption=Consumption().after(before, ministries).after(one, ministries),
        cloud_use=CloudUse().after(one).after(one),
    )


def _capacity():
    return replace(host("hv1").capacity, total=PHYSICAL)


def with_host(view: Watched, name: str, **changes: object) -> Watched:
    """The view with one host changed."""
    return replace(view, hosts=tuple(replace(each, **changes) if each.id == name else each for each in view.hosts))  # type: ignore[arg-type]


def with_books(view: Watched, **changes: object) -> Watched:
    """The view with the books changed."""
    return replace(view, books=replace(view.books, **changes))  # type: ignore[arg-type]
