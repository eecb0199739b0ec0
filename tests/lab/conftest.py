"""The real lab for tests that need it: brought up once, left as it was found."""

import os

import pytest

from lab import hosts, layout, lifecycle, ownership


@pytest.fixture(scope="session")
def running_lab():
    """The lab, up. It is left up when it was up before, or when somebody has come to work in it since."""
    if os.geteuid() != 0:
        pytest.skip("the lab needs root")
    was_up = ownership.is_home()
    lifecycle.up()
    yield
    if not was_up and ownership.is_home() and not machines_of_others():
        lifecycle.down()


def machines_of_others() -> list[str]:
    """Machines in the lab that the lab did not make, each with its host."""
    found = []
    for host in layout.hosts(ownership.shared_hosts()):
        names = set(hosts.virsh(host, "list", "--all", "--name").split()) - {layout.PENSION.name}
        found += [f"{name} on {host.name}" for name in sorted(names)]
    return found


@pytest.fixture
def lab_to_break(running_lab):
    """The lab for tests that kill or remove: only when no machines but the lab's own are in it."""
    if found := machines_of_others():
        pytest.skip(f"the lab is in use: {', '.join(found)}")
    yield
    lifecycle.up()
