"""`kasumi status`: the accepted plan, every host and machine as seen now, what differs, migrations and recent runs."""

from controlplane.cli.attempt_view import DRIFT_COLUMNS, drift_record
from controlplane.cli.lease_view import lease_records
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import DOCUMENT_OPTION, Format, emit_document, print_table, say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode
from controlplane.execution.reconcile import Look, look
from controlplane.model.document import digest
from controlplane.model.plan import PlannedMachine
from controlplane.planning.leases import planned_leases

_RECENT_RUNS = 5


def status(output: Format = DOCUMENT_OPTION, home: OptionalPath = HOME_OPTION, inventory: OptionalPath = INVENTORY_OPTION) -> int:
    """Show how things stand now; changes nothing on any host. Exit 0, or 4 when a host was not reached."""
    session = Session(home=home, inventory=inventory)
    found = look(session.store, session.estate.id)
    hosts = [_host(found, host.id) for host in found.plan.hosts]
    machines = [_machine(found, machine) for machine in found.plan.machines]
    migrations: list[dict[str, object]] = [
        {"machine": m.machine, "phase": m.phase.value, "problem": m.problem} for m in session.store.migrations(found.plan.estate)
    ]
    drift = [drift_record(item) for item in found.drift]
    leases = lease_records(planned_leases(found.plan))
    if output is Format.TABLE:
        say(f"plan {digest(found.plan)[:12]} of estate {found.plan.estate}; {found.foreign} foreign machines left alone")
        _table(hosts)
        _table(machines)
        _table(migrations)
        _table(leases)
        if drift:
            print_table(DRIFT_COLUMNS, [[str(record[column]) for column in DRIFT_COLUMNS] for record in drift])
        say(f"{len(drift)} differences from the accepted plan" + ("; `kasumi reconcile --once` repairs them" if drift else ""))
        for run in session.store.runs(found.plan.estate, limit=_RECENT_RUNS):
            say(f"run {run.id} {run.verb} by {run.actor} at {run.started_at:%Y-%m-%d %H:%M:%S%z}: {run.result or 'running'}")
    else:
        emit_document(
            {
                "plan": digest(found.plan),
                "hosts": hosts,
                "machines": machines,
                "migrations": migrations,
                "leases": leases,
                "drift": drift,
            },
            output,
        )
    return ExitCode.DONE if all(host.reachable for host in found.observation.hosts.values()) else ExitCode.UNREACHABLE


def _table(records: list[dict[str, object]]) -> None:
    if records:
        columns = tuple(records[0])
        print_table(columns, [["-" if record[c] is None else str(record[c]) for c in columns] for record in records])
        print()


def _host(found: Look, host_id: str) -> dict[str, object]:
    seen = found.observation.hosts[host_id]
    planned = next(host for host in found.plan.hosts if host.id == host_id)
    ours = sum(1 for machine in seen.machines if machine.mark is not None and machine.mark.estate == found.plan.estate)
    return {
        "host": host_id,
        "state": "up" if seen.reachable else "not reached",
        "hypervisor": f"{seen.capacity.virtualisation} {seen.capacity.version}" if seen.capacity else None,
        "vCPU promised": f"{planned.allocated_after.vcpus}/{planned.promised_capacity.vcpus}",
        "MiB promised": f"{planned.allocated_after.memory_mib}/{planned.promised_capacity.memory_mib}",
        "ours": ours if seen.reachable else None,
        "foreign": len(seen.machines) - ours if seen.reachable else None,
    }


def _machine(found: Look, machine: PlannedMachine) -> dict[str, object]:
    seen = next((m for m in found.observation.hosts[machine.host].machines if m.uuid == machine.uuid), None)
    reachable = found.observation.hosts[machine.host].reachable
    return {
        "machine": machine.id,
        "ministry": machine.ministry,
        "host": machine.host,
        "address": " ".join(nic.address for nic in machine.nics),
        "vCPU": machine.size.vcpus,
        "MiB": machine.size.memory_mib,
        "state": seen.state.value if seen else "absent" if reachable else "unknown",
    }
