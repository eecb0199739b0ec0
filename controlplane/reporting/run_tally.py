"""Runs counted by verb: how many, how many failed, how long they took, and when one last ended well. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from controlplane.store import Run

BOUNDS_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
"""From a reconcile that finds nothing to a wave that fills a change window's first hour."""
_BAD = frozenset({"failed", "interrupted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTally:
    """Runs of one verb that are over. `in_bounds` counts durations up to each of BOUNDS_SECONDS and beyond; not cumulative."""

    total: int = 0
    failed: int = 0
    in_bounds: tuple[int, ...] = (0,) * (len(BOUNDS_SECONDS) + 1)
    seconds: float = 0.0
    last_ended_at: datetime | None = None
    last_success_at: datetime | None = None

    def with_run(self, run: Run) -> "RunTally":
        """With one more run that is over; an interrupted one has no duration."""
        in_bounds, seconds, ended = list(self.in_bounds), self.seconds, self.last_ended_at
        if run.ended_at is not None:
            duration = (run.ended_at - run.started_at).total_seconds()
            in_bounds[bisect_left(BOUNDS_SECONDS, duration)] += 1
            seconds += duration
            ended = max(ended or run.ended_at, run.ended_at)
        good = self.last_success_at
        if run.result == "ok" and run.ended_at is not None:
            good = max(good or run.ended_at, run.ended_at)
        return RunTally(
            total=self.total + 1, failed=self.failed + (run.result in _BAD), in_bounds=tuple(in_bounds), seconds=seconds,
            last_ended_at=ended, last_success_at=good,
        )  # fmt: skip


def tally(runs: Iterable[Run], before: Mapping[str, RunTally]) -> dict[str, RunTally]:
    """The tallies with these runs added; runs that go on are left out."""
    tallies = dict(before)
    for run in runs:
        if run.result:
            tallies[run.verb] = tallies.get(run.verb, RunTally()).with_run(run)
    return tallies
