"""Roots of legacy servers that are not Debian 12, built once in some minutes; cached by the digest of their recipe.

The cache lies beside that of the images and is keyed by this folder's files alone: to change an old server rebuilds no image.
"""

import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path

from controlplane.errors import KasumiError
from lab import image, layout
from lab.command import environment
from lab.progress import say, step

RECIPE = Path(__file__).parent
PARTS = ("build.sh", "debian-11.sh", "old-style.sh", "busybox.sh")
_DONE = "busybox/bin/busybox"


def ensure() -> Path:
    """The folder with all roots, built now if it is not there. May be repeated; raises KasumiError with the log's end."""
    done = _folder()
    if (done / _DONE).exists():
        return done
    layout.cache().mkdir(parents=True, exist_ok=True)
    with image.one_build():
        if not (done / _DONE).exists():
            _build(done)
    return done


def debian_11() -> Path:
    """A Debian 11 with python3; the cache must be there."""
    return _folder() / "debian-11"


def old_style() -> Path:
    """A system without python3 that says it is of 2009; the cache must be there."""
    return _folder() / "old-style"


def busybox() -> Path:
    """BusyBox and dropbear; the cache must be there."""
    return _folder() / "busybox"


def init_of(server: str) -> Path:
    """The first process of a server that is made of one of these roots, or of another's; put into it when it starts."""
    return RECIPE / f"{server}.init"


@cache
def digest() -> str:
    """The name of what this recipe builds."""
    found = hashlib.sha256()
    for part in PARTS:
        found.update(part.encode() + b"\0" + (RECIPE / part).read_bytes() + b"\0")
    found.update(image.mirrors()[0].encode())
    return found.hexdigest()[:16]


def _folder() -> Path:
    return layout.cache() / f"roots-{digest()}"


def _build(done: Path) -> None:
    for stale in layout.cache().glob("roots-*.building"):
        shutil.rmtree(stale)
    building = done.with_name(f"{done.name}.building")
    building.mkdir()
    log = layout.cache() / "roots.log"
    say(f"lab roots: building them once, some minutes; log {log}")
    fence = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--mount-proc", "--propagation", "private"]
    argv = [*fence, "--kill-child", "sh", str(RECIPE / "build.sh"), str(building), image.mirrors()[0]]
    with step("roots") as note, log.open("w", encoding="utf-8") as words:
        code = subprocess.run(
            argv, stdout=words, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False, env=environment()
        ).returncode
        if code != 0:
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-image.LAST_WORDS :])
            raise KasumiError(f"lab roots: wanted a build from {RECIPE}, found code {code}; log {log} ends:\n{tail}")
        building.rename(done)
        note(f"built {done}")
