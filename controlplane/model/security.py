"""Which security groups guard a machine's card where the provider has such groups: its network's zone, and its services.

One group for each network (its zone): everything from members of the zone, ssh and ICMP from elsewhere. One for each set of
service ports, shared by machines with the same ones. Pure, so that what is wanted, made and found are the same words.
"""

from dataclasses import dataclass

from controlplane.model.plan import PlannedMachine, PlannedNic

_SSH = 22
IN, OUT = "in", "out"
FAMILIES = ("IPv4", "IPv6")
ANYWHERE, MEMBERS = "anywhere", "members"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Traffic that may come in. `protocol` empty: any; `port` None: all; `from_group`: only from members of the same group."""

    protocol: str = ""
    port: int | None = None
    from_group: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup:
    """A group by name and what it lets in; everything may go out."""

    name: str
    openings: tuple[Opening, ...]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Rule:
    """What a group lets through of one address family. `protocol` empty: any; `ports` empty: all.

    `peer`: ANYWHERE, MEMBERS of the same group, or whoever else the provider names.
    """

    way: str
    family: str
    protocol: str = ""
    ports: str = ""
    peer: str = ANYWHERE

    def __str__(self) -> str:
        towards = "from" if self.way == IN else "to"
        return " ".join(filter(None, (self.way, self.family, self.protocol or "any", self.ports, towards, self.peer)))


def rules_of(group: SecurityGroup) -> frozenset[Rule]:
    """Every rule that the group should have."""
    out = {Rule(way=OUT, family=family) for family in FAMILIES}
    return frozenset(out | {_rule(opening, family) for opening in group.openings for family in FAMILIES})


def _rule(opening: Opening, family: str) -> Rule:
    ports = "" if opening.port is None else str(opening.port)
    return Rule(way=IN, family=family, protocol=opening.protocol, ports=ports, peer=MEMBERS if opening.from_group else ANYWHERE)


def security_groups(estate: str, machine: PlannedMachine, nic: PlannedNic) -> tuple[SecurityGroup, ...]:
    """The groups of one card, by name."""
    zone = SecurityGroup(
        name=f"kasumi-{estate}-zone-{nic.network}",
        openings=(Opening(from_group=True), Opening(protocol="icmp"), Opening(protocol="tcp", port=_SSH)),
    )
    ports = sorted({service.port for service in machine.services})
    if not ports:
        return (zone,)
    services = SecurityGroup(
        name=f"kasumi-{estate}-tcp-{'-'.join(map(str, ports))}",
        openings=tuple(Opening(protocol="tcp", port=port) for port in ports),
    )
    return tuple(sorted((zone, services), key=lambda group: group.name))
