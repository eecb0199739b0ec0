"""What a push tells while it runs: Ansible's event stream as few plain values.

Reads the events of ansible-runner and knows nothing else about Ansible.
"""

import difflib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_COUNTED = {
    "runner_on_ok": "ok",
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
    "runner_on_skipped": "skipped",
}
_MESSAGE_CHARACTERS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted:
    """A task begins on all machines of its play."""

    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnded:
    """How one task went, in numbers of machines. `changed` are among `ok`."""

    task: str
    ok: int
    changed: int
    failed: int
    unreachable: int
    skipped: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed:
    """One machine failed one task, or was not reached for it."""

    machine: str
    task: str
    message: str
    unreachable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a task changed, or would change, in a file: a unified diff."""

    machine: str
    task: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A sentence for the person who waits."""

    text: str


PushEvent = TaskStarted | TaskEnded | TaskFailed | Difference | Notice
Watch = Callable[[PushEvent], None]


@dataclass(slots=True, kw_only=True)
class Tally:
    """Tasks of one machine by how they ended; `changed` are among `ok`."""

    ok: int = 0
    changed: int = 0
    failed: int = 0
    unreachable: int = 0
    skipped: int = 0


@dataclass(slots=True)
class EventReader:
    """Turns runner events into push events and keeps the tally of each machine; one for each run of ansible-playbook."""

    watch: Watch
    tallies: dict[str, Tally] = field(default_factory=dict)
    failures: list[TaskFailed] = field(default_factory=list)
    finished: bool = False
    """Whether Ansible came to its end and gave its own count."""
    last_words: str = ""
    """What Ansible printed before its first task; later it may quote secrets, even of tasks marked no_log."""
    _task: str = ""
    _began: float = 0.0
    _counts: Counter[str] = field(default_factory=Counter)
    _items: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def read(self, event: Mapping[str, Any]) -> bool:
        """Take one event; False tells ansible-runner not to keep it on disk."""
        kind = event.get("event", "")
        data = event.get("event_data") or {}
        if kind in {"verbose", "error"} and not self._task and not self.tallies:
            self.last_words = f"{self.last_words}{event.get('stdout', '')}\n"[-_MESSAGE_CHARACTERS:]
        elif kind in {"playbook_on_task_start", "playbook_on_handler_task_start"}:
            self._end_task()
            self._task, self._began = _name(data), time.monotonic()
            self.watch(TaskStarted(task=self._task))
        elif kind in {"playbook_on_play_start", "playbook_on_stats"}:
            self._end_task()
            self.finished = self.finished or kind == "playbook_on_stats"
        elif kind == "runner_item_on_failed":
            said = self._items.setdefault((data["host"], _name(data)), [])
            said.append(_message(data.get("res") or {}))
        elif kind in _COUNTED:
            self._count(_COUNTED[kind], data)
        return False

    def _count(self, outcome: str, data: Mapping[str, Any]) -> None:
        machine, task, result = data["host"], _name(data), data.get("res") or {}
        tally = self.tallies.setdefault(machine, Tally())
        if outcome == "failed" and data.get("ignore_errors"):
            outcome = "ok"
        self._counts[outcome] += 1
        setattr(tally, outcome, getattr(tally, outcome) + 1)
        if outcome == "ok" and result.get("changed"):
            self._counts["changed"] += 1
            tally.changed += 1
        if outcome in {"failed", "unreachable"}:
            message = "; ".join(self._items.pop((machine, task), [])) or _message(result)
            failure = TaskFailed(machine=machine, task=task, message=message, unreachable=outcome == "unreachable")
            self.failures.append(failure)
            self.watch(failure)
        for text in _differences(result):
            self.watch(Difference(machine=machine, task=task, text=text))

    def _end_task(self) -> None:
        if self._task and self._counts:
            counts = {name: self._counts[name] for name in ("ok", "changed", "failed", "unreachable", "skipped")}
            self.watch(TaskEnded(task=self._task, seconds=time.monotonic() - self._began, **counts))
        self._task = ""
        self._counts.clear()


def _name(data: Mapping[str, Any]) -> str:
    """Role and task as Ansible prints them: `baseline : Harden sshd`."""
    role, task = data.get("role", ""), data.get("task", "")
    return f"{role} : {task}" if role and not task.startswith(f"{role} : ") else task


def _message(result: Mapping[str, Any]) -> str:
    """The most telling words of a failed result; standard error is among them, modules often say only "non-zero return code"."""
    if "censored" in result:
        return "the result is hidden because it may hold a secret (no_log)"
    parts = [str(result.get(key) or "").strip() for key in ("msg", "stderr")]
    if not any(parts):
        parts = [str(result.get("stdout") or "").strip()]
    said = parts[0] if parts[-1] in parts[0] else ": ".join(part for part in parts if part)
    return said[:_MESSAGE_CHARACTERS] or "it failed without a word"


def _differences(result: Mapping[str, Any]) -> list[str]:
    found = []
    results = result.get("results")
    for one in results if isinstance(results, list) else [result]:
        if not isinstance(one, dict) or "censored" in one:
            continue
        diff = one.get("diff")
        found += [
            text
            for part in (diff if isinstance(diff, list) else [diff])
            if isinstance(part, dict)
            for text in [_unified(part)]
            if text
        ]
    return found


def _unified(part: Mapping[str, Any]) -> str:
    if part.get("prepared"):
        return str(part["prepared"]).rstrip("\n")
    before, after = part.get("before"), part.get("after")
    if not isinstance(before, str) or not isinstance(after, str) or before == after:
        return ""
    lines = difflib.unified_diff(
        before.splitlines(),
        after.splitlines(),
        fromfile=str(part.get("before_header") or "before"),
        tofile=str(part.get("after_header") or "after"),
        lineterm="",
    )
    return "\n".join(lines)
