"""Who else is in the lab."""

from lab import hosts, layout, ownership


def machines_of_others() -> list[str]:
    """Machines in the lab that the lab did not make, each with its host."""
    found = []
    for host in layout.hosts(ownership.shared_hosts()):
        names = set(hosts.virsh(host, "list", "--all", "--name").split()) - {layout.PENSION.name}
        found += [f"{name} on {host.name}" for name in sorted(names)]
    return found
