"""Kill anything, and `up` repairs it; `down` leaves nothing."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path

import pytest

from controlplane.errors import RefusedError
from lab import hosts, layout, legacy, lifecycle, namespaces, pension, processes
from lab.command import run
from lab.namespaces import NAMED
from lab.openstack import layout as cloud_layout
from lab.processes import living, namespace_id

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.usefixtures("lab_to_break")]


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def everything() -> set[int]:
    return set(namespaces.ours().values()) | namespaces.nameless()


@pytest.mark.parametrize("daemon", ["libvirtd", "virtlogd", "sshd"])
def test_a_killed_daemon_comes_back_and_its_guest_lives_on(daemon):
    guest = hosts.guests(layout.OLD_HOST)[0].pid
    kill(hosts.find(layout.OLD_HOST, daemon).pid)
    lifecycle.up(wait=False)
    hosts.await_answer(layout.OLD_HOST)
    assert hosts.guests(layout.OLD_HOST)[0].pid == guest
    assert pension.domain_state().startswith("running")


def test_a_killed_service_of_the_file_server_comes_back():
    kill(next(process.pid for process in living() if process.command == "vsftpd"))
    lifecycle.up(wait=False)
    legacy.MOF_FILES.await_answer()


def test_a_killed_guest_is_started_again():
    kill(hosts.guests(layout.OLD_HOST)[0].pid)
    lifecycle.up(wait=False)
    assert pension.domain_state().startswith("running")


def test_a_guest_shut_down_on_purpose_stays_down():
    hosts.virsh(layout.OLD_HOST, "destroy", layout.PENSION.name)
    lifecycle.up()
    assert pension.domain_state() == "shut off (destroyed)"
    hosts.virsh(layout.OLD_HOST, "start", layout.PENSION.name)


def test_a_guest_that_migration_took_over_stays_down_even_when_its_host_died():
    hosts.virsh(layout.OLD_HOST, "autostart", "--disable", layout.PENSION.name)
    processes.end({namespace_id(NAMED / layout.OLD_HOST.namespace)})
    lifecycle.up()
    assert pension.domain_state().startswith("shut off")
    hosts.virsh(layout.OLD_HOST, "autostart", layout.PENSION.name)
    hosts.virsh(layout.OLD_HOST, "start", layout.PENSION.name)


def test_after_killing_everything_up_repairs_everything():
    assert processes.end(everything()) > 10
    lifecycle.up()
    assert pension.domain_state().startswith("running")


def seen_from_outside() -> dict[str, object]:
    """All of this machine but what the lab's OpenStack brings, which is tested beside this and comes and goes meanwhile."""
    return {
        "links": not_the_clouds(line.split(": ")[1] for line in run(["ip", "-oneline", "link"]).splitlines()),
        "namespaces": not_the_clouds(run(["ip", "netns"]).splitlines()),
        "routes": not_the_clouds(run(["ip", "route"]).splitlines()),
        "mounts": not_the_clouds(Path("/proc/mounts").read_text().splitlines(), f" {NAMED} "),
        "processes": [process.arguments for process in processes.inside(everything())],
        "home": layout.home().exists(),
        "run": not_the_clouds((path.name for path in Path("/run").iterdir()), NAMED.name, "kasumi-", "sshd"),
    }


def not_the_clouds(lines: Iterable[str], *shared: str) -> list[str]:
    """`shared`: what also others come and go with: the folder of namespaces' names, keys of migrations, the folder of tests' sshds."""
    theirs = (cloud_layout.UPLINK, cloud_layout.NAMESPACE, str(cloud_layout.home()), *shared)
    return sorted(line for line in lines if not any(word in line for word in theirs))


def test_down_leaves_nothing_and_does_not_touch_what_is_foreign(capsys):
    lifecycle.down()
    empty = seen_from_outside()
    assert empty["processes"] == []
    assert not empty["home"]
    assert not [name for name in empty["links"] if name.split("@")[0] == layout.UPLINK]
    capsys.readouterr()
    assert not lifecycle.down()
    assert capsys.readouterr().err == ""

    run(["ip", "link", "add", layout.UPLINK, "type", "veth", "peer", "name", "kl0-peer"])
    try:
        for verb in (lifecycle.up, lifecycle.down):
            with pytest.raises(RefusedError, match="interface kl0 to be free or ours"):
                verb()
        assert layout.UPLINK in run(["ip", "-oneline", "link"])
    finally:
        run(["ip", "link", "delete", layout.UPLINK])
        lifecycle.down()

    lifecycle.up(wait=False)
    # A name lost while the processes live, and a host that died: `down` finds both.
    run(["ip", "netns", "delete", legacy.MOF_FILES.namespace])
    processes.end({namespace_id(NAMED / layout.shared_host(1).namespace)})
    assert lifecycle.down()
    assert seen_from_outside() == empty
