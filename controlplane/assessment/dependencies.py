"""Who depends on whom: a graph from observed connections and declared dependencies, cohorts, shared servers, strangers.

A connection is observed at the client (direction out) or at the server (direction in); two looks at one dependency are one.
Private addresses that several servers claim mean the one in the same ministry, and nobody when that is not unique: a guess
would tie the wrong servers together.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, ip_address

from controlplane.assessment.comparing import addresses_in
from controlplane.assessment.truth import ServerTruth
from controlplane.model.assessment import Cohort, Dependency, Graph, SharedDependency, Stranger
from controlplane.model.estate import Estate
from controlplane.model.facts import Value

WEAK_PORTS = frozenset(
    {
        22,
        25,
        53,
        67,
        68,
        80,
        88,
        111,
        123,
        161,
        162,
        389,
        443,
        464,
        465,
        514,
        587,
        636,
        3128,
        5666,
        8080,
        8443,
        9100,
        9177,
        10050,
        10051,
    }
)
"""Remote login, mail, names, time, directory, logs, monitoring, web: found again by name after a move, or shared by many."""
_STRONG_CLUSTER = frozenset(
    {"pacemaker", "corosync", "heartbeat", "rgmanager", "cman", "drbd", "shared-disk", "gfs2", "ocfs2", "keepalived", "vrrp"}
)
_LARGEST_COHORT_NAMED = 12
OBSERVED, BOTH_ENDS, DECLARED = "observed", "observed at both ends", "declared"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    client: str
    server: str
    protocol: str
    port: int


def graph_of(estate: Estate, truths: Mapping[str, ServerTruth]) -> Graph:
    """The graph of all servers of the estate."""
    book = _AddressBook(estate, truths)
    ends: dict[_Seen, set[str]] = defaultdict(set)
    processes: dict[_Seen, str] = {}
    strangers: dict[str, set[tuple[int, str]]] = defaultdict(set)
    observed = 0
    for server_id, truth in sorted(truths.items()):
        connections = truth.value("connections")
        if server_id not in estate.servers or not isinstance(connections, list):
            continue
        observed += 1
        for item in connections:
            seen = _seen(item, server_id, book)
            if seen is None or not isinstance(item, dict):
                continue
            ends[seen].add(server_id)
            process = str(item.get("process") or "")
            if process and (item.get("direction") == "in" or seen not in processes):
                processes[seen] = process
            for end in (seen.client, seen.server):
                if end not in estate.servers:
                    strangers[end].add((seen.port, server_id))
    found = [
        Dependency(
            client=seen.client, server=seen.server, protocol=seen.protocol, port=seen.port, process=processes.get(seen, ""),
            evidence=BOTH_ENDS if len(by) > 1 else OBSERVED, strong=False,
            external=not (seen.client in estate.servers and seen.server in estate.servers),
        )
        for seen, by in ends.items()
    ]  # fmt: skip
    found.extend(_declared(estate, found))
    hubs = _hubs(found, estate)
    dependencies = tuple(
        sorted(
            (replace(one, strong=_is_strong(one, estate, hubs)) for one in found),
            key=lambda one: (one.client, one.server, one.port, one.protocol, one.evidence),
        )
    )
    return Graph(
        dependencies=dependencies,
        cohorts=_cohorts(dependencies, estate, truths),
        shared=_shared(dependencies, estate),
        strangers=tuple(_stranger(address, users, estate) for address, users in sorted(strangers.items())),
        observed_servers=observed,
    )


class _AddressBook:
    """Which server an address stands for, seen from another server."""

    def __init__(self, estate: Estate, truths: Mapping[str, ServerTruth]) -> None:
        self._estate = estate
        self._own: dict[str, frozenset[str]] = {}
        self._servers: dict[str, set[str]] = defaultdict(set)
        for server in estate.servers.values():
            known = addresses_in(truths[server.id].value("addresses")) if server.id in truths else frozenset()
            mine = frozenset(map(plain_address, known | ({server.address} if server.address else set())))
            self._own[server.id] = mine
            for address in mine:
                self._servers[address].add(server.id)

    def is_own(self, server: str, address: str) -> bool:
        """True for an address of the server itself."""
        return address in self._own[server]

    def server_at(self, address: str, seen_from: str) -> str:
        """The id of the server with this address, or the address itself when it is nobody's or not clear whose."""
        claimed = self._servers.get(address, set())
        if len(claimed) > 1:
            ministry = self._ministry(seen_from)
            claimed = {one for one in claimed if self._ministry(one) == ministry}
        return next(iter(claimed)) if len(claimed) == 1 else address

    def _ministry(self, server: str) -> str:
        return self._estate.systems[self._estate.servers[server].system].ministry


def plain_address(address: str) -> str:
    """One form for one address: no zone, IPv4 out of its IPv6 wrapping; empty when it is no address of one machine."""
    try:
        parsed = ip_address(address.strip().partition("%")[0])
    except ValueError:
        return ""
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return "" if parsed.is_loopback or parsed.is_unspecified or parsed.is_link_local or parsed.is_multicast else str(parsed)


