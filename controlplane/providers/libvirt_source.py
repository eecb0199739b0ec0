"""An old libvirt host as the source of a migration: look, shut down, start, autostart. Implements `providers.source`."""

import time

import libvirt
from lxml import etree

from controlplane.errors import KasumiError
from controlplane.model.migration import SourceDisk
from controlplane.providers.libvirt_connection import Connection
from controlplane.providers.libvirt_domain import power_state, read_xml
from controlplane.providers.source import SourceMachine

_START_SECONDS = 30.0
_ASK_AGAIN_SECONDS = 30.0
"""Guests drop a power button event that comes while they boot, so it is pressed again."""
_LOOK_SECONDS = 1.0


class LibvirtSourceHost:
    """One old host. Every change names the uuid on record, so that a namesake made later is never touched."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def look(self, name: str) -> SourceMachine:
        """The domain as it is now, with the size of each disk as the guest sees it."""
        with self._connection.errors(f"source {name}"):
            domain = self._find(name)
            inactive = read_xml(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
            state, _ = domain.state()
            return SourceMachine(
                name=name,
                uuid=domain.UUIDString(),
                state=power_state(state),
                autostart=bool(domain.autostart()),
                firmware="uefi"
                if inactive.find("os/loader") is not None or inactive.find("os").get("firmware") == "efi"
                else "bios",
                disks=tuple(self._disk(domain, disk) for disk in inactive.iterfind("devices/disk[@device='disk']")),
                macs=tuple(mac.get("address", "").lower() for mac in inactive.iterfind("devices/interface/mac")),
            )

    def shut_down(self, name: str, *, uuid: str, timeout_seconds: float) -> None:
        """Press the power button until the guest is down; nothing is ever forced."""
        with self._connection.errors(f"source {name}"):
            domain = self._recorded(name, uuid)
            deadline = time.monotonic() + timeout_seconds
            press_at = 0.0
            while domain.isActive():
                now = time.monotonic()
                if now > deadline:
                    raise KasumiError(
                        f"source {name}: asked to shut down, still running after {timeout_seconds:.0f} s; shut it down "
                        "from inside, then run the same command again"
                    )
                if now >= press_at:
                    self._press(domain)
                    press_at = now + _ASK_AGAIN_SECONDS
                time.sleep(_LOOK_SECONDS)

    def start(self, name: str, *, uuid: str) -> None:
        """Start it and see it run; does nothing when it runs."""
        with self._connection.errors(f"source {name}"):
            domain = self._recorded(name, uuid)
            if not domain.isActive():
                domain.create()
            deadline = time.monotonic() + _START_SECONDS
            while not domain.isActive():
                if time.monotonic() > deadline:
                    raise KasumiError(f"source {name}: started, but does not run after {_START_SECONDS:.0f} s; look at its host")
                time.sleep(_LOOK_SECONDS)

    def set_autostart(self, name: str, *, uuid: str, autostart: bool) -> None:
        """Whether it starts with its host."""
        with self._connection.errors(f"source {name}"):
            domain = self._recorded(name, uuid)
            if bool(domain.autostart()) != autostart:
                domain.setAutostart(int(autostart))

    def close(self) -> None:
        """Drop the connection."""
        self._connection.close()

    def _find(self, name: str) -> libvirt.virDomain:
        return self._connection.open().lookupByName(name)

    def _recorded(self, name: str, uuid: str) -> libvirt.virDomain:
        domain = self._find(name)
        if domain.UUIDString() != uuid:
            raise KasumiError(f"source {name}: wanted uuid {uuid}, found {domain.UUIDString()}; another domain has its name now")
        return domain

    @staticmethod
    def _press(domain: libvirt.virDomain) -> None:
        try:
            domain.shutdown()
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:  # went down just before
                raise

    @staticmethod
    def _disk(domain: libvirt.virDomain, disk: etree._Element) -> SourceDisk:
        source, driver = disk.find("source"), disk.find("driver")
        path = "" if source is None else source.get("file") or source.get("dev") or ""
        if not path:
            raise KasumiError(
                f"source {domain.name()}: a disk that is neither file nor block device; the cold method cannot move it"
            )
        capacity, _, _ = domain.blockInfo(path)
        return SourceDisk(path=path, format=(driver.get("type") if driver is not None else None) or "raw", size_bytes=capacity)
