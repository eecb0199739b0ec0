"""A live project of an OpenStack cloud as a ledger: what the cloud says of each server that is not ours. Only looks.

`ledger_of` is pure and takes whatever a service may answer: what has not the shape that it should have is not known.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from controlplane.errors import KasumiError
from controlplane.inventory.units import MAX_MIB
from controlplane.ledgers import values
from controlplane.ledgers.os_names import os_name
from controlplane.ledgers.rows import Ledger, LedgerRow, Remark, shown
from controlplane.ledgers.values import Reading, plain
from controlplane.model.cloud import CloudPool, CloudUriError, cloud_pool
from controlplane.model.estate import LedgerValue
from controlplane.model.facts import Value
from controlplane.model.finding import Severity
from controlplane.model.observed import PowerState
from controlplane.providers.openstack_cloud import Cloud, Json
from controlplane.providers.openstack_mark import mark_of
from controlplane.providers.openstack_observe import in_pool, state_of
from controlplane.providers.openstack_project import Project, list_project

_MIB, _GIB = 1024**2, 1024**3
_STATES = frozenset({PowerState.RUNNING, PowerState.STOPPED, PowerState.PAUSED})
_UNKNOWN_WITHOUT = {
    "volumes": "disks of servers with volumes",
    "images": "operating systems of servers made from an image",
    "ports": "cards without an address",
}
_NO_DISK = (0, "")
"""Nova writes swap that a flavor has not as one or the other."""
_FIRST_DISK = ("vda", "sda", "hda")
_FIRMWARE = {"uefi": "uefi", "bios": "bios"}
_FAMILIES = frozenset({"linux", "windows", "freebsd"})


def read_openstack(uri: str) -> Ledger:
    """The servers of a project. Raises KasumiError, RefusedError, UnreachableError when it cannot be listed."""
    try:
        pool = cloud_pool(uri)
    except CloudUriError as error:
        raise KasumiError(f"the cloud's URI {error}; {error.remedy}") from None  # without it: it may hold a password
    cloud = Cloud(pool)
    try:
        return ledger_of(uri, pool, list_project(cloud))
    finally:
        cloud.close()


def ledger_of(uri: str, pool: CloudPool, project: Project) -> Ledger:
    """The servers of a pool that are not ours, in the order of their names; never raises."""
    reading = _Reading(uri, project)
    servers = [server for server in map(_sound, _records(project.servers)) if in_pool(server, pool)]
    servers.sort(key=lambda server: (server["name"], server["id"]))
    rows = tuple(row for server in servers if (row := reading.row(server)) is not None)
    if not servers:
        why = f"has no server{' in this zone' if pool.zone else ''} that we may see"
        reading.remarks.append(
            Remark(severity=Severity.WARNING, where=uri, why=why, remedy="see that the project is the right one")
        )
    return Ledger(name=uri, rows=rows, remarks=tuple(reading.remarks))


class _Reading:
    """One project at work: what its servers refer to, by id, and what there is to say."""

    def __init__(self, uri: str, project: Project) -> None:
        self._uri = uri
        self._volumes = {name: volume for volume in _records(project.volumes) if (name := _text(volume.get("id")))}
        self._images = {name: image for image in _records(project.images) if (name := _text(image.get("id")))}
        self._macs: dict[str, list[str]] = {}
        for port in _records(project.ports):
            self._macs.setdefault(_text(port.get("device_id")), []).append(_text(port.get("mac_address")))
        self.remarks = [
            Remark(severity=Severity.WARNING, where=uri, text=plain(said), why=f"{_UNKNOWN_WITHOUT[name]} are not known")
            for name, said in project.refused.items()
        ]

    def row(self, server: Json) -> LedgerRow | None:
        """A server, or None for one that is not to be imported, which is told."""
        if (mark := mark_of(server["metadata"])) is not None:
            self._say(server, Severity.INFORMATION, f"is machine {mark.machine} of estate {mark.estate}, not imported", "ours")
            return None
        if state_of(server) is PowerState.FAILED:
            self._say(server, Severity.INFORMATION, "never ran and holds nothing, not imported", "failed")
            return None
        if not server["name"]:
            self._say(server, Severity.CRITICAL, "has no name; not imported", "name", "name it in the cloud")
            return None
        said = tuple(
            LedgerValue(file=self._uri, cell=server["id"], field=name, value=value)
            for name, value in self._facts(server)
            if value is not None
        )
        names = (_text(server.get("OS-EXT-SRV-ATTR:hostname")), server["id"])
        return LedgerRow(
            name=server["name"], other_names=tuple(filter(None, names)), file=self._uri, cell=server["id"], values=said
        )

    def _facts(self, server: Json) -> Iterator[tuple[str, Value]]:
        flavor = _record(server.get("flavor"))
        metal = _record(flavor.get("extra_specs")).get("resources:VCPU") == "0"  # how flavors of Ironic are told from others
        state = state_of(server)
        yield "kind", "physical" if metal else "virtual"
        yield "label", server["name"]
        yield "cpu.count", _amount(flavor.get("vcpus"), values.MAX_CPUS)
        yield "memory.total_mib", _amount(flavor.get("ram"), MAX_MIB)
        yield "power.state", state.value if state in _STATES else None
        yield "location", _text(server.get("OS-EXT-AZ:availability_zone")) or None
        yield "hypervisor", {"cluster": self._uri, "name": server["name"], "id": server["id"]}
        description = _text(server.get("description"))
        yield "notes", description if description != server["name"] and description else None
        yield from self._cards(server)
        attached = self._attached(server)
        yield from self._disks(server, flavor, attached)
        yield from self._system(server, self._made_from(server, attached))

    def _cards(self, server: Json) -> Iterator[tuple[str, Value]]:
        """Addresses as they stand on the server's cards; a floating one stands on a router."""
        addresses: list[Value] = []
        networks: list[Value] = []
        known: set[str] = set()
        for network, entries in _record(server.get("addresses")).items():
            for entry in _records(entries):
                address = _text(entry.get("addr"))
                if entry.get("OS-EXT-IPS:type") == "floating":
                    why = f"floating address {address} leads to it; its own are imported"
                    self._say(server, Severity.INFORMATION, why, "floating")
                    continue
                mac = self._one(server, _text(entry.get("OS-EXT-IPS-MAC:mac_addr")), values.mac)
                own = self._one(server, address, values.addresses)
                card = ({"mac": mac} if isinstance(mac, str) else {}) | (own if isinstance(own, dict) else {})
                if card:
                    addresses.append(card)
                if isinstance(mac, str) and mac not in known:
                    known.add(mac)
                    networks.append({"network": plain(network), "mac": mac} if plain(network) else {"mac": mac})
        for text in self._macs.get(server["id"], ()):
            mac = self._one(server, text, values.mac)
            if isinstance(mac, str) and mac not in known:
                known.add(mac)
                addresses.append({"mac": mac})
                networks.append({"mac": mac})
        yield "addresses", addresses or None
        yield "networks", networks or None

    def _attached(self, server: Json) -> dict[str, Json] | None:
        """Its volumes by id, empty for one that is not listed; None when the server does not say which it has."""
        listed = server.get("os-extended-volumes:volumes_attached")
        if not isinstance(listed, list):
            return None
        ids = [_text(_record(one).get("id")) for one in listed]
        return {volume_id: self._volumes.get(volume_id, {}) for volume_id in ids}

    def _disks(self, server: Json, flavor: Json, attached: dict[str, Json] | None) -> Iterator[tuple[str, Value]]:
        """Root disk where it is no volume, ephemeral disk and swap of the flavor, and volumes; their sum when all are known."""
        disks: list[tuple[str, int | None, dict[str, Value]]] = []
        if server.get("image") != "":
            size_of_root = self._size_of_image(server) if flavor.get("disk") == 0 else _gib(flavor.get("disk"), _GIB)
            disks.append(("root", size_of_root, {}))
        for name, unit_bytes in (("ephemeral", _GIB), ("swap", _MIB)):
            if flavor.get(name) not in _NO_DISK:
                disks.append((name, _gib(flavor.get(name), unit_bytes), {}))
        for volume_id, volume in (attached or {}).items():
            shared: dict[str, Value] = {"shared": len(_records(volume.get("attachments"))) > 1} if volume else {}
            disks.append((_text(volume.get("name")) or volume_id, _gib(volume.get("size"), _GIB), shared))
        unknown = [name or "a volume" for name, size_gib, _ in disks if size_gib is None]
        unknown += ["volumes"] if attached is None or not disks else []
        if unknown:
            self._say(
                server, Severity.WARNING, f"size of its disks is not known, as that of {', '.join(unknown)} is not", "disks"
            )
        listed: list[Value] = [
            {"name": name, **({} if size_gib is None else {"size_gib": size_gib}), "kind": "disk", **more}
            for name, size_gib, more in disks
        ]
        yield "disks", listed or None
        yield "disks.total_gib", None if unknown else sum(size_gib or 0 for _, size_gib, _ in disks)

    def _size_of_image(self, server: Json) -> int | None:
        """Of a server whose flavor has no disk: its root disk is as large as its image."""
        return _gib(self._images.get(_image_id(server), {}).get("virtual_size"), 1)

    def _made_from(self, server: Json, attached: dict[str, Json] | None) -> Json:
        """The properties of the image that it was made from, of its boot volume where it has one; empty when not known."""
        if server.get("image") != "":
            return self._images.get(_image_id(server), {})
        volumes = list((attached or {}).values())
        first = [
            volume
            for volume in volumes
            if any(
                one.get("server_id") == server["id"] and _text(one.get("device")).endswith(_FIRST_DISK)
                for one in _records(volume.get("attachments"))
            )
        ]
        boot = first or volumes
        return _record(boot[0].get("volume_image_metadata")) if len(boot) == 1 else {}

    def _system(self, server: Json, image: Json) -> Iterator[tuple[str, Value]]:
        """As the image's properties say; its name is anybody's text and says nothing."""
        yield "boot.mode", _FIRMWARE.get(_text(image.get("hw_firmware_type")).lower())
        family = _text(image.get("os_type")).lower()
        distribution = _text(image.get("os_distro"))
        name = f"{distribution} {_text(image.get('os_version'))}".strip() if distribution else ""
        found = os_name(name) if name else None
        if found is not None:
            yield "os.id", found.id
            yield "os.version", found.version or None
            family = found.family or family
            if found.note:
                self._say(server, Severity.INFORMATION, f"{shown(name)}: {found.note}", "os note")
        elif name:
            self._say(server, Severity.INFORMATION, f"{shown(name)} is no known operating system, kept as text", "os")
        yield "os.name", name or None
        yield "os.family", family if family in _FAMILIES else None

    def _one(self, server: Json, text: str, read: Callable[[str], Reading]) -> Value:
        """The one value of a text; None when there is none or several, which is told."""
        if not text:
            return None
        reading = read(text)
        if isinstance(reading.value, list) and len(reading.value) == 1:
            return reading.value[0]
        self._say(server, Severity.WARNING, f"{shown(text)}: {reading.problem or 'wanted one'}", "card")
        return None

    def _say(self, server: Json, severity: Severity, why: str, column: str, remedy: str = "") -> None:
        where = f"{self._uri}:{server['id']}"
        self.remarks.append(Remark(severity=severity, where=where, text=server["name"], why=why, remedy=remedy, column=column))


def _sound(server: Json) -> Json:
    """With texts for what every reading needs."""
    metadata = {key: value for key, value in _record(server.get("metadata")).items() if isinstance(value, str)}
    name, server_id = _text(server.get("name")), _text(server.get("id"))
    flavor = _record(server.get("flavor"))
    return server | {
        "id": server_id or name,
        "name": name,
        "status": _text(server.get("status")),
        "metadata": metadata,
        "flavor": flavor | {"extra_specs": _record(flavor.get("extra_specs"))},
    }


def _image_id(server: Json) -> str:
    return _text(_record(server.get("image")).get("id"))


def _record(found: Any) -> Json:
    return found if isinstance(found, dict) else {}


def _records(found: Any) -> list[Json]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, Sequence) else []


def _text(found: Any) -> str:
    return plain(found) if isinstance(found, str) else ""


def _amount(found: Any, most: int) -> int | None:
    """A whole number from 1 to `most`; all else is not known."""
    return found if type(found) is int and 0 < found <= most else None


def _gib(found: Any, unit_bytes: int) -> int | None:
    """GiB of a number of units, rounded up."""
    amount = _amount(found, MAX_MIB * _MIB // unit_bytes)
    return None if amount is None else -(-amount * unit_bytes // _GIB)
