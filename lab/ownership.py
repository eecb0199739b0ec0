"""May we work here: the rights and tools it needs, one command at a time, and a home folder that is ours or free."""

import fcntl
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from controlplane.errors import KasumiError, LockedError, RefusedError
from lab import layout
from lab.command import SYSTEM_PATH, attempt
from lab.namespaces import NAMED, naming

MARKER = "kasumi-lab.json"
PACKAGES = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "sysctl": "procps",
    "libvirtd": "libvirt-daemon-system",
    "virtlogd": "libvirt-daemon-system",
    "virsh": "libvirt-clients",
    "virt-ssh-helper": "libvirt-daemon",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "qemu-io": "qemu-utils",
    "qemu-nbd": "qemu-utils",
    "nbdcopy": "libnbd-bin",
    "mmdebstrap": "mmdebstrap",
    "mkfs.ext4": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "grub-mkimage": "grub-common",
    "sshd": "openssh-server",
    "busybox": "busybox-static",
    "dropbear": "dropbear-bin",
    "ssh": "openssh-client",
    "curl": "curl",
}
"""Tools the lab uses, and the Debian package of each."""
GRUB_PARTS = Path("/usr/lib/grub/i386-pc/boot.img")


def require_abilities() -> None:
    """Raise KasumiError unless we are root and every tool is installed; says what to install."""
    require_root()
    require_packages(missing_packages(PACKAGES) | (set() if GRUB_PARTS.exists() else {"grub-pc-bin"}))


def missing_packages(tools: Mapping[str, str]) -> set[str]:
    """Packages of the tools that are not installed, given the package of each."""
    return {package for tool, package in tools.items() if shutil.which(tool, path=SYSTEM_PATH) is None}


def require_packages(missing: Collection[str]) -> None:
    """Raise KasumiError that says how to install what is missing, if anything is."""
    if missing:
        names = " ".join(sorted(missing))
        raise KasumiError(
            f"lab: wanted its tools, found these Debian packages missing: {names}; install them: "
            f"`apt-get install --no-install-recommends {names}`"
        )


def require_root() -> None:
    """Raise KasumiError unless we are root."""
    if os.geteuid() != 0:
        raise KasumiError(
            f"lab: wanted root, since it makes namespaces, bridges and mounts, found user id {os.geteuid()}; run it with sudo"
        )


@contextmanager
def one_at_a_time(where: str = "/var/lib") -> Iterator[None]:
    """Hold the machine's lab lock, which is on a folder; raises LockedError when another command holds it.

    Leaves no file behind.
    """
    folder = os.open(where, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(folder)
        raise LockedError("lab: wanted to change it alone, found another `kasumi lab` at work; wait for it") from error
    try:
        yield
    finally:
        os.close(folder)


def claim_home(home: Path | None = None) -> None:
    """Make the lab's home ours. May be repeated. Raises RefusedError when somebody else's files are in it."""
    home = home or layout.home()
    refuse_foreign_home(home)
    home.mkdir(parents=True, exist_ok=True)
    if is_home(home):
        return
    with naming():
        _note(home, made_by="kasumi lab", hosts=0, netns_mounted_before=_netns_is_mount())


def refuse_foreign_home(home: Path | None = None) -> None:
    """Raise RefusedError when the home exists, is not empty and does not carry our marker."""
    home = home or layout.home()
    if home.exists() and (not home.is_dir() or (any(home.iterdir()) and not is_home(home))):
        raise RefusedError(
            f"lab: wanted {home} free or ours, found files there without our {MARKER}; it is left alone: "
            "move them away, or name another folder in KASUMI_LAB_HOME"
        )


def is_home(home: Path | None = None) -> bool:
    """Whether the lab's home carries our marker."""
    return ((home or layout.home()) / MARKER).is_file()


def remove_home(home: Path) -> None:
    """Remove a home that is ours, with everything in it."""
    # The marker goes last: an interrupted removal must still be recognisable as ours.
    for entry in sorted(home.iterdir(), key=lambda path: path.name == MARKER):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    home.rmdir()


def leave_netns_folder() -> None:
    """Undo that `ip netns` mounts its folder onto itself at its first use, which was ours; never while somebody uses it.

    If the other part of the lab (libvirt hosts, OpenStack) is there the duty becomes its own.
    """
    with naming():
        homes = [layout.home(), layout.home().with_name(layout.home().name + layout.CLOUD_SUFFIX)]
        if staying := [home for home in homes if is_home(home)]:
            for home in staying:
                _note(home, netns_mounted_before=False)
        elif NAMED.is_dir() and not any(NAMED.iterdir()):
            attempt(["umount", str(NAMED)])
            # Somebody may have come in between; then the folder is theirs.
            with suppress(OSError):
                NAMED.rmdir()


def shared_hosts() -> int:
    """How many shared hosts this lab was asked to have; 0 when it is not up."""
    try:
        return int(_read()["hosts"])
    except FileNotFoundError:
        return 0


def remember_shared_hosts(count: int) -> None:
    """Keep the number of shared hosts for the next `up`. May be repeated."""
    with naming():
        _note(layout.home(), hosts=count)


def netns_was_mounted(home: Path | None = None) -> bool:
    """Whether named network namespaces were in use on this machine before the lab came."""
    return not is_home(home) or bool(_read(home).get("netns_mounted_before", True))


def _note(home: Path, **changes: object) -> None:
    """Change the marker, whole or not at all; the caller holds the lock under which the other part may change it too."""
    fresh = home / f".{MARKER}.new"
    fresh.write_text(json.dumps((_read(home) if is_home(home) else {}) | changes), encoding="utf-8")
    fresh.rename(home / MARKER)


def _read(home: Path | None = None) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(((home or layout.home()) / MARKER).read_text(encoding="utf-8"))
    return content


def _netns_is_mount() -> bool:
    return os.path.ismount(NAMED)
