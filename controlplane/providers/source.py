"""What a migration may do on an old host that is not ours: look, shut down, start again, keep it from starting by itself.

There is no call that deletes, changes a disk or forces power off: the source is sacred.
"""

from dataclasses import dataclass
from typing import Protocol

from controlplane.model.migration import SourceDisk
from controlplane.model.observed import PowerState


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMachine:
    """The source as seen now."""

    name: str
    uuid: str
    state: PowerState
    autostart: bool
    firmware: str
    """bios or uefi."""
    disks: tuple[SourceDisk, ...]
    macs: tuple[str, ...]


class SourceHost(Protocol):
    """An old host. Raises KasumiError when the machine is not there, UnreachableError when the host is not."""

    def look(self, name: str) -> SourceMachine:
        """The machine as it is now."""

    def shut_down(self, name: str, *, uuid: str, timeout_seconds: float) -> None:
        """Ask the guest to shut down and see it down; raises KasumiError when it does not go down in time."""

    def start(self, name: str, *, uuid: str) -> None:
        """Start it and see it run."""

    def set_autostart(self, name: str, *, uuid: str, autostart: bool) -> None:
        """Whether it starts with its host."""

    def close(self) -> None:
        """Drop the connection."""
