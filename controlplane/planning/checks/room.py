"""What stands on each host against what it may promise, at every hour and in every pool."""

from collections.abc import Iterator

from controlplane.model.finding import Finding
from controlplane.planning.checks.world import Crowd, World


def room_findings(world: World) -> Iterator[Finding]:
    """Foreign machines, machines that leave, and the plan's machines within what a host may promise, at every hour."""
    crowd = Crowd(world.machines, world.demand)
    for host_id, promised in sorted(world.promised.items()):
        here = crowd.on((host_id,))
        if not world.answers(host_id) or not here:
            continue
        wanted = tuple(map(int.__add__, crowd.taken[host_id], world.others(host_id)))
        for at, (amount, most) in enumerate(zip(wanted, promised, strict=True)):
            if amount > most:
                what, scale, unit = world.counted(at)
                text = f"promises {amount / scale:g}{unit} of {what}, may promise {most / scale:g}"
                yield world.judge(here, f"host {host_id}", text, "move machines or raise its capacity")
                break
