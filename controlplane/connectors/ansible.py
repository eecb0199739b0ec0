"""Runs a playbook through ansible-runner: quick (pipelining always, Mitogen where it works), watched by events, leaving nothing.

Everything the run writes lies in a private folder, in memory where the system has such a place, and is removed at the end
however it ended. Nothing secret is passed: keys go by path, and variables that a caller passes appear in the inventory file
there and nowhere else.
"""

import contextlib
import difflib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner

from controlplane.errors import KasumiError

MOST_FORKS = 20
"""Each fork is a Python process of about 60 MiB on the controller; twenty keep two cores busy."""
_CONNECT_SECONDS = 60
"""A guest that still boots under software emulation takes half a minute for one handshake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One machine to configure."""

    name: str
    address: str
    user: str
    groups: tuple[str, ...] = ()
    variables: Mapping[str, object] = field(default_factory=dict, hash=False)
    port: int = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One run of a playbook. `tags` empty: all. `forks` and `quick` are for measuring; leave them alone otherwise."""

    playbook: Path
    targets: tuple[Target, ...]
    identity_file: str
    known_hosts: Path
    ssh_config: str = ""
    check: bool = False
    diff: bool = False
    tags: tuple[str, ...] = ()
    forks: int = MOST_FORKS
    quick: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgress:
    """How one task stands: results so far by kind (ok, changed, skipped, failed, unreachable)."""

    play: str
    task: str
    counts: Mapping[str, int] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What went wrong on one host in one task."""

    host: str
    task: str
    message: str
    unreachable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PushResult:
    """How a run ended. `hosts` has for each target the counts ok, changed, failures, skipped and unreachable."""

    hosts: dict[str, dict[str, int]] = field(hash=False)
    failures: tuple[Failure, ...]
    diffs: tuple[tuple[str, str], ...]
    """(host, unified difference) of files, with `diff`."""
    return_code: int
    strategy: str


class Watcher:
    """Told of the progress; every method may be left as it is."""

    def task(self, progress: TaskProgress) -> None:
        """A task ended on one more host, or the next one began."""

    def note(self, text: str) -> None:
        """Something a person should know."""


def mitogen_strategies() -> Path | None:
    """Where Mitogen's strategy plugins are, or None when it cannot be used here."""
    found = importlib.util.find_spec("ansible_mitogen")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "plugins" / "strategy"
    return folder if folder.is_dir() else None


def push(wanted: Push, watch: Watcher) -> PushResult:
    """Run the playbook. Failures of tasks and hosts are in the result; raises KasumiError when Ansible itself does not run."""
    strategies = mitogen_strategies() if wanted.quick else None
    if strategies is None and wanted.quick:
        watch.note("Mitogen is not installed; pushing with pipelining only, which takes several times as long")
    with _private_folder() as folder:
        result = _run(wanted, folder, strategies, watch)
        if strategies is not None and not result.hosts and result.return_code != 0:
            watch.note("Mitogen did not work here; pushing again with pipelining only, which takes several times as long")
            result = _run(wanted, folder, None, watch)
    if not result.hosts and result.return_code != 0:
        raise KasumiError(f"ansible ended with {result.return_code} before it reached any machine: {_first(result.failures)}")
    return result


def _first(failures: tuple[Failure, ...]) -> str:
    return failures[0].message if failures else "run `ansible-playbook --syntax-check` on the playbook"


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    memory = Path("/dev/shm")  # noqa: S108 (the folder made in it is private)
    folder = Path(tempfile.mkdtemp(prefix="kasumi-", dir=memory if os.access(memory, os.W_OK) else None))
    try:
        yield folder
    finally:
        _end_shared_connections(folder / "cp")
        shutil.rmtree(folder, ignore_errors=True)


def _end_shared_connections(folder: Path) -> None:
    for socket in folder.glob("*"):
        subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "any"], capture_output=True, check=False, timeout=10)


def _run(wanted: Push, folder: Path, strategies: Path | None, watch: Watcher) -> PushResult:
    events = _Events(watch)
    run_folder = folder / ("mitogen" if strategies is not None else "plain")
    (folder / "cp").mkdir(mode=0o700, exist_ok=True)
    run_folder.mkdir(mode=0o700)
    ended = ansible_runner.run(
        private_data_dir=str(run_folder),
        project_dir=str(wanted.playbook.parent),
        playbook=wanted.playbook.name,
        inventory=_inventory(wanted),
        envvars=_environment(wanted, folder, strategies),
        cmdline=_arguments(wanted),
        event_handler=events.handle,
        quiet=True,
    )
    return PushResult(
        hosts=events.hosts,
        failures=tuple(events.failures) or _said(ended),
        diffs=tuple(events.diffs),
        return_code=int(ended.rc),
        strategy="mitogen_linear" if strategies is not None else "linear",
    )


def _said(ended: Any) -> tuple[Failure, ...]:
    if ended.rc == 0:
        return ()
    with contextlib.suppress(AttributeError, OSError):
        lines = [line.strip() for line in (ended.stdout.read() + ended.stderr.read()).splitlines()]
        text = next((line for line in lines if "ERROR" in line), lines[-1] if lines else "")
        return (Failure(host="", task="", message=text, unreachable=False),)
    return ()


