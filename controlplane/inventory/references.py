"""Checks what only the whole inventory can show: ids used once, references that resolve, demands that a host can meet."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from math import comb

from controlplane.inventory.addresses import address_findings
from controlplane.inventory.clouds import cloud_findings
from controlplane.inventory.complaints import suggestion
from controlplane.inventory.entries import Entries, Entry
from controlplane.model.cloud import is_cloud
from controlplane.model.estate import Disposition
from controlplane.model.finding import Finding, Severity
from controlplane.model.libvirt_uri import LibvirtUriError, check_libvirt_uri

_PRIVATE_URI = "test:"
"""libvirt's test driver gives each connection a host of its own."""
_MOST_LOSSES = 5_000


def reference_findings(entries: Entries, shown: str) -> Iterator[Finding]:
    """Every finding of this kind; nothing is said about fields that failed by themselves already."""
    yield from _estate(entries, shown)
    shared = (
        entries.tiers,
        entries.sites,
        entries.networks,
        entries.images,
        entries.load_profiles,
        entries.licences,
        entries.clouds,
    )
    for kind in (*shared, entries.ministries, entries.systems):
        yield from _unique(kind)
    yield from _unique([*entries.hosts, *entries.servers, *entries.machines, *entries.reservations])
    yield from _names(entries)
    yield from _tiers(entries)
    yield from _ministries(entries)
    yield from _systems(entries)
    yield from _hosts(entries)
    yield from _servers(entries)
    yield from _machines(entries)
    yield from _reservations(entries)
    yield from _ledgers(entries)
    yield from _groups(entries)
    yield from _asked(entries)
    yield from _zones(entries)
    yield from address_findings(entries)
    yield from cloud_findings(entries)


def _tiers(entries: Entries) -> Iterator[Finding]:
    """Every loss is proven by itself, so there may not be too many of them."""
    for entry in entries.tiers:
        tier = entry.model
        if tier.host_failures < 2 or {"host_failures", "survives"} & entry.broken:
            continue
        hosts = [host.model for host in entries.hosts]
        places = {(host.site, getattr(host, tier.survives)) for host in hosts} if tier.survives != "host" else hosts
        losses = comb(len(places), tier.host_failures)
        if losses > _MOST_LOSSES:
            kind = tier.survives.replace("_", " ")
            yield entry.finding(
                f"must survive any {tier.host_failures} of {len(places)} {kind}s, which are {losses:,} losses; at most "
                f"{_MOST_LOSSES:,} can be proven",
                "let it survive fewer at once, or racks or sites (`survives`)",
                "host_failures",
            )


def _estate(entries: Entries, shown: str) -> Iterator[Finding]:
    if not entries.estate and not entries.findings:
        yield Finding(
            severity=Severity.CRITICAL,
            where=f"{shown}/group_vars/all:1:1: kasumi_estate",
            what="is missing",
            remedy="say id, name and access there",
        )
    for entry in entries.policy[1:]:
        yield entry.finding(f"a second kasumi_policy, first at {entries.policy[0].shown_place}", "keep one of them")
    for entry in entries.policy:
        stated = entry.model.objectives or []
        if len(set(stated)) < len(stated):
            yield entry.finding("an objective stands twice", "name each once, the most important first", "objectives")
    for entry in entries.estate[1:]:
        yield entry.finding(f"a second kasumi_estate, first at {entries.estate[0].shown_place}", "keep one of them")


def _unique(kind: Iterable[Entry]) -> Iterator[Finding]:
    first: dict[str, Entry] = {}
    for entry in kind:
        if entry.id in first:
            yield entry.finding(f"duplicate id {entry.id}, first at {first[entry.id].shown_place}", "rename one of them")
        else:
            first[entry.id] = entry


def _names(entries: Entries) -> Iterator[Finding]:
    for name in entries.host_keys.keys() & entries.group_keys.keys():
        document, path = entries.group_keys[name]
        group = document.key_place(path)
        document, path = entries.host_keys[name]
        what = f"a host has the name of the group at {group.file}:{group.line}"
        yield document.key_place(path).finding(path, what, "rename one of them; Ansible warns too")


def _resolves(entry: Entry, value: str, kind: str, known: Collection[str], *path: str | int) -> Iterator[Finding]:
    if value not in known and not (path and path[0] in entry.broken):
        remedy = suggestion(value, tuple(known), f"define the {kind} or name another")
        yield entry.finding(f"no {kind} {value!r}", remedy, *path)


