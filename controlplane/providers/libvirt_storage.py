"""Our storage pool on a libvirt host: base images by content, root disks as overlays, seeds, copies of migrated disks.

Everything in this pool was made by us; its names say what it is. A base image counts only once its bytes were read back and
matched, which a small `.verified` volume beside it records, so that an upload cut by a crash is never booted from. libvirt
rereads a pool's folder only when told to: the first use tells it, and a file in the way of a new volume too.
"""

import hashlib
import io
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import libvirt
from lxml import etree

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.estate import StoragePool
from controlplane.model.plan import PlannedImage
from controlplane.providers.libvirt_domain import read_xml

_GIB = 2**30
_CHUNK_BYTES = 256 * 1024
_EMPTY_BYTES = 2**20
"""A fresh qcow2 overlay holds less than this (header and first tables); what a guest wrote is more."""
_REFRESH_SECONDS = 30.0
_REFRESH_AGAIN_SECONDS = 0.2


class Storage:
    """The pool of one host; methods raise libvirt.libvirtError or KasumiError and may be repeated, from several threads too."""

    def __init__(self, pool: StoragePool, connect: Callable[[], libvirt.virConnect]) -> None:
        self._wanted = pool
        self._connect = connect
        self._preparing = threading.Lock()
        self._refreshing = threading.Lock()
        self._refreshed = False

    @property
    def folder(self) -> str:
        """Where its files lie on the host."""
        return self._wanted.path

    def ensure(self) -> None:
        """Define, build, start and autostart the pool. Raises RefusedError for a pool of this name elsewhere."""
        with self._preparing:
            connection = self._connect()
            found = self._defined()
            if found is None:
                found = connection.storagePoolDefineXML(pool_xml(self._wanted))
            description = read_xml(found.XMLDesc())
            kind, path = description.get("type"), description.findtext("target/path")
            if kind != "dir" or path != self._wanted.path:
                raise RefusedError(
                    f"pool {self._wanted.name}: wanted a directory pool at {self._wanted.path}, found a {kind} pool at {path}; "
                    "name another pool in the inventory"
                )
            if not found.isActive():
                found.build(libvirt.VIR_STORAGE_POOL_BUILD_NEW)
                found.create()
            if not found.autostart():
                found.setAutostart(1)

    def total_and_free_gib(self) -> tuple[int, int] | None:
        """Size and free space of the pool's file system; None while there is no running pool."""
        pool = self._defined()
        if pool is None or not pool.isActive():
            return None
        _, capacity, _, available = pool.info()
        return capacity // _GIB, available // _GIB

    def ensure_image(self, image: PlannedImage) -> str:
        """Upload the image unless it is there whole; returns its path. Raises KasumiError when its content is another."""
        name = image_volume(image)
        with self._preparing:
            volume = self._find(name)
            if volume is not None and self._find(f"{name}.verified") is not None:
                return str(volume.path())
            if volume is not None:
                volume.delete()
            size = Path(image.file).stat().st_size
            volume = self._create(volume_xml(name, size, "raw"), name)
            with Path(image.file).open("rb") as file:
                self._upload(volume, file, size)
            found = self._sha256(volume)
            if found != image.sha256:
                volume.delete()
                raise KasumiError(
                    f"image {image.id}: wanted SHA-256 {image.sha256[:16]}…, found {found[:16]}… after upload of {image.file}; "
                    "see that the file is the one planned with"
                )
            self._create(volume_xml(f"{name}.verified", 512, "raw"), f"{name}.verified")
            self._refresh()  # libvirt took it for raw; only now does it see format and size of what was uploaded
            return str(volume.path())

    def image_name(self, image: PlannedImage) -> str:
        """Name of the image's volume. Raises KasumiError when it was not placed whole."""
        name = image_volume(image)
        if self._find(name) is None or self._find(f"{name}.verified") is None:
            raise KasumiError(f"image {image.id}: not on the host, or not whole; apply the plan again")
        return name

    def ensure_overlay(self, name: str, *, backing: str, backing_format: str, size_gib: int) -> str:
        """A qcow2 overlay on another volume, of this size but never smaller than it; one that exists is kept with its data.

        What a crash left of making one is made anew; a file of this name with data in it that is no overlay is refused.
        """
        volume = self._find(name)
        if volume is not None and not _is_overlay(volume):
            _, _, allocation = volume.info()
            if allocation > _EMPTY_BYTES:
                raise RefusedError(
                    f"volume {name}: wanted an overlay on {backing}, found another file with {allocation} bytes; "
                    "move it away by hand"
                )
            volume.delete()
            volume = None
        below = self._known(backing)
        size_bytes = max(size_gib * _GIB, _size_bytes(below, backing_format))
        if volume is None:
            xml = volume_xml(name, size_bytes, "qcow2", backing=(below.path(), backing_format))
            volume = self._create(xml, name)
        elif volume.info()[1] < size_bytes:
            volume.resize(size_bytes)
        return str(volume.path())

    def refuse_overlay_on_other(self, name: str, *, backing: str) -> None:
        """Raises RefusedError for a volume that is there and is no overlay on that one: it holds other data."""
        volume = self._find(name)
        if volume is None or (not _is_overlay(volume) and volume.info()[2] <= _EMPTY_BYTES):
            return
        found = read_xml(volume.XMLDesc()).findtext("backingStore/path") or "nothing"
        if Path(found).name != backing:
            raise RefusedError(
                f"volume {name}: wanted an overlay on {backing}, found one on {found}, so with other data; move it away by hand"
            )

    def ensure_raw(self, name: str, *, size_bytes: int) -> str:
        """A sparse raw volume of exactly this size. Raises KasumiError for one of another size."""
        volume = self._find(name)
        if volume is None:
            volume = self._create(volume_xml(name, size_bytes, "raw"), name)
        elif (found := _size_bytes(volume, "raw")) != size_bytes:
            raise KasumiError(
                f"volume {name}: wanted {size_bytes} bytes, found {found}; it is of another disk: remove it by hand"
            )
        return str(volume.path())

    def root(self, machine: str) -> tuple[libvirt.virStorageVol, int]:
        """A machine's root disk, and the size in bytes of what lies below it. Raises KasumiError when there is none."""
        volume = self._known(root_volume(machine))
        below = read_xml(volume.XMLDesc()).find("backingStore")
        path = below.findtext("path") if below is not None else None
        if not path:
            return volume, 0
        backing = self._connect().storageVolLookupByPath(path)
        return volume, _size_bytes(backing, below.find("format").get("type"))

    def path_of(self, name: str) -> str:
        """Path of a volume that must be there. Raises KasumiError."""
        return str(self._known(name).path())

    def replace_content(self, name: str, content: bytes) -> str:
        """A raw volume with this content, made anew."""
        self.delete(name)
        volume = self._create(volume_xml(name, len(content), "raw"), name)
        with io.BytesIO(content) as stream:
            self._upload(volume, stream, len(content))
        return str(volume.path())

    def delete(self, name: str) -> None:
        """Delete a volume if it is there."""
        volume = self._find(name)
        if volume is not None:
            volume.delete()

    def _defined(self) -> libvirt.virStoragePool | None:
        return next((pool for pool in self._connect().listAllStoragePools() if pool.name() == self._wanted.name), None)

    def _pool(self) -> libvirt.virStoragePool:
        return self._connect().storagePoolLookupByName(self._wanted.name)

    def _find(self, name: str) -> libvirt.virStorageVol | None:
        try:
            with self._refreshing:
                if not self._refreshed:
                    self._refresh()
            return self._pool().storageVolLookupByName(name)
        except libvirt.libvirtError as error:
            if error.get_error_code() in {libvirt.VIR_ERR_NO_STORAGE_VOL, libvirt.VIR_ERR_NO_STORAGE_POOL}:
                return None
            raise

    def _known(self, name: str) -> libvirt.virStorageVol:
        volume = self._find(name)
        if volume is None:
            raise KasumiError(f"volume {name}: not in pool {self._wanted.name}; its disk is gone or was never placed")
        return volume

    def _create(self, xml: str, name: str) -> libvirt.virStorageVol:
        """Make a volume; one that appeared in the folder behind libvirt's back is not overwritten, but named."""
        try:
            return self._pool().createXML(xml)
        except libvirt.libvirtError:
            self._refresh()
            if self._find(name) is not None:
                raise KasumiError(
                    f"volume {name}: wanted to make it, found a file of this name in {self._wanted.path}; "
                    "run again to look at it anew"
                ) from None
            raise

    def _refresh(self) -> None:
        """Reread the folder; libvirt refuses while another volume is being made, so wait for that."""
        deadline = time.monotonic() + _REFRESH_SECONDS
        while True:
            try:
                self._pool().refresh()
                break
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_INTERNAL_ERROR or time.monotonic() > deadline:
                    raise
                time.sleep(_REFRESH_AGAIN_SECONDS)
        self._refreshed = True

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


