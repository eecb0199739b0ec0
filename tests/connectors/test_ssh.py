"""Commands over a real sshd: known hosts only, quoting, secrets by stdin, and clear words for every failure."""

import os
import signal

import pytest

from controlplane.connectors import ssh
from controlplane.connectors.shell import LocalShell, checked
from controlplane.connectors.ssh import shell_of_uri
from controlplane.errors import KasumiError, UnreachableError
from tests.connectors.sshd import Sshd, free_port, running_sshd


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def shell(sshd: Sshd):
    opened = shell_of_uri("qemu+ssh://127.0.0.1/system", ssh_config=sshd.config)
    yield opened
    opened.close()


def test_arguments_arrive_as_given(shell):
    assert shell.run(["printf", "%s|", "a b", "$HOME", "'", "年金"]).stdout == "a b|$HOME|'|年金|"


def test_stdin_and_status_and_stderr_are_carried(shell):
    done = shell.run(["sh", "-c", "cat; echo no >&2; exit 3"], stdin="secret")
    assert (done.status, done.stdout, done.stderr) == (3, "secret", "no\n")


def test_a_failing_command_says_where_and_its_last_words(shell):
    with pytest.raises(KasumiError, match=r"127\.0\.0\.1: `sh -c .*` ended with 1: disk is full"):
        checked(shell, ["sh", "-c", "echo disk is full >&2; exit 1"])


def test_a_command_that_hangs_is_cut(shell):
    with pytest.raises(UnreachableError, match=r"no answer within 0\.5 s"):
        shell.run(["sleep", "5"], timeout_seconds=0.5)
    assert shell.run(["echo", "again"]).stdout == "again\n"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_connection_that_died_while_it_was_idle_is_opened_again(shell, monkeypatch, how):
    monkeypatch.setattr(ssh, "_CONNECT_SECONDS", 10.0)
    session = int(shell.run(["sh", "-c", "echo $PPID"]).stdout)
    os.kill(session, how)
    try:
        assert shell.run(["echo", "again"]).stdout == "again\n"
    finally:
        if how is signal.SIGSTOP:
            os.kill(session, signal.SIGKILL)


def test_an_unknown_host_key_is_refused(sshd, tmp_path):
    (tmp_path / "known_hosts").write_text("")
    config = tmp_path / "config"
    config.write_text(
        f"Host 127.0.0.1\n IdentityFile {sshd.folder}/user_key\n UserKnownHostsFile {tmp_path}/known_hosts\n Port {sshd.port}\n"
    )
    with pytest.raises(UnreachableError, match="not found in known_hosts"):
        shell_of_uri("qemu+ssh://127.0.0.1/system", ssh_config=str(config)).run(["true"])


def test_a_changed_host_key_is_refused_loudly(sshd, tmp_path):
    kind, key, *_ = (sshd.folder / "user_key.pub").read_text().split()
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {kind} {key}\n")
    config = tmp_path / "config"
    config.write_text(
        f"Host 127.0.0.1\n IdentityFile {sshd.folder}/user_key\n UserKnownHostsFile {tmp_path}/known_hosts\n Port {sshd.port}\n"
    )
    with pytest.raises(KasumiError, match="host key is not the one on record"):
        shell_of_uri("qemu+ssh://127.0.0.1/system", ssh_config=str(config)).run(["true"])


def test_nobody_there_is_unreachable(sshd):
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1: ssh:"):
        shell_of_uri(f"qemu+ssh://127.0.0.1:{free_port()}/system", ssh_config=sshd.config).run(["true"])


def test_other_transports_have_no_shell():
    assert isinstance(shell_of_uri("qemu:///system"), LocalShell)
    with pytest.raises(KasumiError, match="no shell on this host"):
        shell_of_uri("qemu+tls://host/system")


def test_a_missing_ssh_config_is_named(tmp_path):
    with pytest.raises(KasumiError, match="no such file; correct `ssh_config`"):
        shell_of_uri("qemu+ssh://127.0.0.1/system", ssh_config=str(tmp_path / "none")).run(["true"])
