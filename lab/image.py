"""What takes minutes to build, built once: the guest image and the root file systems of the legacy servers.

The cache is keyed by the digest of the recipe (every file in `recipe/` that takes part, and the mirrors): a changed recipe
builds anew, an unchanged one never does. A build that was interrupted leaves a `.building` folder, thrown away by the next.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controlplane.errors import KasumiError
from lab import layout
from lab.command import environment, run
from lab.progress import say, step

RECIPE = Path(__file__).parent / "recipe"
PARTS = (
    "packages",
    "build.sh",
    "enter.sh",
    "disk.sh",
    "before-packages.sh",
    "guest.sh",
    "mof-files.sh",
    "mhlw-pension.sh",
)
IMAGE = "debian-12.qcow2"
LAST_WORDS = 12
"""Lines of the build's log shown when it fails."""


def mirrors() -> tuple[str, str]:
    """Where Debian and its security updates come from: as this machine's apt has them.

    `KASUMI_LAB_MIRROR` and `KASUMI_LAB_SECURITY_MIRROR` override. Raises KasumiError where apt does not know them.
    """
    known = dict(line.split() for line in run(["apt-get", "indextargets", "--format", "$(RELEASE) $(SITE)"]).splitlines())
    plain = os.environ.get("KASUMI_LAB_MIRROR") or known.get("bookworm")
    security = os.environ.get("KASUMI_LAB_SECURITY_MIRROR") or known.get("bookworm-security")
    if not plain or not security:
        raise KasumiError(
            "lab: apt has no source for bookworm and bookworm-security; set KASUMI_LAB_MIRROR and KASUMI_LAB_SECURITY_MIRROR"
        )
    return plain, security


def recipe_digest() -> str:
    """The name of what this recipe builds: the start of a SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    for part in PARTS:
        digest.update(part.encode() + b"\0" + (RECIPE / part).read_bytes() + b"\0")
    digest.update("\0".join(mirrors()).encode())
    return digest.hexdigest()[:16]


def ensure_cache() -> Path:
    """The folder with everything built from the recipe, built now if it is not there: some minutes, with progress on stderr.

    May be repeated; a second caller waits for the first. Raises KasumiError with the end of the build's log when it fails.
    """
    done = layout.cache() / recipe_digest()
    if (done / IMAGE).exists():
        return done
    layout.cache().mkdir(parents=True, exist_ok=True)
    with one_build():
        return done if (done / IMAGE).exists() else _build_into(done)


@contextmanager
def one_build() -> Iterator[None]:
    """Hold the lock of the cache: one build at a time."""
    folder = os.open(layout.cache(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _build_into(done: Path) -> Path:
    for stale in layout.cache().glob("*.building"):
        shutil.rmtree(stale)
    building = done.with_name(f"{done.name}.building")
    building.mkdir()
    log = layout.cache() / "build.log"
    say(f"lab image: building it once, a few minutes; log {log}")
    with step("image") as note:
        _build(building, log)
        building.rename(done)
        note(f"built {done}")
    return done


def ensure_image() -> Path:
    """The guest image in the lab's home, `.sha256` beside it, built if need be. May be repeated.

    Raises KasumiError when the build fails.
    """
    source = ensure_cache() / IMAGE
    target = layout.guest_image()
    target.parent.mkdir(parents=True, exist_ok=True)
    wanted = _sidecar(source).read_text(encoding="utf-8")
    if not target.exists() or not _sidecar(target).exists() or _sidecar(target).read_text(encoding="utf-8") != wanted:
        _sidecar(target).unlink(missing_ok=True)
        fresh = target.with_suffix(".new")
        run(["cp", "--reflink=auto", str(source), str(fresh)])
        fresh.rename(target)
        # Last: a sidecar says that the image beside it is whole.
        _sidecar(target).write_text(wanted, encoding="utf-8")
    return target


def pension_disk() -> Path:
    """The disk of the guest `mhlw-pension` without anybody's keys; the cache must be there."""
    return layout.cache() / recipe_digest() / "mhlw-pension.qcow2"


def pension_places() -> dict[str, int]:
    """Where on that disk, in bytes from its start, the one block of each file of keys lies; the cache must be there."""
    lines = pension_disk().with_suffix(".places").read_text(encoding="utf-8").splitlines()
    return {path: int(offset) for path, offset in (line.split() for line in lines)}


def kernel() -> Path:
    """The guest image's kernel; the cache must be there."""
    return layout.cache() / recipe_digest() / "vmlinuz"


def mof_files_system() -> Path:
    """The root file system of the server `mof-files`, for reading only; the cache must be there."""
    return layout.cache() / recipe_digest() / "mof-files"


def purge() -> None:
    """Remove the cache. May be repeated."""
    if layout.cache().exists():
        shutil.rmtree(layout.cache())


def _sidecar(image: Path) -> Path:
    return image.with_name(f"{image.name}.sha256")


def _build(target: Path, log: Path) -> None:
    # The build dies with us (pdeathsig), and with the build all of its processes and mounts: they have their own namespaces.
    fence = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--mount-proc", "--propagation", "private"]
    argv = [*fence, "--kill-child", "sh", str(RECIPE / "build.sh"), str(target), *mirrors()]
    began = time.monotonic()
    with (
        log.open("w", encoding="utf-8") as words,
        subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, env=environment()
        ) as build,
    ):
        assert build.stdout is not None  # noqa: S101 - it is a pipe
        for line in build.stdout:
            words.write(line)
            words.flush()
            if line.startswith("step: "):
                say(f"lab image: {time.monotonic() - began:4.0f} s {line.removeprefix('step: ').strip()}")
    if build.returncode != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_WORDS:])
        raise KasumiError(f"lab image: wanted a build from {RECIPE}, found code {build.returncode}; log {log} ends:\n{tail}")
