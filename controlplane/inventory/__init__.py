"""Reads and validates an inventory directory (Ansible YAML); every complaint names file, line and column."""
