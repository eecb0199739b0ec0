"""Every figure says what its name says; unknown is missing, old is shown as old, and the page of metrics is this list."""

import re
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder, generate_latest

from controlplane.model.drift import Action
from controlplane.model.migration import Phase
from controlplane.model.observed import PowerState, Usage
from controlplane.model.tenancy import CloudPolicy, Tenancy
from controlplane.reporting.catalogue import CATALOGUE, PREFIX
from controlplane.reporting.cloud_use import ministries_of_projects
from controlplane.reporting.consumption import Consumption
from controlplane.reporting.metrics import collect
from controlplane.reporting.run_tally import RunTally, tally
from tests.execution.plans import SEEN_AT, host, machine, seen
from tests.reporting.views import NOW, full_view, migration, run, standing, with_books, with_host

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
GIB, MIB = 2**30, 2**20


def samples(view):
    """All samples by name and label values."""
    return {
        (sample.name.removeprefix(PREFIX), *sample.labels.values()): sample.value
        for family in collect(view)
        for sample in family.samples
    }


def exposition(view, accept=""):
    class Once:
        def collect(self):
            return collect(view)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Once())
    encode, _ = choose_encoder(accept)
    return encode(registry).decode()


@pytest.fixture(scope="module")
def full():
    return samples(full_view())


@pytest.mark.parametrize(
    ("sample", "value"),
    [
        (("host_up", "hv1"), 1),
        (("host_observation_age_seconds", "hv1"), 30),
        (("host_observation_timestamp_seconds", "hv1"), SEEN_AT.timestamp()),
        (("host_scrape_duration_seconds", "hv1"), 0.25),
        (("host_cpus", "hv1"), 8),
        (("host_memory_capacity_bytes", "hv1"), 16384 * MIB),
        (("pool_capacity_bytes", "hv1", "kasumi"), 100 * GIB),
        (("pool_available_bytes", "hv1", "kasumi"), 40 * GIB),
        (("host_vcpus_promisable", "hv1"), 16),
        (("host_memory_planned_bytes", "hv2"), 1024 * MIB),
        (("pool_promisable_bytes", "hv1", "kasumi"), 90 * GIB),
        (("host_vcpus_allocated", "hv1"), 1 + 2),
        (("host_memory_allocated_bytes", "hv1"), (512 + 1024) * MIB),
        (("pool_allocated_bytes", "hv1", "kasumi"), 4 * GIB),
        (("host_vcpu_overcommit_ratio", "hv1"), 3 / 8),
        (("host_memory_overcommit_ratio", "hv1"), 1536 / 16384),
        (("pool_overcommit_ratio", "hv1", "kasumi"), 0.04),
        (("host_cpu_seconds_total", "hv1"), 100),
        (("host_memory_used_bytes", "hv1"), 200 * MIB),
        (("host_measured_vms", "hv1"), 1),
        (("host_measured_vms", "hv2"), 0),
        (("host_foreign_vms", "hv1"), 1),
        (("vms", "hv1", "mic", "running"), 1),
        (("vms", "hv2", "mic", "stopped"), 1),
        (("vms", "hv2", "mic", "awaited"), 1),
        (("vms_down", "hv1", "mic"), 0),
        (("vms_down", "hv2", "mic"), 1),
        (("servers", "mic", "rehost"), 2),
        (("servers_replaced", "mic"), 2),
        (("placement_hosts_used",), 2),
        (("planned_servers_per_host_ratio",), 4 / 2),
        (("realised_servers_per_host_ratio",), 2 / 1),
        (("ministry_info", "mic", "Internal Affairs"), 1),
        (("ministry_declared_memory_bytes", "mic"), 5 * 2048 * MIB),
        (("ministry_planned_vcpus", "mic"), 3),
        (("ministry_planned_storage_bytes", "mic"), 12 * GIB),
        (("ministry_allocated_memory_bytes", "mic"), 1024 * MIB),
        (("ministry_memory_used_bytes", "mic"), 200 * MIB),
        (("ministry_measured_vms", "mic"), 1),
        (("ministry_cpu_seconds_total", "mic"), 100),
        (("ministry_planned_savings_yen", "mic"), 74_000_000),
        (("drift_items", "hv2", "repairable"), 1),
        (("drift_items", "hv2", "waiting"), 1),
        (("drift_items", "hv1", "refused"), 1),
        (("drift_items", "hv1", "repairable"), 0),
        (("drift_oldest_age_seconds",), 5 * 60 + 30),
        (("drift_last_look_timestamp_seconds",), SEEN_AT.timestamp()),
        (("migrations", "mic", "prepared"), 1),
        (("migrations", "mic", "waiting"), 0),
        (("migration_problems", "mic"), 0),
        (("host_ministry_info", "hv1", "mic"), 1),
        (("quota_limit", "hv1", "cores"), 20),
        (("quota_used", "hv1", "instances"), 2),
        (("cloud_requests_total", "hv1", "compute"), 8),
        (("cloud_request_failures_total", "hv1", "compute"), 2),
        (("cloud_request_seconds_total", "hv1", "compute"), 1.0),
        (("runs_total", "reconcile"), 3),
        (("run_failures_total", "reconcile"), 2),
        (("run_duration_seconds_bucket", "reconcile", "5.0"), 1),
        (("run_duration_seconds_bucket", "reconcile", "60.0"), 2),
        (("run_duration_seconds_bucket", "reconcile", "+Inf"), 2),
        (("run_duration_seconds_sum", "reconcile"), 23),
        (("run_last_end_timestamp_seconds", "reconcile"), SEEN_AT.timestamp() + 20),
        (("run_last_success_timestamp_seconds", "reconcile"), SEEN_AT.timestamp() + 3),
        (("audit_records_total",), 12),
        (("audit_chain_valid",), 1),
        (("plan_accepted_timestamp_seconds",), SEEN_AT.timestamp()),
    ],
)
def test_value(full, sample, value):
    assert full[sample] == pytest.approx(value)


