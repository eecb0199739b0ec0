"""State to metrics: names of the field, base units, missing data missing. Pure; a new set of objects for every scrape.

Values of a host come from the last look at which it answered and are left out for a host that does not answer now; its
`host_up` and the age of its data say so. Nothing here is a guess, and nothing is zero because it is unknown.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from controlplane import __version__
from controlplane.model.estate import Disposition
from controlplane.model.observed import HostObservation, ObservedMachine, PowerState
from controlplane.model.plan import Plan, PlannedMachine
from controlplane.reporting.state import State

PREFIX = "consolidation"
_MIB = 2**20
_GIB = 2**30
_YEN = 1000
_GONE = frozenset({Disposition.RETIRE, Disposition.MERGE, Disposition.REHOST, Disposition.REPLATFORM})

Rows = Mapping[Any, float]
"""Label values to number."""


def collect(state: State) -> Iterator[Metric]:
    """All metric families of one scrape."""
    yield _info()
    yield from _hosts(state)
    yield from _machines(state)
    if state.plan is not None:
        yield from _plan(state.plan)
        yield from _consolidation(state.plan, state)
        yield from _ministries(state.plan, state)
    yield from _drift(state)
    yield from _migrations(state)
    yield from _runs(state)
    yield _gauge(
        "audit_chain_valid", "1 when the evidence chain was whole at the last check.", (), {(): float(state.evidence_whole)}
    )


def _info() -> Metric:
    metric = InfoMetricFamily(f"{PREFIX}_build", "Version of the control plane.")
    metric.add_metric((), {"version": __version__})
    return metric


def _gauge(name: str, text: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    metric = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    for values, number in sorted(rows.items()):
        metric.add_metric(values, number)
    return metric


def _counter(name: str, text: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    metric = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    for values, number in sorted(rows.items()):
        metric.add_metric(values, number)
    return metric


def _hosts(state: State) -> Iterator[Metric]:
    latest, good = state.latest.hosts, state.good.hosts
    host = ("host",)
    yield _gauge(
        "host_up", "1 when the host answered at the last look.", host, {(h,): float(o.reachable) for h, o in latest.items()}
    )
    yield _gauge(
        "host_observation_timestamp_seconds",
        "When the host last answered; the other host metrics are of then.",
        host,
        {(h,): o.observed_at.timestamp() for h, o in good.items()},
    )
    yield _gauge(
        "host_observation_age_seconds",
        "Seconds since the host last answered, at the time of this scrape.",
        host,
        {(h,): (state.at - o.observed_at).total_seconds() for h, o in good.items()},
    )
    yield _gauge(
        "host_observation_duration_seconds",
        "How long the last look took.",
        host,
        {(h,): o.duration_seconds for h, o in latest.items()},
    )
    answering = {h: o for h, o in latest.items() if o.reachable and o.capacity is not None}
    info = GaugeMetricFamily(
        f"{PREFIX}_host_info", "What the host is.", labels=("host", "hypervisor", "version", "virtualisation")
    )
    for h, o in sorted(answering.items()):
        if o.capacity is not None:
            info.add_metric((h, o.capacity.hypervisor, o.capacity.version, o.capacity.virtualisation), 1)
    yield info
    yield from _host_capacity(answering)


def _host_capacity(answering: Mapping[str, HostObservation]) -> Iterator[Metric]:
    host = ("host",)
    totals = {h: o.capacity.total for h, o in answering.items() if o.capacity is not None}
    yield _gauge("host_cpus", "CPUs the host reports.", host, {(h,): t.vcpus for h, t in totals.items()})
    yield _gauge(
        "host_memory_capacity_bytes", "Memory the host reports.", host, {(h,): t.memory_mib * _MIB for h, t in totals.items()}
    )
    yield _gauge(
        "pool_capacity_bytes", "Size of the file system of our pool.", host,
        {(h,): t.disk_gib * _GIB for h, t in totals.items() if t.disk_gib},
    )  # fmt: skip
    yield _gauge(
        "pool_available_bytes", "Free space of the file system of our pool.", host,
        {(h,): o.disk_free_gib * _GIB for h, o in answering.items() if o.disk_free_gib is not None},
    )  # fmt: skip
    yield _gauge(
        "host_vcpus_allocated", "Virtual CPUs of all machines on the host, foreign ones included.", host,
        {(h,): sum(m.vcpus for m in o.machines) for h, o in answering.items()},
    )  # fmt: skip
    yield _gauge(
        "host_memory_allocated_bytes", "Memory of all machines on the host, foreign ones included.", host,
        {(h,): sum(m.memory_mib for m in o.machines) * _MIB for h, o in answering.items()},
    )  # fmt: skip
    yield _gauge(
        "host_memory_used_bytes", "Memory the guests really use, of those that report it.", host,
        {(h,): used * _MIB for h, o in answering.items() if (used := _sum_used(o.machines)) is not None},
    )  # fmt: skip
    yield _counter(
        "host_guest_cpu_seconds", "CPU time of the machines that run now, since each was started.", host,
        {(h,): sum(m.usage.cpu_seconds or 0.0 for m in o.machines) for h, o in answering.items() if o.machines},
    )  # fmt: skip


def _sum_used(machines: tuple[ObservedMachine, ...]) -> int | None:
    used = [machine.usage.memory_used_mib for machine in machines if machine.usage.memory_used_mib is not None]
    return sum(used) if used else None


def _machines(state: State) -> Iterator[Metric]:
    owner = {machine.uuid: machine for machine in state.plan.machines} if state.plan is not None else {}
    counts: Counter[tuple[str, str, str]] = Counter()
    info = GaugeMetricFamily(
        f"{PREFIX}_vm_info", "Our machines as found.", labels=("uuid", "domain", "host", "ministry", "system", "confidentiality")
    )
    for host, seen in sorted(state.latest.hosts.items()):
        for machine in seen.machines:
            planned = owner.get(machine.uuid) if machine.mark is not None and machine.mark.estate == state.estate else None
            counts[host, planned.ministry if planned is not None else "foreign", machine.state.value] += 1
            if planned is not None:
                labels = (machine.uuid, machine.name, host, planned.ministry, planned.system, str(planned.confidentiality))
                info.add_metric(labels, 1)
    yield info
    yield _gauge("vms", "Machines found, by host, ministry and state.", ("host", "ministry", "state"), dict(counts))


def _plan(plan: Plan) -> Iterator[Metric]:
    host = ("host",)
    for name, text, field, factor in (
        ("host_vcpus_promisable", "Virtual CPUs that may be promised, after reservation and overcommit.", "vcpus", 1),
        ("host_memory_promisable_bytes", "Memory that may be promised, after reservation and overcommit.", "memory_mib", _MIB),
        ("host_disk_promisable_bytes", "Disk that may be promised, after reservation and overcommit.", "disk_gib", _GIB),
    ):
        yield _gauge(name, text, host, {(h.id,): getattr(h.promised_capacity, field) * factor for h in plan.hosts})
    for name, text, field, factor in (
        ("host_vcpus_promised", "Virtual CPUs the accepted plan promises.", "vcpus", 1),
        ("host_memory_promised_bytes", "Memory the accepted plan promises.", "memory_mib", _MIB),
        ("host_disk_promised_bytes", "Disk the accepted plan promises.", "disk_gib", _GIB),
    ):
        yield _gauge(name, text, host, {(h.id,): getattr(h.allocated_after, field) * factor for h in plan.hosts})
    yield _gauge(
        "host_vcpu_overcommit_ratio", "Promised virtual CPUs over physical CPUs.", host,
        {(h.id,): h.allocated_after.vcpus / h.physical.vcpus for h in plan.hosts if h.physical.vcpus},
    )  # fmt: skip
    yield _gauge(
        "host_memory_overcommit_ratio", "Promised memory over physical memory.", host,
        {(h.id,): h.allocated_after.memory_mib / h.physical.memory_mib for h in plan.hosts if h.physical.memory_mib},
    )  # fmt: skip


def _consolidation(plan: Plan, state: State) -> Iterator[Metric]:
    used = {machine.host for machine in plan.machines}
    yield _gauge("placement_hosts_used", "Hosts the accepted plan uses.", (), {(): len(used)})
    dispositions = Counter((server.ministry, server.disposition.value) for server in plan.servers)
    yield _gauge("servers", "Existing servers by what becomes of them.", ("ministry", "disposition"), dict(dispositions))
    replaced = sum(1 for server in plan.servers if server.disposition in _GONE)
    if used:
        yield _gauge("plan_ratio", "Machines of the accepted plan per host it uses.", (), {(): len(plan.machines) / len(used)})
        yield _gauge("plan_servers_per_host_ratio", "Servers that leave, per host the plan uses.", (), {(): replaced / len(used)})
    running = _running(plan, state)
    busy = {machine.host for machine in running}
    if busy:
        yield _gauge("realised_ratio", "Planned machines that run now, per host they run on.", (), {(): len(running) / len(busy)})


def _running(plan: Plan, state: State) -> list[PlannedMachine]:
    up = {m.uuid for seen in state.latest.hosts.values() for m in seen.machines if m.state is PowerState.RUNNING}
    return [machine for machine in plan.machines if machine.uuid in up]


def _ministries(plan: Plan, state: State) -> Iterator[Metric]:
    label = ("ministry",)
    by_ministry = {ministry: [m for m in plan.machines if m.ministry == ministry] for ministry in plan.ministries}
    for name, text, field, factor in (
        ("ministry_allocated_vcpus", "Virtual CPUs the accepted plan gives the ministry.", "vcpus", 1),
        ("ministry_allocated_memory_bytes", "Memory the accepted plan gives the ministry.", "memory_mib", _MIB),
        ("ministry_allocated_storage_bytes", "Disk the accepted plan gives the ministry.", "disk_gib", _GIB),
    ):
        yield _gauge(
            name, text, label, {(m,): sum(getattr(x.size, field) for x in own) * factor for m, own in by_ministry.items()}
        )
    seen = {m.uuid: m for host in state.latest.hosts.values() for m in host.machines}
    memory: dict[tuple[str, ...], float] = {}
    cpu: dict[tuple[str, ...], float] = {}
    for ministry, own in by_ministry.items():
        found = [seen[machine.uuid].usage for machine in own if machine.uuid in seen]
        used = [usage.memory_used_mib for usage in found if usage.memory_used_mib is not None]
        seconds = [usage.cpu_seconds for usage in found if usage.cpu_seconds is not None]
        if used:
            memory[ministry,] = sum(used) * _MIB
        if seconds:
            cpu[ministry,] = sum(seconds)
    yield _gauge("ministry_used_memory_bytes", "Memory its guests really use, of those that report it.", label, memory)
    yield _counter("ministry_guest_cpu_seconds", "CPU time of its machines that run now, since each was started.", label, cpu)
    savings: Counter[tuple[str, ...]] = Counter()
    for system in plan.systems:
        if system.promised_saving_thousand_yen is not None:
            savings[system.ministry,] += system.promised_saving_thousand_yen * _YEN
    yield _gauge("ministry_planned_savings_yen", "Yearly saving promised for its systems.", label, dict(savings))


def _drift(state: State) -> Iterator[Metric]:
    if state.drift is None:
        return
    counts: Counter[tuple[str, ...]] = Counter((drift.host, drift.action.value) for drift in state.drift.drift)
    yield _gauge("drift_items", "Differences from the accepted plan at the last look.", ("host", "kind"), dict(counts))
    yield _gauge("drift_all_items", "All differences from the accepted plan at the last look.", (), {(): len(state.drift.drift)})
    yield _gauge("drift_timestamp_seconds", "When drift was last looked for.", (), {(): state.drift.at.timestamp()})


def _migrations(state: State) -> Iterator[Metric]:
    ministry = {machine.id: machine.ministry for machine in state.plan.machines} if state.plan is not None else {}
    counts: Counter[tuple[str, ...]] = Counter((ministry.get(m.machine, "unknown"), m.phase.value) for m in state.migrations)
    yield _gauge("migrations", "Migrations by phase.", ("ministry", "state"), dict(counts))
    label = ("machine",)
    yield _gauge(
        "migration_data_size_bytes",
        "Size of the disk to move.",
        label,
        {(m.machine,): m.disk.size_bytes for m in state.migrations},
    )
    yield _gauge(
        "migration_data_processed_bytes",
        "Bytes of the disk moved so far.",
        label,
        {(m.machine,): m.copied_bytes for m in state.migrations},
    )


def _runs(state: State) -> Iterator[Metric]:
    label = ("verb",)
    ended = [run for run in state.runs if run.ended_at is not None]
    yield _counter("runs", "Runs of a verb.", label, Counter((run.verb,) for run in state.runs))
    failed = Counter({(run.verb,): 0 for run in state.runs})
    failed.update((run.verb,) for run in state.runs if run.result in {"failed", "interrupted"})
    yield _counter("run_failures", "Runs that failed or were interrupted.", label, failed)
    last = {(run.verb,): run for run in reversed(ended)}
    durations = {key: (run.ended_at - run.started_at).total_seconds() for key, run in last.items() if run.ended_at is not None}
    yield _gauge("run_duration_seconds", "How long the last run of a verb took.", label, durations)
    ends = {key: run.ended_at.timestamp() for key, run in last.items() if run.ended_at is not None}
    yield _gauge("run_last_timestamp_seconds", "When the last run of a verb ended.", label, ends)
    good = {(run.verb,): run.ended_at.timestamp() for run in reversed(ended) if run.result == "ok" and run.ended_at is not None}
    yield _gauge("run_last_success_timestamp_seconds", "When a verb last succeeded.", label, good)
