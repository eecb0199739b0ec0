"""A live libvirt host as a ledger: what its hypervisor says of each guest. Only looks; through the provider, under deadlines."""

from collections.abc import Iterator

from controlplane.errors import KasumiError
from controlplane.ledgers.rows import Ledger, LedgerRow, Remark
from controlplane.ledgers.values import plain
from controlplane.model.estate import LedgerValue, StoragePool
from controlplane.model.facts import Value
from controlplane.model.finding import Severity
from controlplane.model.observed import ObservedMachine
from controlplane.providers.deadline import with_deadline
from controlplane.providers.opening import open_provider, open_source_host
from controlplane.providers.source import SourceHost, SourceMachine

_DEADLINE_SECONDS = 30.0
_GIB = 1024**3


def read_libvirt(uri: str, *, ssh_config: str = "") -> Ledger:
    """The guests of a host that are not ours already. Raises UnreachableError or KasumiError when the host does not answer."""
    provider = open_provider("ledger", uri, StoragePool(name="kasumi", path="/"), estate="", ssh_config=ssh_config)
    try:
        seen = with_deadline(provider.observe, seconds=_DEADLINE_SECONDS, what=uri)
    finally:
        provider.close()
    if not seen.reachable:
        raise KasumiError(f"{uri}: {seen.error}")
    remarks: list[Remark] = []
    source = open_source_host(uri, ssh_config=ssh_config)
    try:
        rows = tuple(
            _row(uri, machine, _look(source, uri, machine, remarks)) for machine in _foreign(uri, seen.machines, remarks)
        )
    finally:
        source.close()
    if not seen.machines:
        remarks.append(
            Remark(severity=Severity.WARNING, where=uri, why="has no guest", remedy="see that the URI is the right one")
        )
    return Ledger(name=uri, rows=rows, remarks=tuple(remarks))


def _foreign(uri: str, machines: tuple[ObservedMachine, ...], remarks: list[Remark]) -> Iterator[ObservedMachine]:
    for machine in machines:
        if machine.mark is None:
            yield machine
        else:
            why = f"is machine {machine.mark.machine} of estate {machine.mark.estate}, not imported"
            remarks.append(Remark(severity=Severity.INFORMATION, where=f"{uri}:{machine.name}", text=machine.name, why=why))


def _look(source: SourceHost, uri: str, machine: ObservedMachine, remarks: list[Remark]) -> SourceMachine | None:
    """Disks and firmware, which the bulk look does not tell; a guest that cannot be looked at stays without them."""
    try:
        return with_deadline(lambda: source.look(machine.name), seconds=_DEADLINE_SECONDS, what=f"{uri} {machine.name}")
    except KasumiError as error:
        why = f"disks are not known: {error}"
        remarks.append(Remark(severity=Severity.WARNING, where=f"{uri}:{machine.name}", text=machine.name, why=why))
        return None


def _row(uri: str, machine: ObservedMachine, looked: SourceMachine | None) -> LedgerRow:
    values = [
        LedgerValue(file=uri, cell=plain(machine.name), field=name, value=value)
        for name, value in _facts(uri, machine, looked)
        if value is not None
    ]
    return LedgerRow(
        name=plain(machine.name),
        file=uri,
        cell=plain(machine.name),
        values=tuple(values),
    )


def _facts(uri: str, machine: ObservedMachine, looked: SourceMachine | None) -> Iterator[tuple[str, Value]]:
    yield "kind", "virtual"
    yield "cpu.count", machine.vcpus or None
    yield "memory.total_mib", machine.memory_mib or None
    yield "power.state", machine.state.value if machine.state.value in {"running", "stopped", "paused"} else None
    yield "hypervisor", {"host": uri, "name": plain(machine.name), "id": machine.uuid}
    cards: list[Value] = [{"mac": nic.mac} for nic in machine.nics if nic.mac]
    yield "addresses", cards or None
    networks: list[Value] = [
        {key: value for key, value in (("network", plain(nic.network)), ("mac", nic.mac)) if value} for nic in machine.nics
    ]
    yield "networks", networks or None
    if looked is not None:
        yield "boot.mode", looked.firmware
        disks: list[Value] = [
            {"name": plain(disk.path), "size_gib": -(-disk.size_bytes // _GIB), "kind": "disk"}
            for disk in looked.disks
            if disk.size_bytes
        ]
        yield "disks", disks or None
        if looked.disks and all(disk.size_bytes for disk in looked.disks):
            yield "disks.total_gib", -(-sum(disk.size_bytes for disk in looked.disks) // _GIB)
