"""One host with a provider on it, and the side door through which an administrator, or a crash, changes things behind its back.

Nothing here knows libvirt or a cloud.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from controlplane.model.observed import ObservedMachine, PowerState
from controlplane.model.plan import Method, PlannedImage, PlannedMachine, PlannedNetwork, PlannedNic
from controlplane.model.resources import Resources
from controlplane.providers.protocol import MachineRef, Provider, Seed

SEED = Seed(user_data="#cloud-config\n", meta_data="instance-id: x\n", network_config="version: 2\n")
PLAN = "a" * 64
LATER_PLAN = "b" * 64


class Hand(Protocol):
    """Changes made on the host past the provider."""

    def pause(self, name: str) -> None: ...
    def power_off(self, name: str) -> None: ...
    def set_kept_vcpus(self, name: str, vcpus: int) -> None: ...
    def set_kept_memory(self, name: str, memory_mib: int) -> None: ...
    def move_kept_card(self, name: str, mac: str, network: str) -> None: ...
    def set_autostart(self, name: str, *, autostart: bool) -> None: ...
    def add_note(self, name: str) -> None: ...
    def has_note(self, name: str) -> bool: ...
    def make_foreign(self, name: str, uuid: str, *, vcpus: int, memory_mib: int) -> None: ...
    def make_adoptable(self, machine: PlannedMachine, name: str) -> None: ...
    def without_mark(self, name: str) -> object: ...
    def boots(self, name: str) -> object: ...
    def remove_foreign(self, name: str) -> None: ...
    def forget(self, name: str) -> None: ...
    def disks(self) -> set[str]: ...
    def disk_size_bytes(self, machine: str) -> int: ...
    def grow_disk(self, machine: str) -> None: ...
    def leave_half_disk(self, machine: str) -> None: ...
    def cut_upload(self, image: PlannedImage) -> None: ...
    def make_other_network(self, name: str) -> None: ...
    def stop_network(self, name: str) -> None: ...
    def remove_network(self, name: str) -> None: ...


@dataclass(kw_only=True)
class Place:
    """One host to test on. `image` None: the host takes no image, disks are placed by hand as a migration does."""

    provider: Provider
    again: Callable[[], Provider]
    """The same host through another connection."""
    hand: Hand
    estate: str
    image: PlannedImage | None
    place_disk: Callable[[str], None]
    networks: tuple[PlannedNetwork, ...]
    keeps_apart: bool = True
    """The kept settings of a running machine can differ from those it runs with; on a cloud they are one."""
    made: list[str] = field(default_factory=list)

    def machine(self, **changes: object) -> PlannedMachine:
        """A small machine of a new name."""
        name = f"{self.estate}-{len(self.made)}"
        self.made.append(name)
        identity = uuid.uuid5(uuid.NAMESPACE_DNS, name)
        mac = "52:54:00:" + ":".join(f"{byte:02x}" for byte in identity.bytes[:3])
        planned = PlannedMachine(
            id=name,
            uuid=str(identity),
            system="contract",
            ministry="none",
            host=self.provider.host,
            size=Resources(vcpus=1, memory_mib=64, disk_gib=1),
            method=Method.COLD if self.image is None else Method.IMAGE,
            nics=(
                PlannedNic(network=self.networks[0].network, mac=mac, address=f"192.0.2.{9 + len(self.made)}", prefix_length=24),
            ),
            image="" if self.image is None else self.image.id,
            confidentiality=1,
            tier="standard",
            autostart=False,
            order=1,
            reasons=(),
            derived_from=(),
        )
        return replace(planned, **changes)

    def ensure(self, machine: PlannedMachine, *, plan: str = PLAN) -> None:
        """`ensure_machine` as apply calls it."""
        if self.image is None and machine.id not in {seen.name for seen in self.provider.observe().machines}:
            self.place_disk(machine.id)
        self.provider.ensure_machine(
            machine,
            plan=plan,
            network_names={network.network: network.name for network in self.networks},
            image=self.image,
            seed=None if self.image is None else SEED,
        )

    def seen(self, machine: PlannedMachine) -> ObservedMachine:
        """The machine as another connection of the provider sees it."""
        return next(seen for seen in self.provider.observe().machines if seen.uuid == machine.uuid)

    def ref(self, machine: PlannedMachine) -> MachineRef:
        return MachineRef(estate=self.estate, machine=machine.id, uuid=machine.uuid)

    def named(self, name: str) -> ObservedMachine:
        """The machine of this name."""
        return next(seen for seen in self.provider.observe().machines if seen.name == name)

    def adopted_ref(self, machine: PlannedMachine, before: ObservedMachine) -> MachineRef:
        return replace(self.ref(machine), native_id=before.given_id)

    def ensure_adopted(self, machine: PlannedMachine, before: ObservedMachine) -> None:
        """`ensure_machine` as apply calls it for an adopted machine."""
        names = {network.network: network.name for network in self.networks}
        self.provider.ensure_machine(
            machine, plan=LATER_PLAN, network_names=names, image=None, seed=None, native_id=before.given_id
        )

    def let_go(self) -> None:
        """Release and remove what the tests adopted."""
        for seen in self.provider.observe().machines:
            if seen.name == "before-us":
                if seen.mark is not None:
                    ref = MachineRef(estate=self.estate, machine=seen.mark.machine, uuid=seen.uuid, native_id=seen.given_id)
                    self.provider.release(ref)
                if seen.state is not PowerState.STOPPED:
                    self.hand.power_off(seen.name)
                self.hand.remove_foreign(seen.name)

    def clear(self) -> None:
        """Remove every machine the tests made."""
        ours = {seen.name: seen for seen in self.provider.observe().machines}
        for name in self.made:
            if name in ours and ours[name].mark is not None:
                ref = MachineRef(estate=self.estate, machine=name, uuid=ours[name].uuid)
                self.provider.stop(ref, force_after_seconds=0)
                self.provider.remove(ref)
            elif name in ours:
                self.hand.remove_foreign(name)
