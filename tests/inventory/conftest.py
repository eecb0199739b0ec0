"""A small valid inventory to break."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

BASE = Path(__file__).parent / "base"


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `base` named `inventory` in the working directory, as a user would type it."""
    shutil.copytree(BASE, tmp_path / "inventory")
    monkeypatch.chdir(tmp_path)
    return Path("inventory")


@pytest.fixture
def change(inventory: Path) -> Callable[[str, str, str], Path]:
    """Replace text that stands once or more in a file of the inventory, at its first place."""

    def replace(file: str, there: str, instead: str) -> Path:
        path = inventory / file
        text = path.read_text(encoding="utf-8")
        assert there in text, f"{file} has no {there!r}"
        path.write_text(text.replace(there, instead, 1), encoding="utf-8")
        return inventory

    return replace
