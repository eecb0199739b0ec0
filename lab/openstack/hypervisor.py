"""The one compute host whose servers are real QEMU guests: a libvirtd with mount and UTS namespaces of its own, like the lab's
libvirt hosts, in the cloud's network namespace. It costs a compute process more, so it is there only when asked for.
"""

from pathlib import Path

from lab.hosts import LIBVIRTD_CONF, QEMU_CONF, RECIPE
from lab.keys import write
from lab.openstack import layout

UUID = "6b61735d-6c61-4062-8d6f-0000000000c2"
PORT = 16509
TOOLS = {
    "libvirtd": "libvirt-daemon-system",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "genisoimage": "genisoimage",
}
# Reached by nova-compute alone, over loopback of the cloud's namespace.
_LISTEN = 'listen_tls = 0\nlisten_tcp = 1\nlisten_addr = "127.0.0.1"\nauth_tcp = "none"\n'
# Without virtlogd.
_STDIO = 'stdio_handler = "file"\n'


def wanted() -> bool:
    """Whether this cloud was asked to have it."""
    return _wish().exists()


def want() -> None:
    """Have it until the cloud is reset. May be repeated."""
    _wish().touch()


def forget() -> None:
    """Do without it. May be repeated."""
    _wish().unlink(missing_ok=True)


def write_files() -> None:
    """Everything libvirtd reads. May be repeated."""
    for folder in ("etc/libvirt", "lib", "log/qemu", "cache", "run/libvirt"):
        (_home() / folder).mkdir(parents=True, exist_ok=True)
    write(_home() / "etc/hosts", f"127.0.0.1 localhost {layout.GUEST_HOST}\n")
    write(_home() / "etc/hostname", f"{layout.GUEST_HOST}\n")
    for name in ("resolv.conf", "shadow"):
        write(_home() / "etc" / name, "")
    write(_home() / "etc/libvirt/libvirtd.conf", LIBVIRTD_CONF.format(uuid=UUID) + _LISTEN)
    write(_home() / "etc/libvirt/qemu.conf", QEMU_CONF + _STDIO)


def argv() -> tuple[str, ...]:
    """The command line of its libvirtd, to be started in the cloud's network namespace. Guests run under software emulation."""
    script = (str(RECIPE / "host-namespaces.sh"), str(_home()), layout.GUEST_HOST, "qemu")
    daemon = ("/usr/sbin/libvirtd", "--listen", "--pid-file", "/run/libvirt/libvirtd.pid")
    return ("unshare", "--mount", "--uts", "--propagation", "slave", "sh", *script, *daemon)


def _home() -> Path:
    return layout.home() / "hypervisor"


def _wish() -> Path:
    return layout.home() / "guests"