def _seen(item: Value, server: str, book: _AddressBook) -> _Seen | None:
    if not isinstance(item, dict):
        return None
    remote = plain_address(str(item.get("remote_address", "")))
    inward = item.get("direction") == "in"
    port = item.get("local_port" if inward else "remote_port")
    if not remote or book.is_own(server, remote) or not isinstance(port, int):
        return None
    other = book.server_at(remote, server)
    client, used = (other, server) if inward else (server, other)
    return _Seen(client=client, server=used, protocol=str(item.get("protocol") or "tcp").rstrip("6"), port=port)


def _declared(estate: Estate, observed: Iterable[Dependency]) -> Iterator[Dependency]:
    """What the inventory says beyond what was observed between the same two servers."""
    known = {(one.client, one.server) for one in observed}
    for server in estate.servers.values():
        for other in server.depends_on:
            if (server.id, other) not in known:
                yield Dependency(client=server.id, server=other, protocol="", port=0, process="", evidence=DECLARED, strong=True)


def _hubs(dependencies: Iterable[Dependency], estate: Estate) -> frozenset[str]:
    """Servers that three or more systems of others use: everybody's, so they tie nobody together."""
    users: dict[str, set[str]] = defaultdict(set)
    for one in dependencies:
        if not one.external and estate.servers[one.client].system != estate.servers[one.server].system:
            users[one.server].add(estate.servers[one.client].system)
    return frozenset(server for server, systems in users.items() if len(systems) > 2)


def _is_strong(one: Dependency, estate: Estate, hubs: frozenset[str]) -> bool:
    if one.external:
        return False
    if one.evidence == DECLARED:
        return True
    if estate.servers[one.client].system == estate.servers[one.server].system:
        return one.port != 22
    return one.port not in WEAK_PORTS and one.server not in hubs


def _cohorts(dependencies: Iterable[Dependency], estate: Estate, truths: Mapping[str, ServerTruth]) -> tuple[Cohort, ...]:
    """Connected components over strong dependencies and shared clusters, of two servers or more."""
    leader = {server: server for server in estate.servers}

    def top(server: str) -> str:
        while leader[server] != server:
            leader[server] = leader[leader[server]]
            server = leader[server]
        return server

    ties: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in dependencies:
        if one.strong:
            word = f"port {one.port} ({one.process or one.protocol})" if one.port else one.evidence
            ties[one.client, one.server].add(word)
    members: dict[tuple[str, str], list[str]] = defaultdict(list)
    for server_id, truth in truths.items():
        cluster = truth.value("cluster")
        for item in cluster if isinstance(cluster, list) and server_id in estate.servers else ():
            if isinstance(item, dict) and item.get("name") and str(item.get("kind")) in _STRONG_CLUSTER:
                members[str(item["kind"]), str(item["name"])].append(server_id)
    for (kind, name), servers in members.items():
        for first, second in zip(sorted(set(servers)), sorted(set(servers))[1:], strict=False):
            ties[first, second].add(f"{kind} {name}")
    for first, second in ties:
        leader[top(first)] = top(second)
    groups: dict[str, list[str]] = defaultdict(list)
    for server in estate.servers:
        groups[top(server)].append(server)
    return tuple(
        sorted(
            (_cohort(sorted(servers), ties, estate) for servers in groups.values() if len(servers) > 1),
            key=lambda cohort: cohort.servers,
        )
    )


def _cohort(servers: list[str], ties: Mapping[tuple[str, str], set[str]], estate: Estate) -> Cohort:
    inside = set(servers)
    named = [f"{first} → {second}: {', '.join(sorted(why))}" for (first, second), why in sorted(ties.items()) if first in inside]
    more = (f"and {len(named) - _LARGEST_COHORT_NAMED} more",) if len(named) > _LARGEST_COHORT_NAMED else ()
    return Cohort(
        servers=tuple(servers),
        ministries=tuple(sorted({estate.systems[estate.servers[one].system].ministry for one in servers})),
        ties=(*named[:_LARGEST_COHORT_NAMED], *more),
    )


def _shared(dependencies: Iterable[Dependency], estate: Estate) -> tuple[SharedDependency, ...]:
    users: dict[tuple[str, int], set[str]] = defaultdict(set)
    for one in dependencies:
        if not one.external and estate.servers[one.client].system != estate.servers[one.server].system:
            users[one.server, one.port].add(estate.servers[one.client].system)
    return tuple(
        SharedDependency(
            server=server,
            port=port,
            systems=tuple(sorted(systems)),
            ministries=tuple(sorted({estate.systems[system].ministry for system in systems})),
        )
        for (server, port), systems in sorted(users.items())
    )


def _stranger(address: str, users: set[tuple[int, str]], estate: Estate) -> Stranger:
    parsed = ip_address(address)
    inside = ""
    if isinstance(parsed, IPv4Address):
        inside = next((one.id for _, one in sorted(estate.networks.items()) if parsed in IPv4Network(one.cidr)), "")
    return Stranger(
        address=address,
        inside=inside,
        ports=tuple(sorted({port for port, _ in users})),
        servers=tuple(sorted({server for _, server in users})),
    )
