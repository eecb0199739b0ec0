"""An old libvirt host of one test's own: a real libvirtd with a real QEMU, in namespaces made as those of the lab's hosts are.

Its shell is that of this machine, as its URI is a local one: disks are exported on loopback.
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from lab.hosts import LIBVIRTD_CONF, QEMU_CONF, RECIPE

_READY_SECONDS = 300


@contextmanager
def old_host(folder: Path) -> Iterator[str]:
    """Its URI while it runs; guests that are left are ended with it."""
    for name in ("etc/libvirt", "lib", "log/qemu", "cache", "run/libvirt"):
        (folder / name).mkdir(parents=True)
    for name in ("shadow", "hosts", "hostname", "resolv.conf"):
        (folder / "etc" / name).touch()
    (folder / "etc/libvirt/libvirtd.conf").write_text(LIBVIRTD_CONF.format(uuid=uuid4()), encoding="utf-8")
    # Without virtlogd, which writes the guests' logs otherwise.
    (folder / "etc/libvirt/qemu.conf").write_text(f'{QEMU_CONF}stdio_handler = "file"\n', encoding="utf-8")
    fresh = ["unshare", "--mount", "--uts", "--net", "--propagation", "slave", "sh", str(RECIPE / "host-namespaces.sh")]
    command = [*fresh, str(folder), "old", "qemu", "libvirtd", "--pid-file", "/run/libvirt/libvirtd.pid"]
    uri = f"qemu+unix:///system?socket={folder}/run/libvirt/libvirt-sock"
    words = folder / "libvirtd.out"
    with words.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as daemon:
        try:
            deadline = time.monotonic() + _READY_SECONDS
            while (asked := _virsh(uri, "list")).returncode:
                assert daemon.poll() is None, words.read_text(encoding="utf-8")
                assert time.monotonic() < deadline, asked.stderr
                time.sleep(0.3)
            yield uri
        finally:
            for name in _virsh(uri, "list", "--name").stdout.split():
                _virsh(uri, "destroy", name)
            daemon.terminate()


def virsh(uri: str, *arguments: str) -> str:
    """What virsh says; it must succeed."""
    done = _virsh(uri, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _virsh(uri: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["virsh", "--quiet", "--connect", uri, *arguments], capture_output=True, text=True, check=False)
