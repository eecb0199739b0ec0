"""A push of five small tasks to twenty machines: ours against Ansible's defaults, and against pipelining alone.

The machines are twenty sshds on loopback, so that the network costs nothing and both sides share the same processors: what
is left is what each way of pushing costs. Defaults are five forks, a temporary file for each task, and ssh connections kept.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import yaml

from benchmarks.timing import report
from controlplane.connectors.ansible import Engine, Login, Push, Target, push
from tests.connectors.sshd import Sshd, running_sshd

MACHINES = 20
PLAY = """\
- name: Five small tasks
  hosts: all
  gather_facts: false
  tasks:
    - name: Ask
      ansible.builtin.command: uname --kernel-release
      changed_when: false
    - name: Make a folder
      ansible.builtin.file: {path: "{{ place }}", state: directory, mode: "0700"}
    - name: Write a file
      ansible.builtin.copy: {content: "{{ inventory_hostname }}\\n", dest: "{{ place }}/name", mode: "0600"}
    - name: Change a line
      ansible.builtin.lineinfile: {path: "{{ place }}/name", line: more}
    - name: Look at it
      ansible.builtin.stat: {path: "{{ place }}/name"}
"""


def main() -> None:
    """Print the times and their ratios."""
    with tempfile.TemporaryDirectory(prefix="kasumi-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "play.yml").write_text(PLAY)
        servers = [stack.enter_context(running_sshd(folder / f"sshd{number}")) for number in range(MACHINES)]
        known = folder / "known_hosts"
        known.write_text("".join((server.folder / "known_hosts").read_text() for server in servers))
        key = folder / "key"
        key.write_bytes((servers[0].folder / "user_key").read_bytes())
        key.chmod(0o600)
        for server in servers:
            (server.folder / "authorized_keys").write_text((servers[0].folder / "user_key.pub").read_text())
        ours = _ours(folder, servers, key, known, Engine.MITOGEN)
        plain = _ours(folder, servers, key, known, Engine.PLAIN)
        defaults = _defaults(folder, servers, key, known)
    what = f"push of 5 tasks to {MACHINES} machines"
    report(what, ours, "Ansible's defaults", defaults, "at most 0.10")
    report(f"{what} without Mitogen", plain, "Ansible's defaults", defaults, "none")
    faster = f"{defaults / ours:.1f} x as fast as the defaults (bar: 10), {plain / ours:.1f} x as fast as pipelining alone"
    print(f"ours is {faster}", flush=True)


def _ours(folder: Path, servers: list[Sshd], key: Path, known: Path, engine: Engine) -> float:
    targets = tuple(
        Target(id=f"m{number}", address="127.0.0.1", port=server.port, variables={"place": str(server.folder / engine.value)})
        for number, server in enumerate(servers)
    )
    login = Login(user="root", identity_file=str(key), ssh_config="", known_hosts=known)
    began = time.perf_counter()
    done = push(Push(playbook=folder / "play.yml", targets=targets, login=login, engine=engine), watch=lambda event: None)
    seconds = time.perf_counter() - began
    if done.engine is not engine or {tally.changed for tally in done.tallies.values()} != {3}:
        raise AssertionError(f"wanted 3 changes on each machine by {engine.value}, found {done}")
    return seconds


def _defaults(folder: Path, servers: list[Sshd], key: Path, known: Path) -> float:
    hosts = {
        f"m{number}": {
            "ansible_host": "127.0.0.1",
            "ansible_port": server.port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={known}",
            "ansible_python_interpreter": "/usr/bin/python3",
            "place": str(server.folder / "defaults"),
        }
        for number, server in enumerate(servers)
    }
    (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    (folder / "ansible.cfg").write_text("")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_HOME": str(folder / "home")}
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory.yml", "play.yml"]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    for socket in (folder / "home" / "cp").glob("*"):
        subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "none"], capture_output=True, check=False)
    if done.returncode != 0 or done.stdout.count("changed=3") != MACHINES:
        raise AssertionError(f"the defaults did not push: {done.stdout[-2000:]}{done.stderr[-500:]}")
    return seconds


if __name__ == "__main__":
    main()
