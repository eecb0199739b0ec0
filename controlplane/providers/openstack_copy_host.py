"""A pool of a cloud that takes in migrated disks: gathered in files of this controller, uploaded, proved, and made ready to boot.

Nova boots what it makes, so no server is made before the cutover: a machine is ready when its image, its volume where it boots
from one, its ports and its flavor are.
"""

from collections.abc import Callable
from pathlib import Path

from controlplane.errors import KasumiError
from controlplane.model.plan import PlannedMachine
from controlplane.providers.openstack import OpenStackProvider
from controlplane.providers.openstack_cloud import Cloud
from controlplane.providers.openstack_copy import copy_file, ensure_copy, ensure_file
from controlplane.providers.openstack_observe import quotas_of
from controlplane.providers.openstack_server import find_server
from controlplane.providers.openstack_volume import ensure_volume, problem_of_left_volume, refuse_other_content
from controlplane.providers.protocol import CopyPlace, MachineRef

_VOLUME_SECONDS = 3600.0
"""Cinder copies the image into the volume; some hundred GiB over a slow line."""


class OpenStackCopyHost(OpenStackProvider):
    """Implements CopyHost. `copies` is the folder for files on their way."""

    def __init__(self, host: str, cloud: Cloud, *, estate: str, copies: Path) -> None:
        super().__init__(host, cloud, estate=estate)
        self._copies = copies

    @property
    def copy_place(self) -> CopyPlace:
        """A folder of this controller."""
        return CopyPlace(uri="", folder=self._copies)

    def obstacles(self, machine: PlannedMachine, *, size_bytes: int) -> tuple[str, ...]:
        """No flavor for its size, no Glance or Cinder that answers, a volume of another life in its place, no quota left for it."""
        try:
            with self._cloud.errors(f"machine {machine.id}"):
                quotas = quotas_of(*self._limits())
                self._cloud.get("image", "/images", limit=1)
                self._flavor(machine.size, on_volume=self._on_volume)
                if find_server(self._cloud, self._ref(machine), self.host) is not None:
                    return ()  # of an attempt that was rolled back; it is removed first, and what it holds with it
                left = problem_of_left_volume(self._cloud, self._ref(machine)) if self._on_volume else ""
        except KasumiError as error:
            return (str(error),)
        if left:
            return (left,)
        size = machine.size
        wanted = {"instances": 1, "cores": size.vcpus, "ram_mib": size.memory_mib, "volumes": 1, "volumes_gib": size.disk_gib}
        return tuple(
            f"host {self.host}: quota of {quota.name}: wanted {wanted[quota.name]} more, {quota.used} of {quota.limit} used; "
            "ask for more quota, or plan less there"
            for quota in quotas
            if quota.name in wanted and quota.limit is not None and quota.used + wanted[quota.name] > quota.limit
        )

    def ensure_copy_file(self, machine: PlannedMachine, *, size_bytes: int) -> Path:
        """A sparse file of this controller."""
        return ensure_file(self._copies, self._ref(machine), size_bytes=size_bytes)

    def take_in(
        self,
        machine: PlannedMachine,
        *,
        plan: str,
        network_names: dict[str, str],
        sha256: str,
        size_bytes: int,
        told: Callable[[str], None],
    ) -> str:
        """Upload and prove the copy, make the volume of it where servers boot from volumes, and the ports."""
        ref = self._ref(machine)
        with self._cloud.errors(f"copy of {machine.id}"), self._of(machine.id):
            self._flavor(machine.size, on_volume=self._on_volume)
            self._group(machine)
            self._ports(ref, machine, network_names)
            image = ensure_copy(self._cloud, self._copies, ref, sha256=sha256, size_bytes=size_bytes, told=told)
            if not self._on_volume:
                return f"image {image}, read back"
            told(f"migrate {machine.id}: image {image} goes into a volume of {machine.size.disk_gib} GiB")
            volume = ensure_volume(self._cloud, ref, lambda: image, machine.size.disk_gib, patience_seconds=_VOLUME_SECONDS)
            refuse_other_content(self._cloud, ref, volume, image)
            return f"image {image}, read back, and volume {volume['id']} made of it"

    def remove(self, ref: MachineRef) -> None:
        """What the provider removes, and the file."""
        super().remove(ref)
        copy_file(self._copies, ref).unlink(missing_ok=True)

    def _ref(self, machine: PlannedMachine) -> MachineRef:
        return MachineRef(estate=self._estate, machine=machine.id, uuid=machine.uuid)