def _inventory(wanted: Push) -> dict[str, Any]:
    groups: dict[str, Any] = {}
    hosts: dict[str, Any] = {}
    for target in wanted.targets:
        hosts[target.name] = {
            **target.variables,
            "ansible_host": target.address,
            "ansible_port": target.port,
            "ansible_user": target.user,
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_private_key_file": wanted.identity_file,
            "ansible_ssh_common_args": shlex.join(_ssh_arguments(wanted)),
        }
        for group in ("machines", *target.groups):
            groups.setdefault(group, {"hosts": {}})["hosts"][target.name] = {}
    return {"all": {"hosts": hosts, "children": groups}}


def _ssh_arguments(wanted: Push) -> list[str]:
    config = ["-F", str(Path(wanted.ssh_config).expanduser())] if wanted.ssh_config else []
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(wanted.known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "ConnectTimeout": str(_CONNECT_SECONDS),
        "ServerAliveInterval": "15",
    }
    return [*config, *(part for name, value in options.items() for part in ("-o", f"{name}={value}"))]


def _environment(wanted: Push, folder: Path, strategies: Path | None) -> dict[str, str]:
    here = str(Path(sys.executable).parent)
    environment = {
        "PATH": f"{here}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "ANSIBLE_FORKS": str(max(1, min(wanted.forks, len(wanted.targets)))),
        "ANSIBLE_HOST_KEY_CHECKING": "true",
        "ANSIBLE_RETRY_FILES_ENABLED": "false",
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_TIMEOUT": str(_CONNECT_SECONDS),
    }
    if wanted.quick:
        environment |= {
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s",
        }
    if strategies is not None:
        environment |= {"ANSIBLE_STRATEGY": "mitogen_linear", "ANSIBLE_STRATEGY_PLUGINS": str(strategies)}
    return environment


def _arguments(wanted: Push) -> str:
    arguments = [flag for flag, given in (("--check", wanted.check), ("--diff", wanted.diff)) if given]
    return shlex.join([*arguments, *(part for tag in wanted.tags for part in ("--tags", tag))])


class _Events:
    """Folds runner's events into progress, failures, differences and the final counts."""

    def __init__(self, watch: Watcher) -> None:
        self._watch = watch
        self._play = ""
        self._task = ""
        self._counts: dict[str, int] = {}
        self.failures: list[Failure] = []
        self.diffs: list[tuple[str, str]] = []
        self.hosts: dict[str, dict[str, int]] = {}

    def handle(self, event: dict[str, Any]) -> bool:
        """Take one event; returning False keeps runner from writing it to a file."""
        data = event.get("event_data") or {}
        kind = str(event.get("event", ""))
        if kind == "playbook_on_play_start":
            self._play = str(data.get("name", ""))
        elif kind in {"playbook_on_task_start", "playbook_on_handler_task_start"}:
            self._task, self._counts = str(data.get("task", "")), {}
        elif kind == "runner_on_ok":
            self._count("changed" if (data.get("res") or {}).get("changed") else "ok")
            self._difference(data)
        elif kind == "runner_on_skipped":
            self._count("skipped")
        elif kind == "runner_on_unreachable":
            self._fail(data, unreachable=True)
        elif kind == "runner_on_failed" and not data.get("ignore_errors"):
            self._fail(data, unreachable=False)
        elif kind == "playbook_on_stats":
            self._stats(data)
        return False

    def _count(self, result: str) -> None:
        self._counts[result] = self._counts.get(result, 0) + 1
        self._watch.task(TaskProgress(play=self._play, task=self._task, counts=dict(self._counts)))

    def _fail(self, data: dict[str, Any], *, unreachable: bool) -> None:
        self._count("unreachable" if unreachable else "failed")
        result = data.get("res") or {}
        items = [item for item in result.get("results", []) if isinstance(item, dict) and item.get("failed")]
        said = [str(part.get("msg") or part.get("stderr") or "") for part in (*items, result)]
        message = next((text.strip() for text in said if text.strip()), "no message")
        self.failures.append(
            Failure(host=str(data.get("host", "")), task=str(data.get("task", "")), message=message, unreachable=unreachable)
        )

    def _difference(self, data: dict[str, Any]) -> None:
        result = data.get("res") or {}
        for part in (result, *result.get("results", [])):
            found = part.get("diff") if isinstance(part, dict) else None
            for diff in found if isinstance(found, list) else [found]:
                if isinstance(diff, dict) and ("after" in diff or "prepared" in diff):
                    self.diffs.append((str(data.get("host", "")), _unified(diff)))

    def _stats(self, data: dict[str, Any]) -> None:
        names = {"ok": "ok", "changed": "changed", "failures": "failures", "skipped": "skipped", "dark": "unreachable"}
        for source, name in names.items():
            for host, count in (data.get(source) or {}).items():
                self.hosts.setdefault(host, dict.fromkeys(names.values(), 0))[name] = int(count)


def _unified(diff: Mapping[str, Any]) -> str:
    if "prepared" in diff:
        return str(diff["prepared"])
    before, after = (str(diff.get(side) or "").splitlines() for side in ("before", "after"))
    old, new = (str(diff.get(f"{side}_header") or side) for side in ("before", "after"))
    return "\n".join(difflib.unified_diff(before, after, old, new, lineterm=""))
