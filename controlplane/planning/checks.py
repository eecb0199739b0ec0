"""Checks a finished plan against estate and observation, sharing only the model with what built it.

It is written from the rules in `docs/planning.md`, not from the planner's code: an error in one shows up in the other.
Critical findings block; a finding about machines that stand so already, which planning does not move, is a warning.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import ip_address, ip_network
from itertools import chain, combinations
from math import floor
from urllib.parse import urlsplit

from controlplane.model.estate import Disposition, Estate, Host, Reservation, Server, WantedMachine
from controlplane.model.finding import Finding, Severity
from controlplane.model.needs import Needs
from controlplane.model.observed import HostObservation, Observation
from controlplane.model.plan import Method, Plan, PlannedMachine, PlannedNic, PlannedReservation
from controlplane.model.resources import Resources, total
from controlplane.planning.replacement import Room, Vector, replaceable


def check_plan(plan: Plan, estate: Estate, observation: Observation) -> tuple[Finding, ...]:
    """Every finding, critical ones first. A plan with a critical finding must not be written or applied."""
    if plan.estate != estate.id:
        return (_critical("plan", f"is for estate {plan.estate}, the inventory is of {estate.id}", "plan again"),)
    held = [_as_machine(each, estate) for each in plan.reservations if _reservation_of(each, estate) is not None]
    known = [each for each in (*plan.machines, *held) if each.host in estate.hosts and each.system in estate.systems]
    world = _World(plan, estate, observation, known)
    findings = [
        *_references(plan, estate),
        *_demand(plan, estate),
        *_identities(plan),
        *_addresses(plan, estate),
        *_strangers(plan, estate),
        *_reserved(plan, estate),
        *world.closed_hosts(),
        *world.names(),
        *world.zones(),
        *world.pins(),
        *world.processors(),
        *world.capacity(),
        *world.spreading(),
        *world.companions(),
        *world.strangers(),
        *world.losses(),
    ]
    return tuple(sorted(findings, key=lambda finding: (finding.severity is not Severity.CRITICAL, finding.where, finding.what)))


def _references(plan: Plan, estate: Estate) -> Iterator[Finding]:
    images = {image.id for image in plan.images}
    networks = {(network.host, network.network) for network in plan.networks}
    for host in sorted(set(estate.hosts) ^ {host.id for host in plan.hosts}):
        yield _critical(f"host {host}", "is in only one of plan and inventory", "plan again")
    for machine in plan.machines:
        where = f"machine {machine.id}"
        if machine.host not in estate.hosts:
            yield _critical(where, f"stands on host {machine.host}, which the inventory does not have", "plan again")
        system = estate.systems.get(machine.system)
        if system is None:
            yield _critical(where, f"belongs to system {machine.system}, which the inventory does not have", "plan again")
        elif (machine.ministry, machine.confidentiality, machine.tier) != (system.ministry, system.confidentiality, system.tier):
            yield _critical(where, f"differs from its system {system.id} in ministry, grade or tier", "plan again")
        if machine.method is Method.IMAGE and machine.image not in images:
            yield _critical(where, f"is made from image {machine.image or '(none)'}, which the plan does not hold", "plan again")
        if machine.method is Method.COLD and machine.source is None:
            yield _critical(where, "is moved with its disk, but from no source", "name the `source` of its server")
        if not machine.nics:
            yield _critical(where, "has no network card", "plan again")
        for nic in machine.nics:
            if (machine.host, nic.network) not in networks:
                yield _critical(
                    where, f"uses network {nic.network}, which the plan does not make on {machine.host}", "plan again"
                )
        for entity in machine.derived_from:
            if entity not in plan.inputs:
                yield _critical(where, f"rests on {entity}, whose facts the plan does not hold", "plan again")


def _demand(plan: Plan, estate: Estate) -> Iterator[Finding]:
    """Everything asked for is there, nothing else is, and no size is below what was asked."""
    planned = {machine.id: machine for machine in plan.machines}
    asked = {machine.id: machine.size for machine in estate.machines.values()}
    fates = {server.id: server for server in plan.servers}
    for server in estate.servers.values():
        fate = fates.get(server.id)
        if fate is None or fate.disposition is not server.disposition:
            yield _critical(f"server {server.id}", f"wanted {server.disposition.value}, the plan says otherwise", "plan again")
        elif server.disposition is Disposition.MERGE:
            if fate.machine not in planned:
                yield _critical(
                    f"server {server.id}", f"is merged into {fate.machine or '(none)'}, which is not planned", "plan again"
                )
        elif server.disposition in {Disposition.REHOST, Disposition.REPLATFORM} and fate.machine:
            wanted = server.target or server.size
            if wanted is not None:
                asked[fate.machine] = wanted
        elif fate.machine:
            yield _critical(
                f"server {server.id}", f"gets machine {fate.machine} though it is to {server.disposition.value}", "plan again"
            )
    for machine in sorted(set(asked) - set(planned)):
        yield _critical(f"machine {machine}", "is asked for and not planned", "plan again")
    for machine in sorted(set(planned) - set(asked)):
        yield _critical(f"machine {machine}", "is planned and nobody asks for it", "plan again")
    for machine in sorted(set(planned) & set(asked)):
        if not asked[machine].fits_in(planned[machine].size):
            yield _critical(f"machine {machine}", "is planned smaller than asked for", "plan again")


def _reservation_of(held: PlannedReservation, estate: Estate) -> Reservation | None:
    return estate.reservations.get(held.id.rpartition("/")[0])


def _as_machine(held: PlannedReservation, estate: Estate) -> PlannedMachine:
    """What would stand there, for the rules about hosts."""
    asked, system = estate.reservations[held.id.rpartition("/")[0]], estate.systems.get(held.system)
    nic = PlannedNic(network=asked.network, mac="", address="", prefix_length=0)
    return PlannedMachine(
        id=held.id, uuid="", system=held.system, ministry=held.ministry, host=held.host, size=held.size, method=Method.IMAGE,
        nics=(nic,), confidentiality=system.confidentiality if system else 0, tier=system.tier if system else "",
        order=0, reasons=(), derived_from=(),
    )  # fmt: skip


def _reserved(plan: Plan, estate: Estate) -> Iterator[Finding]:
    """Room for all that is reserved. What is reserved no longer does no harm: its room is free."""
    held = {each.id: each for each in plan.reservations}
    for reservation in estate.reservations.values():
        for number in range(1, reservation.count + 1):
            room = held.get(f"{reservation.id}/{number}")
            where = f"reservation {reservation.id}/{number}"
            if room is None:
                yield _warning(where, "was made after the plan, which holds no room for it", "plan again")
            elif not reservation.size.fits_in(room.size) or room.system != reservation.system:
                yield _critical(where, "is planned smaller than asked for, or for another system", "plan again")
            elif room.host not in estate.hosts:
                yield _critical(where, f"holds room on host {room.host}, which the inventory does not have", "plan again")


def _identities(plan: Plan) -> Iterator[Finding]:
    kinds = {
        "id": [machine.id for machine in plan.machines],
        "uuid": [machine.uuid for machine in plan.machines],
        "MAC": [nic.mac for machine in plan.machines for nic in machine.nics],
        "address": [nic.address for machine in plan.machines for nic in machine.nics],
    }
    for kind, values in kinds.items():
        for value, count in sorted(Counter(values).items()):
            if count > 1:
                yield _critical("plan", f"{kind} {value} is used {count} times", "plan again")


def _addresses(plan: Plan, estate: Estate) -> Iterator[Finding]:
    others = {server.address: f"server {server.id}" for server in estate.servers.values() if server.address}
    others |= {urlsplit(host.uri).hostname or "": f"host {host.id}" for host in estate.hosts.values()}
    declared = {machine.address for machine in estate.machines.values()} | set(others)
    for machine in plan.machines:
        for nic in machine.nics:
            where, network = f"machine {machine.id}", estate.networks.get(nic.network)
            if network is None:
                yield _critical(where, f"uses network {nic.network}, which the inventory does not have", "plan again")
                continue
            subnet, address = ip_network(network.cidr), ip_address(nic.address)
            if address not in subnet or nic.prefix_length != subnet.prefixlen or nic.gateway != network.gateway:
                yield _critical(
                    where, f"address {nic.address}/{nic.prefix_length} does not lie in {network.id} ({subnet})", "plan again"
                )
            if nic.address in {network.gateway, str(subnet.broadcast_address), str(subnet.network_address)}:
                yield _critical(where, f"address {nic.address} is kept for network {network.id} itself", "choose another")
            ranges = [(ip_address(first), ip_address(last)) for first, last in network.reserved]
            if nic.address not in declared and any(int(a) <= int(address) <= int(b) for a, b in ranges):
                yield _critical(where, f"address {nic.address} lies in a reserved range of {network.id}", "plan again")
            holder = others.get(nic.address)
            if holder is not None and holder != f"server {machine.server}":
                yield _critical(where, f"address {nic.address} belongs to {holder}", "declare another address")


def _pairs_apart(estate: Estate) -> set[frozenset[str]]:
    return {frozenset((ministry.id, other)) for ministry in estate.ministries.values() for other in ministry.apart_from}


def _strangers(plan: Plan, estate: Estate) -> Iterator[Finding]:
    """Ministries that are kept apart share no network."""
    users: dict[str, set[str]] = {}
    for machine in plan.machines:
        for nic in machine.nics:
            users.setdefault(nic.network, set()).add(machine.ministry)
    for pair in sorted(map(sorted, _pairs_apart(estate))):
        for network in sorted(name for name, ministries in users.items() if ministries.issuperset(pair)):
            yield _critical(
                f"network {network}",
                f"is shared by {' and '.join(pair)}, who are kept apart",
                "give one of them a network of its own",
            )


class _Crowd:
    """Machines by host and by replica group, and what they take of each host."""

    def __init__(self, machines: Sequence[PlannedMachine], demand: Callable[[PlannedMachine], Vector]) -> None:
        self._by_host: dict[str, list[PlannedMachine]] = {}
        self._by_group: dict[tuple[str, str], list[PlannedMachine]] = {}
        self.taken: dict[str, Vector] = {}
        for machine in machines:
            self._by_host.setdefault(machine.host, []).append(machine)
            takes = demand(machine)
            before = self.taken.get(machine.host)
            self.taken[machine.host] = tuple(map(int.__add__, before, takes)) if before is not None else takes
            if machine.replica_group:
                self._by_group.setdefault((machine.system, machine.replica_group), []).append(machine)

    def on(self, hosts: Iterable[str]) -> list[PlannedMachine]:
        """The machines on any of these hosts."""
        return [machine for host in sorted(hosts) for machine in self._by_host.get(host, ())]

    def replicas_of(self, machines: Iterable[PlannedMachine]) -> list[PlannedMachine]:
        """All machines of the replica groups that these belong to."""
        groups = sorted({(machine.system, machine.replica_group) for machine in machines if machine.replica_group})
        return [machine for group in groups for machine in self._by_group[group]]


class _World:
    """Plan, estate and observation side by side, for the rules about hosts."""

    def __init__(self, plan: Plan, estate: Estate, observation: Observation, machines: Sequence[PlannedMachine]) -> None:
        self._estate = estate
        self._seen = observation.hosts
        self._machines = machines
        self._planned_uuids = {machine.uuid for machine in plan.machines}
        self._hours = max((len(profile.percent) for profile in estate.load_profiles.values()), default=1)
        self._apart = _pairs_apart(estate)
        self._promised = {host.id: self._promise(host) for host in estate.hosts.values()}

    def closed_hosts(self) -> Iterator[Finding]:
        """Nothing new on hosts that do not answer or are in maintenance."""
        for machine in self._machines:
            host = self._estate.hosts[machine.host]
            if not self._answers(host.id):
                yield _warning(f"machine {machine.id}", f"stands on {host.id}, which does not answer", "bring the host back")
            elif host.maintenance:
                text = f"stands on {host.id}, which is in maintenance"
                yield self._judge((machine,), f"machine {machine.id}", text, "move it before the work begins")

    def names(self) -> Iterator[Finding]:
        """No other machine of the same name on the host."""
        for machine in self._machines:
            seen = self._seen.get(machine.host)
            for other in seen.machines if seen is not None else ():
                if other.name == machine.id and other.uuid != machine.uuid:
                    text = f"has the name of another machine on {machine.host} (uuid {other.uuid})"
                    yield _critical(f"machine {machine.id}", text, "remove or rename the other")

    def zones(self) -> Iterator[Finding]:
        """Grade and network."""
        for machine in self._machines:
            host, grade = self._estate.hosts[machine.host], machine.confidentiality
            if grade not in host.confidentiality:
                text = f"has grade {grade}, host {host.id} holds {sorted(host.confidentiality)}"
                yield self._judge((machine,), f"machine {machine.id}", text, "move it to a host of its grade")
            for nic in machine.nics:
                network = self._estate.networks.get(nic.network)
                if network is None:
                    continue
                wrong = []
                if nic.network not in host.networks:
                    wrong.append(f"host {host.id} does not carry network {nic.network}")
                if network.confidentiality < grade:
                    wrong.append(f"network {nic.network} is for grades up to {network.confidentiality}, the machine has {grade}")
                if network.ministry and network.ministry != machine.ministry:
                    wrong.append(f"network {nic.network} belongs to {network.ministry}, the machine to {machine.ministry}")
                for text in wrong:
                    yield self._judge((machine,), f"machine {machine.id}", text, "choose another network or host")

    def pins(self) -> Iterator[Finding]:
        """Hosts that a machine is bound to, and hosts that are forbidden to it."""
        for machine in self._machines:
            if not self._pinned_rightly(machine, machine.host):
                only, never = self._pins_of(machine)
                text = f"stands on {machine.host}, may only on {list(only) or 'any'} and not on {list(never)}"
                yield self._judge((machine,), f"machine {machine.id}", text, "move it, or change its `only_on` or `not_on`")

    def _asked(self, machine: PlannedMachine) -> Server | WantedMachine | None:
        """What the inventory asks for; None where nobody does, which is a finding of its own."""
        return self._estate.servers.get(machine.server) or self._estate.machines.get(machine.id)

    def _needs(self, machine: PlannedMachine) -> Needs:
        asked = self._asked(machine) or self._estate.reservations.get(machine.id.rpartition("/")[0])
        return asked.needs if asked is not None else Needs()

    def _pins_of(self, machine: PlannedMachine) -> tuple[tuple[str, ...], tuple[str, ...]]:
        asked = self._asked(machine)
        return (asked.only_on, asked.not_on) if asked is not None else ((), ())

    def _pinned_rightly(self, machine: PlannedMachine, host_id: str) -> bool:
        only, never = self._pins_of(machine)
        return host_id not in never and (not only or host_id in only)

    def processors(self) -> Iterator[Finding]:
        """Architecture, level and features of the host's processor."""
        for machine in self._machines:
            lacking = self._lacking(machine, self._estate.hosts[machine.host])
            if lacking:
                text = f"stands on {machine.host}, whose processor lacks {lacking}"
                yield self._judge((machine,), f"machine {machine.id}", text, "move it, or state what the host offers")

    def _lacking(self, machine: PlannedMachine, host: Host) -> str:
        """What the processor lacks; what nobody states is lacking."""
        wants, has = self._needs(machine).cpu, host.offers.cpu
        seen = self._seen.get(host.id)
        architecture = has.architecture or (seen.capacity.architecture if seen is not None and seen.capacity is not None else "")
        found = [wants.architecture] if wants.architecture not in {"", architecture} else []
        if wants.baseline and int(wants.baseline[-1]) > int((has.baseline or "0")[-1]):
            found.append(wants.baseline)
        return ", ".join([*found, *(feature for feature in wants.features if feature not in has.features)])

    def capacity(self) -> Iterator[Finding]:
        """Foreign machines, machines that leave, and the plan's machines within what a host may promise, at every hour."""
        crowd = _Crowd(self._machines, self._demand)
        for host_id, promised in sorted(self._promised.items()):
            here = crowd.on((host_id,))
            if not self._answers(host_id) or not here:
                continue
            wanted = tuple(map(int.__add__, crowd.taken[host_id], self._others(host_id)))
            for at, (amount, most) in enumerate(zip(wanted, promised, strict=True)):
                if amount > most:
                    what, scale, unit = self._counted(at)
                    text = f"promises {amount / scale:g}{unit} of {what}, may promise {most / scale:g}"
                    yield self._judge(here, f"host {host_id}", text, "move machines or raise its capacity")
                    break

    def _demand(self, machine: PlannedMachine) -> Vector:
        """Hundredths of a vCPU at each hour, MiB, GiB, Mbit/s, IOPS."""
        size, needs = machine.size, self._needs(machine)
        profile = self._estate.load_profiles.get(needs.load)
        rest = (size.memory_mib, size.disk_gib, needs.network_mbps, needs.iops)
        if profile is None:
            return (*((100 * size.vcpus,) * self._hours), *rest)
        day = profile.percent
        return (*(size.vcpus * day[hour % len(day)] for hour in range(self._hours)), *rest)

    def _counted(self, at: int) -> tuple[str, int, str]:
        """Name, parts to one, and unit of one number of a demand."""
        if at < self._hours:
            hour = f" in hour {at} of the {'week' if self._hours == 168 else 'day'}" if self._hours > 1 else ""
            return f"vCPU{hour}", 100, ""
        return (("memory", 1, " MiB"), ("disk", 1, " GiB"), ("network", 1, " Mbit/s"), ("storage", 1, " IOPS"))[at - self._hours]

    def spreading(self) -> Iterator[Finding]:
        """Replicas on different hosts and in different failure domains."""
        groups: dict[tuple[str, str], list[PlannedMachine]] = {}
        for machine in self._machines:
            if machine.replica_group:
                groups.setdefault((machine.system, machine.replica_group), []).append(machine)
        for (_, name), members in sorted(groups.items()):
            over = self._estate.tiers[members[0].tier].spread_over
            for one, other in combinations(members, 2):
                first, second = self._estate.hosts[one.host], self._estate.hosts[other.host]
                same = first.id == second.id or (over != "host" and _domain(first, over) == _domain(second, over))
                if same:
                    text = f"{one.id} on {first.id} and {other.id} on {second.id} share a {over}"
                    yield self._judge((one, other), f"replica group {name}", text, "spread them")

    def companions(self) -> Iterator[Finding]:
        """Machines that are kept together share what they are to share."""
        groups: dict[tuple[str, str, str], list[PlannedMachine]] = {}
        for machine in self._machines:
            for over, name in self._needs(machine).together:
                groups.setdefault((machine.system, over, name), []).append(machine)
        for (_, over, name), members in sorted(groups.items()):
            places = {_place(self._estate.hosts[machine.host], over) for machine in members}
            if len(places) > 1:
                text = f"{', '.join(f'{machine.id} on {machine.host}' for machine in members)}: not all in one {over}"
                yield self._judge(members, f"{over} group {name}", text, "put them together")

    def strangers(self) -> Iterator[Finding]:
        """Ministries that are kept apart share no host."""
        here: dict[str, dict[str, list[PlannedMachine]]] = {}
        for machine in self._machines if self._apart else ():
            here.setdefault(machine.host, {}).setdefault(machine.ministry, []).append(machine)
        for host_id, ministries in sorted(here.items()):
            for one, other in combinations(sorted(ministries), 2):
                if frozenset((one, other)) in self._apart:
                    text = f"holds {ministries[one][0].id} of {one} and {ministries[other][0].id} of {other}, who are kept apart"
                    yield self._judge([*ministries[one], *ministries[other]], f"host {host_id}", text, "move one of them")

    def losses(self) -> Iterator[Finding]:
        """Machines of each tier can be re-placed after every loss the tier must survive."""
        crowd = _Crowd(self._machines, self._demand)
        left = self._left(crowd)
        stood: tuple[_Crowd, Room] | None = None
        tiers = [self._estate.tiers[machine.tier] for machine in self._machines]
        for over, level in sorted({(tier.survives, tier.host_failures) for tier in tiers if tier.host_failures}):
            domains: dict[tuple[str, ...], list[str]] = {}
            for host in sorted(self._estate.hosts.values(), key=lambda host: host.id):
                domains.setdefault(_place(host, over), []).append(host.id)
            silent = [domain for domain, hosts in domains.items() if not all(map(self._answers, hosts))]
            answering = [domain for domain in domains if domain not in silent]
            for lost in combinations(answering, min(max(0, level - len(silent)), len(answering))):
                gone = frozenset(chain.from_iterable(domains[domain] for domain in (*silent, *lost)))
                protected = [machine for machine in crowd.on(gone) if self._must_survive(machine, over, level)]
                if self._survives(protected, crowd, left, gone):
                    continue
                if stood is None:
                    alone = _Crowd([machine for machine in self._machines if self._in_place(machine)], self._demand)
                    stood = (alone, self._left(alone))
                standing = [machine for machine in protected if self._in_place(machine)]
                already = not self._survives(standing, *stood, gone)
                severity = Severity.WARNING if already and len(standing) == len(protected) else Severity.CRITICAL
                where = f"loss of {' and '.join(sorted(gone))}"
                names = ", ".join(sorted(machine.id for machine in protected))
                text = f"not all of {names} can be placed elsewhere"
                yield Finding(severity=severity, where=where, what=text, remedy="add a host or move machines")

    def _must_survive(self, machine: PlannedMachine, over: str, level: int) -> bool:
        """A tier that survives racks survives hosts, one that survives sites survives everything in them."""
        tier = self._estate.tiers[machine.tier]
        return tier.host_failures >= level and (over in {"host", tier.survives} or tier.survives == "site")

    def _survives(self, moving: Sequence[PlannedMachine], crowd: "_Crowd", left: Room, gone: frozenset[str]) -> bool:
        if not moving:
            return True
        demands = [(machine, self._demand(machine)) for machine in moving]
        staying = [machine for machine in crowd.replicas_of(moving) if machine.host not in gone]
        return replaceable(demands, left, gone, lambda machine, host: self._admits(machine, self._estate.hosts[host]), staying)

    def _left(self, crowd: "_Crowd") -> Room:
        """What is free on each open host, and whose machines are there."""
        nothing = (0,) * (self._hours + 4)
        free = {
            host_id: tuple(
                most - other - taken
                for most, other, taken in zip(promised, self._others(host_id), crowd.taken.get(host_id, nothing), strict=True)
            )
            for host_id, promised in self._promised.items()
            if not self._estate.hosts[host_id].maintenance and self._answers(host_id)
        }
        ministries = {host: [machine.ministry for machine in crowd.on((host,))] for host in free} if self._apart else {}
        return Room(free=free, ministries=ministries, apart=self._apart)

    def _admits(self, machine: PlannedMachine, host: Host) -> bool:
        carried = all(nic.network in host.networks for nic in machine.nics)
        right = self._pinned_rightly(machine, host.id) and not self._lacking(machine, host)
        return machine.confidentiality in host.confidentiality and carried and right

    def _answers(self, host_id: str) -> bool:
        seen = self._seen.get(host_id)
        return seen is not None and seen.reachable and seen.capacity is not None

    def _promise(self, host: Host) -> Vector:
        seen = self._seen.get(host.id)
        most = host.capacity
        if seen is not None and seen.capacity is not None:
            real = seen.capacity.total
            most = Resources(
                vcpus=min(most.vcpus, real.vcpus),
                memory_mib=min(most.memory_mib, real.memory_mib),
                disk_gib=most.disk_gib if seen.disk_free_gib is None else min(most.disk_gib, real.disk_gib),
            )
        left, ratio = most - host.reserved, host.overcommit
        return (
            *((100 * max(0, floor(left.vcpus * ratio.vcpus)),) * self._hours),
            max(0, floor(left.memory_mib * ratio.memory)),
            max(0, floor(left.disk_gib * ratio.disk)),
            host.offers.network_mbps,
            host.offers.iops,
        )

    def _others(self, host_id: str) -> Vector:
        """Foreign machines, and ours that the plan no longer has; of these disks, network and IOPS are not known."""
        seen: HostObservation | None = self._seen.get(host_id)
        if seen is None or seen.capacity is None:
            return (0,) * (self._hours + 4)
        leaving = [
            Resources(vcpus=machine.vcpus, memory_mib=machine.memory_mib)
            for machine in seen.machines
            if machine.mark is not None and machine.mark.estate == self._estate.id and machine.uuid not in self._planned_uuids
        ]
        held = seen.capacity.used_by_foreign + total(leaving)
        return (*((100 * held.vcpus,) * self._hours), held.memory_mib, held.disk_gib, 0, 0)

    def _in_place(self, machine: PlannedMachine) -> bool:
        """True when it stands there already, as large as planned, or nobody can see whether it does."""
        if not self._answers(machine.host):
            return True
        return any(
            seen.uuid == machine.uuid and machine.size.vcpus <= seen.vcpus and machine.size.memory_mib <= seen.memory_mib
            for seen in self._seen[machine.host].machines
        )

    def _judge(self, machines: Sequence[PlannedMachine], where: str, what: str, remedy: str) -> Finding:
        standing = all(self._in_place(machine) for machine in machines)
        return Finding(severity=Severity.WARNING if standing else Severity.CRITICAL, where=where, what=what, remedy=remedy)


def _domain(host: Host, over: str) -> tuple[str, str]:
    return (host.site, str(getattr(host, over)))


def _place(host: Host, over: str) -> tuple[str, ...]:
    """What of this kind the host stands in, or the host itself."""
    return (host.id,) if over == "host" else _domain(host, over)


def _critical(where: str, what: str, remedy: str) -> Finding:
    return Finding(severity=Severity.CRITICAL, where=where, what=what, remedy=remedy)


def _warning(where: str, what: str, remedy: str) -> Finding:
    return Finding(severity=Severity.WARNING, where=where, what=what, remedy=remedy)
