"""May we work here: the rights and tools it needs, one command at a time, and a home folder that is ours or free."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from controlplane.errors import KasumiError, LockedError, RefusedError
from lab import layout
from lab.command import SYSTEM_PATH
from lab.keys import write
from lab.namespaces import NAMED

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
    "ssh": "openssh-client",
    "curl": "curl",
}
"""Tools the lab uses, and the Debian package of each."""
GRUB_PARTS = Path("/usr/lib/grub/i386-pc/boot.img")


def require_abilities() -> None:
    """Raise KasumiError unless we are root and every tool is installed; says what to install."""
    require_root()
    missing = {package for tool, package in PACKAGES.items() if shutil.which(tool, path=SYSTEM_PATH) is None}
    if not GRUB_PARTS.exists():
        missing.add("grub-pc-bin")
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
def one_at_a_time() -> Iterator[None]:
    """Hold the machine's lab lock; raises LockedError when another command holds it. Leaves no file behind."""
    folder = os.open("/var/lib", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(folder)
        raise LockedError("lab: wanted to change it alone, found another `kasumi lab` at work; wait for it") from error
    try:
        yield
    finally:
        os.close(folder)


def claim_home() -> None:
    """Make the lab's home ours. May be repeated. Raises RefusedError when somebody else's files are in it."""
    home = layout.home()
    refuse_foreign_home()
    home.mkdir(parents=True, exist_ok=True)
    if not is_home():
        write(home / MARKER, json.dumps({"made_by": "kasumi lab", "hosts": 0, "netns_mounted_before": _netns_is_mount()}))


def refuse_foreign_home() -> None:
    """Raise RefusedError when the home exists, is not empty and does not carry our marker."""
    home = layout.home()
    if home.exists() and (not home.is_dir() or (any(home.iterdir()) and not is_home())):
        raise RefusedError(
            f"lab: wanted {home} free or ours, found files there without our {MARKER}; it is left alone: "
            "move them away, or name another folder in KASUMI_LAB_HOME"
        )


def is_home() -> bool:
    """Whether the lab's home carries our marker."""
    return (layout.home() / MARKER).is_file()


def shared_hosts() -> int:
    """How many shared hosts this lab was asked to have; 0 when it is not up."""
    return int(_read()["hosts"]) if is_home() else 0


def remember_shared_hosts(count: int) -> None:
    """Keep the number of shared hosts for the next `up`. May be repeated."""
    write(layout.home() / MARKER, json.dumps(_read() | {"hosts": count}))


def netns_was_mounted() -> bool:
    """Whether named network namespaces were in use on this machine before the lab came."""
    return not is_home() or bool(_read().get("netns_mounted_before", True))


def _read() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((layout.home() / MARKER).read_text(encoding="utf-8"))
    return content


def _netns_is_mount() -> bool:
    return os.path.ismount(NAMED)
