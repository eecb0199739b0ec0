"""The services' own Python, installed once from the versions in `constraints.txt` and cached by their digest.

Nothing of it is seen by the control plane: its packages and ours may disagree.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controlplane.errors import KasumiError
from lab.command import environment
from lab.openstack import layout
from lab.progress import say, step

CONSTRAINTS = Path(__file__).parent / "constraints.txt"
WHOLE = ".whole"
"""Written last: a folder without it is what an interrupted installation left."""
_INSTALL_SECONDS = 1800


def ensure() -> Path:
    """The virtual environment with all services, installed now if it is not there: a minute or two. May be repeated.

    Raises KasumiError with the end of the installer's words when it fails.
    """
    folder = place()
    if (folder / WHOLE).exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with one_build():
        if not (folder / WHOLE).exists():
            _install(folder)
    return folder


def place() -> Path:
    """Where the virtual environment is, or would be."""
    digest = hashlib.sha256(CONSTRAINTS.read_bytes() + sys.version.encode())
    return layout.cache() / f"python-{digest.hexdigest()[:16]}"


@contextmanager
def one_build() -> Iterator[None]:
    """Wait for whoever builds something for the cache; the lock is on its folder."""
    folder = os.open(layout.cache(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _install(folder: Path) -> None:
    log = layout.cache() / "install.log"
    say(f"lab openstack: installing it once, some minutes; log {log}")
    if folder.exists():
        shutil.rmtree(folder)
    with step("openstack packages") as note, log.open("w", encoding="utf-8") as words:
        _run([str(Path(sys.base_prefix) / "bin" / "python3"), "-m", "venv", str(folder)], words.fileno(), log)
        # Every version is named, so there is nothing to resolve.
        pip = [
            str(folder / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--no-deps",
            "--disable-pip-version-check",
            "--progress-bar=off",
        ]
        _run([*pip, "--requirement", str(CONSTRAINTS)], words.fileno(), log)
        (folder / WHOLE).touch()
        note(f"installed {folder}")


def _run(argv: list[str], words: int, log: Path) -> None:
    # Where packages come from is a matter of this machine.
    inherited = {key: value for key, value in os.environ.items() if key.startswith("PIP_") or key.lower().endswith("_proxy")}
    done = subprocess.run(
        argv,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=words,
        stderr=words,
        timeout=_INSTALL_SECONDS,
        env=environment() | inherited,
    )
    if done.returncode != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])
        raise KasumiError(f"lab openstack: `{' '.join(argv)}` failed with code {done.returncode}; log {log} ends:\n{tail}")
