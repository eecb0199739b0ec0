"""How a plan and a difference of plans read: hosts before and after, ministries, machines with reasons, servers, counts."""

from collections import Counter
from collections.abc import Sequence

from controlplane.cli.output import print_table
from controlplane.model.document import digest
from controlplane.model.estate import Disposition
from controlplane.model.plan import Plan, PlannedHost, PlannedMachine
from controlplane.model.resources import Resources
from controlplane.planning.difference import MachineChange, diff_plans

_GONE = frozenset({Disposition.RETIRE, Disposition.MERGE})


def show_plan(plan: Plan, before: Plan | None) -> None:
    """Print a plan against the one it builds on."""
    changes = diff_plans(before, plan)
    print(f"Plan {digest(plan)[:12]} for estate {plan.estate}" + (f", after {plan.parent[:12]}" if plan.parent else ", the first"))
    _hosts(plan)
    _ministries(plan)
    _machines(plan, changes)
    _servers(plan)
    for warning in plan.warnings:
        print(f"note: {warning}")
    print(counts(changes))


def show_difference(before: Plan | None, after: Plan, changes: Sequence[MachineChange]) -> None:
    """Print what changes from one plan to another."""
    old = digest(before)[:12] if before is not None else "nothing"
    print(f"From {old} to {digest(after)[:12]}, estate {after.estate}")
    _hosts(after)
    for change in changes:
        place = f"{change.host_before} -> {change.host_after}" if change.mark == "->" else change.host_after or change.host_before
        print(f"{change.mark:>2} {change.machine} on {place}")
        for field in change.changes:
            print(f"     {field.field}: {field.before} -> {field.after}")
    print(counts(changes))


def counts(changes: Sequence[MachineChange]) -> str:
    """One line: how many machines come, change, move and go."""
    marks = Counter(change.mark for change in changes)
    if not changes:
        return "No machines change."
    words = (("+", "to add"), ("~", "to change"), ("->", "to move"), ("-", "to remove"))
    return "Machines: " + ", ".join(f"{marks[mark]} {word}" for mark, word in words) + "."


def _hosts(plan: Plan) -> None:
    print("\nHosts")
    rows = [
        [
            host.id,
            f"{host.site}/{host.rack}",
            host.virtualisation or "unknown",
            *(_filled(host, name) for name in ("vcpus", "memory_mib", "disk_gib")),
            f"{_machines_on(plan, host)}",
        ]
        for host in plan.hosts
    ]
    print_table(("host", "place", "by", "vCPU before → after / of", "MiB before → after / of", "GiB before → after / of", "machines"), rows)


def _filled(host: PlannedHost, name: str) -> str:
    before, after, whole = (getattr(amount, name) for amount in (host.allocated_before, host.allocated_after, host.promised_capacity))
    return f"{before} → {after} / {whole} ({after / whole:.0%})" if whole > 0 else f"{before} → {after} / {whole}"


def _machines_on(plan: Plan, host: PlannedHost) -> int:
    return sum(1 for machine in plan.machines if machine.host == host.id)


def _ministries(plan: Plan) -> None:
    print("\nMinistries")
    rows = []
    for ministry, name in plan.ministries.items():
        servers = [server for server in plan.servers if server.ministry == ministry]
        machines = [machine for machine in plan.machines if machine.ministry == ministry]
        savings = [s.promised_saving_thousand_yen for s in plan.systems if s.ministry == ministry]
        stated = [saving for saving in savings if saving is not None]
        rows.append(
            [
                ministry,
                name,
                str(len(servers)),
                str(sum(1 for server in servers if server.disposition in _GONE)),
                str(len(machines)),
                str(len({machine.host for machine in machines})),
                str(sum(machine.size.vcpus for machine in machines)),
                str(sum(machine.size.memory_mib for machine in machines)),
                f"{sum(stated):,}" if stated else "-",
            ]
        )
    head = ("ministry", "name", "servers before", "gone", "machines after", "hosts", "vCPU", "MiB", "promised thousand yen a year")
    print_table(head, rows)


def _machines(plan: Plan, changes: Sequence[MachineChange]) -> None:
    marks = {change.machine: change.mark for change in changes}
    print("\nMachines")
    for machine in plan.machines:
        print(f"{marks.get(machine.id, ''):>2} {machine.id}  {_size(machine.size)}  {machine.host}  {_nics(machine)}  {machine.method.value}")
        for reason in machine.reasons:
            print(f"     {reason}")
    for change in changes:
        if change.mark == "-":
            print(f" - {change.machine}  leaves {change.host_before}; `kasumi apply --yes` removes it")


def _servers(plan: Plan) -> None:
    if not plan.servers:
        return
    print("\nServers")
    rows = [
        [server.id, server.system, _size(server.size), server.disposition.value, server.machine or "-", server.reason or "-"]
        for server in plan.servers
    ]
    print_table(("server", "system", "size", "becomes", "machine", "why"), rows)
    print()


def _size(size: Resources) -> str:
    return f"{size.vcpus} vCPU, {size.memory_mib} MiB, {size.disk_gib} GiB"


def _nics(machine: PlannedMachine) -> str:
    return " ".join(f"{nic.address}/{nic.prefix_length} {nic.network}" for nic in machine.nics)
