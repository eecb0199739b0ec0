"""The view of the estate as metrics. Pure: what is unknown is left out, what is old is shown with its age beside it."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import Metric

from controlplane import __version__
from controlplane.model.drift import Action
from controlplane.model.estate import Disposition
from controlplane.model.lease import AtEnd, LeaseState
from controlplane.model.migration import Phase
from controlplane.model.observed import UNLIMITED, HostObservation, ObservedMachine, PowerState
from controlplane.model.plan import Method, Plan, PlannedMachine
from controlplane.model.resources import Resources, total
from controlplane.planning.leases import planned_leases, standings
from controlplane.reporting.cloud_use import put_cloud_samples
from controlplane.reporting.run_tally import RunTally
from controlplane.reporting.samples import Samples
from controlplane.reporting.watched import ABSENT, RUNNING, HostView, Watched

_MIB = 2**20
_GIB = 2**30
_YEN_PER_THOUSAND = 1000
_LEFT = frozenset({Disposition.RETAIN})
_WAITING = frozenset({Action.WAIT, Action.MIGRATE, Action.RESTART_NEEDED})
_DOWN = frozenset(
    {ABSENT, *(state.value for state in (PowerState.STOPPED, PowerState.CRASHED, PowerState.PAUSED, PowerState.FAILED))}
)
_OVER = frozenset({Phase.FINALIZED, Phase.ROLLED_BACK})
_DRIFT_KINDS = ("repairable", "waiting", "refused")
_ALWAYS_COUNTED = ("apply", "reconcile")
"""Verbs that have counters before their first run, so that the first failure is a rise and not a new series."""

Placed = tuple[PlannedMachine, str, ObservedMachine | None, str]


def collect(state: Watched) -> Iterator[Metric]:
    """All metric families of one scrape."""
    samples = Samples()
    placed = state.planned_and_seen()
    _controller(samples, state)
    for host in state.hosts:
        _host(samples, state, host)
    if state.plan is not None:
        _planned_hosts(samples, state.plan)
        _allocated_storage(samples, state, placed)
        _machines(samples, placed, {host.id for host in state.hosts if host.up}, _kept_stopped(state, state.plan))
        _leases(samples, state, state.plan)
        _consolidation(samples, state.plan, placed)
        _ministries(samples, state, state.plan, placed)
        _migrations(samples, state, state.plan)
    _drift(samples, state)
    _runs(samples, state)
    return samples.families()


def _controller(samples: Samples, state: Watched) -> None:
    books = state.books
    samples.put("build_info", 1, __version__)
    if books.acceptance is not None:
        samples.put("plan_info", 1, state.estate, books.acceptance.digest[:12])
        samples.put("plan_accepted_timestamp_seconds", books.acceptance.at.timestamp())
    samples.put("controller_heartbeat_timestamp_seconds", books.read_at.timestamp())
    samples.put("observation_interval_seconds", state.interval_seconds)
    samples.put("audit_records", books.evidence_records)
    if books.evidence_whole is not None and books.evidence_verified_at is not None:
        samples.put("audit_chain_valid", float(books.evidence_whole))
        samples.put("audit_chain_verified_timestamp_seconds", books.evidence_verified_at.timestamp())


def _host(samples: Samples, state: Watched, host: HostView) -> None:
    samples.put("host_up", None if host.up is None else float(host.up), host.id)
    samples.put("host_scrape_duration_seconds", host.duration_seconds, host.id)
    samples.put("host_cpu_seconds", state.consumption.by_host.get(host.id), host.id)
    if host.ministry:
        samples.put("host_ministry_info", 1, host.id, host.ministry)
    put_cloud_samples(samples, host.id, host.good, state.cloud_use)
    if host.good is None:
        return
    samples.put("host_observation_timestamp_seconds", host.good.observed_at.timestamp(), host.id)
    samples.put("host_observation_age_seconds", max(0.0, (state.at - host.good.observed_at).total_seconds()), host.id)
    machines = host.good.machines
    used = [machine.usage.memory_used_mib for machine in machines if machine.usage.memory_used_mib is not None]
    samples.put("host_memory_used_bytes", sum(used) * _MIB if used else None, host.id)
    samples.put("host_measured_vms", len(used), host.id)
    foreign = sum(1 for machine in machines if machine.mark is None or machine.mark.estate != state.estate)
    samples.put("host_foreign_vms", foreign, host.id)
    vcpus, memory_mib = sum(machine.vcpus for machine in machines), sum(machine.memory_mib for machine in machines)
    samples.put("host_vcpus_allocated", vcpus, host.id)
    samples.put("host_memory_allocated_bytes", memory_mib * _MIB, host.id)
    _capacity(samples, host, host.good, Resources(vcpus=vcpus, memory_mib=memory_mib))


def _capacity(samples: Samples, host: HostView, good: HostObservation, allocated: Resources) -> None:
    if good.disk_free_gib is not None:
        samples.put("pool_available_bytes", good.disk_free_gib * _GIB, host.id, host.pool)
    if good.capacity is None:
        return
    found, has = good.capacity, good.capacity.total
    samples.put("host_info", 1, host.id, found.hypervisor, found.version, found.virtualisation, host.site)
    if has.vcpus < UNLIMITED:
        samples.put("host_cpus", has.vcpus, host.id)
    if has.memory_mib < UNLIMITED:
        samples.put("host_memory_capacity_bytes", has.memory_mib * _MIB, host.id)
    if 0 < has.disk_gib < UNLIMITED:
        samples.put("pool_capacity_bytes", has.disk_gib * _GIB, host.id, host.pool)
    if 0 < has.vcpus < UNLIMITED:
        samples.put("host_vcpu_overcommit_ratio", allocated.vcpus / has.vcpus, host.id)
    if 0 < has.memory_mib < UNLIMITED:
        samples.put("host_memory_overcommit_ratio", allocated.memory_mib / has.memory_mib, host.id)


def _planned_hosts(samples: Samples, plan: Plan) -> None:
    for host in plan.hosts:
        for what, amount in (("promisable", host.promised_capacity), ("planned", host.allocated_after)):
            samples.put(f"host_vcpus_{what}", amount.vcpus, host.id)
            samples.put(f"host_memory_{what}_bytes", amount.memory_mib * _MIB, host.id)
            samples.put(f"pool_{what}_bytes", amount.disk_gib * _GIB, host.id, host.pool.name)
    samples.put("placement_hosts_used", len({machine.host for machine in plan.machines}))


def _allocated_storage(samples: Samples, state: Watched, placed: tuple[Placed, ...]) -> None:
    disk_gib: Counter[str] = Counter()
    for planned, where, seen, _ in placed:
        if seen is not None:
            disk_gib[where] += planned.size.disk_gib
    for host in state.hosts:
        if host.good is None:
            continue
        samples.put("pool_allocated_bytes", disk_gib[host.id] * _GIB, host.id, host.pool)
        if host.good.capacity is not None and 0 < host.good.capacity.total.disk_gib < UNLIMITED:
            samples.put("pool_overcommit_ratio", disk_gib[host.id] / host.good.capacity.total.disk_gib, host.id, host.pool)


def _machines(samples: Samples, placed: tuple[Placed, ...], answering: set[str], kept_stopped: set[str]) -> None:
    counts: Counter[tuple[str, str, str]] = Counter()
    down: Counter[tuple[str, str]] = Counter()
    for planned, where, seen, state in placed:
        counts[where, planned.ministry, state] += 1
        if where in answering:
            down[where, planned.ministry] += state in _DOWN and planned.id not in kept_stopped
        if seen is not None:
            samples.put("vm_info", 1, seen.uuid, seen.name, where, planned.ministry, planned.system, str(planned.confidentiality))
    for labels, count in sorted(counts.items()):
        samples.put("vms", count, *labels)
    for place, count in sorted(down.items()):
        samples.put("vms_down", count, *place)


def _kept_stopped(state: Watched, plan: Plan) -> set[str]:
    """Machines that are to be down, since their lease ended."""
    ended = (each for each in standings(planned_leases(plan), state.at.date()) if each.state is LeaseState.ENDED)
    return {each.machine for each in ended if each.lease.at_end is AtEnd.STOP}


def _leases(samples: Samples, state: Watched, plan: Plan) -> None:
    whose = {machine.id: machine.ministry for machine in plan.machines}
    found = Counter((whose[each.machine], each.state) for each in standings(planned_leases(plan), state.at.date()))
    for ministry in sorted(plan.ministries):
        for standing in LeaseState:
            samples.put("leases", found[ministry, standing], ministry, standing.value)


def _consolidation(samples: Samples, plan: Plan, placed: tuple[Placed, ...]) -> None:
    running = {planned.id: where for planned, where, _, state in placed if state == RUNNING}
    dispositions = Counter((server.ministry, server.disposition.value) for server in plan.servers)
    for labels, count in sorted(dispositions.items()):
        samples.put("servers", count, *labels)
    replaced: Counter[str] = Counter({server.ministry: 0 for server in plan.servers})
    replaced.update(server.ministry for server in plan.servers if server.machine in running)
    for ministry, count in sorted(replaced.items()):
        samples.put("servers_replaced", count, ministry)
    leaving = sum(1 for server in plan.servers if server.disposition not in _LEFT)
    hosts_planned, hosts_busy = {machine.host for machine in plan.machines}, set(running.values())
    if hosts_planned:
        samples.put("planned_servers_per_host_ratio", leaving / len(hosts_planned))
    if hosts_busy:
        samples.put("realised_servers_per_host_ratio", replaced.total() / len(hosts_busy))


def _ministries(samples: Samples, state: Watched, plan: Plan, placed: tuple[Placed, ...]) -> None:
    savings: dict[str, int] = {}
    for system in plan.systems:
        if system.promised_saving_thousand_yen is not None:
            savings[system.ministry] = savings.get(system.ministry, 0) + system.promised_saving_thousand_yen
    own: dict[str, list[Placed]] = {ministry: [] for ministry in plan.ministries}
    for row in placed:
        own.setdefault(row[0].ministry, []).append(row)
    declared: dict[str, list[Resources]] = {}
    for server in plan.servers:
        if server.size is not None:
            declared.setdefault(server.ministry, []).append(server.size)
    for ministry, rows in sorted(own.items()):
        samples.put("ministry_info", 1, ministry, plan.ministries.get(ministry, ""))
        _amounts(samples, "declared", total(declared.get(ministry, [])), ministry)
        _amounts(samples, "planned", total([planned.size for planned, *_ in rows]), ministry)
        seen = [(planned, found) for planned, _, found, _ in rows if found is not None]
        found_sizes = [
            Resources(vcpus=found.vcpus, memory_mib=found.memory_mib, disk_gib=planned.size.disk_gib) for planned, found in seen
        ]
        _amounts(samples, "allocated", total(found_sizes), ministry)
        used = [found.usage.memory_used_mib for _, found in seen if found.usage.memory_used_mib is not None]
        samples.put("ministry_memory_used_bytes", sum(used) * _MIB if used else None, ministry)
        samples.put("ministry_measured_vms", len(used), ministry)
        samples.put("ministry_cpu_seconds", state.consumption.by_ministry.get(ministry), ministry)
        if ministry in savings:
            samples.put("ministry_planned_savings_yen", savings[ministry] * _YEN_PER_THOUSAND, ministry)


def _amounts(samples: Samples, what: str, amount: Resources, ministry: str) -> None:
    samples.put(f"ministry_{what}_vcpus", amount.vcpus, ministry)
    samples.put(f"ministry_{what}_memory_bytes", amount.memory_mib * _MIB, ministry)
    samples.put(f"ministry_{what}_storage_bytes", amount.disk_gib * _GIB, ministry)


def _drift(samples: Samples, state: Watched) -> None:
    record = state.books.drift
    if record is None:
        return
    answering = [host.id for host in state.hosts if host.up]
    standing = [each for each in record.standing if each.drift.host in answering]
    counts = Counter((each.drift.host, _drift_kind(each.drift.action)) for each in standing)
    for host in answering:
        for kind in _DRIFT_KINDS:
            samples.put("drift_items", counts[host, kind], host, kind)
    oldest = min((each.since for each in standing), default=None)
    samples.put("drift_oldest_timestamp_seconds", oldest.timestamp() if oldest is not None else None)
    samples.put("drift_oldest_age_seconds", (state.at - oldest).total_seconds() if oldest is not None else 0.0)
    samples.put("drift_last_look_timestamp_seconds", record.at.timestamp())


def _drift_kind(action: Action) -> str:
    if action is Action.REFUSE:
        return "refused"
    return "waiting" if action in _WAITING else "repairable"


def _migrations(samples: Samples, state: Watched, plan: Plan) -> None:
    records = {record.machine: record for record in state.books.migrations}
    coming = [machine for machine in plan.machines if machine.method is Method.COLD]
    states = ("waiting", *(phase.value for phase in Phase))
    counts = Counter(
        (machine.ministry, records[machine.id].phase.value if machine.id in records else "waiting") for machine in coming
    )
    problems = Counter(machine.ministry for machine in coming if machine.id in records and records[machine.id].problem)
    for ministry in sorted({machine.ministry for machine in coming}):
        for phase in states:
            samples.put("migrations", counts[ministry, phase], ministry, phase)
        samples.put("migration_problems", problems[ministry], ministry)
    for machine in coming:
        record = records.get(machine.id)
        if record is not None and record.phase not in _OVER:
            samples.put("migration_data_size_bytes", record.disk.size_bytes, machine.uuid, machine.id)
            samples.put("migration_data_processed_bytes", record.copied_bytes, machine.uuid, machine.id)


def _runs(samples: Samples, state: Watched) -> None:
    for verb, counted in sorted(({verb: RunTally() for verb in _ALWAYS_COUNTED} | state.books.runs).items()):
        samples.put("runs", counted.total, verb)
        samples.put("run_failures", counted.failed, verb)
        samples.put_tally("run_duration_seconds", counted, verb)
        for name, at in (("end", counted.last_ended_at), ("success", counted.last_success_at)):
            samples.put(f"run_last_{name}_timestamp_seconds", at.timestamp() if at is not None else None, verb)
