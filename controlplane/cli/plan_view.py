"""How plans and their differences read: marks `+ ~ - ->`, before and after per host and ministry, reasons, counts."""

from collections import Counter

from rich.console import Console
from rich.table import Table

from controlplane.cli.drawing import bullet, hanging, heading, print_drawn, table
from controlplane.cli.footprint_view import draw_footprints
from controlplane.model.document import digest
from controlplane.model.estate import Disposition
from controlplane.model.plan import Plan, PlannedHost, PlannedMachine
from controlplane.model.resources import Resources, total
from controlplane.planning.bounds import hosts_used
from controlplane.planning.difference import MachineChange, PlanDifference
from controlplane.planning.footprint import Footprints

_STYLES = {"+": "green", "~": "yellow", "-": "red", "->": "cyan", "": ""}


def show_plan(plan: Plan, difference: PlanDifference | None, running: Footprints | None = None) -> None:
    """Print a plan on stdout; marks say what it changes against its parent, and are left out when that is not known.

    `running` is what a year takes before and after, where the inventory is at hand.
    """
    print_drawn(lambda console: _plan(console, plan, difference, running))


def show_difference(difference: PlanDifference) -> None:
    """Print what one plan changes against another on stdout."""
    print_drawn(lambda console: _difference(console, difference))


def _plan(console: Console, plan: Plan, difference: PlanDifference | None, running: Footprints | None) -> None:
    parent = f"built on accepted plan {plan.parent[:12]}" if plan.parent else "the first, built on no accepted plan"
    console.print(f"Plan {digest(plan)[:12]} for estate {plan.estate}, {parent}", style="bold")
    heading(console, "Hosts: what may be promised, and how much is")
    console.print(_hosts(plan))
    heading(console, "Ministries: before and after")
    console.print(_ministries(plan))
    if running is not None:
        draw_footprints(console, running)
    heading(console, "Machines")
    _machines(console, plan, difference)
    if plan.servers:
        heading(console, "Servers: what becomes of each")
        console.print(_servers(plan))
    if plan.reservations:
        heading(console, "Reserved: room for machines that do not exist yet")
        console.print(_reservations(plan))
    if plan.warnings:
        heading(console, f"Warnings: {len(plan.warnings)}")
        for warning in plan.warnings:
            bullet(console, "!", "yellow", warning)
    console.print()
    console.print(counts(plan, difference), style="bold")


def _difference(console: Console, difference: PlanDifference) -> None:
    before = difference.before[:12] or "nothing"
    console.print(f"From {before} to {difference.after[:12]}", style="bold")
    for machine in difference.removed:
        _head(console, "-", machine, "leaves the plan; `kasumi apply --yes` removes it")
    for change in difference.changed:
        _change(console, change)
    for machine in difference.added:
        _head(console, "+", machine, _origin(machine))
    for host in difference.hosts_added:
        bullet(console, "+", "green", f"host {host}")
    for host in difference.hosts_removed:
        bullet(console, "-", "red", f"host {host}")
    for server in difference.servers:
        mark = "+" if server.found is None else "-" if server.wanted is None else "~"
        text = f"server {server.id}: {server.found or 'not in the plan'} -> {server.wanted or 'not in the plan'}"
        bullet(console, mark, _STYLES[mark], text)
    console.print()
    console.print(_difference_counts(difference), style="bold")


def counts(plan: Plan, difference: PlanDifference | None) -> str:
    """The line that sums a plan up."""
    use = hosts_used(plan)
    fates = Counter(server.disposition.value for server in plan.servers)
    servers = ", ".join(f"{count} {fate}" for fate, count in sorted(fates.items())) or "none"
    what = _difference_counts(difference) if difference is not None else f"{len(plan.machines)} machines"
    hosts = f"{use.used} of {len(plan.hosts)} hosts used, at least {use.bound} needed ({use.binding})"
    return f"{what}; {hosts}; servers before: {len(plan.servers)} ({servers})"


def _difference_counts(difference: PlanDifference) -> str:
    moved = sum(1 for change in difference.changed if change.moved is not None)
    return (
        f"{len(difference.added)} to add, {len(difference.changed) - moved} to change, {moved} to move, "
        f"{len(difference.removed)} to remove, {difference.unchanged} unchanged"
    )


def _hosts(plan: Plan) -> Table:
    numbers = ("vCPU", "memory MiB", "disk GiB")
    rows = table(("host", "", *numbers), numbers=numbers, whole=("host",))
    for host in plan.hosts:
        rows.add_row(host.id, f"physical ({host.virtualisation or 'not seen'})", *_amounts(host.physical))
        rows.add_row("", "may be promised", *_amounts(host.promised_capacity))
        rows.add_row("", "promised before -> after", *_before_after(host))
    return rows


