"""Networks, subnets and security groups at Neutron: made once with our mark, or somebody else's that the inventory names.

What we make carries the estate's mark in its description from its creation on, so that nothing of ours is ever without it. A
network of the planned name without the mark is refused unless the inventory says that it is to be used. Nothing is deleted.
"""

from collections.abc import Iterable
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.plan import PlannedNetwork, PlannedNic
from controlplane.model.security import ANYWHERE, IN, MEMBERS, OUT, Rule, SecurityGroup, rules_of
from controlplane.providers.openstack_alone import make_alone
from controlplane.providers.openstack_cloud import Cloud, Json
from controlplane.providers.openstack_faults import ApiError
from controlplane.providers.openstack_mark import estate_mark, is_marked
from controlplane.providers.openstack_router import ensure_gateway

_WAYS = {IN: "ingress", OUT: "egress"}
_ICMP = {"IPv4": "icmp", "IPv6": "ipv6-icmp"}
_EVERYWHERE = frozenset({None, "", "0.0.0.0/0", "::/0"})
"""Three ways in which Neutron is told, and tells, that anybody may."""


def usable_networks(cloud: Cloud, **query: str) -> list[Json]:
    """Networks of our project and those that are shared with it: an administrator is shown everybody's. Raises ApiError."""
    project = cloud.project_id
    return [
        network
        for network in cloud.every("network", "/networks", "networks", **query)
        if network["project_id"] == project or network["shared"] or network.get("router:external")
    ]


def ensure_network(cloud: Cloud, planned: PlannedNetwork, *, estate: str) -> Json:
    """The network, up. Raises RefusedError for one of this name that is not ours to use, KasumiError, ApiError."""

    def named() -> list[Json]:
        return usable_networks(cloud, name=planned.bridge or planned.name)

    found = named()
    if planned.bridge:
        if len(found) != 1:
            raise KasumiError(
                f"network {planned.network} on {planned.host}: wanted one network named {planned.bridge}, found {len(found)}; "
                "correct `networks` of the host in the inventory, or rename those that are not it"
            )
        return found[0]
    mark = estate_mark(estate)
    mine = [network for network in found if is_marked(network, mark)]
    if len(mine) > 1 or (found and not mine):
        raise RefusedError(
            f"network {planned.name} on {planned.host}: wanted one with the mark of {estate}, found {len(mine)} and "
            f"{len(found) - len(mine)} of somebody else's; rename those, or name the one to use in `networks` of the host"
        )
    if not mine:
        body = {"name": planned.name, "description": mark, "admin_state_up": True}
        return make_alone(
            f"network {planned.name} on {planned.host}",
            lambda: dict(cloud.post("network", "/networks", {"network": body})["network"]),
            lambda: (network for network in named() if is_marked(network, mark)),
            lambda network: cloud.delete("network", f"/networks/{network['id']}"),
        )
    if not mine[0]["admin_state_up"]:
        up = {"network": {"admin_state_up": True}}
        return dict(cloud.put("network", f"/networks/{mine[0]['id']}", up)["network"])
    return mine[0]


def find_network(cloud: Cloud, name: str, *, estate: str) -> Json:
    """The network that `ensure_network` made or found. Raises KasumiError, ApiError."""
    found = usable_networks(cloud, name=name)
    mine = [network for network in found if is_marked(network, estate_mark(estate))] or found
    if len(mine) != 1:
        move = "rename those that are not it, or name another in `networks` of the host" if mine else "apply the plan again"
        raise KasumiError(f"network {name} on {cloud.pool.uri}: wanted one of this name, found {len(mine)}; {move}")
    return mine[0]