def pool_xml(pool: StoragePool) -> str:
    """A directory pool."""
    xml = etree.Element("pool", {"type": "dir"})
    etree.SubElement(xml, "name").text = pool.name
    etree.SubElement(etree.SubElement(xml, "target"), "path").text = pool.path
    return str(etree.tostring(xml, encoding="unicode"))


def volume_xml(name: str, size_bytes: int, volume_format: str, *, backing: tuple[str, str] | None = None) -> str:
    """A sparse volume; `backing` is path and format of the file below."""
    volume = etree.Element("volume")
    etree.SubElement(volume, "name").text = name
    etree.SubElement(volume, "capacity", {"unit": "bytes"}).text = str(size_bytes)
    if volume_format == "raw":
        etree.SubElement(volume, "allocation", {"unit": "bytes"}).text = "0"
    etree.SubElement(etree.SubElement(volume, "target"), "format", {"type": volume_format})
    if backing is not None:
        below = etree.SubElement(volume, "backingStore")
        etree.SubElement(below, "path").text = backing[0]
        etree.SubElement(below, "format", {"type": backing[1]})
    return str(etree.tostring(volume, encoding="unicode"))


def _is_overlay(volume: libvirt.virStorageVol) -> bool:
    description = read_xml(volume.XMLDesc())
    image_format = description.find("target/format")
    return image_format is not None and image_format.get("type") == "qcow2" and bool(description.findtext("backingStore/path"))


def _size_bytes(volume: libvirt.virStorageVol, disk_format: str) -> int:
    """Size of the disk in a volume of this format, never of the format that the content claims: a guest wrote it."""
    physical = read_xml(volume.XMLDesc()).findtext("physical")
    return int(physical) if disk_format == "raw" and physical else int(volume.info()[1])
