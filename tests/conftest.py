"""Options and fixtures that several areas share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import lifecycle, ownership
from lab.openstack import lifecycle as cloud_lifecycle
from tests.lab.occupants import machines_of_others
from tests.openstack.cloud import RunningCloud, running


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="Write golden files anew instead of comparing with them.")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What stays in one process: the tests of a file, and all of the lab, of which a machine has one. That takes longest."""
    items.sort(key=lambda item: item.get_closest_marker("lab") is None)
    for item in items:
        item.add_marker(pytest.mark.xdist_group("lab" if item.get_closest_marker("lab") else str(item.path)))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare text with a file in `golden/` beside the test; written anew with --regenerate."""

    def compare(name: str, text: str) -> None:
        file = Path(request.path).parent / "golden" / name
        if request.config.getoption("--regenerate"):
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8"), (
            f"{file} differs; see the change and run pytest --regenerate if it is meant"
        )

    return compare


@pytest.fixture(scope="session")
def running_lab() -> Iterator[None]:
    """The lab, up. It is left up when it was up before, or when somebody has come to work in it since."""
    if os.geteuid() != 0:
        pytest.fail("the lab's hypervisors need root: `sudo make test`, or `make test-fast` for what needs none")
    was_up = ownership.is_home()
    lifecycle.up()
    yield
    if not was_up and ownership.is_home() and not machines_of_others():
        lifecycle.down()


@pytest.fixture(scope="session")
def running_cloud() -> Iterator[RunningCloud]:
    """The lab's OpenStack, up. It is left up when it was up before; what tests make in it they remove."""
    if os.geteuid() != 0:
        pytest.fail("the lab's OpenStack needs root: `sudo make test`, or `make test-fast` for what needs none")
    was_up = cloud_lifecycle.is_up()
    cloud_lifecycle.up()
    yield running()
    if not was_up:
        cloud_lifecycle.down()
