"""Reads and validates an inventory directory (Ansible YAML); every complaint names file, line and column."""

from controlplane.inventory.reading import InventoryError, load, read

__all__ = ["InventoryError", "load", "read"]
