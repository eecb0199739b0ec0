"""The real lab for tests that need it: brought up once, left as it was found."""

import os

import pytest

from lab import hosts, layout, lifecycle, ownership


@pytest.fixture(scope="session")
def running_lab():
    """The lab, up. A lab that was up before is left up: somebody works in it."""
    if os.geteuid() != 0:
        pytest.skip("the lab needs root")
    was_up = ownership.is_home()
    lifecycle.up()
    yield
    if not was_up and ownership.is_home():
        lifecycle.down()


@pytest.fixture
def lab_to_break(running_lab):
    """The lab for tests that kill or remove: only when no machines but the lab's own are in it."""
    for host in layout.hosts(ownership.shared_hosts()):
        names = set(hosts.virsh(host, "list", "--all", "--name").split()) - {layout.PENSION.name}
        if names:
            pytest.skip(f"the lab is in use: {host.name} has {', '.join(sorted(names))}")
    yield
    lifecycle.up()
