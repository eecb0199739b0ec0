"""Opens the database and brings its schema up to date: SQLite (WAL) in the controller's home, or PostgreSQL by URL."""

from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, ExceptionContext, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from controlplane.errors import KasumiError

_BUSY_MILLISECONDS = 30_000
"""Writers wait for each other this long; our transactions take milliseconds."""
_SCHEMA_LOCK = 7_205_759_403
"""Any fixed number: two controllers that start at once upgrade a PostgreSQL schema one after the other."""


def open_database(url: str) -> Engine:
    """An engine whose schema is this version's. Raises KasumiError naming the database when it cannot be used."""
    shown = _shown(url)
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise KasumiError(
            "KASUMI_DATABASE_URL: not a database URL; wanted sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from None
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    elif parsed.get_backend_name() == "sqlite" and parsed.database:
        _make_private(Path(parsed.database))
    else:
        raise KasumiError(f"database {shown}: wanted SQLite in a file or PostgreSQL; correct KASUMI_DATABASE_URL")
    engine = create_engine(parsed)
    event.listen(engine, "handle_error", partial(_explain, shown))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
    try:
        _upgrade(engine, shown)
    except DatabaseError as error:
        engine.dispose()
        raise _unusable(shown, error) from None
    except KasumiError:
        engine.dispose()
        raise
    return engine


def _explain(shown: str, context: ExceptionContext) -> None:
    """A full disk, a file nobody may write or a server that went away, at any statement, is told and not traced."""
    error = context.sqlalchemy_exception
    if isinstance(error, DatabaseError) and type(error) in {DatabaseError, OperationalError}:
        raise _unusable(shown, error)


def _unusable(shown: str, error: DatabaseError) -> KasumiError:
    why = (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]
    return KasumiError(
        f"database {shown}: {why}; see that it runs, or that its file and folder are yours and have room, and that KASUMI_DATABASE_URL is right"
    )


def _shown(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(unreadable URL)"


def _make_private(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise KasumiError(
            f"database {file}: {error.strerror}; name a folder of yours with --home or $KASUMI_HOME, or correct KASUMI_DATABASE_URL"
        ) from None


def _configure_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver's own implicit transactions leave DDL outside; we begin ourselves
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={_BUSY_MILLISECONDS}", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _upgrade(engine: Engine, shown: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SCHEMA_LOCK})
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        current = MigrationContext.configure(connection).get_current_revision()
        if current == scripts.get_current_head():
            return
        if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
            raise KasumiError(
                f"database {shown}: its schema {current} is of a newer kasumi; use that version or another database"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
