"""The systemd units call what there is, by a path that does not depend on anybody's PATH, and the page says where that is."""

import configparser
import shlex
from pathlib import Path

import pytest

from controlplane.settings import resource
from tests.docs.pages import ROOT, options_of, verb_of
from tests.docs.test_commands import help_of

PAGE = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
UNITS = sorted((resource("templates") / "systemd").iterdir())


def unit(path):
    read = configparser.ConfigParser(interpolation=None, strict=False)
    read.optionxform = str
    read.read_string(path.read_text(encoding="utf-8"))
    return read


@pytest.mark.parametrize("path", [path for path in UNITS if path.suffix == ".service"], ids=lambda path: path.name)
def test_a_service_runs_a_command_that_there_is_by_its_whole_path(path):
    program, *words = shlex.split(unit(path)["Service"]["ExecStart"])
    assert Path(program).is_absolute()
    assert f"`{program}`" in PAGE
    text = help_of(*verb_of(words))
    assert all(option in text for option in options_of(words))


def test_home_user_and_inventory_are_those_of_the_page():
    for path in UNITS:
        if path.suffix == ".service":
            service = unit(path)["Service"]
            for setting in service["Environment"].split():
                assert setting in PAGE
            assert f"the user `{service['User']}`" in PAGE
            assert f"KASUMI_HOME=/var/lib/{service['StateDirectory']}" in service["Environment"]


def test_a_timer_has_its_service_and_the_page_names_every_unit():
    names = {path.name for path in UNITS}
    for path in UNITS:
        if path.suffix == ".timer":
            assert path.with_suffix(".service").name in names
        assert path.name in PAGE
