"""What the controller remembers: accepted plans, observations, runs, migrations, evidence."""

from controlplane.settings import Settings
from controlplane.store.database import open_database
from controlplane.store.state import Run, Store

__all__ = ["Run", "Store", "open_store"]


def open_store(settings: Settings) -> Store:
    """The store of this controller, its schema up to date. Raises KasumiError naming the database when it cannot be used."""
    return Store(open_database(settings.database_url), settings.home)
