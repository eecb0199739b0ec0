"""Every metric we export: name, kind, what it says, labels. `docs/metrics.md` is this list; a test holds them together.

Names: `consolidation_<thing>_<base unit>`, ratios between 0 and whatever is promised, instants as Unix seconds, money in yen.
What is unknown has no sample; nothing is zero because nobody could look.
"""

from dataclasses import dataclass

PREFIX = "consolidation_"
_HOST = ("host",)
_POOL = ("host", "pool")
_QUOTA = ("host", "quota")
_SERVICE = ("host", "service")
_MINISTRY = ("ministry",)
_VERB = ("verb",)
_DOMAIN = ("uuid", "domain")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family. `kind` is gauge, counter (exported with `_total`) or histogram; `name` is without the prefix."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...] = ()


def _gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Family:
    return Family(name, "gauge", text, labels)


def _counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Family:
    return Family(name, "counter", text, labels)


CATALOGUE: tuple[Family, ...] = (
    # the controller
    _gauge("build_info", "Version of the control plane; always 1.", ("version",)),
    _gauge("plan_info", "The accepted plan; always 1.", ("estate", "digest")),
    _gauge("plan_accepted_timestamp_seconds", "When the accepted plan was accepted."),
    _gauge("controller_heartbeat_timestamp_seconds", "When the controller last read its store."),
    _gauge("observation_interval_seconds", "Seconds from the end of a look at a host to the next look."),
    # hosts: answering, age
    _gauge("host_up", "1 when the host answers, 0 when not; its other values are those of its last answer.", _HOST),
    _gauge("host_info", "What the host is; always 1.", ("host", "hypervisor", "version", "virtualisation", "site")),
    _gauge("host_observation_timestamp_seconds", "When the host last answered; its other values are of then.", _HOST),
    _gauge("host_observation_age_seconds", "Seconds since the host last answered, at this scrape.", _HOST),
    _gauge("host_scrape_duration_seconds", "How long the last look at the host took; no scrape of ours asks a host.", _HOST),
    # hosts: capacity, what may be promised, what is planned, what is allocated, what is used
    _gauge("host_cpus", "CPUs of the host (cached).", _HOST),
    _gauge("host_memory_capacity_bytes", "Memory of the host (cached).", _HOST),
    _gauge("pool_capacity_bytes", "Size of the file system of our storage pool (cached).", _POOL),
    _gauge("pool_available_bytes", "Free space of the file system of our storage pool (cached).", _POOL),
    _gauge("host_vcpus_promisable", "Virtual CPUs that may be promised, after reservation and overcommit.", _HOST),
    _gauge("host_memory_promisable_bytes", "Memory that may be promised, after reservation and overcommit.", _HOST),
    _gauge("pool_promisable_bytes", "Storage that may be promised, after reservation and overcommit.", _POOL),
    _gauge("host_vcpus_planned", "Virtual CPUs promised when the accepted plan is carried out.", _HOST),
    _gauge("host_memory_planned_bytes", "Memory promised when the accepted plan is carried out.", _HOST),
    _gauge("pool_planned_bytes", "Storage promised when the accepted plan is carried out.", _POOL),
    _gauge("host_vcpus_allocated", "Virtual CPUs of all machines found, foreign ones included (cached).", _HOST),
    _gauge("host_memory_allocated_bytes", "Memory of all machines found, foreign ones included (cached).", _HOST),
    _gauge("pool_allocated_bytes", "Storage promised to the planned machines found (cached).", _POOL),
    _gauge("host_vcpu_overcommit_ratio", "Virtual CPUs allocated over CPUs of the host (cached).", _HOST),
    _gauge("host_memory_overcommit_ratio", "Memory allocated over memory of the host (cached).", _HOST),
    _gauge("pool_overcommit_ratio", "Storage allocated over size of the pool (cached).", _POOL),
    _counter("host_cpu_seconds", "CPU time that guests used while watched (cached).", _HOST),
    _gauge("host_memory_used_bytes", "Memory that guests really use, of those that report it (cached).", _HOST),
    _gauge("host_measured_vms", "Machines that report their memory use (cached).", _HOST),
    _gauge("host_foreign_vms", "Machines that are not ours and are left alone (cached).", _HOST),
    # hosts that are pools of a cloud: whose project it is, its quotas, requests made of its services
    _gauge("host_ministry_info", "The ministry in whose project of a cloud the host stands; always 1.", ("host", "ministry")),
    _gauge("quota_limit", "What a quota of our project at the cloud allows; no sample where it is unlimited (cached).", _QUOTA),
    _gauge("quota_used", "How much of a quota of our project is used, by whomever (cached).", _QUOTA),
    _counter("cloud_requests", "Requests made of a service of the cloud while watched.", _SERVICE),
    _counter("cloud_request_failures", "Requests that the service answered with an error, or not at all.", _SERVICE),
    _counter("cloud_request_seconds", "Time spent waiting for answers of the service; over requests it is their latency.", _SERVICE),
    # machines
    _gauge("vms", "Planned machines by state: as found, `absent`, `awaited` from a migration, `unknown` while the host does not "
           "answer.", ("host", "ministry", "state")),
    _gauge("vms_down", "Planned machines found not to run, or not found where their host answers.", ("host", "ministry")),
    _gauge("vm_info", "A planned machine that was found; always 1.",
           ("uuid", "domain", "host", "ministry", "system", "confidentiality")),
    _gauge("leases", "Leases of the accepted plan's machines: `current`, `ending` within 30 days, `ended`.", ("ministry", "state")),
    # consolidation
    _gauge("servers", "Existing servers by what becomes of them under the accepted plan.", ("ministry", "disposition")),
    _gauge("servers_replaced", "Existing servers whose planned machine runs now.", _MINISTRY),
    _gauge("placement_hosts_used", "Hosts that carry machines under the accepted plan."),
    _gauge("planned_servers_per_host_ratio", "Servers that the plan replaces or retires, per host it uses."),
    _gauge("realised_servers_per_host_ratio", "Servers whose planned machine runs now, per host on which planned machines run."),
    # ministries: before, planned, found, used
    _gauge("ministry_info", "Name of the ministry; always 1.", ("ministry", "name")),
    _gauge("ministry_declared_vcpus", "CPUs of its existing servers as declared.", _MINISTRY),
    _gauge("ministry_declared_memory_bytes", "Memory of its existing servers as declared.", _MINISTRY),
    _gauge("ministry_declared_storage_bytes", "Disks of its existing servers as declared.", _MINISTRY),
    _gauge("ministry_planned_vcpus", "Virtual CPUs the accepted plan gives it.", _MINISTRY),
    _gauge("ministry_planned_memory_bytes", "Memory the accepted plan gives it.", _MINISTRY),
    _gauge("ministry_planned_storage_bytes", "Storage the accepted plan gives it.", _MINISTRY),
    _gauge("ministry_allocated_vcpus", "Virtual CPUs of its machines found (cached).", _MINISTRY),
    _gauge("ministry_allocated_memory_bytes", "Memory of its machines found (cached).", _MINISTRY),
    _gauge("ministry_allocated_storage_bytes", "Planned disks of its machines found (cached).", _MINISTRY),
    _counter("ministry_cpu_seconds", "CPU time that its guests used while watched (cached).", _MINISTRY),
    _gauge("ministry_memory_used_bytes", "Memory that its guests really use, of those that report it (cached).", _MINISTRY),
    _gauge("ministry_measured_vms", "Its machines that report their memory use (cached).", _MINISTRY),
    _gauge("ministry_planned_savings_yen", "Yearly saving promised for its systems; negative is a rise.", _MINISTRY),
    # drift
    _gauge("drift_items", "Differences from the accepted plan on hosts that answer: `repairable` by reconcile, `waiting` for a "
           "migration, a restart or time, `refused` until a person decides.", ("host", "kind")),
    _gauge("drift_oldest_timestamp_seconds", "Since when the oldest of these differences stands; no sample without any."),
    _gauge("drift_oldest_age_seconds", "Seconds that the oldest of these differences stands; 0 without any."),
    _gauge("drift_last_look_timestamp_seconds", "When differences were last looked for."),
    # migrations
    _gauge("migrations", "Machines that come by migration, by phase; `waiting` before it is started.", ("ministry", "state")),
    _gauge("migration_problems", "Migrations that stand still and say why.", _MINISTRY),
    _gauge("migration_data_size_bytes", "Size of the disk that a migration under way moves.", _DOMAIN),
    _gauge("migration_data_processed_bytes", "Bytes of that disk moved so far.", _DOMAIN),
    # runs
    _counter("runs", "Runs of a verb that are over.", _VERB),
    _counter("run_failures", "Runs that failed or were interrupted.", _VERB),
    Family("run_duration_seconds", "histogram", "How long runs took; interrupted ones are left out.", _VERB),
    _gauge("run_last_end_timestamp_seconds", "When a run of the verb last ended.", _VERB),
    _gauge("run_last_success_timestamp_seconds", "When a run of the verb last ended well.", _VERB),
    # evidence
    _counter("audit_records", "Records in the evidence chain."),
    _gauge("audit_chain_valid", "1 when the evidence chain was whole at its last verification, 0 when it was broken."),
    _gauge("audit_chain_verified_timestamp_seconds", "When the evidence chain was last verified."),
)  # fmt: skip
