"""How plans and their differences read: marks `+ ~ - ->`, before and after per host and ministry, reasons, counts."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from controlplane.model.document import digest
from controlplane.model.estate import Disposition
from controlplane.model.plan import Plan, PlannedHost, PlannedMachine
from controlplane.model.resources import Resources, total
from controlplane.planning.bounds import hosts_used
from controlplane.planning.difference import MachineChange, PlanDifference

_PLAIN_WIDTH = 100
_STYLES = {"+": "green", "~": "yellow", "-": "red", "->": "cyan", "": ""}


def show_plan(plan: Plan, difference: PlanDifference | None) -> None:
    """Print a plan on stdout; marks say what it changes against its parent, and are left out when that is not known."""
    _print(lambda console: _plan(console, plan, difference))


def show_difference(difference: PlanDifference) -> None:
    """Print what one plan changes against another on stdout."""
    _print(lambda console: _difference(console, difference))


def _print(draw: Callable[[Console], None]) -> None:
    """Without the blanks that tables leave at the end of lines."""
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    with console.capture() as captured:
        draw(console)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _plan(console: Console, plan: Plan, difference: PlanDifference | None) -> None:
    parent = f"built on accepted plan {plan.parent[:12]}" if plan.parent else "the first, built on no accepted plan"
    console.print(f"Plan {digest(plan)[:12]} for estate {plan.estate}, {parent}", style="bold")
    _heading(console, "Hosts: what may be promised, and how much is")
    console.print(_hosts(plan))
    _heading(console, "Ministries: before and after")
    console.print(_ministries(plan))
    _heading(console, "Machines")
    _machines(console, plan, difference)
    if plan.servers:
        _heading(console, "Servers: what becomes of each")
        console.print(_servers(plan))
    if plan.warnings:
        _heading(console, f"Warnings: {len(plan.warnings)}")
        for warning in plan.warnings:
            _bullet(console, "!", "yellow", warning)
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
        _bullet(console, "+", "green", f"host {host}")
    for host in difference.hosts_removed:
        _bullet(console, "-", "red", f"host {host}")
    for server in difference.servers:
        mark = "+" if server.found is None else "-" if server.wanted is None else "~"
        text = f"server {server.id}: {server.found or 'not in the plan'} -> {server.wanted or 'not in the plan'}"
        _bullet(console, mark, _STYLES[mark], text)
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


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(text, style="bold")


def _table(columns: Sequence[str], *, numbers: Sequence[str] = (), whole: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        right = column in numbers
        table.add_column(column, justify="right" if right else "left", no_wrap=right or column in whole, overflow="fold")
    return table


def _hosts(plan: Plan) -> Table:
    numbers = ("vCPU", "memory MiB", "disk GiB")
    table = _table(("host", "", *numbers), numbers=numbers, whole=("host",))
    for host in plan.hosts:
        table.add_row(host.id, f"physical ({host.virtualisation or 'not seen'})", *_amounts(host.physical))
        table.add_row("", "may be promised", *_amounts(host.promised_capacity))
        table.add_row("", "promised before -> after", *_before_after(host))
    return table


def _amounts(amount: Resources) -> tuple[str, str, str]:
    return (str(amount.vcpus), str(amount.memory_mib), str(amount.disk_gib))


def _before_after(host: PlannedHost) -> tuple[str, ...]:
    before, after, most = (_amounts(a) for a in (host.allocated_before, host.allocated_after, host.promised_capacity))
    return tuple(f"{b} -> {a} ({_percent(int(a), int(m))})" for b, a, m in zip(before, after, most, strict=True))


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def _ministries(plan: Plan) -> Table:
    numbers = ("servers", "machines", "on hosts", "vCPU", "memory MiB", "千円/year promised")
    table = _table(("ministry", *numbers), numbers=numbers)
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
        table.add_row(
            f"{name} ({ministry})",
            f"{len(servers)} -> {len(left)}",
            str(len(machines)),
            str(len({machine.host for machine in machines})),
            f"{before.vcpus} -> {after.vcpus}{unknown}",
            f"{before.memory_mib} -> {after.memory_mib}{unknown}",
            f"{sum(stated):,}" if stated else "none stated",
        )
    return table


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
    _bullet(console, mark, _STYLES[mark], f"{machine.id} on {machine.host}: {size}, {addresses}; {note}")


def _origin(machine: PlannedMachine) -> str:
    if machine.source is not None:
        return f"moved with its disk from {machine.source.domain} on {machine.source.uri}"
    return f"from image {machine.image}"


def _bullet(console: Console, mark: str, style: str, text: str) -> None:
    _hanging(console, f"{mark:>2} ", style, text, "")


def _indented(console: Console, text: str, style: str = "dim") -> None:
    _hanging(console, "     ", "", text, style)


def _hanging(console: Console, lead: str, lead_style: str, text: str, style: str) -> None:
    """Text that wraps under itself and not under its mark."""
    table = Table.grid(padding=0)
    table.add_column(width=len(lead), no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(Text(lead, style=lead_style), Text(text, style=style))
    console.print(table)


def _servers(plan: Plan) -> Table:
    table = _table(("server", "system", "disposition", "machine", "why"), whole=("server", "disposition"))
    for server in plan.servers:
        table.add_row(server.id, server.system, server.disposition.value, server.machine or "-", server.reason or "-")
    return table
