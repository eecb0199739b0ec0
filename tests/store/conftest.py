"""Every test of the store runs on SQLite and on a real PostgreSQL."""

import itertools
from collections.abc import Iterator

import psycopg
import pytest

from controlplane.settings import Settings
from controlplane.store import Store, open_store
from tests.store.postgres import running_postgres

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request, tmp_path) -> Settings:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/home/kasumi.db"
    else:
        base = request.getfixturevalue("postgres")
        name = f"kasumi_{next(_numbers)}"
        with psycopg.connect(base, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = base.replace("/postgres?", f"/{name}?")
    return Settings(home=tmp_path / "home", database_url=url, inventory=tmp_path)


@pytest.fixture
def store(settings) -> Iterator[Store]:
    opened = open_store(settings)
    yield opened
    opened.close()