def ensure_subnet(cloud: Cloud, network: Json, nic: PlannedNic, *, estate: str) -> str:
    """The id of the subnet that holds the card's address; made in a network of ours, wanted in somebody else's."""
    interface = ip_interface(f"{nic.address}/{nic.prefix_length}")
    cidr = str(interface.network)

    def subnets() -> list[Json]:
        return cloud.every("network", "/subnets", "subnets", network_id=network["id"])

    found = subnets()
    fitting = _holding(found, interface)
    if fitting is not None:
        ensure_gateway(cloud, fitting, estate=estate)
        return str(fitting["id"])
    if not is_marked(network, estate_mark(estate)):
        have = ", ".join(sorted(each["cidr"] for each in found)) or "none"
        raise KasumiError(
            f"network {network['name']} on {cloud.pool.uri}: wanted a subnet with {nic.address}, found {have}; "
            "correct the cidr in the inventory, or name another network"
        )
    body = {
        "network_id": network["id"],
        "name": f"{network['name']}-{cidr.replace('/', '-')}",
        "description": estate_mark(estate),
        "ip_version": interface.version,
        "cidr": cidr,
        "gateway_ip": nic.gateway or None,
        "dns_nameservers": list(nic.dns),
        "enable_dhcp": False,
    }
    try:
        subnet = cloud.post("network", "/subnets", {"subnet": body})["subnet"]
    except ApiError as error:  # Neutron lets no two subnets of a network overlap
        subnet = _holding(subnets(), interface) if error.status in {400, 409} and not error.of_quota else None
        if subnet is None:
            raise
    ensure_gateway(cloud, subnet, estate=estate)
    return str(subnet["id"])


def _holding(subnets: Iterable[Json], interface: IPv4Interface | IPv6Interface) -> Json | None:
    return next((each for each in subnets if interface.ip in ip_interface(each["cidr"]).network), None)


def ensure_group(cloud: Cloud, wanted: SecurityGroup, *, estate: str) -> str:
    """The id of the security group: every opening it should have and none beside, and everything may go out.

    Raises RefusedError, ApiError.
    """
    mark = estate_mark(estate)

    def named() -> list[Json]:
        return cloud.every("network", "/security-groups", "security_groups", name=wanted.name, project_id=cloud.project_id)

    found = named()
    if len(found) > 1 or (found and not is_marked(found[0], mark)):
        raise RefusedError(
            f"security group {wanted.name} on {cloud.pool.uri}: wanted one with the mark of {estate}, found {len(found)} "
            "of this name; rename or remove what is not ours"
        )
    if found:
        group = found[0]
    else:
        body = {"name": wanted.name, "description": mark}
        group = make_alone(
            f"security group {wanted.name} on {cloud.pool.uri}",
            lambda: dict(cloud.post("network", "/security-groups", {"security_group": body})["security_group"]),
            named,
            lambda made: cloud.delete("network", f"/security-groups/{made['id']}"),
        )
    there = {rule_of(found): found for found in group["security_group_rules"]}
    rules = rules_of(wanted)
    for rule in sorted(rules - there.keys()):
        _add_rule(cloud, _body(rule, group["id"]))
    for rule, found in there.items():
        if rule not in rules and rule.way == IN:
            cloud.delete("network", f"/security-group-rules/{found['id']}")
    return str(group["id"])


def _add_rule(cloud: Cloud, rule: Json) -> None:
    try:
        cloud.post("network", "/security-group-rules", {"security_group_rule": rule})
    except ApiError as error:
        if error.status != 409 or error.of_quota:  # the same rule is there already
            raise


def _body(rule: Rule, group: str) -> Json:
    """How Neutron is asked for it. What lets everything out comes with a new group, and is put back like any other."""
    port = int(rule.ports) if rule.ports else None
    return {
        "security_group_id": group,
        "direction": _WAYS[rule.way],
        "ethertype": rule.family,
        "protocol": (_ICMP[rule.family] if rule.protocol == "icmp" else rule.protocol) or None,
        "port_range_min": port,
        "port_range_max": port,
        "remote_group_id": group if rule.peer == MEMBERS else None,
    }


def rule_of(found: Json) -> Rule:
    """One rule as Neutron tells it."""
    least, most = found.get("port_range_min"), found.get("port_range_max")
    protocol = found.get("protocol") or ""
    return Rule(
        way=IN if found["direction"] == _WAYS[IN] else OUT,
        family=found["ethertype"],
        protocol="icmp" if protocol == _ICMP[found["ethertype"]] else protocol,
        ports="" if least is None and most is None else str(least) if least == most else f"{least}-{most}",
        peer=_peer(found),
    )


def _peer(found: Json) -> str:
    group = found.get("remote_group_id")
    if group:
        return MEMBERS if group == found["security_group_id"] else f"group {group}"
    if found.get("remote_address_group_id"):
        return f"address group {found['remote_address_group_id']}"
    prefix = found.get("remote_ip_prefix")
    return ANYWHERE if prefix in _EVERYWHERE else str(prefix)
