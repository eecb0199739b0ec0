"""Samples counters of many servers for a while, over one connection each, and makes series of them.

Every server is read at its own moment within the step, so that hundreds do not answer at once. A reading that did not come is a
gap; the next one opens the connection again.
"""

import secrets
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from controlplane.connectors.server_ssh import Connection, Door, NotIn
from controlplane.discovery import counters
from controlplane.discovery.collecting import Means
from controlplane.discovery.counters import Counters
from controlplane.discovery.frames import frames
from controlplane.discovery.probe import Probe
from controlplane.discovery.script import COMMAND, compose
from controlplane.model.facts import Source
from controlplane.model.series import Dimension, Series

_PROBE = Probe(name="counters", command=counters.COMMAND, parse=lambda output: {}, families=counters.FAMILIES, seconds=10)
_READ_SECONDS = 30.0
_KEPT_AT_ONCE = 15
"""Samples of a server that are written together: an interruption of the controller loses no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """For how long, and how many seconds lie between two samples."""

    seconds: float
    every_seconds: int

    @property
    def samples(self) -> int:
        """How many samples that makes; each needs a reading before it."""
        return max(1, int(self.seconds // self.every_seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """How the sampling of one server went: samples got of those wanted, and the last thing that went wrong."""

    server: str
    got: int
    wanted: int
    problem: str = ""


def sample_all(
    doors: Mapping[str, Door],
    means: Means,
    sampling: Sampling,
    *,
    keep: Callable[[Sequence[Series]], None],
    stop: threading.Event,
) -> list[Sampled]:
    """Sample all of them until the time is over or `stop` is set. `keep` is called from several threads."""
    if not doors:
        return []
    begin = time.time()
    with ThreadPoolExecutor(max_workers=len(doors)) as pool:
        jobs = [pool.submit(_sample, server, door, means, sampling, begin, keep, stop) for server, door in doors.items()]
        return [job.result() for job in jobs]


def series_of(
    server: str, started_at: datetime, every_seconds: int, samples: Sequence[Mapping[Dimension, float]]
) -> tuple[Series, ...]:
    """One series for each dimension that any sample has; what a sample lacks is NaN. Pure."""
    return tuple(
        Series(
            server=server, dimension=dimension, source=Source.SSH, started_at=started_at, step_seconds=every_seconds,
            values=np.array([sample.get(dimension, np.nan) for sample in samples], dtype=np.float32),
        )
        for dimension in Dimension
        if any(dimension in sample for sample in samples)
    )  # fmt: skip


def _sample(
    server: str,
    door: Door,
    means: Means,
    sampling: Sampling,
    begin: float,
    keep: Callable[[Sequence[Series]], None],
    stop: threading.Event,
) -> Sampled:
    every = sampling.every_seconds
    moment = begin + zlib.crc32(server.encode()) % (every * 1000) / 1000 * min(1.0, sampling.seconds / every / 2)
    waiting: list[Mapping[Dimension, float]] = []
    got, problem, before = 0, "", None
    connection: Connection | None = None
    at = moment
    try:
        for reading in range(sampling.samples + 1):
            at = moment + reading * every
            if stop.wait(max(0.0, at - time.time())):
                break
            now: Counters | None = None
            try:
                if connection is None:
                    connection = Connection(door, means.known, means.keyring, deadline=time.monotonic() + means.connect_seconds)
                now = _read(connection, min(_READ_SECONDS, float(every)))
                problem = problem if now else f"{door.shown}: its counters could not be read"
            except NotIn as error:
                problem = str(error)
            if now is None and connection is not None:
                connection.close()
                connection = None
            if reading:
                waiting.append(counters.between(before, now) if before and now else {})
                got += bool(waiting[-1])
            before = now
            if len(waiting) >= _KEPT_AT_ONCE:
                keep(series_of(server, _first(at, every, waiting), every, waiting))
                waiting = []
    except Exception as error:  # whatever one host provokes, the others go on
        problem = f"{door.shown}: {type(error).__name__}: {error}"
    finally:
        if connection is not None:
            connection.close()
        if waiting:
            keep(series_of(server, _first(at, every, waiting), every, waiting))
    return Sampled(server=server, got=got, wanted=sampling.samples, problem=problem if got < sampling.samples else "")


def _first(last: float, every: int, waiting: Sequence[object]) -> datetime:
    """The instant of the first of the waiting samples, the last being at `last`."""
    return datetime.fromtimestamp(last - every * (len(waiting) - 1), UTC)


def _read(connection: Connection, seconds: float) -> Counters | None:
    mark = secrets.token_hex(12)
    said = connection.run(
        COMMAND, compose((_PROBE,), mark=mark), end=f"\n{mark}>end\n".encode(), deadline=time.monotonic() + seconds
    )
    frame = next((one for one in frames(said.output, mark=mark) if one.name == _PROBE.name), None)
    return counters.read(frame.output) if frame is not None and frame.status is not None else None
