"""Utilisation over time by server: appended by discovery, read by assessment and placement, forgotten after KEPT_DAYS.

A row holds a calendar month (UTC) of one dimension from one source at one step, as `samples` encodes it. Samples lie on the
grid of their step, so a sample is moved by half a step at most, and appending the same samples again changes nothing.
"""

from calendar import monthrange
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, delete, func, insert, select, update
from sqlalchemy.engine import Row

from controlplane.errors import KasumiError
from controlplane.model.facts import Source
from controlplane.model.series import Dimension, Series
from controlplane.store.samples import DamagedSamplesError, decode, encode
from controlplane.store.schema import series as table

KEPT_DAYS = 400
"""A year and its comparison: the load at the end of a fiscal year is still there when the next one is planned."""
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    """Where a row's samples lie: `first` is the number of steps from the epoch to its first sample."""

    month: str
    first: int
    count: int


class SeriesStore:
    """Series of an estate. Methods may be called from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def append(self, estate: str, given: Iterable[Series]) -> None:
        """Add samples; a sample at an instant that is on record replaces it, a missing one replaces nothing.

        Raises KasumiError when a series has no usable step or no zone.
        """
        with self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            for one in given:
                _append(connection, estate, one)

    def read(self, estate: str, server: str, dimension: Dimension, start: datetime, end: datetime) -> Series | None:
        """One dimension from `start` to before `end`; None when nothing is on record.

        Of several sources or steps the one whose samples cover most time is given; sources are never mixed.
        """
        return self.of_server(estate, server, start, end).get(dimension)

    def of_server(self, estate: str, server: str, start: datetime, end: datetime) -> dict[Dimension, Series]:
        """All dimensions of one server, each as `read` gives it, with one query."""
        query = select(table).where(
            table.c.estate == estate,
            table.c.server == server,
            table.c.month >= _month(start),
            table.c.month <= _month(end),
        )
        with self._engine.connect() as connection:
            rows = connection.execute(
                query.order_by(table.c.dimension, table.c.source, table.c.step_seconds, table.c.month)
            ).all()
        return _best(rows, start, end)

    def of_estate(self, estate: str, start: datetime, end: datetime) -> Iterator[tuple[str, dict[Dimension, Series]]]:
        """Server after server by id, so that only one server's samples are in memory."""
        query = (
            select(table)
            .where(table.c.estate == estate, table.c.month >= _month(start), table.c.month <= _month(end))
            .order_by(table.c.server, table.c.dimension, table.c.source, table.c.step_seconds, table.c.month)
        )
        with self._engine.connect() as connection:
            server, rows = "", list[Row[tuple[object, ...]]]()
            for row in connection.execution_options(yield_per=500).execute(query):
                if row.server != server and rows:
                    yield server, _best(rows, start, end)
                    rows = []
                server = row.server
                rows.append(row)
            if rows:
                yield server, _best(rows, start, end)

    def forget(self, estate: str, before: datetime) -> int:
        """Drop the months that ended before an instant; says how many rows went."""
        with self._engine.begin() as connection:
            gone = connection.execute(delete(table).where(table.c.estate == estate, table.c.month < _month(before)))
            return gone.rowcount

    def stored_bytes(self, estate: str) -> int:
        """Bytes of all samples on record, without the database's own."""
        with self._engine.connect() as connection:
            query = select(func.sum(func.length(table.c.samples))).where(table.c.estate == estate)
            return int(connection.scalar(query) or 0)


