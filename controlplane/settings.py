"""Where this controller keeps its state and finds its inputs. Precedence: flag, environment (`KASUMI_*`), default.

The inventory says everything about the estate, access to hosts included; settings are about this controller only.
"""

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`home` holds the database, known hosts and run folders; `inventory` is a directory in Ansible's form."""

    home: Path
    database_url: str
    inventory: Path


def load(*, home: Path | None = None, inventory: Path | None = None) -> Settings:
    """Settings from flags (when given), then environment, then defaults under XDG state."""
    environment = os.environ
    state = Path(environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    found_home = (home or Path(environment.get("KASUMI_HOME") or state / "kasumi")).absolute()
    return Settings(
        home=found_home,
        database_url=environment.get("KASUMI_DATABASE_URL") or f"sqlite:///{found_home / 'kasumi.db'}",
        inventory=(inventory or Path(environment.get("KASUMI_INVENTORY") or resource("inventories") / "lab")).absolute(),
    )


def resource(name: str) -> Path:
    """A folder shipped with the product: `playbooks`, `inventories`, `templates` or `monitoring`.

    In an installed wheel it lies inside the package, in a checkout beside it.
    """
    package = Path(str(files("controlplane")))
    inside = package / "resources" / name
    return inside if inside.is_dir() else package.parent / name
