"""Names, addresses and paths of the lab's OpenStack: the contract between it, its users and the tests. Decides nothing else."""

from dataclasses import dataclass
from pathlib import Path

from lab import layout

NAMESPACE = f"{layout.NAMESPACE_PREFIX}cloud"
UPLINK = "kl1"
UPLINK_ADDRESS = "10.78.255.2/30"
ADDRESS = "10.78.255.1"
"""Where the APIs listen, at their usual ports: in the namespace, so no other program of this machine can be in their way."""
REGION = "lab"

PORTS = {"keystone": 5000, "glance": 9292, "placement": 8778, "neutron": 9696, "cinder": 8776, "nova": 8774}
CLOUD_TYPES = {"glance": "image", "placement": "placement", "neutron": "network", "cinder": "block-storage", "nova": "compute"}
"""Service type of each API in Keystone's catalogue, but for Keystone itself."""

ZONES = {"az1": ("cmp01", "cmp02", "cmp03"), "az2": ("cmp04", "cmp05", "cmp06")}
"""Fake compute hosts by availability zone; each zone is one aggregate and one process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestHost:
    """One compute host whose servers are real guests; `address` is its own on the wire between such hosts."""

    name: str
    namespace: str
    address: str
    uuid: str


GUEST_ZONE, GUEST_FLAVOR = "guests", "guest.small"
"""Where a server is a real guest, if the cloud was asked to have such hosts."""
GUEST_HOSTS = (
    GuestHost(name="qemu01", namespace=NAMESPACE, address="169.254.78.1", uuid="6b61735d-6c61-4062-8d6f-0000000000c2"),
    GuestHost(name="qemu02", namespace=f"{NAMESPACE}2", address="169.254.78.2", uuid="6b61735d-6c61-4062-8d6f-0000000000c3"),
)
"""The first shares the services' namespace; the tap of a port has the same name on both, so the other has one of its own."""
ALL_NETWORKS = "10.78.0.0/16"
"""This machine reaches guests with addresses in here."""
COMPUTE_VCPUS, COMPUTE_MEMORY_MIB, COMPUTE_DISK_GIB = 64, 262_144, 4_000

ADMIN_CLOUD = "lab-admin"
MEMBER_CLOUD = "lab-member"
PROJECT, MEMBER = "kasumi", "engineer"
"""The ordinary project and its user, who is `member` of it and nothing more."""


def url(service: str) -> str:
    """Where an API answers."""
    path = {"keystone": "/v3", "cinder": "/v3", "nova": "/v2.1"}.get(service, "")
    return f"http://{ADDRESS}:{PORTS[service]}{path}"


API_URLS = {f"{name}-api" if name in {"cinder", "nova"} else name: url(name) for name in PORTS}
"""By the name of the service."""


def home() -> Path:
    """Everything of the running cloud."""
    lab = layout.home()
    return lab.with_name(lab.name + layout.CLOUD_SUFFIX)


def cache() -> Path:
    """What is expensive to build and survives `down`: the services' packages and their empty databases."""
    return layout.cache() / "openstack"


def etc() -> Path:
    """Configuration of all services, written anew by each `up`."""
    return home() / "etc"


def log() -> Path:
    """What the services say."""
    return home() / "log"


def state() -> Path:
    """What the services keep: databases, images, keys. A reset replaces it by the empty cloud's."""
    return home() / "state"


def guest_homes() -> Path:
    """The folders of the hosts of real guests, by name."""
    return home() / "hypervisors"


def clouds_yaml() -> Path:
    """The clients' way in, with passwords: for its owner only."""
    return home() / "clouds.yaml"


def knobs() -> Path:
    """What the fake computes should do wrong; see `faults`."""
    return state() / "nova" / "knobs.json"
