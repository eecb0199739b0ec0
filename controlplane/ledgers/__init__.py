"""Reads the ledgers that ministries really have into rows of one type, and merges these into the inventory."""
