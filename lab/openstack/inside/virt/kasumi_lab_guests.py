"""Nova's libvirt driver where no network agent is: it also wires a guest's tap to a bridge of its network.

The bridge has the address of the subnet's gateway, so that this machine and the guest reach each other; it is in the namespace of
the cloud's services. A host with a namespace of its own has another one, wired to it. Two networks with the same addresses would be
in each other's way.
"""

import os
import subprocess
from typing import Any

import libvirt
import nova.conf
from nova.virt.libvirt import blockinfo, driver

CONF = nova.conf.CONF
GATEWAYS = os.environ["KASUMI_LAB_GATEWAYS"]
"""The name of the network namespace that has the gateways of all networks."""

# A configuration drive in a CD drive would be seen too late: the lab's image has no driver for one in its initial file system.
blockinfo.get_config_drive_type = lambda: "disk"


class GuestDriver(driver.LibvirtDriver):  # type: ignore[misc]
    """One real hypervisor."""

    def _parse_migration_flags(self) -> None:
        super()._parse_migration_flags()
        # The disks of all hosts lie in one folder of one machine; libvirt knows shared storage by the kind of its file system alone.
        self._live_migration_flags |= libvirt.VIR_MIGRATE_UNSAFE

    def plug_vifs(self, instance: Any, network_info: Any) -> None:
        """Make the taps, as the driver does, and wire them."""
        super().plug_vifs(instance, network_info)
        for vif in network_info:
            _wire(self.vif_driver.get_vif_devname(vif), vif["network"])


def _wire(tap: str, network: Any) -> None:
    bridge = f"br{network['id']}"[:15]
    _ensure_bridge(bridge, "-netns", GATEWAYS)
    for subnet in network["subnets"]:
        if gateway := (subnet["gateway"] or {}).get("address"):
            length = str(subnet["cidr"]).partition("/")[2]
            _ip("-netns", GATEWAYS, "address", "replace", f"{gateway}/{length}", "dev", bridge)
    if not _there(bridge):  # this host has a namespace of its own
        _ensure_bridge(bridge)
        here, there = f"up{network['id']}"[:15], f"{CONF.host[-2:]}{network['id']}"[:15]
        _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", GATEWAYS)
        _ip("link", "set", here, "master", bridge, "up")
        _ip("-netns", GATEWAYS, "link", "set", there, "master", bridge, "up")
    _ip("link", "set", tap, "master", bridge, "up")


def _ensure_bridge(bridge: str, *where: str) -> None:
    if not _there(bridge, *where):
        _ip(*where, "link", "add", bridge, "type", "bridge", "forward_delay", "0")
    _ip(*where, "link", "set", bridge, "up")


def _there(interface: str, *where: str) -> bool:
    return subprocess.run(["ip", *where, "link", "show", "dev", interface], check=False, capture_output=True).returncode == 0


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
