"""The names a readiness rule may use, and their values for one server: its facts, what the inventory says, what follows.

`derived.*` are worked out here from facts, tables and the day as of which the assessment is made; what cannot be worked out
has no value.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from ipaddress import IPv4Network, ip_interface

from controlplane.assessment.truth import ServerTruth
from controlplane.model.estate import Estate, Server
from controlplane.model.facts import CATALOGUE, Value

_OF_SERVER = ("kind", "disposition", "os", "system", "ministry", "study_class", "confidentiality", "tier")
_DERIVED = {
    "derived.os_support_days_left": "days until general support of the operating system ends; negative when it has ended",
    "derived.clock_skew_seconds": "how far its clock is off, without sign",
    "derived.uptime_days": "whole days since the last boot",
    "derived.address_overlaps": "[{address, network, ministry}]: private networks of its own that another ministry uses too",
}
_LISTED = re.compile(r"^\[\{([^}]*)\}\]")
_MOST_SECONDS = 1e10
"""Three hundred years; what claims to run longer has a broken clock."""
_ADDED_KEYS = {"certificates": ("days_left",)}

LATE = frozenset({"derived.address_overlaps"})
"""Names that rest on what is known of all servers."""

NAMES: dict[str, str] = {
    **CATALOGUE,
    **{f"server.{name}": "as the inventory declares" for name in _OF_SERVER},
    **_DERIVED,
}
"""Every name and what it holds."""


def is_name(name: str) -> bool:
    """True for a name that a rule may use."""
    return name in NAMES


def keys_of(name: str) -> frozenset[str]:
    """What an item of a list is asked for after `where`: its keys, or `value` when it is a plain list."""
    listed = _LISTED.match(NAMES.get(name, ""))
    if listed is None:
        return frozenset({"value"})
    return frozenset((*(key.strip() for key in listed.group(1).split(",")), *_ADDED_KEYS.get(name, ())))


def names_of(
    server: Server,
    truth: ServerTruth,
    estate: Estate,
    *,
    support_until: date | None,
    as_of: date,
    overlaps: "Overlaps | None" = None,
) -> dict[str, Value]:
    """Names with a value for one server; a name that is absent is unknown.

    Without `overlaps` the names of `LATE` have no value: they need what is known of all servers.
    """
    system = estate.systems[server.system]
    names: dict[str, Value] = {name: known.value for name, known in truth.fields.items()}
    names |= {
        "server.kind": server.kind,
        "server.disposition": server.disposition.value,
        "server.system": server.system,
        "server.ministry": system.ministry,
        "server.study_class": system.study_class,
        "server.confidentiality": system.confidentiality,
        "server.tier": system.tier,
    }
    if server.os:
        names["server.os"] = server.os
    if support_until is not None:
        names["derived.os_support_days_left"] = (support_until - as_of).days
    offset = truth.value("ntp.offset_seconds")
    if isinstance(offset, int | float) and not isinstance(offset, bool):
        names["derived.clock_skew_seconds"] = abs(offset)
    uptime = truth.value("boot.uptime_seconds")
    if isinstance(uptime, int | float) and not isinstance(uptime, bool) and abs(uptime) < _MOST_SECONDS:
        names["derived.uptime_days"] = int(uptime // 86_400)
    certificates = truth.value("certificates")
    if isinstance(certificates, list):
        names["certificates"] = [_with_days_left(item, as_of) for item in certificates]
    if overlaps is not None and "addresses" in truth.fields:
        names["derived.address_overlaps"] = overlaps.of(system.ministry, networks_of(truth))
    return names


def networks_of(truth: ServerTruth) -> tuple[tuple[str, IPv4Network], ...]:
    """The private IPv4 networks a server stands in, each with its address there; link-local ones are everywhere."""
    found: list[tuple[str, IPv4Network]] = []
    addresses = truth.value("addresses")
    for item in addresses if isinstance(addresses, list) else ():
        if not isinstance(item, dict) or "prefix_length" not in item:
            continue
        try:
            interface = ip_interface(f"{item.get('address')}/{item['prefix_length']}")
        except ValueError:
            continue
        network = interface.network
        if isinstance(network, IPv4Network) and network.is_private and not network.is_link_local and not network.is_loopback:
            found.append((str(interface.ip), network))
    return tuple(found)


class Overlaps:
    """Which private networks several ministries use. Networks that the estate declares as shared by all are left out."""

    def __init__(self, used: Iterable[tuple[str, IPv4Network]], shared: Sequence[IPv4Network]) -> None:
        owners: dict[IPv4Network, set[str]] = {}
        for ministry, network in used:
            if not any(network.subnet_of(one) for one in shared):
                owners.setdefault(network, set()).add(ministry)
        self._owners = sorted(owners.items(), key=lambda item: (int(item[0].network_address), item[0].prefixlen))
        self._found: dict[IPv4Network, list[tuple[str, str]]] = {}

    def of(self, ministry: str, networks: Iterable[tuple[str, IPv4Network]]) -> list[Value]:
        """Each of the networks that another ministry uses too."""
        return [
            {"address": address, "network": other, "ministry": owner}
            for address, network in networks
            for other, owner in self._with(network)
            if owner != ministry
        ]

    def _with(self, network: IPv4Network) -> list[tuple[str, str]]:
        """Networks that overlap one, each with an owner; a network has hundreds of servers, so it is looked for once."""
        if network not in self._found:
            self._found[network] = [
                (str(other), owner) for other, owners in self._owners if other.overlaps(network) for owner in sorted(owners)
            ]
        return self._found[network]


def _with_days_left(item: Value, as_of: date) -> Value:
    if not isinstance(item, dict):
        return item
    try:
        ends = datetime.fromisoformat(str(item.get("not_after")).replace("Z", "+00:00")).date()
    except ValueError:
        return item
    return {**item, "days_left": (ends - as_of).days}


def overlaps_of(estate: Estate, truths: Mapping[str, ServerTruth]) -> Overlaps:
    """The networks of all servers, by ministry."""
    shared = [IPv4Network(network.cidr) for network in estate.networks.values() if not network.ministry]
    used = (
        (estate.systems[server.system].ministry, network)
        for server in estate.servers.values()
        if server.id in truths
        for _, network in networks_of(truths[server.id])
    )
    return Overlaps(used, shared)
