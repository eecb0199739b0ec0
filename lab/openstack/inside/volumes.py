"""Cinder's driver for a lab: a volume is a sparse file in a folder that every compute of this machine sees."""

import os
import shutil
from pathlib import Path
from typing import Any

from cinder import interface
from cinder.image import image_utils
from cinder.volume import driver, volume_utils
from oslo_config import cfg

CONF = cfg.CONF
GIB = 1 << 30


@interface.volumedriver
class FileVolumeDriver(driver.VolumeDriver):  # type: ignore[misc]
    """One folder of files; connected as a cluster file system is, by path, so that guests may move between hosts."""

    VERSION = "1"
    CI_WIKI_NAME = "none"

    def check_for_setup_error(self) -> None:
        """Make the folder."""
        self._folder().mkdir(parents=True, exist_ok=True)

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        """What the file system has left."""
        usage = shutil.disk_usage(self._folder())
        self._stats: dict[str, Any] = {
            "volume_backend_name": "files",
            "vendor_name": "kasumi lab",
            "driver_version": self.VERSION,
            "storage_protocol": "file",
            "total_capacity_gb": usage.total // GIB,
            "free_capacity_gb": usage.free // GIB,
            "thin_provisioning_support": True,
            "thick_provisioning_support": False,
            "max_over_subscription_ratio": 100.0,
            "reserved_percentage": 0,
            "multiattach": True,
        }
        return self._stats

    def create_volume(self, volume: Any) -> None:
        """An empty file of the volume's size."""
        self._resize(self._path(volume), volume.size)

    def delete_volume(self, volume: Any) -> None:
        """Remove its file. May be repeated."""
        self._path(volume).unlink(missing_ok=True)

    def create_snapshot(self, snapshot: Any) -> None:
        """Copy the file."""
        self._copy(self._path(snapshot.volume), self._path(snapshot))

    def delete_snapshot(self, snapshot: Any) -> None:
        """Remove the copy. May be repeated."""
        self._path(snapshot).unlink(missing_ok=True)

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:
        """Copy the copy."""
        self._copy(self._path(snapshot), self._path(volume))
        self._resize(self._path(volume), volume.size)

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        """Copy the file."""
        self._copy(self._path(src_vref), self._path(volume))
        self._resize(self._path(volume), volume.size)

    def extend_volume(self, volume: Any, new_size: int) -> None:
        """Lengthen the file; `new_size` is in GiB."""
        self._resize(self._path(volume), new_size)

    def copy_image_to_volume(
        self, context: Any, volume: Any, image_service: Any, image_id: str, disable_sparse: bool = False
    ) -> None:
        """Write the image into the file, and give the file its size again: writing shortens it to the image's."""
        path = self._path(volume)
        block = self.configuration.volume_dd_blocksize
        image_utils.fetch_to_raw(context, image_service, image_id, str(path), block, size=volume.size)
        self._resize(path, volume.size)

    def copy_volume_to_image(self, context: Any, volume: Any, image_service: Any, image_meta: Any) -> None:
        """Upload the file."""
        volume_utils.upload_volume(context, image_service, image_meta, str(self._path(volume)), volume)

    def initialize_connection(self, volume: Any, connector: Any) -> dict[str, Any]:
        """Where the file lies; the word is that of Nova's driver for a file on a cluster file system."""
        return {"driver_volume_type": "gpfs", "data": {"device_path": str(self._path(volume)), "volume_id": volume.id}}

    def terminate_connection(self, volume: Any, connector: Any, **_: Any) -> None:
        """Nothing was connected."""

    def ensure_export(self, context: Any, volume: Any) -> None:
        """A file needs no export."""

    def create_export(self, context: Any, volume: Any, connector: Any) -> None:
        """A file needs no export."""

    def remove_export(self, context: Any, volume: Any) -> None:
        """A file needs no export."""

    def _folder(self) -> Path:
        return Path(CONF.state_path) / "volumes"

    def _path(self, volume_or_snapshot: Any) -> Path:
        return self._folder() / str(volume_or_snapshot.name)

    @staticmethod
    def _resize(path: Path, size_gib: int) -> None:
        with path.open("ab"):
            os.truncate(path, size_gib * GIB)

    def _copy(self, source: Path, target: Path) -> None:
        self._execute("cp", "--sparse=always", "--reflink=auto", str(source), str(target), run_as_root=True)