def _ids(kind: Iterable[Entry]) -> dict[str, Entry]:
    return {entry.id: entry for entry in kind}


def _ministries(entries: Entries) -> Iterator[Finding]:
    ministries = _ids(entries.ministries)
    for entry in entries.ministries:
        for at, other in enumerate(entry.model.apart_from):
            yield from _resolves(entry, other, "ministry", ministries, "apart_from", at)
            if other == entry.id:
                yield entry.finding("keeps apart from itself", "remove it", "apart_from", at)


def _systems(entries: Entries) -> Iterator[Finding]:
    ministries, tiers = _ids(entries.ministries), _ids(entries.tiers)
    for entry in entries.systems:
        if entry.ministry:
            yield from _resolves(entry, entry.ministry, "ministry", ministries)
        yield from _resolves(entry, entry.model.tier, "tier", tiers, "tier")


def _hosts(entries: Entries) -> Iterator[Finding]:
    sites, networks = _ids(entries.sites), _ids(entries.networks)
    uris: dict[str, Entry] = {}
    for entry in entries.hosts:
        yield from _resolves(entry, entry.model.site, "site", sites, "site")
        for network in entry.model.networks:
            yield from _resolves(entry, network, "network", networks, "networks", network)
        if "uri" not in entry.broken and not entry.model.uri.startswith(_PRIVATE_URI):
            if entry.model.uri in uris:
                what = f"uri {entry.model.uri} is taken by {uris[entry.model.uri].id}"
                yield entry.finding(what, "one host, one entry: correct one of them", "uri")
            uris.setdefault(entry.model.uri, entry)
            if not is_cloud(entry.model.uri):
                yield from _libvirt(entry, entry.model.uri, "uri")
        reserved, capacity = entry.model.reserved, entry.model.capacity
        for what, kept, whole in (
            ("vcpus", reserved.vcpus, capacity.vcpus),
            ("memory", reserved.memory or 0, capacity.memory),
            ("disk", reserved.disk or 0, capacity.disk),
        ):
            if kept >= whole:
                yield entry.finding(f"reserves all {what} for itself", "leave some for machines", "reserved", what)
        yield from _pools(entry)


def _pools(entry: Entry) -> Iterator[Finding]:
    """Pools of one host are different ones, and a cloud has none of ours."""
    if {"pool", "pools", "uri"} & entry.broken:
        return
    names, paths = {entry.model.pool.name: "pool"}, {entry.model.pool.path: "pool"}
    for disk_class, pool in entry.model.pools.items():
        here = ("pools", disk_class)
        if is_cloud(entry.model.uri):
            yield entry.finding("a cloud has no pools of ours", "remove it; a volume type belongs in its `uri`", *here)
            continue
        for what, value, known in (("name", pool.name or f"kasumi-{disk_class}", names), ("path", pool.path, paths)):
            if value in known:
                yield entry.finding(f"has the {what} of {known[value]}, {value}", f"give each pool a {what} of its own", *here)
            known.setdefault(value, f"pools.{disk_class}")


def _libvirt(entry: Entry, uri: str, *inner: str) -> Iterator[Finding]:
    try:
        check_libvirt_uri(uri)
    except LibvirtUriError as error:
        yield entry.finding(f"{uri}: {error}", error.remedy, *inner)


def _source(entry: Entry, shared: Collection[str]) -> Iterator[Finding]:
    source = entry.model.source
    if source is not None and "source" not in entry.broken and source.uri not in shared:
        yield from _libvirt(entry, source.uri, "source", "uri")


def _servers(entries: Entries) -> Iterator[Finding]:
    machines, systems, hosts = _ids(entries.machines), _ids(entries.systems), _ids(entries.hosts)
    networks, images, servers = _ids(entries.networks), _ids(entries.images), _ids(entries.servers)
    shared = {host.model.uri for host in entries.hosts if "uri" not in host.broken}
    for entry in entries.servers:
        server = entry.model
        if entry.system:
            yield from _resolves(entry, entry.system, "system", systems)
        yield from _source(entry, shared)
        if server.network:
            yield from _resolves(entry, server.network, "network", networks, "network")
        if server.image:
            yield from _resolves(entry, server.image, "image", images, "image")
        if _names_a_server(server.ssh.jump) and "ssh" not in entry.broken:
            yield from _resolves(entry, server.ssh.jump, "server", servers, "ssh", "jump")
        for index, other in enumerate(server.depends_on):
            yield from _resolves(entry, other, "server", servers, "depends_on", index)
            if other == entry.id:
                yield entry.finding("depends on itself", "remove it", "depends_on", index)
        if "disposition" in entry.broken:
            continue
        if server.disposition is Disposition.MERGE:
            if server.into:
                yield from _resolves(entry, server.into, "machine", machines, "into")
            elif "into" not in entry.broken:
                yield entry.finding("merge needs the machine that takes over", "add `into: MACHINE`", "disposition")
        elif server.into:
            yield entry.finding(f"into is for merge, not for {server.disposition.value}", "remove it or merge", "into")
        yield from _needs(entry)
        yield from _pins(entry, hosts)


