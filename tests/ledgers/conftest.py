"""The small valid inventory that imports go into, and the command as a person runs it."""

from types import SimpleNamespace

import pytest

from controlplane.cli.app import main
from tests.inventory.conftest import change, inventory

__all__ = ["change", "inventory"]


@pytest.fixture
def kasumi(inventory, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KASUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: str) -> SimpleNamespace:
        monkeypatch.setattr("sys.argv", ["kasumi", "inventory", *arguments, "-i", str(inventory)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return SimpleNamespace(returncode=ended.value.code, stdout=said.out, stderr=said.err)

    return run


@pytest.fixture
def import_(kasumi):
    """`kasumi inventory import FILE --ministry mof …`."""

    def run(file: str, *arguments: str) -> SimpleNamespace:
        return kasumi("import", file, "--ministry", "mof", *arguments)

    return run
