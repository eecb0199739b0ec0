"""Addresses and MACs for machines that do not bring their own: lowest free address, MAC from the machine's identity."""

import hashlib
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from controlplane.model.estate import Estate, Network
from controlplane.planning.demand import Demand

_PREFIX = "52:54:00"
"""The range QEMU and libvirt use for virtual cards."""


def taken_addresses(estate: Estate, demands: Iterable[Demand]) -> set[str]:
    """Every address that somebody has or keeps: servers, machines, gateways."""
    taken = {server.address for server in estate.servers.values()} | {demand.address for demand in demands}
    return (taken | {network.gateway for network in estate.networks.values()}) - {""}


def free_address(network: Network, taken: set[str]) -> str | None:
    """The lowest address of a network that nobody has and no reservation covers; None when there is none."""
    ranges = [(IPv4Address(first), IPv4Address(last)) for first, last in network.reserved]
    for address in IPv4Network(network.cidr).hosts():
        if str(address) not in taken and not any(first <= address <= last for first, last in ranges):
            return str(address)
    return None


def free_mac(estate: str, machine: str, taken: set[str]) -> str:
    """A MAC from the digest of the machine's identity, the next one when it is taken."""
    attempt = 0
    while True:
        digest = hashlib.sha256(f"{estate}/{machine}/{attempt}".encode()).hexdigest()
        mac = f"{_PREFIX}:{digest[0:2]}:{digest[2:4]}:{digest[4:6]}"
        if mac not in taken:
            return mac
        attempt += 1