def _pins(entry: Entry, hosts: Mapping[str, Entry]) -> Iterator[Finding]:
    """`only_on` and `not_on` name hosts, and leave one."""
    for name in ("only_on", "not_on"):
        for at, host in enumerate(getattr(entry.model, name)):
            yield from _resolves(entry, host, "host", hosts, name, at)
    only = set(entry.model.only_on)
    if only and only <= set(entry.model.not_on):
        yield entry.finding("every host of only_on is forbidden by not_on", "take one out of `not_on`", "only_on")


def _names_a_server(jump: str) -> bool:
    """Otherwise it is `[user@]address[:port]`."""
    return bool(jump) and not any(sign in jump for sign in "@:.")


def _needs(entry: Entry) -> Iterator[Finding]:
    """What a machine made of a server must know and the server does not state, and what it states for no machine."""
    server = entry.model
    if server.lease is not None and server.disposition not in {Disposition.REHOST, Disposition.REPLATFORM}:
        yield entry.finding("no machine is made of it, so nothing can be leased", "remove the lease", "lease")
    moved = ("network", "address", "mac") if server.source is not None else ("network",)
    size = "size" if server.target is None or server.disposition is Disposition.REHOST else "target"
    needed = {Disposition.REPLATFORM: (size, "image", "network"), Disposition.REHOST: (size, *moved)}
    for name in needed.get(server.disposition, ()):
        if not getattr(server, name) and name not in entry.broken:
            yield entry.finding(f"{server.disposition.value} needs {name}", f"add `{name}: …`", "disposition")


def _ledgers(entries: Entries) -> Iterator[Finding]:
    servers = _ids(entries.servers)
    for host, (document, path) in entries.ledger_keys.items():
        if host not in servers:
            place = document.key_place(path)
            yield place.finding(path, f"no server {host!r}", "add kasumi_server to the host, or remove what its ledger says")


def _machines(entries: Entries) -> Iterator[Finding]:
    networks, images, hosts = _ids(entries.networks), _ids(entries.images), _ids(entries.hosts)
    for entry in entries.machines:
        yield from _pins(entry, hosts)
        yield from _resolves(entry, entry.model.network, "network", networks, "network")
        yield from _resolves(entry, entry.model.image, "image", images, "image")
        image = images.get(entry.model.image)
        if image is not None and "size" not in entry.broken and entry.model.size.disk < image.model.min_disk:
            what = f"{entry.model.size.disk}GiB is too small for image {image.id}"
            yield entry.finding(what, f"give it at least {image.model.min_disk}GiB", "size", "disk")


def _reservations(entries: Entries) -> Iterator[Finding]:
    """Room is held only for what somebody confirmed."""
    networks, systems = _ids(entries.networks), _ids(entries.systems)
    for entry in entries.reservations:
        yield from _resolves(entry, entry.model.network, "network", networks, "network")
        system = systems.get(entry.system)
        if system is not None and system.model.demand is None and "demand" not in system.broken:
            what = f"holds room for system {entry.system}, whose demand nobody confirmed"
            yield entry.finding(what, "add `demand: {confirmed_by: …, confirmed_on: …}` to the system, or remove the reservation")


