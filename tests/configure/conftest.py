"""A real sshd on loopback to push to, and a place for what a push tells."""

import os
from pathlib import Path

import pytest

from controlplane.connectors.ansible import Engine, Login, Push, Target
from tests.connectors.sshd import running_sshd


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def login(sshd):
    return Login(user="root", identity_file=str(sshd.folder / "user_key"), ssh_config="", known_hosts=sshd.folder / "known_hosts")


@pytest.fixture
def target(sshd, tmp_path):
    """Makes machines that are all this one; `made` is a folder of their own."""

    def make(name, **changes):
        values = {"id": name, "address": "127.0.0.1", "port": sshd.port, "variables": {"made": str(tmp_path)}}
        return Target(**(values | changes))

    return make


@pytest.fixture
def wanted(login, tmp_path):
    """A push of these tasks to these machines."""

    def make(tasks, *targets, engine=Engine.PLAIN, **changes):
        playbook = tmp_path / "play.yml"
        playbook.write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
        return Push(playbook=playbook, targets=targets, login=login, engine=engine, **changes)

    return make


@pytest.fixture
def leftovers():
    """Folders and processes of pushes that this process made and that are still there."""

    def find(pid=None):
        mark = f"kasumi-push-{pid or os.getpid()}-"
        folders = [str(path) for path in Path("/dev/shm").glob(f"{mark}*")]
        processes = [line for line in command_lines() if mark in line]
        return folders + processes

    return find


def command_lines():
    """The arguments of every process there is."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it has just ended
    return found
