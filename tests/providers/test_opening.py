"""Which hosts are served, which are refused and why, and an ssh that never asks."""

import re
import subprocess

import pytest

from controlplane.errors import ExitCode, KasumiError, UnreachableError
from controlplane.model.estate import StoragePool
from controlplane.providers.libvirt_connection import Connection, check_uri, ssh_wrapper
from controlplane.providers.opening import open_provider

POOL = StoragePool(name="kasumi", path="/var/lib/kasumi/pool")


@pytest.mark.parametrize(
    ("uri", "exit_code", "why"),
    [
        ("qemu+tcp://host/system", ExitCode.REFUSED, "transport tcp is not used; wanted qemu+ssh://"),
        ("qemu+ext://host/system", ExitCode.REFUSED, "transport ext is not used"),
        ("qemu+ssh://root@host/system?no_verify=1", ExitCode.REFUSED, "no_verify=1 would trust any host; remove it"),
        (
            "qemu+ssh://root@host/system?known_hosts_verify=ignore",
            ExitCode.REFUSED,
            "known_hosts_verify=ignore would trust any host",
        ),
        ("qemu+tls://host/system?no_verify=1", ExitCode.REFUSED, "no_verify=1 would trust any host"),
        ("qemu+ssh://root@host/system?command=/bin/sh", ExitCode.REFUSED, "command is set by kasumi"),
        ("vbox:///session", ExitCode.FAILED, "not a libvirt URI of a QEMU host; wanted qemu+ssh://USER@HOST/system"),
        ("qemu+ssh://[::1/system", ExitCode.FAILED, "not a libvirt URI"),
        ("qemu+ssh://host/system; reboot", ExitCode.FAILED, "not a libvirt URI"),
        ("host1", ExitCode.FAILED, "not a libvirt URI"),
    ],
)
def test_refused(uri, exit_code, why):
    with pytest.raises(KasumiError, match=re.escape(f"{uri}: {why}")) as caught:
        open_provider("hv1", uri, POOL, estate="lab")
    assert caught.value.exit_code == exit_code


@pytest.mark.parametrize(
    "uri",
    [
        "qemu+ssh://root@host/system",
        "qemu+tls://host/system",
        "qemu:///system",
        "qemu+unix:///system?socket=/run/x",
        "test:///default",
    ],
)
def test_served(uri):
    check_uri(uri)
    assert open_provider("hv1", uri, POOL, estate="lab").host == "hv1"


def test_a_host_that_is_not_there_says_what_to_look_at(capfd):
    provider = open_provider("hv1", "qemu+unix:///system?socket=/nowhere/libvirt-sock", POOL, estate="lab")
    with pytest.raises(
        UnreachableError, match=r"^host hv1 on qemu\+unix:///system\?socket=/nowhere/libvirt-sock: .*its libvirtd runs"
    ):
        provider.observe()
    assert capfd.readouterr() == ("", "")


def test_ssh_never_asks_and_reads_our_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    ssh_wrapper.cache_clear()
    config = tmp_path / "a config"
    config.write_text("Host somewhere\n  HostName 192.0.2.7\n")
    script = ssh_wrapper(str(config))
    said = subprocess.run([script, "-G", "somewhere"], capture_output=True, text=True, check=True).stdout
    assert "hostname 192.0.2.7\n" in said
    assert "batchmode yes\n" in said
    assert "connecttimeout 10\n" in said
    assert "serveraliveinterval 5\n" in said
    ssh_wrapper.cache_clear()
    assert ssh_wrapper(str(config)) == script
    assert script.parent.stat().st_mode & 0o077 == 0
    assert len(list(script.parent.iterdir())) == 1
    ssh_wrapper.cache_clear()


def test_a_folder_of_somebody_else_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    ssh_wrapper.cache_clear()
    script = ssh_wrapper("")
    script.parent.chmod(0o770)
    ssh_wrapper.cache_clear()
    with pytest.raises(KasumiError, match="wanted a folder of ours alone"):
        ssh_wrapper("")
    ssh_wrapper.cache_clear()


def test_threads_at_work_have_connections_of_their_own_and_idle_ones_are_used_again(tmp_path):
    connection = Connection("test:///default")
    with connection.errors("first"):
        first = connection.open()
        assert connection.open() is first
    with connection.errors("second"):
        assert connection.open() is first
    with connection.errors("given up"):
        assert connection.open() is first
        connection.give_up()
    with connection.errors("third"):
        second = connection.open()
        assert second is not first
        connection.close()
    with connection.errors("fourth"):
        assert connection.open() is not second