def _groups(entries: Entries) -> Iterator[Finding]:
    """A group of one is a name that does not match: what should be kept apart, or together, would not be."""
    stated = [*entries.servers, *entries.machines]
    asking = [*stated, *entries.reservations]
    replicas = [(entry, "replica group", entry.model.replica_group, ("replica_group",)) for entry in stated]
    together = [
        (entry, f"{domain} group", name, ("needs", "together", domain))
        for entry in asking
        for domain, name in dict(entry.model.needs.together).items()
    ]
    groups: dict[tuple[str, str, str], list[tuple[Entry, tuple[str, ...]]]] = {}
    for entry, kind, name, path in (*replicas, *together):
        if name:
            groups.setdefault((entry.system, kind, name), []).append((entry, path))
    names: dict[tuple[str, str], list[str]] = {}
    for system, kind, name in groups:
        names.setdefault((system, kind), []).append(name)
    for (system, kind, name), members in groups.items():
        if len(members) == 1:
            others = tuple(other for other in names[(system, kind)] if other != name)
            what = f"{kind} {name!r} has one member in system {system}"
            entry, path = members[0]
            yield entry.finding(what, suggestion(name, others, "name a second member, or remove it"), *path)


def _asked(entries: Entries) -> Iterator[Finding]:
    """Load profiles and licences that exist, and nothing that no host could ever offer."""
    profiles, licences = _ids(entries.load_profiles), _ids(entries.licences)
    sound = [host.model.offers for host in entries.hosts if "offers" not in host.broken]
    classes = {disk_class for host in entries.hosts for disk_class in host.model.pools}
    complete = len(sound) == len(entries.hosts) and bool(sound)
    for entry in [*entries.servers, *entries.machines, *entries.reservations]:
        needs = entry.model.needs
        if needs.load:
            yield from _resolves(entry, needs.load, "load profile", profiles, "needs", "load")
        for at, licence in enumerate(needs.licences):
            yield from _resolves(entry, licence, "licence", licences, "needs", "licences", at)
        unknown = needs.disk_class and needs.disk_class not in classes and "needs" not in entry.broken
        if unknown and not any("pools" in host.broken for host in entries.hosts):
            remedy = suggestion(needs.disk_class, tuple(classes), "declare one in `pools` of a host, or leave the class out")
            yield entry.finding(f"no host has a pool for disks of class {needs.disk_class!r}", remedy, "needs", "disk_class")
        if needs.licences and complete and not any(offer.sockets for offer in sound):
            what = "needs a licence by the socket, and no host states its sockets"
            yield entry.finding(what, "state `offers: {sockets: …}` of hosts", "needs", "licences")
        for name, unit in (("network_mbps", "Mbit/s"), ("iops", "IOPS")) if complete and "needs" not in entry.broken else ():
            wanted, most = getattr(needs, name), max(getattr(offer, name) for offer in sound)
            if wanted > most:
                what = f"wants {wanted} {unit}, the most that a host offers is {most}"
                yield entry.finding(what, f"state `offers: {{{name}: …}}` of a host, or ask for less", "needs", name)


def _zones(entries: Entries) -> Iterator[Finding]:
    """Ministry and confidentiality of networks, and that at least one host could hold the machine."""
    systems, networks, ministries = _ids(entries.systems), _ids(entries.networks), _ids(entries.ministries)
    zones = {
        (grade, network) for host in entries.hosts for grade in host.model.confidentiality for network in host.model.networks
    }
    known = {network for _, network in zones} <= networks.keys()
    complete = known and bool(entries.hosts) and not any({"confidentiality", "networks"} & host.broken for host in entries.hosts)
    for entry in [*entries.machines, *entries.servers, *entries.reservations]:
        system, network = systems.get(entry.system), networks.get(entry.model.network)
        if system is None or network is None or "network" in entry.broken or system.broken:
            continue
        owner, grade = network.model.ministry, system.model.confidentiality
        if owner in ministries and entry.ministry and owner != entry.ministry and "ministry" not in network.broken:
            what = f"network {network.id} belongs to ministry {owner}, the system to {entry.ministry}"
            yield entry.finding(what, "name a network of that ministry or a shared one", "network")
        if network.model.confidentiality < grade and "confidentiality" not in network.broken:
            what = (
                f"confidentiality {grade} of system {system.id} is above {network.model.confidentiality} of network {network.id}"
            )
            yield entry.finding(what, "name another network or correct a grade", "network")
        elif complete and _comes_to_a_host(entry) and (grade, network.id) not in zones:
            what = f"no host holds confidentiality {grade} and carries network {network.id}"
            yield entry.finding(what, "let a host carry it or name another network", "network")


def _comes_to_a_host(entry: Entry) -> bool:
    disposition = getattr(entry.model, "disposition", None)
    return disposition is None or (
        disposition in {Disposition.REHOST, Disposition.REPLATFORM} and "disposition" not in entry.broken
    )
