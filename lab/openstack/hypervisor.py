"""The compute hosts whose servers are real QEMU guests: each a libvirtd with mount and UTS namespaces of its own, like the lab's
libvirt hosts. Each costs a compute process more, so they are there only when asked for.

Their servers' disks lie in one folder, as on shared storage, and a guest goes from one to the other alive.
"""

from pathlib import Path

from lab.hosts import LIBVIRTD_CONF, QEMU_CONF, RECIPE
from lab.keys import write
from lab.openstack import layout
from lab.openstack.layout import GUEST_HOSTS, GuestHost

PORT = 16509
TOOLS = {
    "libvirtd": "libvirt-daemon-system",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "genisoimage": "genisoimage",
}
# Reached by nova-compute alone, over loopback of the host's namespace.
_LISTEN = 'listen_tls = 0\nlisten_tcp = 1\nlisten_addr = "127.0.0.1"\nauth_tcp = "none"\n'
# Without virtlogd.
_STDIO = 'stdio_handler = "file"\n'


def wanted() -> bool:
    """Whether this cloud was asked to have them."""
    return _wish().exists()


def want() -> None:
    """Have them until the cloud is reset. May be repeated."""
    _wish().touch()


def forget() -> None:
    """Do without them. May be repeated."""
    _wish().unlink(missing_ok=True)


def write_files() -> None:
    """Everything their libvirtd read. May be repeated."""
    names = "".join(f"{host.address} {host.name}\n" for host in GUEST_HOSTS)
    for host in GUEST_HOSTS:
        home = _home(host)
        for folder in ("etc/libvirt", "lib", "log/qemu", "cache", "run/libvirt"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        write(home / "etc/hosts", f"127.0.0.1 localhost\n{names}")
        write(home / "etc/hostname", f"{host.name}\n")
        for name in ("resolv.conf", "shadow"):
            write(home / "etc" / name, "")
        write(home / "etc/libvirt/libvirtd.conf", LIBVIRTD_CONF.format(uuid=host.uuid) + _LISTEN)
        write(home / "etc/libvirt/qemu.conf", QEMU_CONF + _STDIO)


def argv(host: GuestHost) -> tuple[str, ...]:
    """The command line of its libvirtd, to be started in its network namespace. Guests run under software emulation."""
    script = (str(RECIPE / "host-namespaces.sh"), str(_home(host)), host.name, "qemu")
    daemon = ("/usr/sbin/libvirtd", "--listen", "--pid-file", f"/run/libvirt/{host.name}.pid")
    return ("unshare", "--mount", "--uts", "--propagation", "slave", "sh", *script, *daemon)


def state(host: GuestHost) -> Path:
    """What its Nova keeps, but for the servers' disks."""
    return layout.state() / "nova-guests" / host.name


def _home(host: GuestHost) -> Path:
    return layout.guest_homes() / host.name


def _wish() -> Path:
    return layout.home() / "guests"
