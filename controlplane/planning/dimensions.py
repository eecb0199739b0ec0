"""What is counted on a host: vCPU, memory and disk; network, IOPS and disks of a class where a machine asks for them; vCPU by hours
where one has a load profile.

With load profiles a machine counts at each hour with the share of its vCPUs that it is expected to use then, and one without at
every hour in full. Of 24 or 168 hours only those are counted that can bind: an hour in which every profile is at most what it
is in another hour never does, whatever stands on a host.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.model.needs import HOURS_OF_A_DAY, HOURS_OF_A_WEEK
from controlplane.planning.capacity import HostRoom
from controlplane.planning.demand import Draft

Amount = tuple[int, ...]
_FULL = 100
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One thing that is counted, in parts of `scale` to one of its unit."""

    name: str
    unit: str = ""
    scale: int = 1

    def number(self, amount: int) -> str:
        """An amount in its unit."""
        whole, part = divmod(amount, self.scale)
        return f"{amount / self.scale:.2f}" if part else str(whole)

    def text(self, amount: int) -> str:
        """An amount with its unit."""
        return f"{self.number(amount)}{self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimensions:
    """What is counted for some machines, in a fixed order: hours of vCPU, memory, disk, network, IOPS, disks by class."""

    all: tuple[Dimension, ...]
    hours: tuple[int, ...]
    """Hours of which vCPUs are counted; empty when no machine has a load profile."""
    network: bool
    iops: bool
    disk_classes: tuple[str, ...] = ()
    """Classes that disks ask for; each has a pool of its own on a host, and other disks stand in the host's own pool."""

    def size(self, draft: Draft) -> Amount:
        """What a machine takes."""
        size, needs = draft.size, draft.needs
        rest = (
            size.memory_mib,
            0 if needs.disk_class else size.disk_gib,
            *self._asked(needs.network_mbps, needs.iops),
            *(size.disk_gib if needs.disk_class == each else 0 for each in self.disk_classes),
        )
        if not self.hours:
            return (size.vcpus, *rest)
        return (*(size.vcpus * percent_at(draft.load, hour) for hour in self.hours), *rest)

    def promised(self, room: HostRoom) -> Amount:
        """What a host may promise in all."""
        most, offers = room.promised, room.host.offers
        rest = (most.memory_mib, most.disk_gib, *self._asked(offers.network_mbps, offers.iops))
        return (*self._vcpus(most.vcpus), *rest, *map(room.promised_pool, self.disk_classes))

    def foreign(self, room: HostRoom) -> Amount:
        """What machines hold that are not ours. Their network, IOPS and disks of a class are not seen and not counted."""
        held = room.foreign
        return (*self._vcpus(held.vcpus), held.memory_mib, held.disk_gib, *self._asked(0, 0), *(0 for _ in self.disk_classes))

    def free(self, room: HostRoom) -> Amount:
        """What is left for machines of the plan."""
        left, offers = room.room, room.host.offers
        pools = (room.promised_pool(each) - room.leaving_in_pool(each) for each in self.disk_classes)
        return (*self._vcpus(left.vcpus), left.memory_mib, left.disk_gib, *self._asked(offers.network_mbps, offers.iops), *pools)

    def _vcpus(self, vcpus: int) -> Amount:
        return (vcpus * _FULL,) * len(self.hours) if self.hours else (vcpus,)

    def _asked(self, network_mbps: int, iops: int) -> Amount:
        return (*((network_mbps,) if self.network else ()), *((iops,) if self.iops else ()))


def dimensions_of(drafts: Sequence[Draft]) -> Dimensions:
    """What must be counted for these machines."""
    hours, names = _binding_hours({draft.load for draft in drafts if draft.load})
    network, iops = any(draft.needs.network_mbps for draft in drafts), any(draft.needs.iops for draft in drafts)
    vcpus = [Dimension(name=f"vCPU {name}", scale=_FULL) for name in names] or [Dimension(name="vCPU")]
    rest = [Dimension(name="memory", unit=" MiB"), Dimension(name="disk", unit=" GiB")]
    rest += [Dimension(name="network", unit=" Mbit/s")] if network else []
    rest += [Dimension(name="storage", unit=" IOPS")] if iops else []
    classes = tuple(sorted({draft.needs.disk_class for draft in drafts if draft.needs.disk_class}))
    rest += [Dimension(name=f"disk of class {each}", unit=" GiB") for each in classes]
    return Dimensions(all=(*vcpus, *rest), hours=hours, network=network, iops=iops, disk_classes=classes)


def percent_at(load: Sequence[int], hour: int) -> int:
    """The share of its vCPUs that a machine of a load profile uses at an hour of the week; without a profile all."""
    return load[hour % len(load)] if load else _FULL


def _binding_hours(loads: set[tuple[int, ...]]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The hours that can bind, and their names."""
    if not loads:
        return (), ()
    length = HOURS_OF_A_WEEK if any(len(load) == HOURS_OF_A_WEEK for load in loads) else HOURS_OF_A_DAY
    ordered = sorted(loads)
    columns = {hour: tuple(percent_at(load, hour) for load in ordered) for hour in range(length)}
    first = {column: hour for hour, column in reversed(columns.items())}
    hours = sorted(
        hour
        for column, hour in first.items()
        if not any(other != column and all(map(int.__le__, column, other)) for other in first)
    )
    return tuple(hours), tuple(_hour_name(hour, length) for hour in hours)


def _hour_name(hour: int, length: int) -> str:
    day = f"{_DAYS[hour // HOURS_OF_A_DAY]} " if length == HOURS_OF_A_WEEK else ""
    return f"at {day}{hour % HOURS_OF_A_DAY:02}:00"
