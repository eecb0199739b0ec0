"""One libvirt host: libvirtd, virtlogd and sshd, real ones, in mount, network and UTS namespaces of their own.

No process holds a host together: whichever of its daemons still lives lends its namespaces to the one that is started
again. If none lives, fresh namespaces with the same folders are as good, since nothing of a host lies outside its folder.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from controlplane.errors import KasumiError, UnreachableError
from lab import acceleration, layout, network, processes
from lab.command import attempt, run, start
from lab.keys import host_key, libvirt_uri, write
from lab.layout import Host
from lab.namespaces import NAMED
from lab.processes import Process, inhabitants, namespace_id

RECIPE = Path(__file__).parent / "recipe"
READY_SECONDS = 180
"""libvirtd asks QEMU for its abilities when it starts: a second on an idle machine, much more on a busy one."""
POLL_SECONDS = 0.2

LIBVIRTD_CONF = """\
host_uuid = "{uuid}"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_rw_perms = "0700"
max_clients = 200
max_workers = 40
"""

# Per-domain mount namespaces and cgroups need a system manager; the host's own namespaces fence the guests already.
QEMU_CONF = """\
security_driver = "none"
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
cgroup_controllers = []
"""

# Without PAM: its session modules expect a login manager.
SSHD_CONF = """\
ListenAddress {address}:22
HostKey {key}
AuthorizedKeysFile {authorized}
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
StrictModes no
MaxStartups 200
MaxSessions 200
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
"""


def ensure(host: Host, everybody: Sequence[Host]) -> list[str]:
    """Make the host be there and alive, and name what had to be made or started.

    May be repeated, also after any of its processes was killed. Raises KasumiError or RefusedError.
    """
    made = ["wires"] if network.ensure_host(host) else []
    _write_files(host, everybody)
    for name, argv in _daemons(host).items():
        if find(host, name) is None:
            _enter(host, argv, log=layout.host_home(host) / "log" / f"{name}.out")
            _await_process(host, name)
            made.append(name)
    return made


def find(host: Host, name: str) -> Process | None:
    """The living daemon of this name on the host, if there is one."""
    return next((process for process in _inhabitants(host) if process.command == name and _is_main(process)), None)


def await_answer(host: Host) -> None:
    """Wait until libvirt answers over ssh, the way the control plane comes in.

    Raises UnreachableError with the last answer.
    """
    deadline = time.monotonic() + READY_SECONDS
    while True:
        good, text = answers(host)
        if good:
            return
        if time.monotonic() > deadline:
            log = layout.host_home(host) / "log"
            raise UnreachableError(
                f"lab: {host.name}: wanted libvirt to answer at {host.address}, found: {text}; "
                f"see {log}, then `kasumi lab up` again"
            )
        time.sleep(POLL_SECONDS)


def answers(host: Host) -> tuple[bool, str]:
    """Whether libvirt answers over ssh now; otherwise the complaint."""
    return attempt(["virsh", "--connect", libvirt_uri(host), "--readonly", "hostname"], timeout_seconds=20)


def virsh(host: Host, *arguments: str) -> str:
    """Run virsh against the host by its own socket; raises KasumiError with libvirt's complaint."""
    return run(["virsh", "--connect", f"qemu+unix:///system?socket={layout.host_socket(host)}", "--quiet", *arguments])


def guests(host: Host) -> list[Process]:
    """The QEMU processes of the host."""
    return [process for process in _inhabitants(host) if process.command.startswith("qemu-system")]


def _inhabitants(host: Host) -> list[Process]:
    return inhabitants(NAMED / host.namespace)


def _is_main(process: Process) -> bool:
    # A connection's sshd has the same command name as the listener.
    return process.command != "sshd" or "-f " in process.arguments


def _daemons(host: Host) -> dict[str, list[str]]:
    return {
        "virtlogd": ["/usr/sbin/virtlogd", "--pid-file", "/run/libvirt/virtlogd.pid"],
        "libvirtd": ["/usr/sbin/libvirtd", "--pid-file", "/run/libvirt/libvirtd.pid"],
        "sshd": ["/usr/sbin/sshd", "-D", "-e", "-f", str(layout.host_home(host) / "etc" / "sshd_config")],
    }


def _enter(host: Host, argv: Sequence[str], *, log: Path) -> None:
    root_mount = namespace_id(Path("/proc/self/ns/mnt"))
    daemons = [process for process in _inhabitants(host) if process.mount != root_mount and process.command in _daemons(host)]
    if lender := next(iter(daemons), None) or next(iter(guests(host)), None):
        start(["nsenter", f"--target={lender.pid}", "--mount", "--uts", "--net", *argv], log=log)
        return
    # "slave": the host must not keep alive what the root namespace unmounts later.
    fresh = ["unshare", "--mount", "--uts", "--propagation", "slave"]
    script = ["sh", str(RECIPE / "host-namespaces.sh"), str(layout.host_home(host)), host.name, acceleration.domain_type()]
    start(["nsenter", f"--net={NAMED / host.namespace}", *fresh, *script, *argv], log=log)


def _await_process(host: Host, name: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while find(host, name) is None:
        if time.monotonic() > deadline:
            log = layout.host_home(host) / "log" / f"{name}.out"
            raise KasumiError(f"lab: {host.name}: wanted {name} running, found it gone; its last words are in {log}")
        time.sleep(processes.POLL_SECONDS)


def _write_files(host: Host, everybody: Sequence[Host]) -> None:
    home = layout.host_home(host)
    for folder in ("etc/libvirt", "lib/images", "log/qemu", "cache", "run/libvirt", "run/sshd", "run/lock"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    names = "".join(f"{other.address} {other.name}\n" for other in everybody)
    write(home / "etc/hosts", f"127.0.0.1 localhost\n{names}")
    write(home / "etc/hostname", f"{host.name}\n")
    write(home / "etc/resolv.conf", "")
    _write_shadow(home / "etc/shadow")
    write(home / "etc/libvirt/libvirtd.conf", LIBVIRTD_CONF.format(uuid=host.uuid))
    write(home / "etc/libvirt/qemu.conf", QEMU_CONF)
    write(home / "etc/libvirt/virtlogd.conf", "")
    write(
        home / "etc/sshd_config",
        SSHD_CONF.format(address=host.address, key=host_key(host.name), authorized=layout.ssh_home() / "id_ed25519.pub"),
    )


def _write_shadow(path: Path) -> None:
    # Without PAM sshd refuses a root whose password is locked with "!", as images of clouds and CI have it.
    rows = Path("/etc/shadow").read_text(encoding="utf-8").splitlines()
    write(path, "".join(f"{row.split(':', 1)[0]}:*:19000:0:99999:7:::\n" for row in rows), mode=0o600)