def test_all_of_the_catalogue_is_exported_and_nothing_else():
    families = list(collect(full_view()))
    assert [family.name.removeprefix(PREFIX) for family in families] == [family.name for family in CATALOGUE]
    assert not [sample.name for family in families for sample in family.samples if sample.name.endswith("_created")]


def test_each_sample_has_the_labels_of_its_family_once():
    for family in collect(full_view()):
        keys = [(sample.name, *sample.labels.items()) for sample in family.samples]
        assert len(keys) == len(set(keys)), family.name


def test_the_document_lists_the_catalogue():
    rows = re.findall(r"^\| `(consolidation_\w+)` \| (\w+) \| (.+?) \| (.+) \|$", DOCUMENT.read_text(encoding="utf-8"), re.M)
    wanted = [
        (
            f"{PREFIX}{family.name}{'_total' if family.kind == 'counter' else ''}",
            family.kind,
            ", ".join(f"`{label}`" for label in family.labels) or "-",
            family.text,
        )
        for family in CATALOGUE
    ]
    assert rows == wanted


def test_prometheus_finds_nothing_to_complain_about():
    result = subprocess.run(
        ["promtool", "check", "metrics"], input=exposition(full_view()), text=True, capture_output=True, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_openmetrics_when_asked_for():
    text = exposition(full_view(), "application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")
    assert 'consolidation_runs_total{verb="apply"} 1.0' in text


def test_a_host_that_does_not_answer_keeps_its_old_values_and_says_how_old_they_are():
    view = with_host(full_view(NOW + timedelta(hours=1)), "hv1", up=False, error="no answer")
    found = samples(view)
    assert found["host_up", "hv1"] == 0
    assert found["host_observation_age_seconds", "hv1"] == 3630
    assert found["host_memory_used_bytes", "hv1"] == 200 * MIB
    assert found["vms", "hv1", "mic", "unknown"] == 1
    assert ("vms_down", "hv1", "mic") not in found, "nobody knows; the host's own alert speaks for it"
    assert ("vms", "hv1", "mic", "running") not in found
    assert not [key for key in found if key[:2] == ("drift_items", "hv1")], "what differs there is not known"
    assert ("realised_servers_per_host_ratio",) not in found


def test_a_host_never_seen_has_no_values_at_all():
    found = samples(with_host(full_view(), "hv2", up=False, good=None, duration_seconds=20.0))
    about = {key[0] for key in found if "hv2" in key}
    planned = {key for key in about if "planned" in key or "promisable" in key}
    assert about - planned == {"host_up", "host_scrape_duration_seconds", "vms"}


def test_before_the_first_look_is_over_nobody_claims_up_or_down():
    assert ("host_up", "hv1") not in samples(with_host(full_view(), "hv1", up=None, good=None))


def test_a_machine_that_is_gone_from_a_host_that_answers_is_absent():
    found = samples(with_host(full_view(), "hv1", good=host("hv1", disk_free_gib=1)))
    assert (found["vms", "hv1", "mic", "absent"], found["vms_down", "hv1", "mic"]) == (1, 1)


def test_use_that_no_guest_reports_is_missing_not_zero():
    view = full_view()
    quiet = replace(view.hosts[0].good, machines=(seen(machine("web1"), usage=Usage()),))
    found = samples(replace(with_host(view, "hv1", good=quiet), consumption=Consumption()))
    for name in ("host_memory_used_bytes", "host_cpu_seconds_total"):
        assert (name, "hv1") not in found
    for name in ("ministry_memory_used_bytes", "ministry_cpu_seconds_total"):
        assert (name, "mic") not in found


def test_without_a_plan_hosts_are_still_shown():
    found = samples(with_books(full_view(), plan=None, acceptance=None, drift=None))
    assert found["host_cpus", "hv1"] == 8
    assert not [key for key in found if key[0].startswith(("ministry", "vms", "drift", "plan", "placement"))]


def test_a_ministry_without_a_promise_has_no_savings():
    view = full_view()
    found = samples(with_books(view, plan=replace(view.plan, systems=())))
    assert ("ministry_planned_savings_yen", "mic") not in found


def test_no_drift_is_zero_and_has_no_instant():
    view = full_view()
    found = samples(with_books(view, drift=replace(view.books.drift, standing=())))
    assert found["drift_oldest_age_seconds",] == 0
    assert ("drift_oldest_timestamp_seconds",) not in found


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (Action.CREATE, "repairable"),
        (Action.REMOVE, "repairable"),
        (Action.RESTART_NEEDED, "waiting"),
        (Action.REFUSE, "refused"),
    ],
)
def test_kinds_of_drift(action, kind):
    view = full_view()
    found = samples(with_books(view, drift=replace(view.books.drift, standing=(standing(action, "hv1", SEEN_AT),))))
    assert {key[2] for key, value in found.items() if key[0] == "drift_items" and value} == {kind}


