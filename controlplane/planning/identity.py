"""Lasting names of machines: uuid, MAC and address. Derived from ids alone, so that planning again gives them again."""

import hashlib
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from controlplane.model.estate import Estate, Network

MACHINE_NAMESPACE = UUID("6b1f0f5e-2c1b-5a57-9f0e-6b6173756d69")
"""Namespace of uuid5 for machines; changing it would orphan every machine ever made."""

MAC_PREFIX = "52:54:00"
"""Prefix that QEMU uses for its guests."""

_IP = IPv4Address | IPv6Address


def machine_uuid(estate: str, machine: str) -> str:
    """The uuid of a machine, for ever the same."""
    return str(uuid5(MACHINE_NAMESPACE, f"{estate}/{machine}"))


def machine_mac(estate: str, machine: str, taken: Container[str]) -> str:
    """A MAC from a digest of the id, hashed on while it is taken."""
    attempt = 0
    while True:
        octets = hashlib.sha256(f"{estate}/{machine}/{attempt}".encode()).digest()[:3]
        mac = f"{MAC_PREFIX}:{octets.hex(':')}"
        if mac not in taken:
            return mac
        attempt += 1


class AddressBook:
    """Gives the lowest free address of a network, outside reserved ranges and everything the estate or a plan uses."""

    def __init__(self, estate: Estate, taken: Iterable[str]) -> None:
        self._networks = estate.networks
        self._taken: set[_IP] = {ip_address(address) for address in (*_declared(estate), *taken) if address}
        self._ranges: dict[str, _Range] = {}

    def take(self, network_id: str) -> str:
        """The next free address, or empty when the network is full."""
        if network_id not in self._ranges:
            self._ranges[network_id] = _range(self._networks[network_id])
        given = self._ranges[network_id]
        while given.candidate <= given.last:
            blocking = next((final for first, final in given.reserved if first <= given.candidate <= final), None)
            if blocking is not None:
                given.candidate = blocking + 1
                continue
            address = given.kind(given.candidate)
            given.candidate += 1
            if address not in given.special and address not in self._taken:
                self._taken.add(address)
                return str(address)
        return ""


@dataclass(slots=True, kw_only=True)
class _Range:
    """What is left to give of a network."""

    kind: type[IPv4Address] | type[IPv6Address]
    candidate: int
    last: int
    reserved: list[tuple[int, int]]
    special: set[_IP]


def _range(network: Network) -> _Range:
    subnet = ip_network(network.cidr)
    edge = 1 if subnet.num_addresses > 2 else 0
    return _Range(
        kind=type(subnet.network_address),
        candidate=int(subnet.network_address) + edge,
        last=int(subnet.broadcast_address) - edge,
        reserved=[(int(ip_address(first)), int(ip_address(final))) for first, final in network.reserved],
        special=_special(network, subnet),
    )


def _special(network: Network, subnet: IPv4Network | IPv6Network) -> set[_IP]:
    """Gateway and DNS servers."""
    return {ip_address(address) for address in (network.gateway, *network.dns) if address and ip_address(address) in subnet}


def _declared(estate: Estate) -> Iterable[str]:
    for server in estate.servers.values():
        yield server.address
    for machine in estate.machines.values():
        yield machine.address
    for host in estate.hosts.values():
        yield _literal(urlsplit(host.uri).hostname or "")


def _literal(name: str) -> str:
    """The host part of a URI when it is an address and no name."""
    return name if re.fullmatch(r"[0-9.]+|[0-9a-f:]+", name) and ("." in name or ":" in name) else ""
