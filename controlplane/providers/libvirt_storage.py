"""Our storage pool on a libvirt host: base images by content, root disks as overlays, seeds, copies of migrated disks.

Everything in this pool was made by us; its names say what it is. A base image counts only once its bytes were read back and
matched, which a small `.verified` volume beside it records, so that an upload cut by a crash is never booted from.
"""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import libvirt
from lxml import etree

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.estate import StoragePool
from controlplane.model.plan import PlannedImage
from controlplane.providers.libvirt_domain import XML_PARSER

_GIB = 2**30
_CHUNK_BYTES = 256 * 1024


class Storage:
    """The pool of one host; methods raise libvirt.libvirtError or KasumiError and may be repeated."""

    def __init__(self, pool: StoragePool, connect: Callable[[], libvirt.virConnect]) -> None:
        self._wanted = pool
        self._connect = connect

    def ensure(self) -> None:
        """Define, build, start and autostart the pool. Raises RefusedError for a pool of this name elsewhere."""
        connection = self._connect()
        found = next((pool for pool in connection.listAllStoragePools() if pool.name() == self._wanted.name), None)
        if found is None:
            xml = etree.Element("pool", {"type": "dir"})
            etree.SubElement(xml, "name").text = self._wanted.name
            etree.SubElement(etree.SubElement(xml, "target"), "path").text = self._wanted.path
            found = connection.storagePoolDefineXML(etree.tostring(xml, encoding="unicode"))
        path = etree.fromstring(found.XMLDesc(), XML_PARSER).findtext("target/path")
        if path != self._wanted.path:
            raise RefusedError(f"pool {self._wanted.name}: wanted at {self._wanted.path}, found at {path}; name another pool in the inventory")
        if not found.isActive():
            found.build(libvirt.VIR_STORAGE_POOL_BUILD_NEW)
            found.create()
        if not found.autostart():
            found.setAutostart(1)

    def total_and_free_gib(self) -> tuple[int, int] | None:
        """Size and free space of the pool's file system; None while there is no running pool."""
        pool = next((pool for pool in self._connect().listAllStoragePools() if pool.name() == self._wanted.name), None)
        if pool is None or not pool.isActive():
            return None
        _, capacity, _, available = pool.info()
        return capacity // _GIB, available // _GIB

    def ensure_image(self, image: PlannedImage) -> str:
        """Upload the image unless it is there whole; returns its path on the host."""
        name = image_volume(image)
        volume = self._find(name)
        if volume is not None and self._find(f"{name}.verified") is not None:
            return str(volume.path())
        if volume is not None:
            volume.delete()
        size = Path(image.file).stat().st_size
        volume = self._create(name, size, "raw")
        with Path(image.file).open("rb") as file:
            self._upload(volume, file, size)
        found = self._sha256(volume)
        if found != image.sha256:
            volume.delete()
            raise KasumiError(
                f"image {image.id}: wanted SHA-256 {image.sha256[:16]}…, found {found[:16]}… after upload of {image.file}; "
                "see that the file is the one planned with"
            )
        self._create(f"{name}.verified", 512, "raw")
        return str(volume.path())

    def image_path(self, image: PlannedImage) -> str:
        """Where the image lies. Raises KasumiError when it was not placed."""
        volume = self._find(image_volume(image))
        if volume is None:
            raise KasumiError(f"image {image.id}: not on the host; apply the plan again")
        return str(volume.path())

    def ensure_overlay(self, name: str, *, backing_path: str, backing_format: str, size_gib: int) -> str:
        """A qcow2 overlay of at least this size; one that exists is kept with its data, and grown when too small."""
        volume = self._find(name)
        if volume is None:
            xml = _volume_xml(name, size_gib * _GIB, "qcow2")
            backing = etree.SubElement(xml, "backingStore")
            etree.SubElement(backing, "path").text = backing_path
            etree.SubElement(backing, "format", {"type": backing_format})
            volume = self._pool().createXML(etree.tostring(xml, encoding="unicode"))
        elif volume.info()[1] < size_gib * _GIB:
            volume.resize(size_gib * _GIB)
        return str(volume.path())

    def ensure_raw(self, name: str, *, size_bytes: int) -> str:
        """A sparse raw volume of exactly this size. Raises KasumiError for one of another size."""
        volume = self._find(name)
        if volume is None:
            volume = self._create(name, size_bytes, "raw")
        elif volume.info()[1] != size_bytes:
            raise KasumiError(f"volume {name}: wanted {size_bytes} bytes, found {volume.info()[1]}; it is of another disk: remove it by hand")
        return str(volume.path())

    def path_of(self, name: str) -> str:
        """Path of a volume that must be there. Raises KasumiError."""
        volume = self._find(name)
        if volume is None:
            raise KasumiError(f"volume {name}: not in pool {self._wanted.name}; its disk is gone or was never placed")
        return str(volume.path())

    def replace_content(self, name: str, content: bytes) -> str:
        """A raw volume with this content, made anew."""
        volume = self._find(name)
        if volume is not None:
            volume.delete()
        volume = self._create(name, len(content), "raw")
        with io.BytesIO(content) as stream:
            self._upload(volume, stream, len(content))
        return str(volume.path())

    def delete(self, name: str) -> None:
        """Delete a volume if it is there."""
        volume = self._find(name)
        if volume is not None:
            volume.delete()

    def _pool(self) -> libvirt.virStoragePool:
        return self._connect().storagePoolLookupByName(self._wanted.name)

    def _find(self, name: str) -> libvirt.virStorageVol | None:
        try:
            pool = self._pool()
            pool.refresh()
            return pool.storageVolLookupByName(name)
        except libvirt.libvirtError as error:
            if error.get_error_code() in {libvirt.VIR_ERR_NO_STORAGE_VOL, libvirt.VIR_ERR_NO_STORAGE_POOL}:
                return None
            raise

    def _create(self, name: str, size_bytes: int, volume_format: str) -> libvirt.virStorageVol:
        return self._pool().createXML(etree.tostring(_volume_xml(name, size_bytes, volume_format), encoding="unicode"))

    def _upload(self, volume: libvirt.virStorageVol, content: BinaryIO, size: int) -> None:
        stream = self._connect().newStream()
        volume.upload(stream, 0, size)
        stream.sendAll(lambda _stream, wanted, file: file.read(min(wanted, _CHUNK_BYTES)), content)
        stream.finish()

    def _sha256(self, volume: libvirt.virStorageVol) -> str:
        digest = hashlib.sha256()
        stream = self._connect().newStream()
        volume.download(stream, 0, 0)
        stream.recvAll(lambda _stream, block, into: into.update(block), digest)
        stream.finish()
        return digest.hexdigest()


def image_volume(image: PlannedImage) -> str:
    """Name of the volume of a base image: its id and the beginning of its digest."""
    return f"{image.id}-{image.sha256[:12]}.{image.format}"


def root_volume(machine: str) -> str:
    """Name of a machine's root disk."""
    return f"{machine}.qcow2"


def seed_volume(machine: str) -> str:
    """Name of a machine's first-boot data."""
    return f"{machine}-seed.iso"


def copy_volume(machine: str) -> str:
    """Name of the pristine copy of a migrated disk."""
    return f"{machine}-copy.raw"


def _volume_xml(name: str, size_bytes: int, volume_format: str) -> etree._Element:
    volume = etree.Element("volume")
    etree.SubElement(volume, "name").text = name
    etree.SubElement(volume, "capacity", {"unit": "bytes"}).text = str(size_bytes)
    if volume_format == "raw":
        etree.SubElement(volume, "allocation", {"unit": "bytes"}).text = "0"
    target = etree.SubElement(volume, "target")
    etree.SubElement(target, "format", {"type": volume_format})
    return volume
