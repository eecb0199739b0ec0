"""Runs a playbook on machines over ssh with ansible-runner: quickly, tidily, and telling what it does.

Everything that Ansible writes lives in a folder of mode 0700, in memory where there is such a file system, that is gone
when `push` returns or raises. Settings come from here alone, never from the caller's own Ansible configuration.
"""

import os
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import FrameType

import ansible_runner

from controlplane.connectors import mitogen
from controlplane.connectors.push_events import EventReader, Notice, Tally, TaskFailed, Watch
from controlplane.errors import KasumiError

MOST_FORKS = 20
"""Beyond this a small controller only waits for its own processes."""
_FOLDER_PREFIX = "kasumi-push-"
_SSH_SECONDS = 120
"""To connect and to start Python there; an emulated machine that just booted needs a good part of a minute."""
_LOOK_SECONDS = 1
_END_SECONDS = 3.0
_SILENT = "it gave no reason; run it again, and report it when it stays so"


class Engine(StrEnum):
    """How tasks reach machines."""

    MITOGEN = "mitogen"
    PLAIN = "plain"
    """Ansible's own ssh, with pipelining."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One machine: its name in the inventory, where ssh answers, its groups and variables (no secrets but vaulted ones)."""

    id: str
    address: str
    port: int = 22
    groups: tuple[str, ...] = ()
    variables: dict[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How ssh gets in: user, key file or "", ssh_config or "", and the only file of host keys that counts."""

    user: str
    identity_file: str
    ssh_config: str
    known_hosts: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One run of a playbook. `tags` empty: all tasks. `vault_password_file` opens vaulted variables; its content stays there."""

    playbook: Path
    targets: tuple[Target, ...]
    login: Login
    check: bool = False
    diff: bool = False
    tags: tuple[str, ...] = ()
    vault_password_file: Path | None = None
    engine: Engine = Engine.MITOGEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """How it went: tally of each machine that was tried, every failure, and what was really used to reach the machines."""

    tallies: dict[str, Tally] = field(hash=False)
    failures: tuple[TaskFailed, ...]
    engine: Engine


def push(wanted: Push, *, watch: Watch) -> Pushed:
    """Run the playbook on all targets; may be repeated when the playbook may.

    What Mitogen does not reach, or breaks on, is done again plainly, with a notice. Raises KasumiError when Ansible itself
    fails before it reaches its end, KeyboardInterrupt when this process was asked to stop; nothing is left behind.
    """
    if wanted.engine is Engine.MITOGEN and (problem := mitogen.problem()):
        watch(Notice(text=f"without Mitogen ({problem}): plain ssh with pipelining, which is several times slower"))
        wanted = replace(wanted, engine=Engine.PLAIN)
    reader = _run(wanted, watch)
    if wanted.engine is Engine.PLAIN:
        if not reader.finished:
            raise KasumiError(
                f"ansible-playbook {wanted.playbook.name} stopped before its end:\n{reader.last_words.strip() or _SILENT}"
            )
        return Pushed(tallies=reader.tallies, failures=tuple(reader.failures), engine=Engine.PLAIN)
    if not reader.finished:
        watch(Notice(text=f"Mitogen stopped before its end, going on with plain ssh:\n{reader.last_words.strip() or _SILENT}"))
        return push(replace(wanted, engine=Engine.PLAIN), watch=watch)
    missed = {failure.machine for failure in reader.failures if failure.unreachable}
    if not missed:
        return Pushed(tallies=reader.tallies, failures=tuple(reader.failures), engine=Engine.MITOGEN)
    watch(Notice(text=f"Mitogen did not reach {', '.join(sorted(missed))}: trying plain ssh"))
    again = push(replace(wanted, engine=Engine.PLAIN, targets=tuple(t for t in wanted.targets if t.id in missed)), watch=watch)
    kept = tuple(failure for failure in reader.failures if failure.machine not in missed)
    return Pushed(tallies=reader.tallies | again.tallies, failures=kept + again.failures, engine=Engine.MITOGEN)


def _run(wanted: Push, watch: Watch) -> EventReader:
    """One run of ansible-playbook."""
    reader = EventReader(watch)
    with _private_folder() as folder, _asked_to_stop() as stop:
        try:
            runner = ansible_runner.interface.init_runner(
                private_data_dir=str(folder),
                playbook=str(wanted.playbook),
                project_dir=str(wanted.playbook.parent),
                inventory=_inventory(wanted),
                cmdline=_arguments(wanted),
                # Its file of all output would hold what Ansible 2.19 prints of failed tasks, no_log or not.
                settings={"pexpect_timeout": _LOOK_SECONDS, "suppress_ansible_output": True, "suppress_output_file": True},
                quiet=True,
                event_handler=reader.read,
                cancel_callback=stop.is_set,
            )
            runner.config.env = _environment(wanted, folder, runner.config.env)
            runner.run()
        finally:
            _end_processes(folder)
        if stop.is_set():
            raise KeyboardInterrupt
    return reader


@contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder only we can read, in memory if possible; short, since a path of a socket has at most 107 bytes."""
    memory = Path("/dev/shm")  # noqa: S108 - only a folder of our own in it is used
    parent = memory if memory.is_dir() and os.access(memory, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    _sweep(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER_PREFIX}{os.getpid()}-", dir=parent))
    try:
        (folder / "c").mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    """Remove folders of our own whose process was killed."""
    for left in parent.glob(f"{_FOLDER_PREFIX}*"):
        pid = left.name.removeprefix(_FOLDER_PREFIX).split("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists() and left.stat().st_uid == os.getuid():
            _end_processes(left)
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set while inside, so that Ansible is ended and everything is cleaned up first."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals are the main thread's
        return

    def note(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _inventory(wanted: Push) -> dict[str, object]:
    hosts: dict[str, dict[str, object]] = {}
    groups: dict[str, dict[str, dict[str, object]]] = {}
    for target in wanted.targets:
        hosts[target.id] = {name: _vaulted(value) for name, value in target.variables.items()} | {
            "ansible_host": target.address,
            "ansible_port": target.port,
            "ansible_user": wanted.login.user,
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        if wanted.login.identity_file:
            hosts[target.id]["ansible_ssh_private_key_file"] = str(Path(wanted.login.identity_file).expanduser())
        for group in target.groups:
            groups.setdefault(group, {"hosts": {}})["hosts"][target.id] = {}
    return {"all": {"hosts": hosts, "children": groups}}


def _vaulted(value: object) -> object:
    """Variables as JSON for Ansible: a text in the form of ansible-vault is marked as such, so that it is opened late."""
    if isinstance(value, str) and value.startswith("$ANSIBLE_VAULT;"):
        return {"__ansible_vault": value}
    if isinstance(value, dict) and "__ansible_vault" not in value:
        return {name: _vaulted(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_vaulted(inner) for inner in value]
    return value


def _arguments(wanted: Push) -> str:
    arguments = [*(["--check"] if wanted.check else []), *(["--diff"] if wanted.diff else [])]
    if wanted.tags:
        arguments += ["--tags", ",".join(wanted.tags)]
    if wanted.vault_password_file is not None:
        arguments += ["--vault-password-file", str(wanted.vault_password_file)]
    return shlex.join(arguments)


def _environment(wanted: Push, folder: Path, made: dict[str, str]) -> dict[str, str]:
    """What ansible-runner made, without the caller's own ANSIBLE_* settings, and with ours."""
    kept = {
        name: value
        for name, value in made.items()
        if not name.startswith("ANSIBLE_") or name not in os.environ or os.environ[name] != value
    }
    (folder / "ansible.cfg").write_text("")
    return (
        kept
        | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{made.get('PATH', os.defpath)}",
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
            "ANSIBLE_FORKS": str(min(MOST_FORKS, max(1, len(wanted.targets)))),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_HOST_KEY_CHECKING": "1",
            "ANSIBLE_TIMEOUT": str(_SSH_SECONDS),
            "ANSIBLE_SSH_ARGS": _ssh_arguments(wanted),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "c"),
            "ANSIBLE_SSH_CONTROL_PATH": "%(directory)s/%%C",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_RETRY_FILES_ENABLED": "0",
        }
        | (mitogen.environment() if wanted.engine is Engine.MITOGEN else {})
    )


def _ssh_arguments(wanted: Push) -> str:
    options = {
        "UserKnownHostsFile": f'"{wanted.login.known_hosts}"',
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "BatchMode": "yes",
        "ServerAliveInterval": "15",
    }
    if wanted.login.identity_file:
        options["IdentitiesOnly"] = "yes"
    if wanted.engine is Engine.PLAIN:
        options |= {"ControlMaster": "auto", "ControlPersist": "60s"}
    words = ["-F", wanted.login.ssh_config] if wanted.login.ssh_config else []
    return shlex.join([*words, *(f"-o{name}={value}" for name, value in options.items())])


def _end_processes(folder: Path) -> None:
    """End what still runs for this push: ssh connections kept for a next task, and all of it when it was cut short.

    Each carries the folder's name in its arguments or its environment, and nothing else does.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _END_SECONDS
        for pid in _processes_of(folder):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        while _processes_of(folder):
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        else:
            return


def _processes_of(folder: Path) -> list[int]:
    mark = os.fsencode(folder)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            known = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            dead = ") Z " in (process / "stat").read_text(errors="replace")
        except OSError:
            continue  # it has ended, or is another's
        if mark in known and not dead:
            found.append(int(process.name))
    return found
