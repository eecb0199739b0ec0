"""Tells what is being done while it is done: a live bar on a terminal, plain lines elsewhere; always on stderr."""

import sys
import threading
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import TaskID as Task

from controlplane.model.drift import Drift, Outcome, Result


class StepProgress:
    """A Watcher that prints each intent and outcome; safe to call from several threads."""

    def __init__(self, title: str) -> None:
        self._lock = threading.Lock()
        self._bar: Progress | None = None
        self._task: Task | None = None
        if sys.stderr.isatty():
            console = Console(stderr=True, markup=False, highlight=False)
            self._bar = Progress(
                SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
                TimeElapsedColumn(), console=console, transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task(title, total=0)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: Drift | Outcome) -> None:
        """Show one intent or outcome."""
        with self._lock:
            if self._bar is not None and self._task is not None:
                self._advance(self._bar, self._task, event)
            else:
                print(_line(event), file=sys.stderr, flush=True)

    @staticmethod
    def _advance(bar: Progress, task: Task, event: Drift | Outcome) -> None:
        if isinstance(event, Drift):
            bar.update(task, total=(bar.tasks[0].total or 0) + 1, description=f"{event.action.value} {event.subject}")
            return
        if event.result is Result.LEFT:
            bar.console.print(_line(event))
            return
        bar.console.print(_line(event))
        bar.advance(task)


def _line(event: Drift | Outcome) -> str:
    if isinstance(event, Drift):
        return f"ensure {_subject(event)} wanted={event.wanted!r} found={event.found!r} action={event.action.value}"
    took = f" seconds={event.duration_seconds:.1f}" if event.duration_seconds else ""
    message = f" message={event.message!r}" if event.message else ""
    return f"{event.result.value} {_subject(event.drift)} action={event.drift.action.value}{took}{message}"


def _subject(drift: Drift) -> str:
    return f"subject={drift.subject} host={drift.host} what={drift.what!r}"