def test_hosts_in_a_ministrys_project_are_its_own():
    policy = CloudPolicy(
        id="west", administrator="west-admin", member="kasumi", member_domain="Default", tenancy=Tenancy.PROJECT, domain="Default",
        headroom_percent=None, ministries={"mof": "west-mof"},
    )  # fmt: skip
    uris = {
        "w1": "openstack://west-mof/az1?boot=volume",
        "w2": "openstack://west-mof/az2",
        "e1": "openstack://east",
        "hv1": "test:///x",
    }
    assert ministries_of_projects(uris, [policy]) == {"w1": "mof", "w2": "mof"}


def test_a_migration_under_way_shows_its_bytes_and_its_problem():
    found = samples(with_books(full_view(), migrations=(migration(Phase.SOURCE_STOPPED, "the pool is full"),)))
    assert found["migration_problems", "mic"] == 1
    assert found["migration_data_processed_bytes", machine("db1").uuid, "db1"] == 250
    assert found["vms", "hv2", "mic", "awaited"] == 1


def test_a_finished_migration_shows_its_machine_and_no_bytes():
    found = samples(with_books(full_view(), migrations=(migration(Phase.FINALIZED),)))
    assert not [key for key in found if key[0].startswith("migration_data")]
    assert found["vms", "hv2", "mic", "absent"] == 1


def test_cpu_time_only_grows_over_reboots_and_moves():
    def look(on, seconds):
        return host(on, seen(machine("web1"), usage=Usage(cpu_seconds=seconds)))

    totals = Consumption()
    shown = []
    for seconds in (50.0, 60.0, 5.0, 8.0):
        totals = totals.after(look("hv1", seconds), {machine("web1").uuid: "mic"})
        shown.append(totals.by_ministry["mic"])
    assert shown == [0, 10, 15, 18]
    totals = totals.after(look("hv2", 2.0), {machine("web1").uuid: "mic"}).after(look("hv2", 3.0), {machine("web1").uuid: "mic"})
    assert totals.by_ministry["mic"] == 19
    assert totals.by_host == {"hv1": 18, "hv2": 1}


def test_runs_that_go_on_are_not_counted():
    assert tally((run("apply", ""),), {}) == {}
    twice = tally((run("apply", "ok", 0.5),), {"apply": RunTally().with_run(run("apply", "failed", 4000.0))})["apply"]
    assert (twice.total, twice.failed, twice.in_bounds[0], twice.in_bounds[-1]) == (2, 1, 1, 1)


def test_hostile_names_stay_inside_their_labels():
    view = full_view()
    text = exposition(with_books(view, plan=replace(view.plan, ministries={"mic": 'a"b\\c\nd'})))
    assert r'name="a\"b\\c\nd"' in text


def test_a_new_scrape_starts_from_nothing():
    registry = CollectorRegistry(auto_describe=False)
    views = [full_view(), with_host(full_view(), "hv1", good=None)]

    class Next:
        def collect(self):
            return collect(views.pop(0))

    registry.register(Next())
    assert b'consolidation_host_cpus{host="hv1"}' in generate_latest(registry)
    assert b'consolidation_host_cpus{host="hv1"}' not in generate_latest(registry)


def test_leases_are_counted_by_how_they_stand_and_what_is_to_be_stopped_is_not_down():
    view = full_view()
    today = view.at.date()
    leases = {
        "lease/web1": {"until": (today - timedelta(days=1)).isoformat(), "at_end": "stop"},
        "lease/web2": {"until": (today + timedelta(days=3)).isoformat(), "at_end": "report"},
    }
    leased = with_books(view, plan=replace(view.plan, inputs=view.plan.inputs | leases))
    for shown, counts in ((view, (0, 0, 0)), (leased, (0, 1, 1))):
        found = samples(shown)
        assert tuple(found["leases", "mic", state] for state in ("current", "ending", "ended")) == counts
    stopped = host("hv1", seen(machine("web1"), state=PowerState.STOPPED))
    assert samples(with_host(view, "hv1", good=stopped))["vms_down", "hv1", "mic"] == 1
    assert samples(with_host(leased, "hv1", good=stopped))["vms_down", "hv1", "mic"] == 0
