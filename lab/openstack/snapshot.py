"""The state of the empty cloud, built once and cached by the digest of everything that shapes it; a reset puts it back."""

import hashlib
import shutil
from pathlib import Path

from lab.command import run
from lab.openstack import layout, packages

PARTS = (
    "accounts.py",
    "constraints.txt",
    "databases.py",
    "etc",
    "inside/virt",
    "layout.py",
)
"""What of this package shapes the databases' content."""


RECIPE = "recipe"


def recipe() -> str:
    """Which recipe the state in the home is of; nothing when it does not say."""
    kept = layout.state() / RECIPE
    return kept.read_text(encoding="utf-8") if kept.exists() else ""


def exists() -> bool:
    """Whether the empty cloud of this recipe is in the cache."""
    return place().exists()


def place() -> Path:
    """Where it is, or would be."""
    here = Path(__file__).parent
    digest = hashlib.sha256(packages.place().name.encode())
    digest.update(run(["mariadbd", "--version"]).encode())
    for part in PARTS:
        for path in sorted((here / part).rglob("*")) if (here / part).is_dir() else [here / part]:
            if path.is_file() and path.suffix != ".pyc":
                digest.update(path.relative_to(here).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return layout.cache() / f"state-{digest.hexdigest()[:16]}"


def take() -> Path:
    """Keep the state as it is now; no service may run. May be repeated: the last one is kept."""
    done = place()
    (layout.state() / RECIPE).write_text(done.name, encoding="utf-8")
    fresh = done.with_suffix(".building")
    layout.cache().mkdir(parents=True, exist_ok=True)
    # Passwords are in it.
    layout.cache().chmod(0o700)
    for stale in (*layout.cache().glob("state-*.building"), done):
        if stale.exists():
            shutil.rmtree(stale)
    _copy(layout.state(), fresh)
    fresh.rename(done)
    return done


def restore() -> None:
    """Make the state that of the empty cloud; no service may run. May be repeated."""
    remove_state()
    fresh = layout.state().with_suffix(".new")
    if fresh.exists():
        shutil.rmtree(fresh)
    _copy(place(), fresh)
    fresh.rename(layout.state())


def remove_state() -> None:
    """Remove whatever the services kept. May be repeated."""
    if layout.state().exists():
        shutil.rmtree(layout.state())


def _copy(source: Path, target: Path) -> None:
    run(["cp", "--archive", "--reflink=auto", str(source), str(target)])