def _append(connection: Connection, estate: str, one: Series) -> None:
    if not 0 < one.step_seconds <= _DAY_SECONDS or _DAY_SECONDS % one.step_seconds:
        raise KasumiError(
            f"series {one.server} {one.dimension.value}: wanted a step that divides a day, found {one.step_seconds} s; "
            "sample every 10, 60 or 300 s"
        )
    if one.started_at.tzinfo is None:
        raise KasumiError(f"series {one.server} {one.dimension.value}: its start has no time zone; give it in UTC")
    first = round(one.started_at.timestamp() / one.step_seconds)
    for chunk in _chunks(first, len(one.values), one.step_seconds):
        start, end = max(first, chunk.first), min(first + len(one.values), chunk.first + chunk.count)
        fresh = one.values[start - first : end - first]
        if not np.isfinite(fresh).any():
            continue
        key = (
            (table.c.estate == estate)
            & (table.c.server == one.server)
            & (table.c.month == chunk.month)
            & (table.c.dimension == one.dimension.value)
            & (table.c.source == one.source.value)
            & (table.c.step_seconds == one.step_seconds)
        )
        known = connection.scalar(select(table.c.samples).where(key).with_for_update())
        whole = _decoded(known, chunk.count, one.server) if known is not None else np.full(chunk.count, np.nan, dtype=np.float32)
        part = whole[start - chunk.first : end - chunk.first]
        np.copyto(part, fresh, where=np.isfinite(fresh) & (fresh >= 0))
        if known is not None:
            connection.execute(update(table).where(key).values(samples=encode(whole)))
        else:
            connection.execute(
                insert(table).values(
                    estate=estate, server=one.server, month=chunk.month, dimension=one.dimension.value,
                    source=one.source.value, step_seconds=one.step_seconds, samples=encode(whole),
                )
            )  # fmt: skip
            oldest = one.started_at - timedelta(days=KEPT_DAYS)
            connection.execute(
                delete(table).where(table.c.estate == estate, table.c.server == one.server, table.c.month < _month(oldest))
            )


def _best(rows: Sequence[Row[tuple[object, ...]]], start: datetime, end: datetime) -> dict[Dimension, Series]:
    """Of each dimension the source and step that cover most time."""
    kinds: dict[tuple[str, str, int], list[tuple[str, bytes]]] = {}
    for row in rows:
        kinds.setdefault((row.dimension, row.source, row.step_seconds), []).append((row.month, row.samples))
    best: dict[Dimension, tuple[int, Series]] = {}
    for (dimension, source, step), chunks in kinds.items():
        values = _joined(chunks, step, start, end, f"{dimension} from {source}")
        covered = int(np.count_nonzero(~np.isnan(values))) * step
        known = best.get(Dimension(dimension))
        if covered and (known is None or covered > known[0]):
            first = -(-int(start.timestamp()) // step)
            found = Series(
                server=rows[0].server,
                dimension=Dimension(dimension),
                source=Source(source),
                started_at=datetime.fromtimestamp(first * step, UTC),
                step_seconds=step,
                values=values,
            )
            best[found.dimension] = covered, found
    return {dimension: found for dimension, (_, found) in best.items()}


def _joined(chunks: list[tuple[str, bytes]], step: int, start: datetime, end: datetime, what: str) -> NDArray[np.float32]:
    first, last = -(-int(start.timestamp()) // step), -(-int(end.timestamp()) // step)
    values = np.full(max(0, last - first), np.nan, dtype=np.float32)
    for month, data in chunks:
        chunk = _chunk(month, step)
        samples = _decoded(data, chunk.count, what)
        begin, finish = max(first, chunk.first), min(last, chunk.first + chunk.count)
        if begin < finish:
            values[begin - first : finish - first] = samples[begin - chunk.first : finish - chunk.first]
    return values


def _decoded(data: bytes, count: int, what: str) -> NDArray[np.float32]:
    try:
        return decode(data, count)
    except DamagedSamplesError as error:
        raise KasumiError(f"store: samples of {what} are damaged: {error}; restore the database from its backup") from None


def _chunks(first: int, count: int, step: int) -> Iterator[_Chunk]:
    at = first
    while at < first + count:
        chunk = _chunk(_month(datetime.fromtimestamp(at * step, UTC)), step)
        yield chunk
        at = chunk.first + chunk.count


def _chunk(month: str, step: int) -> _Chunk:
    year, number = (int(part) for part in month.split("-"))
    begins = datetime(year, number, 1, tzinfo=UTC)
    return _Chunk(
        month=month,
        first=int(begins.timestamp()) // step,
        count=monthrange(year, number)[1] * _DAY_SECONDS // step,
    )


def _month(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m")
