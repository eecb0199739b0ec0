"""Nova's libvirt driver where no network agent is: it also wires a guest's tap to a bridge of its network.

The bridge has the address of the subnet's gateway, so that this machine and the guest reach each other. Two networks with the
same addresses would be in each other's way.
"""

import subprocess
from typing import Any

from nova.virt.libvirt import blockinfo, driver

# A configuration drive in a CD drive would be seen too late: the lab's image has no driver for one in its initial file system.
blockinfo.get_config_drive_type = lambda: "disk"


class GuestDriver(driver.LibvirtDriver):  # type: ignore[misc]
    """One real hypervisor."""

    def plug_vifs(self, instance: Any, network_info: Any) -> None:
        """Make the taps, as the driver does, and wire them."""
        super().plug_vifs(instance, network_info)
        for vif in network_info:
            _wire(self.vif_driver.get_vif_devname(vif), vif["network"])


def _wire(tap: str, network: Any) -> None:
    bridge = f"br{network['id']}"[:15]
    if subprocess.run(["ip", "link", "show", "dev", bridge], check=False, capture_output=True).returncode != 0:
        _ip("link", "add", bridge, "type", "bridge", "forward_delay", "0")
    for subnet in network["subnets"]:
        if gateway := (subnet["gateway"] or {}).get("address"):
            length = str(subnet["cidr"]).partition("/")[2]
            _ip("address", "replace", f"{gateway}/{length}", "dev", bridge)
    _ip("link", "set", bridge, "up")
    _ip("link", "set", tap, "master", bridge, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
