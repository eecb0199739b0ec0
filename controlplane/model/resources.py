"""Sizes and capacities as one vector, so that every comparison looks at all dimensions."""

from dataclasses import dataclass
from math import floor


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """An amount of virtual CPUs, memory (MiB) and disk (GiB); may be negative as a difference."""

    vcpus: int = 0
    memory_mib: int = 0
    disk_gib: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(
            vcpus=self.vcpus + other.vcpus,
            memory_mib=self.memory_mib + other.memory_mib,
            disk_gib=self.disk_gib + other.disk_gib,
        )

    def __sub__(self, other: "Resources") -> "Resources":
        return Resources(
            vcpus=self.vcpus - other.vcpus,
            memory_mib=self.memory_mib - other.memory_mib,
            disk_gib=self.disk_gib - other.disk_gib,
        )

    def fits_in(self, room: "Resources") -> bool:
        """True when no dimension exceeds `room`."""
        return self.vcpus <= room.vcpus and self.memory_mib <= room.memory_mib and self.disk_gib <= room.disk_gib

    def shortage_in(self, room: "Resources") -> "Resources":
        """How much of each dimension is missing in `room` (0 where it fits)."""
        return Resources(
            vcpus=max(0, self.vcpus - room.vcpus),
            memory_mib=max(0, self.memory_mib - room.memory_mib),
            disk_gib=max(0, self.disk_gib - room.disk_gib),
        )

    def overcommitted(self, ratio: "Overcommit") -> "Resources":
        """Physical capacity seen through an overcommit ratio, rounded down."""
        return Resources(
            vcpus=floor(self.vcpus * ratio.vcpus),
            memory_mib=floor(self.memory_mib * ratio.memory),
            disk_gib=floor(self.disk_gib * ratio.disk),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Overcommit:
    """Allocated over physical, per dimension; 1.0 means that nothing is promised twice."""

    vcpus: float = 1.0
    memory: float = 1.0
    disk: float = 1.0


def total(amounts: "list[Resources]") -> Resources:
    """Sum of a list of amounts."""
    return sum(amounts, Resources())
