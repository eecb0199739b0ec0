"""Headings of RVTools by sheet, in lower case, and what each is called in `rvtools`; older releases write MB for what is MiB."""

MAIN = "vInfo"
_GUEST = {"vm": "vm", "vm uuid": "uuid", "vm id": "id", "template": "template", "powerstate": "power", "host": "host"}
SHEETS: dict[str, dict[str, str]] = {
    MAIN: _GUEST
    | {
        "dns name": "dns",
        "cpus": "cpus",
        "memory": "memory",
        "disks": "disk_count",
        "total disk capacity mib": "disk",
        "total disk capacity mb": "disk",
        "primary ip address": "address",
        "firmware": "firmware",
        "annotation": "annotation",
        "datacenter": "datacenter",
        "cluster": "cluster",
        "hw version": "version",
        "os according to the configuration file": "os_configured",
        "os according to the vmware tools": "os_told",
        "os": "os_configured",
    },
    "vDisk": _GUEST
    | {
        "disk": "name",
        "capacity mib": "capacity",
        "capacity mb": "capacity",
        "raw": "raw",
        "disk mode": "mode",
        "sharing mode": "sharing",
        "shared bus": "bus",
        "controller": "controller",
    },
    "vNetwork": _GUEST
    | {
        "nic label": "label",
        "network": "network",
        "connected": "connected",
        "mac address": "mac",
        "ipv4 address": "ipv4",
        "ip address": "ipv4",
        "ipv6 address": "ipv6",
    },
    "vPartition": _GUEST
    | {
        "disk": "mount",
        "capacity mib": "capacity",
        "capacity mb": "capacity",
        "consumed mib": "consumed",
        "consumed mb": "consumed",
    },
    "vSnapshot": _GUEST
    | {
        "name": "name",
        "date / time": "date",
        "size mib (total)": "size",
        "size mb (total)": "size",
        "size mib": "size",
        "size mb": "size",
    },
    "vCD": _GUEST | {"device node": "name", "device type": "type", "connected": "connected"},
    "vFloppy": _GUEST | {"device node": "name", "device type": "type", "connected": "connected"},
    "vUSB": _GUEST | {"device node": "name", "device type": "type", "connected": "connected", "family": "family"},
    "vHost": {"host": "host", "cpu model": "model", "speed": "speed", "esx version": "version"},
}
