"""Checks what only the whole inventory can show: ids and addresses used once, references that resolve, addresses in place."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv4Network

from controlplane.inventory.entries import Entries, Entry
from controlplane.inventory.schema import NetworkEntry
from controlplane.model.estate import Disposition
from controlplane.model.finding import Finding, Severity


def reference_findings(entries: Entries) -> Iterator[Finding]:
    """Every finding of this kind; nothing is said about fields that failed by themselves already."""
    yield from _estate(entries)
    for kind in (
        entries.tiers,
        entries.sites,
        entries.networks,
        entries.images,
        entries.ministries,
        entries.systems,
        entries.hosts,
    ):
        yield from _unique(kind)
    yield from _unique([*entries.servers, *_machines(entries)])
    yield from _networks(entries)
    yield from _systems(entries)
    yield from _hosts(entries)
    yield from _servers(entries)
    yield from _machine_references(entries)
    yield from _addresses(entries)


def _machines(entries: Entries) -> list[Entry]:
    return [
        Entry(
            id=name, model=machine, document=system.document, path=(*system.path, "machines", name), ministry=system.ministry,
            system=system.id,
        )
        for system in entries.systems
        for name, machine in system.model.machines.items()
    ]  # fmt: skip


def _estate(entries: Entries) -> Iterator[Finding]:
    if not entries.estate and not any(
        "kasumi_estate" in finding.where or "directory" in finding.what for finding in entries.findings
    ):
        yield Finding(
            severity=Severity.CRITICAL, where="group_vars/all", what="no kasumi_estate", remedy="say id, name and access there"
        )
    for entry in entries.estate[1:]:
        yield entry.finding("a second kasumi_estate", "keep one of them")


def _unique(kind: Iterable[Entry]) -> Iterator[Finding]:
    first: dict[str, Entry] = {}
    for entry in kind:
        if entry.id in first:
            other = first[entry.id]
            place = other.document.key_place(other.path)
            yield entry.finding(f"duplicate id {entry.id}, first at {place.file}:{place.line}", "rename one of them")
        else:
            first[entry.id] = entry


def _resolves(
    entry: Entry, value: str, kind: str, known: Iterable[str], *path: str | int, required: bool = True
) -> Iterator[Finding]:
    if not value and not required:
        return
    names = list(known)
    if value not in names and not (path and path[0] in entry.broken):
        near = get_close_matches(value, names, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"define the {kind} or name another"
        yield entry.finding(f"no {kind} {value!r}", remedy, *path)


def _ids(kind: Iterable[Entry]) -> set[str]:
    return {entry.id for entry in kind}


def _networks(entries: Entries) -> Iterator[Finding]:
    seen: list[tuple[IPv4Network, Entry]] = []
    for entry in entries.networks:
        if "cidr" in entry.broken:
            continue
        cidr = IPv4Network(entry.model.cidr)
        yield from _resolves(entry, entry.model.ministry, "ministry", _ids(entries.ministries), "ministry", required=False)
        if entry.model.gateway and IPv4Address(entry.model.gateway) not in cidr:
            yield entry.finding(f"gateway {entry.model.gateway} is outside {cidr}", "correct one of them", "gateway")
        for index, text in enumerate(entry.model.reserved):
            first, last = reserved_range(text)
            if first is None or last is None or first > last or first not in cidr or last not in cidr:
                remedy = "write FIRST-LAST with addresses of this network"
                yield entry.finding(f"range {text!r} is not inside {cidr}", remedy, "reserved", index)
        for other, owner in seen:
            if cidr.overlaps(other):
                yield entry.finding(
                    f"{cidr} overlaps {other} of network {owner.id}", "give each network its own addresses", "cidr"
                )
        seen.append((cidr, entry))


def reserved_range(text: str) -> tuple[IPv4Address | None, IPv4Address | None]:
    """First and last address of `10.0.0.1-10.0.0.20` or of a single address; None for what is neither."""
    first, _, last = text.partition("-")
    try:
        return IPv4Address(first.strip()), IPv4Address((last or first).strip())
    except ValueError:
        return None, None


def _systems(entries: Entries) -> Iterator[Finding]:
    for entry in entries.systems:
        if not entry.ministry:
            yield entry.finding("stands in no ministry", "put the group under a group with kasumi_ministry")
        yield from _resolves(entry, entry.model.tier, "tier", _ids(entries.tiers), "tier")


def _hosts(entries: Entries) -> Iterator[Finding]:
    for entry in entries.hosts:
        yield from _resolves(entry, entry.model.site, "site", _ids(entries.sites), "site")
        for network in entry.model.networks:
            yield from _resolves(entry, network, "network", _ids(entries.networks), "networks", network)
        reserved, capacity = entry.model.reserved, entry.model.capacity
        for what, kept, whole in (
            ("vcpus", reserved.vcpus, capacity.vcpus),
            ("memory", reserved.memory or 0, capacity.memory),
            ("disk", reserved.disk or 0, capacity.disk),
        ):
            if kept >= whole:
                yield entry.finding(f"reserves all {what} for itself", "leave some for machines", "reserved")


def _servers(entries: Entries) -> Iterator[Finding]:
    machines = _ids(_machines(entries))
    networks, images = _ids(entries.networks), _ids(entries.images)
    for entry in entries.servers:
        server = entry.model
        yield from _resolves(entry, server.network, "network", networks, "network", required=False)
        yield from _resolves(entry, server.image, "image", images, "image", required=False)
        if "disposition" in entry.broken:
            continue
        if server.disposition is Disposition.MERGE:
            if not server.into and "into" not in entry.broken:
                yield entry.finding("merge needs the machine that takes over", "add `into: MACHINE`", "disposition")
            else:
                yield from _resolves(entry, server.into, "machine", machines, "into")
        elif server.into:
            yield entry.finding(f"into is for merge, not for {server.disposition.value}", "remove it or merge", "into")
        if server.disposition is Disposition.REPLATFORM and not server.image:
            yield entry.finding("replatform needs the image of the new machine", "add `image: IMAGE`", "disposition")
        if server.disposition in {Disposition.REHOST, Disposition.REPLATFORM} and not server.network:
            yield entry.finding(
                f"{server.disposition.value} needs the network of the machine", "add `network: NETWORK`", "disposition"
            )
        if server.disposition is Disposition.REHOST and server.source is not None:
            for what, value in (("address", server.address), ("mac", server.mac)):
                if not value:
                    yield entry.finding(f"rehost keeps the {what}, which is not stated", f"add `{what}:`", "disposition")


def _machine_references(entries: Entries) -> Iterator[Finding]:
    networks, images = _ids(entries.networks), {image.id: image.model for image in entries.images}
    for entry in _machines(entries):
        yield from _resolves(entry, entry.model.network, "network", networks, "network")
        yield from _resolves(entry, entry.model.image, "image", images, "image")
        image = images.get(entry.model.image)
        if image is not None and entry.model.size.disk < image.min_disk:
            yield entry.finding(
                f"disk of {entry.model.size.disk} GiB is smaller than image {entry.model.image} needs ({image.min_disk} GiB)",
                "give it more", "size", "disk",
            )  # fmt: skip


def _addresses(entries: Entries) -> Iterator[Finding]:
    networks = {entry.id: entry.model for entry in entries.networks}
    taken: dict[str, Entry] = {}
    cards: dict[str, Entry] = {}
    for entry in [*entries.servers, *_machines(entries)]:
        address, mac = entry.model.address, getattr(entry.model, "mac", None)
        if address:
            if address in taken:
                yield entry.finding(f"address {address} is taken by {taken[address].id}", "give it another", "address")
            taken.setdefault(address, entry)
            network = networks.get(entry.model.network)
            if network is not None and network.cidr:
                yield from _in_network(entry, address, network)
        if mac:
            if mac in cards:
                yield entry.finding(f"MAC {mac} is taken by {cards[mac].id}", "give it another", "mac")
            cards.setdefault(mac, entry)


def _in_network(entry: Entry, address: str, network: NetworkEntry) -> Iterator[Finding]:
    cidr, ip = IPv4Network(network.cidr), IPv4Address(address)
    if ip not in cidr:
        yield entry.finding(
            f"address {address} is outside network {entry.model.network} ({cidr})", "correct one of them", "address"
        )
    elif address == network.gateway:
        yield entry.finding(f"address {address} is the gateway of its network", "give it another", "address")
    elif ip in {cidr.network_address, cidr.broadcast_address}:
        yield entry.finding(f"address {address} is the network's own or its broadcast address", "give it another", "address")
    for text in network.reserved:
        first, last = reserved_range(text)
        if first is not None and last is not None and first <= ip <= last:
            yield entry.finding(f"address {address} lies in the reserved range {text}", "give it another", "address")
