"""The small valid inventory that imports go into."""

from tests.inventory.conftest import change, inventory

__all__ = ["change", "inventory"]
