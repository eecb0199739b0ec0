"""How headroom reads: the number, host by host what stops the next one, and what binds in all."""

from collections import Counter

from rich.console import Console

from controlplane.cli.drawing import bullet, heading, print_drawn, table
from controlplane.planning.headroom import ANY_NETWORK, Headroom
from controlplane.planning.objections import Rule

_WORDS = {
    Rule.CLOSED: "closed",
    Rule.ZONE: "another grade",
    Rule.NETWORK: "network not carried",
    Rule.PIN: "barred by only_on or not_on",
    Rule.CPU: "another processor",
    Rule.NAME: "name taken",
    Rule.CAPACITY: "no room",
    Rule.SPREAD: "spreading of replicas",
    Rule.TOGETHER: "its group stands elsewhere",
    Rule.APART: "a ministry that is kept apart",
    Rule.LOSS: "a loss could not be survived",
}


def show_headroom(found: Headroom) -> None:
    """Print headroom on stdout."""
    print_drawn(lambda console: _draw(console, found))


def _draw(console: Console, found: Headroom) -> None:
    size = f"{found.shape.vcpus} vCPU, {found.shape.memory_mib} MiB, {found.shape.disk_gib} GiB"
    network = "any network" if found.network == ANY_NETWORK else f"network {found.network}"
    console.print(f"Machines of {size}; grade {found.confidentiality}, tier {found.tier}, {network}", style="bold")
    heading(console, "Hosts: how many fit when all go there, how many stand there in the total, what stops the next")
    rows = table(("host", "alone", "in total", "what stops the next"), numbers=("alone", "in total"), whole=("host",))
    for host in found.hosts:
        if not host.eligible:
            continue
        why = "; ".join(objection.text for objection in host.objections) or "nothing; counting stopped"
        rows.add_row(host.host, str(host.alone), str(host.in_total), why)
    console.print(rows)
    never = [host.host for host in found.hosts if not host.eligible]
    if never:
        rules = {objection.rule for host in found.hosts if not host.eligible for objection in host.objections}
        why = ", ".join(_WORDS[rule] for rule in _WORDS if rule in rules)
        console.print()
        bullet(console, "", "", f"never on {', '.join(never)} ({why})")
    console.print()
    console.print(summary(found), style="bold")


def summary(found: Headroom) -> str:
    """The line that sums headroom up."""
    more = "at least " if found.stopped else ""
    bound = "" if found.fits >= found.room_bound else f", by room alone {found.room_bound} would"
    binds = "; ".join(f"{_WORDS[rule]} on {count} host{'' if count == 1 else 's'}" for rule, count in found.binding)
    used = Counter(bool(host.in_total) for host in found.hosts)[True]
    plural = "machine fits" if found.fits == 1 else "machines fit"
    return f"{more}{found.fits} more {plural} on {used} host{'' if used == 1 else 's'}{bound}; what binds: {binds or 'nothing'}"
