"""What was collected from servers, by server and source: every collection is kept, failed ones too.

The documents are JSON, compressed: a server's packages and accounts are 100 KB of text that hardly changes from day to day.
"""

import zlib
from collections.abc import Iterable, Iterator
from itertools import groupby

from pydantic import TypeAdapter
from sqlalchemy import Engine, func, insert, select

from controlplane.model.facts import ServerFacts
from controlplane.store.schema import collections as table

_DOCUMENT = TypeAdapter(ServerFacts)
_QUICK = 3
"""Level of compression: a fifth of the size already, at a third of the time of the default."""


class FactsStore:
    """Collections of an estate. Methods may be called from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, estate: str, given: Iterable[ServerFacts]) -> None:
        """Keep collections, in one transaction."""
        rows = [
            {
                "estate": estate, "server": one.server, "source": one.source.value, "collected_at": one.collected_at,
                "answer": one.answer.value, "has_facts": int(bool(one.facts)),
                "document": zlib.compress(_DOCUMENT.dump_json(one), _QUICK),
            }
            for one in given
        ]  # fmt: skip
        if not rows:
            return
        with self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.execute(insert(table), rows)

    def latest(self, estate: str, *, server: str | None = None) -> dict[str, tuple[ServerFacts, ...]]:
        """By server, the last collection of each source, whether it brought facts or not."""
        return self._latest(estate, server, only_with_facts=False)

    def latest_with_facts(self, estate: str, *, server: str | None = None) -> dict[str, tuple[ServerFacts, ...]]:
        """By server, the last collection of each source that brought facts: what is known although it may be silent now."""
        return self._latest(estate, server, only_with_facts=True)

    def by_server(self, estate: str) -> Iterator[tuple[str, tuple[ServerFacts, ...]]]:
        """Server after server, of each source the last collection and the last that brought facts; one server in memory."""
        mine = table.c.estate == estate
        last = select(func.max(table.c.id)).where(mine).group_by(table.c.server, table.c.source)
        good = select(func.max(table.c.id)).where(mine, table.c.has_facts == 1).group_by(table.c.server, table.c.source)
        query = (
            select(table.c.server, table.c.document).where(table.c.id.in_(last.union(good))).order_by(table.c.server, table.c.id)
        )
        with self._engine.connect() as connection:
            rows = connection.execution_options(yield_per=200).execute(query)
            for server, group in groupby(rows, key=lambda row: str(row.server)):
                yield server, tuple(_DOCUMENT.validate_json(zlib.decompress(row.document)) for row in group)

    def count(self, estate: str, server: str) -> int:
        """How many collections of a server are kept."""
        query = select(func.count()).select_from(table).where(table.c.estate == estate, table.c.server == server)
        with self._engine.connect() as connection:
            return connection.scalar(query) or 0

    def _latest(self, estate: str, server: str | None, *, only_with_facts: bool) -> dict[str, tuple[ServerFacts, ...]]:
        newest = select(func.max(table.c.id)).where(table.c.estate == estate)
        if server is not None:
            newest = newest.where(table.c.server == server)
        if only_with_facts:
            newest = newest.where(table.c.has_facts == 1)
        query = select(table.c.document).where(table.c.id.in_(newest.group_by(table.c.server, table.c.source)))
        found: dict[str, tuple[ServerFacts, ...]] = {}
        with self._engine.connect() as connection:
            for document in connection.scalars(query.order_by(table.c.server, table.c.source)):
                one = _DOCUMENT.validate_json(zlib.decompress(document))
                found[one.server] = (*found.get(one.server, ()), one)
        return found
