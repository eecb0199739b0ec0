"""How a what-if reads: the changes, both plans side by side, machines on another host, and one sentence."""

from collections.abc import Sequence

from rich.console import Console

from controlplane.cli.drawing import bullet, heading, print_drawn, table
from controlplane.planning.what_if import Standing, WhatIf

_SHOWN = 30


def rows(found: WhatIf) -> list[tuple[str, str, str]]:
    """Measures now and then, as text."""
    now = _measures(found.before)
    then = _measures(found.after) if found.after is not None else {}
    return [(name, value, then.get(name, "no plan")) for name, value in now.items()]


def show_what_if(found: WhatIf, changes: Sequence[str], why: Sequence[str] = ()) -> None:
    """Print a comparison on stdout; `why` says more about why there would be no plan."""
    print_drawn(lambda console: _draw(console, found, changes, why))


def _draw(console: Console, found: WhatIf, changes: Sequence[str], why: Sequence[str]) -> None:
    console.print("What if", style="bold")
    for change in changes:
        bullet(console, "~", "yellow", change)
    heading(console, "Planned as it is, and as it would be")
    drawn = table(("", "now", "then"), numbers=("now", "then"))
    for row in rows(found):
        drawn.add_row(*row)
    console.print(drawn)
    if found.moved:
        heading(console, f"Machines on another host: {len(found.moved)}")
        for machine, (before, after) in sorted(found.moved.items())[:_SHOWN]:
            bullet(console, "->", "cyan", f"{machine}: {before} -> {after}")
        if len(found.moved) > _SHOWN:
            bullet(console, "", "", f"and {len(found.moved) - _SHOWN} more; `-o json` has all")
    if found.after is None:
        console.print()
        lines = found.why.splitlines()
        for line in (*lines[:_SHOWN], *([f"  and {len(lines) - _SHOWN} more lines"] if len(lines) > _SHOWN else []), *why):
            console.print(line)
    console.print()
    console.print(_sentence(found), style="bold")


def _sentence(found: WhatIf) -> str:
    if found.after is None:
        return "there would be no plan; nothing was changed"
    more = found.after.hosts_used - found.before.hosts_used
    hosts = f"{more} more hosts in use" if more > 0 else f"{-more} fewer hosts in use" if more < 0 else "as many hosts in use"
    added = f", {len(found.added)} machines more" if found.added else ""
    return f"there would be a plan: {hosts}{added}, {len(found.moved)} machines on another host; nothing was changed"


def _measures(of: Standing) -> dict[str, str]:
    used, most = of.promised, of.capacity
    return {
        "machines": str(of.machines),
        "hosts in use, of all": f"{of.hosts_used} of {of.hosts}",
        "hosts needed at least": str(of.hosts_needed),
        "vCPU promised": _share(used.vcpus, most.vcpus),
        "memory MiB promised": _share(used.memory_mib, most.memory_mib),
        "disk GiB promised": _share(used.disk_gib, most.disk_gib),
        "fullest host": f"{of.fullest} {100 * of.fullest_share:.0f} % ({of.fullest_dimension})" if of.fullest else "-",
        "critical findings": str(of.critical),
        "warnings": str(of.warnings),
    }


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.0f} %)" if whole else f"{part} of 0"
