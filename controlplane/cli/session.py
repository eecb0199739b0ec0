"""What almost every verb needs: settings, the store, the estate, and who is asking."""

import getpass
import os
import socket
from pathlib import Path

from controlplane.inventory import load as load_inventory
from controlplane.model.estate import Estate
from controlplane.settings import Settings
from controlplane.settings import load as load_settings
from controlplane.store import Store, open_store


class Session:
    """One command's view of the controller; the store opens at first use."""

    def __init__(self, *, home: Path | None, inventory: Path | None) -> None:
        self.settings: Settings = load_settings(home=home, inventory=inventory)
        self._store: Store | None = None
        self._estate: Estate | None = None

    @property
    def store(self) -> Store:
        """The store, with its schema up to date."""
        if self._store is None:
            self._store = open_store(self.settings)
        return self._store

    @property
    def estate(self) -> Estate:
        """The inventory, read and checked once. Raises InventoryError with every mistake in it."""
        if self._estate is None:
            self._estate = load_inventory(self.settings.inventory)
        return self._estate

    @property
    def actor(self) -> str:
        """The person or timer behind this command, for evidence: sudo's caller when there is one."""
        return f"{os.environ.get('SUDO_USER') or _user()}@{socket.gethostname()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except KeyError:  # a container may run under a number that has no name
        return f"uid-{os.getuid()}"
