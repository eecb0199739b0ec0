"""Where this controller keeps its state and finds its inputs. Precedence: flag, environment (`KASUMI_*`), default.

The inventory says everything about the estate, access to hosts included; settings are about this controller only.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from controlplane.errors import KasumiError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`home` holds the database, known hosts and run folders; `inventory` is a directory in Ansible's form."""

    home: Path
    database_url: str
    inventory: Path


def load(*, home: Path | None = None, inventory: Path | None = None) -> Settings:
    """Settings from flags (when given), then environment, then defaults under XDG state. Raises KasumiError when there is no home."""
    environment = os.environ
    found_home = (home or Path(environment.get("KASUMI_HOME") or _state(environment) / "kasumi")).absolute()
    return Settings(
        home=found_home,
        database_url=environment.get("KASUMI_DATABASE_URL") or f"sqlite:///{found_home / 'kasumi.db'}",
        inventory=(inventory or Path(environment.get("KASUMI_INVENTORY") or resource("inventories") / "lab")).absolute(),
    )


def _state(environment: Mapping[str, str]) -> Path:
    stated = environment.get("XDG_STATE_HOME")
    try:
        return Path(stated) if stated else Path.home() / ".local" / "state"
    except RuntimeError:
        raise KasumiError("state: this user has no home directory; name a folder with --home or $KASUMI_HOME") from None


def resource(name: str) -> Path:
    """A folder shipped with the product: `playbooks`, `inventories`, `templates` or `monitoring`.

    In an installed wheel it lies inside the package, in a checkout beside it.
    """
    package = Path(str(files("controlplane")))
    inside = package / "resources" / name
    return inside if inside.is_dir() else package.parent / name
