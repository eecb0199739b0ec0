"""The lab for the contract tests, as `tests/lab` brings it up."""

from tests.lab.conftest import running_lab

__all__ = ["running_lab"]