def _reservations(plan: Plan) -> Table:
    numbers = ("vCPU", "memory MiB", "disk GiB")
    rows = table(("reservation", "system", "host", "until", *numbers), numbers=numbers, whole=("reservation", "host", "until"))
    for each in plan.reservations:
        rows.add_row(each.id, each.system, each.host, each.until, *_amounts(each.size))
    return rows


def _amounts(amount: Resources) -> tuple[str, str, str]:
    return (str(amount.vcpus), str(amount.memory_mib), str(amount.disk_gib))


def _before_after(host: PlannedHost) -> tuple[str, ...]:
    before, after, most = (_amounts(a) for a in (host.allocated_before, host.allocated_after, host.promised_capacity))
    return tuple(f"{b} -> {a} ({_percent(int(a), int(m))})" for b, a, m in zip(before, after, most, strict=True))


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def _ministries(plan: Plan) -> Table:
    numbers = ("servers", "machines", "on hosts", "vCPU", "memory MiB", "千円/year promised")
    rows = table(("ministry", *numbers), numbers=numbers)
    for ministry, name in plan.ministries.items():
        servers = [server for server in plan.servers if server.ministry == ministry]
        machines = [machine for machine in plan.machines if machine.ministry == ministry]
        savings = [s.promised_saving_thousand_yen for s in plan.systems if s.ministry == ministry]
        stated = [saving for saving in savings if saving is not None]
        if not (servers or machines or stated):
            continue
        left = [server for server in servers if not server.machine and server.disposition is not Disposition.RETIRE]
        before = total([server.size for server in servers if server.size is not None])
        staying = total([server.size for server in left if server.size is not None])
        after = total([machine.size for machine in machines]) + staying
        unknown = " (and unknown)" if any(server.size is None for server in servers) else ""
        rows.add_row(
            f"{name} ({ministry})",
            f"{len(servers)} -> {len(left)}",
            str(len(machines)),
            str(len({machine.host for machine in machines})),
            f"{before.vcpus} -> {after.vcpus}{unknown}",
            f"{before.memory_mib} -> {after.memory_mib}{unknown}",
            f"{sum(stated):,}" if stated else "none stated",
        )
    return rows


def _machines(console: Console, plan: Plan, difference: PlanDifference | None) -> None:
    names = {system.id: system.name for system in plan.systems}
    changes = {change.machine.id: change for change in difference.changed} if difference is not None else {}
    added = {machine.id for machine in difference.added} if difference is not None else set()
    for machine in difference.removed if difference is not None else ():
        _head(console, "-", machine, "no longer wanted")
    for machine in plan.machines:
        note = f"{names.get(machine.system, machine.system)}, {_origin(machine)}"
        if machine.id in changes:
            _change(console, changes[machine.id])
        else:
            _head(console, "+" if machine.id in added else "", machine, note)
        for reason in machine.reasons:
            _indented(console, reason)


def _change(console: Console, change: MachineChange) -> None:
    mark = "->" if change.moved is not None else "~"
    note = f"{change.moved[0]} -> {change.moved[1]}" if change.moved is not None else "changes in place"
    _head(console, mark, change.machine, note)
    for item in change.fields:
        _indented(console, f"{item.field}: {item.found} -> {item.wanted}", style="")


def _head(console: Console, mark: str, machine: PlannedMachine, note: str) -> None:
    size = f"{machine.size.vcpus} vCPU, {machine.size.memory_mib} MiB, {machine.size.disk_gib} GiB"
    addresses = " ".join(f"{nic.address}/{nic.prefix_length}" for nic in machine.nics)
    bullet(console, mark, _STYLES[mark], f"{machine.id} on {machine.host}: {size}, {addresses}; {note}")


def _origin(machine: PlannedMachine) -> str:
    if machine.source is not None:
        return f"moved with its disk from {machine.source.domain} on {machine.source.uri}"
    return f"from image {machine.image}"


def _indented(console: Console, text: str, style: str = "dim") -> None:
    hanging(console, "     ", "", text, style)


def _servers(plan: Plan) -> Table:
    rows = table(("server", "system", "disposition", "machine", "why"), whole=("server", "disposition"))
    for server in plan.servers:
        rows.add_row(server.id, server.system, server.disposition.value, server.machine or "-", server.reason or "-")
    return rows
