"""What tests of the lab itself need beside the lab."""

from collections.abc import Iterator

import pytest

from lab import lifecycle
from tests.lab.occupants import machines_of_others


@pytest.fixture(scope="module")
def lab_whole_again(running_lab: None) -> Iterator[None]:
    """After tests that break it everything answers again."""
    yield
    lifecycle.up()


@pytest.fixture
def lab_to_break(lab_whole_again: None) -> Iterator[None]:
    """The lab for tests that kill or remove: only when no machines but the lab's own are in it.

    It is there again after each, but nobody waits for its guest to boot, which takes most of a minute.
    """
    if found := machines_of_others():
        pytest.fail(f"the lab holds machines of somebody: {', '.join(found)}; `make demo-down` first")
    yield
    lifecycle.up(wait=False)
