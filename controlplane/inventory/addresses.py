"""Checks of networks and of the addresses in them: each used once, inside its network, not reserved, not the gateway."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from controlplane.inventory.complaints import suggestion
from controlplane.inventory.entries import Entries, Entry
from controlplane.model.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class _Net:
    """A network ready for many look-ups; numbers compare far quicker than address objects."""

    cidr: IPv4Network
    first: int
    last: int
    gateway: str
    reserved: tuple[tuple[int, int, str], ...]


def address_findings(entries: Entries) -> Iterator[Finding]:
    """Every finding about networks, addresses and MAC addresses."""
    yield from _networks(entries)
    nets = {entry.id: _net(entry) for entry in entries.networks if "cidr" not in entry.broken}
    addresses: dict[str, Entry] = {}
    cards: dict[str, Entry] = {}
    for entry in [*entries.servers, *entries.machines]:
        address, mac = entry.model.address, getattr(entry.model, "mac", None)
        if address is not None:
            if address in addresses:
                yield entry.finding(f"address {address} is taken by {addresses[address].id}", "give it another", "address")
            addresses.setdefault(address, entry)
            net = nets.get(entry.model.network)
            if net is not None:
                yield from _in_network(entry, address, net)
        if mac is not None:
            if mac in cards:
                yield entry.finding(f"MAC {mac} is taken by {cards[mac].id}", "give it another", "mac")
            cards.setdefault(mac, entry)


def reserved_range(text: str) -> tuple[IPv4Address, IPv4Address] | None:
    """First and last address of `10.0.0.1-10.0.0.20` or of a single address; None for what is neither."""
    first, dash, last = (part.strip() for part in text.partition("-"))
    try:
        found = IPv4Address(first), IPv4Address(last if dash else first)
    except ValueError:
        return None
    return found if found[0] <= found[1] else None


def _net(entry: Entry) -> _Net:
    cidr = IPv4Network(entry.model.cidr)
    ranges = ((text, reserved_range(text)) for text in entry.model.reserved)
    return _Net(
        cidr=cidr,
        first=int(cidr.network_address),
        last=int(cidr.broadcast_address),
        gateway=entry.model.gateway or "",
        reserved=tuple((int(found[0]), int(found[1]), text) for text, found in ranges if found is not None),
    )


def _networks(entries: Entries) -> Iterator[Finding]:
    ministries = tuple(entry.id for entry in entries.ministries)
    vlans: dict[int, Entry] = {}
    for entry in entries.networks:
        model = entry.model
        if model.ministry and model.ministry not in ministries:
            remedy = suggestion(model.ministry, ministries, "define the ministry or name another")
            yield entry.finding(f"no ministry {model.ministry!r}", remedy, "ministry")
        if model.vlan is not None:
            if model.vlan in vlans:
                yield entry.finding(f"VLAN {model.vlan} is taken by network {vlans[model.vlan].id}", "give it another", "vlan")
            vlans.setdefault(model.vlan, entry)
        if "cidr" not in entry.broken:
            yield from _inside(entry, IPv4Network(model.cidr))
    yield from _overlaps([entry for entry in entries.networks if "cidr" not in entry.broken])


def _inside(entry: Entry, cidr: IPv4Network) -> Iterator[Finding]:
    gateway = entry.model.gateway
    if gateway and (IPv4Address(gateway) not in cidr or IPv4Address(gateway) in {cidr.network_address, cidr.broadcast_address}):
        yield entry.finding(f"gateway {gateway} is no address of a machine in {cidr}", "correct one of them", "gateway")
    for index, text in enumerate(entry.model.reserved):
        found = reserved_range(text)
        if found is None:
            yield entry.finding(f"{text!r} is not a range of addresses", "write FIRST-LAST or one address", "reserved", index)
        elif found[0] not in cidr or found[1] not in cidr:
            yield entry.finding(f"range {text} is not inside {cidr}", "correct one of them", "reserved", index)


def _overlaps(networks: list[Entry]) -> Iterator[Finding]:
    """Networks either lie apart or one in the other, so in order of address only the last wide one can be met again."""
    wide: tuple[IPv4Network, Entry] | None = None
    for cidr, _, entry in sorted((IPv4Network(entry.model.cidr), place, entry) for place, entry in enumerate(networks)):
        if wide is not None and cidr.subnet_of(wide[0]):
            what = f"{cidr} overlaps {wide[0]} of network {wide[1].id}"
            yield entry.finding(what, "give each network its own addresses", "cidr")
        else:
            wide = (cidr, entry)


def _in_network(entry: Entry, address: str, net: _Net) -> Iterator[Finding]:
    number = int(IPv4Address(address))
    if not net.first <= number <= net.last:
        what = f"address {address} is outside network {entry.model.network} ({net.cidr})"
        yield entry.finding(what, "correct one of them", "address")
    elif address == net.gateway:
        yield entry.finding(f"address {address} is the gateway of its network", "give it another", "address")
    elif number in {net.first, net.last}:
        yield entry.finding(f"address {address} is the network's own or its broadcast address", "give it another", "address")
    for first, last, text in net.reserved:
        if first <= number <= last and address != net.gateway:
            yield entry.finding(f"address {address} lies in the reserved range {text}", "give it another", "address")
