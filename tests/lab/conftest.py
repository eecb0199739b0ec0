"""What tests of the lab itself need beside the lab."""

from collections.abc import Iterator

import pytest

from lab import lifecycle
from tests.lab.occupants import machines_of_others


@pytest.fixture
def lab_to_break(running_lab: None) -> Iterator[None]:
    """The lab for tests that kill or remove: only when no machines but the lab's own are in it."""
    if found := machines_of_others():
        pytest.fail(f"the lab holds machines of somebody: {', '.join(found)}; `make demo-down` first")
    yield
    lifecycle.up()
