"""Kasumigaseki control plane: consolidates ministries' servers onto shared hypervisors and keeps the result true."""

__version__ = "0.1.0"
