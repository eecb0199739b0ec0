"""The way in: ssh to a host or server of the lab with the lab's own keys."""

import os
from collections.abc import Sequence

from controlplane.errors import ExitCode, KasumiError
from lab import layout, ownership
from lab.layout import LEGACY_SERVERS, PENSION


def names() -> dict[str, str]:
    """Addresses of everything that lets us in, by name."""
    found = {host.name: host.address for host in layout.hosts(ownership.shared_hosts() or layout.DEFAULT_HOSTS)}
    return found | {server.name: server.address for server in (*LEGACY_SERVERS, PENSION)}


def enter(name: str, command: Sequence[str]) -> None:
    """Become an ssh to `name` (of the lab, or an address in it, with or without `user@`); returns only by an error.

    Raises KasumiError when the lab is not up or knows no such name.
    """
    if not ownership.is_home():
        raise KasumiError(f"lab ssh: wanted {name}, found no lab at {layout.home()}; `kasumi lab up` first")
    target = name.rpartition("@")[2]
    if target not in names() and not target.startswith("10.77."):
        raise KasumiError(
            f"lab ssh: wanted {name}, found only {', '.join(names())} and addresses in {layout.ALL_NETWORKS}", ExitCode.USAGE
        )
    os.execvp("ssh", ["ssh", "-F", str(layout.ssh_home() / "config"), name, *command])  # noqa: S606 - ssh takes our place
