"""What each host may promise: physical capacity seen through reservation and overcommit, and what is taken already."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import floor

from controlplane.model.estate import Estate, Host
from controlplane.model.observed import HostCapacity, HostObservation, Observation, ObservedMachine
from controlplane.model.plan import Plan
from controlplane.model.resources import Resources, total
from controlplane.planning.identity import machine_uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRoom:
    """One host as planning sees it. `foreign`: machines that are not ours. `leaving`: ours that no longer are wanted."""

    host: Host
    answers: bool
    error: str
    virtualisation: str
    architecture: str
    """As declared, else as observed; empty: nobody knows."""
    physical: Resources
    disk_seen: bool
    promised: Resources
    foreign: Resources
    leaving: Resources
    leaving_machines: tuple[str, ...]
    leaving_classed: Mapping[str, int] = field(default_factory=dict, hash=False)
    """GiB that leaving machines hold in pools for a class of disks."""
    others_by_name: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Name to uuid of every machine there that is not of this plan; two machines of one name cannot be on a host."""

    @property
    def takes_new(self) -> bool:
        """True when new machines may be placed here."""
        return self.answers and not self.host.maintenance

    @property
    def room(self) -> Resources:
        """What is left for machines of this plan. A leaving machine holds its room until it is really gone."""
        return self.promised - self.foreign - self.leaving

    def promised_pool(self, disk_class: str) -> int:
        """GiB that its pool for a class of disks may promise, as declared: nobody looks into it."""
        return floor(self.host.pool_gib(disk_class) * self.host.overcommit.disk)

    def leaving_in_pool(self, disk_class: str) -> int:
        """GiB that leaving machines hold there."""
        return self.leaving_classed.get(disk_class, 0)


def physical_capacity(host: Host, seen: HostCapacity, disk_free_gib: int | None) -> Resources:
    """The lesser of declared and observed; a disk that cannot be seen yet, as there is no pool, is believed as declared."""
    observed = seen.total if disk_free_gib is not None else replace(seen.total, disk_gib=host.capacity.disk_gib)
    return smaller(host.capacity, observed)


def promised_capacity(host: Host, physical: Resources) -> Resources:
    """(physical - reserved) x overcommit, never below zero: the ratio applies to what is really for machines."""
    usable = (physical - host.reserved).overcommitted(host.overcommit)
    return Resources(vcpus=max(0, usable.vcpus), memory_mib=max(0, usable.memory_mib), disk_gib=max(0, usable.disk_gib))


def smaller(one: Resources, other: Resources) -> Resources:
    """The lesser of both in each dimension."""
    return Resources(
        vcpus=min(one.vcpus, other.vcpus),
        memory_mib=min(one.memory_mib, other.memory_mib),
        disk_gib=min(one.disk_gib, other.disk_gib),
    )


def rooms_of(estate: Estate, observation: Observation, parent: Plan | None, wanted: frozenset[str]) -> tuple[HostRoom, ...]:
    """Every host of the estate, by id. `wanted` are the ids of machines that stay or come."""
    staying = frozenset(machine_uuid(estate.id, machine) for machine in wanted)
    return tuple(_room(host, estate, observation, parent, staying) for _, host in sorted(estate.hosts.items()))


def _room(host: Host, estate: Estate, observation: Observation, parent: Plan | None, staying: frozenset[str]) -> HostRoom:
    seen = observation.hosts.get(host.id)
    if seen is None or not seen.reachable or seen.capacity is None:
        return HostRoom(
            host=host,
            answers=False,
            error=seen.error if seen is not None and seen.error else "it was not observed",
            virtualisation="",
            architecture=host.offers.cpu.architecture,
            physical=host.capacity,
            disk_seen=False,
            promised=promised_capacity(host, host.capacity),
            foreign=Resources(),
            leaving=Resources(),
            leaving_machines=(),
        )
    physical = physical_capacity(host, seen.capacity, seen.disk_free_gib)
    leaving = [m for m in _leaving(estate.id, seen, staying) if m.mark is not None and not m.mark.adopted]
    return HostRoom(
        host=host,
        answers=True,
        error="",
        virtualisation=seen.capacity.virtualisation,
        architecture=host.offers.cpu.architecture or seen.capacity.architecture,
        physical=physical,
        disk_seen=seen.disk_free_gib is not None,
        promised=promised_capacity(host, physical),
        foreign=foreign_use(estate.id, seen, seen.capacity, staying),
        leaving=total([_size_of(machine, parent) for machine in leaving]),
        leaving_classed=_classed(leaving, parent),
        leaving_machines=tuple(sorted(machine.mark.machine for machine in leaving if machine.mark is not None)),
        others_by_name={machine.name: machine.uuid for machine in seen.machines if machine.uuid not in staying},
    )


def foreign_use(estate: str, seen: HostObservation, capacity: HostCapacity, staying: frozenset[str]) -> Resources:
    """What machines of others hold, and adopted ones that are no longer wanted: they are let go of and stay there, foreign again."""
    let_go = [machine for machine in _leaving(estate, seen, staying) if machine.mark is not None and machine.mark.adopted]
    return capacity.used_by_foreign + total([counted_as_foreign(machine, capacity) for machine in let_go])


def counted_as_foreign(machine: ObservedMachine, capacity: HostCapacity) -> Resources:
    """What an observation counts a machine for that is not ours: a cloud tells its disk, a hypervisor does not."""
    disk_gib = (machine.disk_gib or 0) if capacity.virtualisation == "cloud" else 0
    return Resources(vcpus=machine.vcpus, memory_mib=machine.memory_mib, disk_gib=disk_gib)


def _leaving(estate: str, seen: HostObservation, staying: frozenset[str]) -> list[ObservedMachine]:
    return [m for m in seen.machines if m.mark is not None and m.mark.estate == estate and m.uuid not in staying]


def _size_of(machine: ObservedMachine, parent: Plan | None) -> Resources:
    """As observed; the disk, which observation does not tell per machine, as the accepted plan says."""
    disks = {planned.uuid: planned.in_own_pool.disk_gib for planned in parent.machines} if parent is not None else {}
    return Resources(vcpus=machine.vcpus, memory_mib=machine.memory_mib, disk_gib=disks.get(machine.uuid, 0))


def _classed(machines: Sequence[ObservedMachine], parent: Plan | None) -> dict[str, int]:
    """GiB of disks of a class, as the accepted plan has them."""
    leaving = {machine.uuid for machine in machines}
    found: Counter[str] = Counter()
    for planned in parent.machines if parent is not None and leaving else ():
        if planned.uuid in leaving and planned.disk_class:
            found[planned.disk_class] += planned.size.disk_gib
    return dict(found)
