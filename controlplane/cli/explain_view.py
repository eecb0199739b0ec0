"""How an explanation reads: the machine, a reason for each choice, then every host with its answer."""

from rich.console import Console

from controlplane.cli.drawing import bullet, heading, print_drawn
from controlplane.model.document import digest
from controlplane.model.plan import Plan, PlannedMachine
from controlplane.model.resources import Resources
from controlplane.planning.explain import Explanation, HostAnswer

_SHOWN_HOSTS = 40


def show_explanation(found: Explanation, plan: Plan) -> None:
    """Print an explanation on stdout."""
    print_drawn(lambda console: _draw(console, found, plan))


def _draw(console: Console, found: Explanation, plan: Plan) -> None:
    machine = found.machine
    if machine is None:
        [server] = found.servers
        console.print(f"{server.id}: {server.disposition.value}, no machine takes its place", style="bold")
    else:
        addresses = " ".join(f"{nic.address}/{nic.prefix_length}" for nic in machine.nics)
        via = "" if found.subject == machine.id else f"{found.subject} becomes "
        console.print(f"{via}{machine.id} on {machine.host}: {_size(machine.size)}, {addresses}", style="bold")
        console.print(_whose(machine, plan), style="dim")
    console.print()
    for head, why in found.reasons:
        bullet(console, "", "", f"{head}: {why}")
    if machine is None:
        return
    for server in found.servers:
        if server.id != machine.id:
            bullet(console, "", "", f"takes in server {server.id} ({_size(server.size)}): {server.reason or 'no reason stated'}")
    console.print()
    console.print(f"in plan {digest(plan)[:12]}", style="dim")
    if found.stale:
        heading(console, "Hosts")
        bullet(console, "!", "yellow", found.stale)
        return
    heading(console, "Hosts: each asked, with all other machines where the plan has them")
    for answer in found.hosts[:_SHOWN_HOSTS]:
        mark, style, text = _answer(answer)
        bullet(console, mark, style, text)
    if len(found.hosts) > _SHOWN_HOSTS:
        bullet(console, "", "", f"and {len(found.hosts) - _SHOWN_HOSTS} more; `-o json` has all")
    console.print()
    console.print(_summary(found), style="bold")


def _whose(machine: PlannedMachine, plan: Plan) -> str:
    system = next((system for system in plan.systems if system.id == machine.system), None)
    name = f"{system.name} ({system.id})" if system is not None else machine.system
    replica = f", replica group {machine.replica_group}" if machine.replica_group else ""
    ministry = plan.ministries.get(machine.ministry, machine.ministry)
    return f"{name}, {ministry}; grade {machine.confidentiality}, tier {machine.tier}{replica}"


def _answer(answer: HostAnswer) -> tuple[str, str, str]:
    full = f"{100 * answer.full:.0f} % full in {answer.tightest} with it, {answer.others_there} other{'' if answer.others_there == 1 else 's'} there"
    if answer.chosen:
        against = "; ".join(objection.text for objection in answer.objections)
        return "*", "cyan", f"{answer.host}: chosen, {full}" + (f"; it stays there, though: {against}" if against else "")
    if answer.possible:
        return "+", "green", f"{answer.host}: possible, {full}"
    return "-", "red", f"{answer.host}: " + "; ".join(objection.text for objection in answer.objections)


def _summary(found: Explanation) -> str:
    possible = found.possible_elsewhere
    if not possible:
        return f"no other host of {len(found.hosts) - 1} would have it"
    unused = sum(1 for answer in possible if not answer.others_there)
    names = ", ".join(answer.host for answer in possible[:8]) + (", …" if len(possible) > 8 else "")
    also = f"; {unused} of them not in use, and the fewest hosts are used" if unused else ""
    return f"also possible on {len(possible)} of {len(found.hosts) - 1} other hosts: {names}{also}"


def _size(size: Resources | None) -> str:
    if size is None:
        return "size unknown"
    return f"{size.vcpus} vCPU, {size.memory_mib} MiB, {size.disk_gib} GiB"
