"""Plan, estate and observation side by side, for the rules about hosts: what each machine asks for, and what each host may promise."""

from collections.abc import Callable, Iterable, Sequence
from math import floor

from controlplane.model.estate import Estate, Host, Reservation, Server, WantedMachine
from controlplane.model.finding import Finding, Severity
from controlplane.model.needs import Needs
from controlplane.model.observed import HostObservation, Observation
from controlplane.model.plan import Method, Plan, PlannedMachine, PlannedNic, PlannedReservation
from controlplane.model.resources import Resources, total
from controlplane.planning.checks.replacement import Vector


class Crowd:
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


class World:
    """Plan, estate and observation side by side, for the rules about hosts."""

    def __init__(self, plan: Plan, estate: Estate, observation: Observation, machines: Sequence[PlannedMachine]) -> None:
        self.estate = estate
        self.seen = observation.hosts
        self.machines = machines
        self._planned_uuids = {machine.uuid for machine in plan.machines}
        self.hours = max((len(profile.percent) for profile in estate.load_profiles.values()), default=1)
        self.apart = pairs_apart(estate)
        asked = {self.needs(machine).disk_class for machine in machines}
        pools = {pool.disk_class for host in estate.hosts.values() for pool in host.pools}
        self._classes = sorted((asked | pools) - {""})
        self.nothing: Vector = (0,) * (self.hours + 4 + len(self._classes))
        self.promised = {host.id: self._promise(host) for host in estate.hosts.values()}

    def asked(self, machine: PlannedMachine) -> Server | WantedMachine | None:
        """What the inventory asks for; None where nobody does, which is a finding of its own."""
        return self.estate.servers.get(machine.server) or self.estate.machines.get(machine.id)

    def needs(self, machine: PlannedMachine) -> Needs:
        """What it asks for beyond its size."""
        asked = self.asked(machine) or self.estate.reservations.get(machine.id.rpartition("/")[0])
        return asked.needs if asked is not None else Needs()

    def owned(self, product: str) -> int:
        """Sockets for which a product is licensed."""
        licence = self.estate.licences.get(product)
        return licence.sockets if licence is not None else 0

    def pins_of(self, machine: PlannedMachine) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Hosts it is bound to, and hosts it is kept off."""
        asked = self.asked(machine)
        return (asked.only_on, asked.not_on) if asked is not None else ((), ())

    def pinned_rightly(self, machine: PlannedMachine, host_id: str) -> bool:
        """Whether its pins allow the host."""
        only, never = self.pins_of(machine)
        return host_id not in never and (not only or host_id in only)

    def lacking(self, machine: PlannedMachine, host: Host) -> str:
        """What the processor lacks; what nobody states is lacking."""
        wants, has = self.needs(machine).cpu, host.offers.cpu
        seen = self.seen.get(host.id)
        architecture = has.architecture or (seen.capacity.architecture if seen is not None and seen.capacity is not None else "")
        found = [wants.architecture] if wants.architecture not in {"", architecture} else []
        if wants.baseline and int(wants.baseline[-1]) > int((has.baseline or "0")[-1]):
            found.append(wants.baseline)
        return ", ".join([*found, *(feature for feature in wants.features if feature not in has.features)])

    def demand(self, machine: PlannedMachine) -> Vector:
        """Hundredths of a vCPU at each hour, MiB, GiB, Mbit/s, IOPS, GiB in the pool of each class."""
        size, needs = machine.size, self.needs(machine)
        profile = self.estate.load_profiles.get(needs.load)
        pools = (size.disk_gib if needs.disk_class == each else 0 for each in self._classes)
        rest = (size.memory_mib, 0 if needs.disk_class else size.disk_gib, needs.network_mbps, needs.iops, *pools)
        if profile is None:
            return (*((100 * size.vcpus,) * self.hours), *rest)
        day = profile.percent
        return (*(size.vcpus * day[hour % len(day)] for hour in range(self.hours)), *rest)

    def counted(self, at: int) -> tuple[str, int, str]:
        """Name, parts to one, and unit of one number of a demand."""
        if at < self.hours:
            hour = f" in hour {at} of the {'week' if self.hours == 168 else 'day'}" if self.hours > 1 else ""
            return f"vCPU{hour}", 100, ""
        plain = (("memory", 1, " MiB"), ("disk", 1, " GiB"), ("network", 1, " Mbit/s"), ("storage", 1, " IOPS"))
        return (*plain, *((f"disk of class {each}", 1, " GiB") for each in self._classes))[at - self.hours]

    def admits(self, machine: PlannedMachine, host: Host) -> bool:
        """Whether grade, networks, pins and processor allow the host."""
        carried = all(nic.network in host.networks for nic in machine.nics)
        right = self.pinned_rightly(machine, host.id) and not self.lacking(machine, host)
        return machine.confidentiality in host.confidentiality and carried and right

    def answers(self, host_id: str) -> bool:
        """Whether somebody looked at the host and it said what it has."""
        seen = self.seen.get(host_id)
        return seen is not None and seen.reachable and seen.capacity is not None

    def _promise(self, host: Host) -> Vector:
        seen = self.seen.get(host.id)
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
            *((100 * max(0, floor(left.vcpus * ratio.vcpus)),) * self.hours),
            max(0, floor(left.memory_mib * ratio.memory)),
            max(0, floor(left.disk_gib * ratio.disk)),
            host.offers.network_mbps,
            host.offers.iops,
            *(floor(host.pool_gib(each) * ratio.disk) for each in self._classes),
        )

    def others(self, host_id: str) -> Vector:
        """Foreign machines, and ours that the plan no longer has; of these disks, network and IOPS are not known."""
        seen: HostObservation | None = self.seen.get(host_id)
        if seen is None or seen.capacity is None:
            return self.nothing
        leaving = [
            Resources(vcpus=machine.vcpus, memory_mib=machine.memory_mib)
            for machine in seen.machines
            if machine.mark is not None and machine.mark.estate == self.estate.id and machine.uuid not in self._planned_uuids
        ]
        held = seen.capacity.used_by_foreign + total(leaving)
        known = (*((100 * held.vcpus,) * self.hours), held.memory_mib, held.disk_gib)
        return (*known, *self.nothing[len(known) :])

    def in_place(self, machine: PlannedMachine) -> bool:
        """True when it stands there already, as large as planned, or nobody can see whether it does."""
        if not self.answers(machine.host):
            return True
        return any(
            seen.uuid == machine.uuid and machine.size.vcpus <= seen.vcpus and machine.size.memory_mib <= seen.memory_mib
            for seen in self.seen[machine.host].machines
        )

    def judge(self, machines: Sequence[PlannedMachine], where: str, what: str, remedy: str) -> Finding:
        """A warning where all these machines stand so already, else critical."""
        standing = all(self.in_place(machine) for machine in machines)
        return Finding(severity=Severity.WARNING if standing else Severity.CRITICAL, where=where, what=what, remedy=remedy)


def reservation_of(held: PlannedReservation, estate: Estate) -> Reservation | None:
    """The reservation that planned room is held for."""
    return estate.reservations.get(held.id.rpartition("/")[0])


def as_machine(held: PlannedReservation, estate: Estate) -> PlannedMachine:
    """What would stand there, for the rules about hosts."""
    asked, system = estate.reservations[held.id.rpartition("/")[0]], estate.systems.get(held.system)
    nic = PlannedNic(network=asked.network, mac="", address="", prefix_length=0)
    return PlannedMachine(
        id=held.id, uuid="", system=held.system, ministry=held.ministry, host=held.host, size=held.size, method=Method.IMAGE,
        nics=(nic,), confidentiality=system.confidentiality if system else 0, tier=system.tier if system else "",
        order=0, reasons=(), derived_from=(),
    )  # fmt: skip


def pairs_apart(estate: Estate) -> set[frozenset[str]]:
    """Pairs of ministries that are kept apart."""
    return {frozenset((ministry.id, other)) for ministry in estate.ministries.values() for other in ministry.apart_from}


def domain(host: Host, over: str) -> tuple[str, str]:
    """A failure domain of a host above the host itself, named within its site."""
    return (host.site, str(getattr(host, over)))


def place(host: Host, over: str) -> tuple[str, ...]:
    """What of this kind the host stands in, or the host itself."""
    return (host.id,) if over == "host" else domain(host, over)
