"""Names, addresses and paths of the lab: the contract between the lab, its inventory and the tests. Decides nothing else."""

import os
from dataclasses import dataclass
from pathlib import Path

from controlplane.errors import ExitCode, KasumiError

DEFAULT_HOSTS = 2
MOST_HOSTS = 50
"""Host N has the address 10.77.0.(10+N), and the old host has 10.77.0.61."""

NAMESPACE_PREFIX = "kl-"
CLOUD_SUFFIX = "-openstack"
"""The lab's OpenStack is up and down by itself: its home lies beside the lab's, with this at the end of its name."""
FABRIC = "kl-fabric"
UPLINK = "kl0"
UPLINK_ADDRESS = "10.77.255.2/30"
UPLINK_GATEWAY = "10.77.255.1"
ALL_NETWORKS = "10.77.0.0/16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One network of the lab, a /24; `tag` keeps interface names within the kernel's 15 characters."""

    name: str
    tag: str
    prefix: str

    @property
    def gateway(self) -> str:
        """The fabric's address on this network."""
        return f"{self.prefix}.1"

    @property
    def bridge(self) -> str:
        """The bridge of this network on every host."""
        return f"br-{self.name}"


MANAGEMENT = Network(name="management", tag="mg", prefix="10.77.0")
SHARED = Network(name="shared", tag="sh", prefix="10.77.10")
MHLW = Network(name="mhlw", tag="ml", prefix="10.77.20")
MOF = Network(name="mof", tag="mf", prefix="10.77.30")
MOJ = Network(name="moj", tag="mj", prefix="10.77.40")
NETWORKS = (MANAGEMENT, SHARED, MHLW, MOF)
LEGACY_NETWORKS = (MOJ,)
"""Networks of a ministry's own, which no shared host carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One libvirt host: shared (`hv1`, `hv2`, ...) or a ministry's own old one."""

    name: str
    address: str
    uuid: str

    @property
    def namespace(self) -> str:
        """Name of its network namespace."""
        return NAMESPACE_PREFIX + self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One legacy server, the thing discovery connects to."""

    name: str
    address: str
    network: Network


OLD_HOST = Host(name="old1", address="10.77.0.61", uuid="6b61735d-6c61-4062-8d6f-0000000000a1")
MOF_FILES = Server(name="mof-files", address="10.77.30.21", network=MOF)
MOJ_WEB = Server(name="moj-web", address="10.77.40.21", network=MOJ)
MOJ_DB = Server(name="moj-db", address="10.77.40.22", network=MOJ)
MOJ_KIOSK = Server(name="moj-kiosk", address="10.77.40.23", network=MOJ)
MOJ_ARCHIVE = Server(name="moj-archive", address="10.77.41.21", network=Network(name="moj-inner", tag="mi", prefix="10.77.41"))
"""Behind moj-web: no other way leads to its network."""
LEGACY_SERVERS = (MOF_FILES, MOJ_DB, MOJ_WEB, MOJ_ARCHIVE, MOJ_KIOSK)
PENSION = Server(name="mhlw-pension", address="10.77.20.21", network=MHLW)
PENSION_MAC = "52:54:00:77:20:21"


def shared_host(number: int) -> Host:
    """Shared host `hvN`, counted from 1."""
    return Host(name=f"hv{number}", address=f"10.77.0.{10 + number}", uuid=f"6b61735d-6c61-4062-8d6f-{number:012d}")


def hosts(shared: int) -> tuple[Host, ...]:
    """All libvirt hosts of a lab with so many shared ones.

    Raises KasumiError when there are no addresses for so many.
    """
    if not 1 <= shared <= MOST_HOSTS:
        raise KasumiError(
            f"lab: wanted {shared} shared hosts, found addresses for 1 to {MOST_HOSTS}; choose a number in between",
            ExitCode.USAGE,
        )
    return (*(shared_host(number) for number in range(1, shared + 1)), OLD_HOST)


def home() -> Path:
    """Everything of the running lab; `KASUMI_LAB_HOME` overrides."""
    return Path(os.environ.get("KASUMI_LAB_HOME") or "/var/lib/kasumi-lab").absolute()


def cache() -> Path:
    """What is expensive to build and survives `down`; `KASUMI_LAB_CACHE` overrides."""
    return Path(os.environ.get("KASUMI_LAB_CACHE") or "/var/cache/kasumi-lab").absolute()


def host_home(host: Host) -> Path:
    """The folder with all the files of one host."""
    return home() / "hosts" / host.name


def host_socket(host: Host) -> Path:
    """The host's libvirt socket as seen from outside its namespaces."""
    return host_home(host) / "run" / "libvirt" / "libvirt-sock"


def server_home(server: Server) -> Path:
    """The folder with all the files of one legacy server that runs in namespaces."""
    return home() / "servers" / server.name


def ssh_home() -> Path:
    """Keys, known hosts and client configuration."""
    return home() / "ssh"


def guest_image() -> Path:
    """The base image of guests; its SHA-256 in hexadecimal lies beside it in `.sha256`."""
    return home() / "images" / "debian-12.qcow2"
