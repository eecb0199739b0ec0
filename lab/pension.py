"""The legacy guest `mhlw-pension` on the ministry's own old host: PostgreSQL, a page service and nginx on a disk of its own.

It is what migration moves, so it is started again only when it died, never when somebody shut it down.
"""

import socket
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from controlplane.errors import UnreachableError
from lab import acceleration, hosts, image, layout
from lab.command import attempt, run
from lab.keys import host_key
from lab.layout import MHLW, OLD_HOST, PENSION, PENSION_MAC

MEMORY_MIB = 768
READY_SECONDS = 600
"""Half a minute alone under software emulation; several times that when the machine is busy."""
POLL_SECONDS = 1.0
STOPPED_ON_PURPOSE = ("shutdown", "destroyed", "migrated", "saved")
BLOCK_BYTES = 4096
"""The recipe gave each file of keys one block of the file system, filled with blank lines."""

CPU = {
    "kvm": "<cpu mode='host-passthrough'/>",
    # The plainest model: under emulation AVX costs more than it saves (57 s to ssh instead of 67 s with "maximum").
    "qemu": "<cpu mode='custom' match='exact'><model>qemu64</model></cpu>",
}

POOL = """\
<pool type='dir'><name>default</name><target><path>/var/lib/libvirt/images</path></target></pool>
"""

DOMAIN = """\
<domain type='{kind}'>
  <name>{name}</name>
  <uuid>6b61735d-6c61-4062-8d6f-6d686c770001</uuid>
  <memory unit='MiB'>{memory_mib}</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <features><acpi/></features>
  {cpu}
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' discard='unmap'/>
      <source file='/var/lib/libvirt/images/{name}.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='bridge'>
      <mac address='{mac}'/>
      <source bridge='{bridge}'/>
      <model type='virtio'/>
    </interface>
    <serial type='pty'><log file='/var/log/libvirt/qemu/{name}-serial.log' append='on'/></serial>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <controller type='usb' model='none'/>
  </devices>
</domain>
"""


def ensure() -> list[str]:
    """Make the guest be defined and, unless it was stopped on purpose, running; name what had to be made.

    May be repeated. Raises KasumiError.
    """
    made = []
    if not _disk().exists():
        _write_disk()
        made.append("disk")
    if "default" not in hosts.virsh(OLD_HOST, "pool-list", "--all", "--name").split():
        _define("pool-define", POOL)
        hosts.virsh(OLD_HOST, "pool-autostart", "default")
    if "default" not in hosts.virsh(OLD_HOST, "pool-list", "--name").split():
        hosts.virsh(OLD_HOST, "pool-start", "default")
    if PENSION.name not in hosts.virsh(OLD_HOST, "list", "--all", "--name").split():
        _define("define", _domain())
        hosts.virsh(OLD_HOST, "autostart", PENSION.name)
        made.append("domain")
        state = "shut off (new)"
    else:
        state = domain_state()
    if _should_start(state):
        hosts.virsh(OLD_HOST, "start", PENSION.name)
        made.append("running")
    return made


def domain_state() -> str:
    """What libvirt says about the guest, with the reason: "running (booted)"."""
    return hosts.virsh(OLD_HOST, "domstate", PENSION.name, "--reason").strip()


def answers() -> tuple[bool, str]:
    """Whether the guest's page shows its records now; otherwise the complaint."""
    good, text = attempt(["curl", "--silent", "--show-error", "--fail", "--max-time", "5", f"http://{PENSION.address}/"])
    if good and not text.startswith("records="):
        return False, text.strip()
    return good, text


def await_answer() -> str:
    """Wait until the guest's sshd and its page answer; say what the page says, or that it is stopped.

    Raises UnreachableError with the last complaint.
    """
    deadline = time.monotonic() + READY_SECONDS
    while True:
        state = domain_state()
        if state.startswith("shut off"):
            return f"{state}, left alone"
        good, text = answers()
        if good and _reachable():
            return text.strip()
        if time.monotonic() > deadline:
            console = layout.host_home(OLD_HOST) / "log" / "qemu" / f"{PENSION.name}-serial.log"
            raise UnreachableError(
                f"lab: {PENSION.name}: wanted its page at http://{PENSION.address}/, found: {text}; its console is in {console}"
            )
        time.sleep(POLL_SECONDS)


def _should_start(state: str) -> bool:
    if not state.startswith("shut off") or any(f"({reason})" in state for reason in STOPPED_ON_PURPOSE):
        return False
    if PENSION.name not in hosts.virsh(OLD_HOST, "list", "--all", "--autostart", "--name").split():
        return False
    # Moved elsewhere and answering there: two copies must never run at once.
    return not _reachable()


def _reachable() -> bool:
    # The banner, not only the connection: sshd itself is up. A whole login would take a second of emulated CPU.
    try:
        with socket.create_connection((PENSION.address, 22), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _domain() -> str:
    kind = acceleration.domain_type()
    return DOMAIN.format(
        kind=kind,
        cpu=CPU[kind],
        name=PENSION.name,
        memory_mib=MEMORY_MIB,
        mac=PENSION_MAC,
        bridge=MHLW.bridge,
    )


def _define(verb: str, xml: str) -> None:
    path = layout.host_home(OLD_HOST) / f"{verb}.xml"
    path.write_text(xml, encoding="utf-8")
    hosts.virsh(OLD_HOST, verb, str(path))


def _disk() -> Path:
    return layout.host_home(OLD_HOST) / "lib" / "images" / f"{PENSION.name}.qcow2"


def _write_disk() -> None:
    fresh = _disk().with_suffix(".new")
    run(["cp", str(image.pension_disk()), str(fresh)])
    client = (layout.ssh_home() / "id_ed25519.pub").read_text(encoding="utf-8")
    keys = {
        "/root/.ssh/authorized_keys": client,
        "/home/kasumi/.ssh/authorized_keys": client,
        "/etc/ssh/ssh_host_ed25519_key": host_key(PENSION.name).read_text(encoding="utf-8"),
    }
    with TemporaryDirectory() as folder:
        source = Path(folder) / "block"
        for path, offset in image.pension_places().items():
            source.write_text(keys[path].ljust(BLOCK_BYTES, "\n"), encoding="utf-8")
            run(["qemu-io", "-f", "qcow2", "-c", f"write -s {source} {offset} {BLOCK_BYTES}", str(fresh)])
    fresh.rename(_disk())
