"""One controller at a time: a lock that its holder's death frees. A file lock beside SQLite, an advisory lock in PostgreSQL."""

import fcntl
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, text

from controlplane.errors import LockedError


@contextmanager
def file_lock(folder: Path, name: str, *, verb: str) -> Iterator[None]:
    """Hold the lock `name`. Raises LockedError that says who holds it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / f"{re.sub('[^a-z0-9-]', '_', name)}.lock"
    with file.open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise LockedError(_locked_text(name, stream.read().strip() or "somebody")) from None
        stream.truncate(0)
        stream.write(_holder(verb))
        stream.flush()
        try:
            yield
        finally:
            stream.truncate(0)


@contextmanager
def advisory_lock(engine: Engine, name: str, *, verb: str) -> Iterator[None]:
    """Hold the lock `name` on a connection of its own. Raises LockedError that says who holds it."""
    with engine.connect() as connection:
        key = {"key": f"kasumi {name}"}
        connection.execute(text("SELECT set_config('application_name', :holder, false)"), {"holder": _holder(verb)[:63]})
        connection.commit()
        got = connection.scalar(text("SELECT pg_try_advisory_lock(hashtextextended(:key, 0))"), key)
        connection.commit()
        if not got:
            who = connection.scalar(
                text(
                    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
                    "WHERE l.locktype = 'advisory' AND l.granted AND "
                    "((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended(:key, 0)"
                ),
                key,
            )
            raise LockedError(_locked_text(name, who or "somebody"))
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:key, 0))"), key)
            connection.commit()
            connection.invalidate()  # the connection carries our name; do not give it to others


def _holder(verb: str) -> str:
    return json.dumps({"verb": verb, "pid": os.getpid(), "on": socket.gethostname(), "at": f"{datetime.now(UTC):%FT%TZ}"})


def _locked_text(name: str, holder: str) -> str:
    return f"{name}: another controller is at work ({holder}); wait for it, then run again"
