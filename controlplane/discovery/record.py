"""Where this controller keeps the host keys of servers: apart from those of its own machines, which come from hypervisors."""

from pathlib import Path

from controlplane.connectors.host_keys import KnownHosts


def server_keys(home: Path) -> KnownHosts:
    """The file that `kasumi trust` writes and discovery believes."""
    return KnownHosts(home / "servers_known_hosts", remedy="`kasumi trust {machine} --replace`")
