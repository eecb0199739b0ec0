"""Products that are licensed by the socket run on no more sockets than are owned, and only on hosts that state theirs."""

from collections.abc import Iterator

from controlplane.model.finding import Finding
from controlplane.model.plan import PlannedMachine
from controlplane.planning.checks.world import World


def licence_findings(world: World) -> Iterator[Finding]:
    """Products that run where they may not."""
    running: dict[str, dict[str, list[PlannedMachine]]] = {}
    for machine in world.machines:
        for product in world.needs(machine).licences:
            running.setdefault(product, {}).setdefault(machine.host, []).append(machine)
    for product, hosts in sorted(running.items()):
        machines = [machine for here in hosts.values() for machine in here]
        sockets = {host: world.estate.hosts[host].offers.sockets for host in sorted(hosts)}
        used, owned = sum(sockets.values()), world.owned(product)
        if used > owned:
            text = f"runs on {', '.join(f'{host} ({count} sockets)' for host, count in sockets.items())}, {owned} are licensed"
            yield world.judge(machines, f"licence {product}", text, "put its machines on fewer hosts, or license more sockets")
        for host, count in sockets.items():
            if not count:
                text = f"runs on {host}, whose sockets are not stated"
                yield world.judge(hosts[host], f"licence {product}", text, "state `offers.sockets` of the host")
