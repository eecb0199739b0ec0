"""An inventory directory to an Estate, or to all findings at once."""

import gc
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

from controlplane.errors import ExitCode, KasumiError
from controlplane.inventory.addresses import reserved_range
from controlplane.inventory.entries import Entries, Entry, read_entries
from controlplane.inventory.nodes import Place
from controlplane.inventory.references import reference_findings
from controlplane.inventory.schema import (
    ClassPoolEntry,
    CpuEntry,
    HostEntry,
    LeaseEntry,
    MachineEntry,
    NeedsEntry,
    PolicyEntry,
    ReservationEntry,
    ServerEntry,
    ServiceEntry,
    Size,
    SystemEntry,
)
from controlplane.model import estate as words
from controlplane.model.finding import Finding
from controlplane.model.lease import Lease
from controlplane.model.needs import Cpu, Licence, LoadProfile, Needs, Offers
from controlplane.model.resources import Overcommit, Resources
from controlplane.model.running import Policy, Running
from controlplane.model.tenancy import DEFAULT_DOMAIN, CloudPolicy

_WHERE = re.compile(r"(?P<file>.*?):(?P<line>[0-9]+):(?P<column>[0-9]+): ")


class InventoryError(KasumiError):
    """The inventory has mistakes; `findings` are all of them, and the message shows each on a line."""

    def __init__(self, directory: Path, findings: tuple[Finding, ...]) -> None:
        lines = "\n".join(str(finding) for finding in findings)
        count = f"{len(findings)} mistake{'s' if len(findings) != 1 else ''}"
        super().__init__(
            f"inventory {directory}: {count}; correct and run `kasumi inventory check` again\n{lines}", ExitCode.FAILED
        )
        self.findings = findings


def load(directory: Path) -> words.Estate:
    """The estate of an inventory directory. Raises InventoryError with every mistake in it."""
    estate, findings = read(directory)
    if estate is None:
        raise InventoryError(directory, findings)
    return estate


def read(directory: Path) -> tuple[words.Estate | None, tuple[Finding, ...]]:
    """The estate, or None and all findings in the order of files and lines.

    Files are named as `directory` is, or relative to the working directory where that holds it.
    """
    shown = _shown(directory)
    unusable = _unusable(directory)
    if unusable:
        at_top = Place(file=str(shown), line=1, column=1)
        return None, (at_top.finding((), unusable, "name an inventory directory with --inventory"),)
    with collector_paused():
        entries = read_entries(directory, shown)
        references = reference_findings(entries, str(shown)) if entries.whole else ()
        findings = sorted([*entries.findings, *references], key=_position)
        return (None, _once(findings)) if findings else (_estate(entries), ())


def _unusable(directory: Path) -> str:
    try:
        if not directory.exists():
            return "does not exist"
        if not directory.is_dir():
            return "is not a directory"
        return "" if os.access(directory, os.R_OK | os.X_OK) else "cannot be read: Permission denied"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def read_without(directory: Path, files: frozenset[Path]) -> Entries:
    """The entries of all files but these, for who is about to write them. Raises InventoryError when a file has mistakes."""
    with collector_paused():
        entries = read_entries(directory, _shown(directory), without=files)
    if entries.findings:
        raise InventoryError(directory, _once(sorted(entries.findings, key=_position)))
    return entries


@contextmanager
def collector_paused() -> Iterator[None]:
    """Nodes and entries have no cycles, so walking the growing heap over and over finds nothing: it took half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _shown(directory: Path) -> Path:
    here = Path.cwd()
    return directory.relative_to(here) if directory.is_absolute() and directory.is_relative_to(here) else directory


def _position(finding: Finding) -> tuple[str, int, int, str, str]:
    found = _WHERE.match(finding.where)
    if found is None:
        return finding.where, 0, 0, finding.what, ""
    return found["file"], int(found["line"]), int(found["column"]), finding.what, finding.where


def _once(findings: list[Finding]) -> tuple[Finding, ...]:
    """What stands behind an anchor is wrong once, however many aliases repeat it."""
    first = {(*_position(finding)[:-1], finding.where.rpartition(".")[2]): finding for finding in reversed(findings)}
    return tuple(reversed(first.values()))


def _estate(entries: Entries) -> words.Estate:
    top = entries.estate[0].model
    return words.Estate(
        id=top.id,
        name=top.name,
        access=words.Access(
            user=top.access.user,
            identity_file=top.access.identity_file,
            authorized_key_files=tuple(top.access.authorized_key_files),
            ssh_config=top.access.ssh_config,
        ),
        ministries={
            e.id: words.Ministry(
                id=e.id,
                **(
                    dict(e.model)
                    | {"change_windows": tuple(e.model.change_windows), "apart_from": tuple(sorted(set(e.model.apart_from)))}
                ),
            )
            for e in entries.ministries
        },
        systems={e.id: _system(e, e.model) for e in entries.systems},
        servers={e.id: _server(e, e.model, entries.ledgers.get(e.id, ())) for e in entries.servers},
        machines={e.id: _machine(e, e.model) for e in entries.machines},
        sites={e.id: words.Site(id=e.id, name=e.model.name) for e in entries.sites},
        hosts={e.id: _host(e, e.model) for e in entries.hosts},
        networks={e.id: _network(e) for e in entries.networks},
        images={
            e.id: words.Image(
                id=e.id,
                file=e.model.file,
                format=e.model.format,
                os=e.model.os,
                sha256=e.model.sha256 or "",
                min_disk_gib=e.model.min_disk,
            )
            for e in entries.images
        },
        tiers={e.id: words.Tier(id=e.id, **dict(e.model)) for e in entries.tiers},
        reservations={e.id: _reservation(e, e.model) for e in entries.reservations},
        policy=_policy(entries.policy[0].model) if entries.policy else _policy(PolicyEntry()),
        licences={e.id: Licence(id=e.id, sockets=e.model.sockets) for e in entries.licences},
        load_profiles={e.id: LoadProfile(id=e.id, percent=tuple(e.model.percent)) for e in entries.load_profiles},
        clouds={
            e.id: CloudPolicy(id=e.id, **(dict(e.model) | {"domain": e.model.domain or DEFAULT_DOMAIN})) for e in entries.clouds
        },
    )


def _policy(model: PolicyEntry) -> Policy:
    """What is stated, the rest as the policy has it by itself; the names of the rest are kept, so that reports can say so."""
    usual = Policy()
    stated = {name: value for name, value in dict(model).items() if name not in {"server", "host"} and value is not None}
    if "objectives" in stated:
        rest = [each for each in usual.objectives if each not in stated["objectives"]]
        stated["objectives"] = (*stated["objectives"], *rest)
    kinds = {kind: {k: v for k, v in dict(getattr(model, kind)).items() if v is not None} for kind in ("server", "host")}
    named = ("pue", "yen_per_kwh", "co2_kg_per_kwh", "server_load")
    assumed = [name for name in named if name not in stated]
    assumed += [f"{kind}.{f.name}" for kind in kinds for f in fields(Running) if f.name not in kinds[kind]]
    return replace(
        usual,
        server=replace(usual.server, **kinds["server"]),
        host=replace(usual.host, **kinds["host"]),
        assumed=tuple(assumed),
        **stated,
    )


def _resources(size: Size) -> Resources:
    return Resources(vcpus=size.vcpus, memory_mib=size.memory, disk_gib=size.disk)


def _lease(entry: LeaseEntry | None) -> Lease | None:
    return Lease(**dict(entry)) if entry is not None else None


def _services(services: list[ServiceEntry]) -> tuple[words.Service, ...]:
    return tuple(words.Service(**dict(service)) for service in services)


def _system(entry: Entry, model: SystemEntry) -> words.System:
    return words.System(
        id=entry.id,
        ministry=entry.ministry,
        name=model.name,
        name_en=model.name_en,
        study_class=model.study_class,
        confidentiality=model.confidentiality,
        tier=model.tier,
        status=model.status,
        change_windows=tuple(model.change_windows),
        contract_end=model.contract_end,
        savings=tuple(words.Saving(**dict(saving)) for saving in model.savings),
        description=model.description,
        demand=words.Confirmation(by=model.demand.confirmed_by, on=model.demand.confirmed_on) if model.demand else None,
        lease=_lease(model.lease),
    )


def _server(entry: Entry, model: ServerEntry, ledger: tuple[words.LedgerValue, ...]) -> words.Server:
    return words.Server(
        id=entry.id,
        system=entry.system,
        kind=model.kind,
        size=_resources(model.size) if model.size is not None else None,
        disposition=model.disposition,
        reason=model.reason,
        into=model.into,
        target=_resources(model.target) if model.target is not None else None,
        os=model.os,
        address=model.address or "",
        mac=model.mac or "",
        network=model.network,
        image=model.image,
        replica_group=model.replica_group,
        only_on=tuple(sorted(set(model.only_on))),
        not_on=tuple(sorted(set(model.not_on))),
        needs=_asked(model.needs),
        running=Running(**dict(model.running)),
        roles=tuple(model.roles),
        services=_services(model.services),
        source=words.LibvirtSource(**dict(model.source)) if model.source is not None else None,
        ssh=words.SshAccess(**dict(model.ssh)),
        variables=model.variables,
        depends_on=tuple(model.depends_on),
        example=model.example,
        lease=_lease(model.lease),
        ledger=ledger,
    )


def _machine(entry: Entry, model: MachineEntry) -> words.WantedMachine:
    return words.WantedMachine(
        id=entry.id,
        system=entry.system,
        size=_resources(model.size),
        image=model.image,
        network=model.network,
        address=model.address or "",
        replica_group=model.replica_group,
        only_on=tuple(sorted(set(model.only_on))),
        not_on=tuple(sorted(set(model.not_on))),
        needs=_asked(model.needs),
        roles=tuple(model.roles),
        services=_services(model.services),
        variables=model.variables,
        lease=_lease(model.lease),
    )


def _reservation(entry: Entry, model: ReservationEntry) -> words.Reservation:
    return words.Reservation(
        id=entry.id,
        system=entry.system,
        size=_resources(model.size),
        count=model.count,
        network=model.network,
        until=model.until,
        needs=_asked(model.needs),
    )


def _host(entry: Entry, model: HostEntry) -> words.Host:
    return words.Host(
        id=entry.id,
        uri=model.uri,
        site=model.site,
        rack=model.rack,
        power_feed=model.power_feed,
        capacity=_resources(model.capacity),
        reserved=Resources(
            vcpus=model.reserved.vcpus, memory_mib=model.reserved.memory or 0, disk_gib=(model.reserved.disk or 0)
        ),
        overcommit=Overcommit(vcpus=model.overcommit.vcpus, memory=model.overcommit.memory, disk=model.overcommit.disk),
        confidentiality=tuple(sorted(set(model.confidentiality))),
        networks=dict(model.networks),
        pool=words.StoragePool(name=model.pool.name, path=model.pool.path),
        maintenance=model.maintenance,
        offers=Offers(
            network_mbps=model.offers.network_mbps,
            iops=model.offers.iops,
            cpu=_cpu(model.offers.cpu),
            sockets=model.offers.sockets,
        ),
        running=Running(**dict(model.running)),
        storage=model.pool.storage or "",
        pools=tuple(_class_pool(disk_class, pool) for disk_class, pool in sorted(model.pools.items())),
    )


def _class_pool(disk_class: str, pool: ClassPoolEntry) -> words.ClassPool:
    return words.ClassPool(
        disk_class=disk_class,
        name=pool.name or f"kasumi-{disk_class}",
        path=pool.path,
        capacity_gib=pool.capacity,
        storage=pool.storage or "",
    )


def _asked(needs: NeedsEntry) -> Needs:
    return Needs(
        network_mbps=needs.network_mbps,
        iops=needs.iops,
        load=needs.load,
        cpu=_cpu(needs.cpu),
        together=tuple((domain, name) for domain, name in sorted(dict(needs.together).items()) if name),
        licences=tuple(sorted(set(needs.licences))),
        disk_class=needs.disk_class or "",
    )


def _cpu(cpu: CpuEntry) -> Cpu:
    return Cpu(architecture=cpu.architecture or "", baseline=cpu.baseline or "", features=tuple(sorted(set(cpu.features))))


def _network(entry: Entry) -> words.Network:
    model = entry.model
    ranges = [found for text in model.reserved if (found := reserved_range(text)) is not None]
    return words.Network(
        id=entry.id,
        cidr=model.cidr,
        confidentiality=model.confidentiality,
        ministry=model.ministry,
        gateway=model.gateway or "",
        vlan=model.vlan,
        dns=tuple(model.dns),
        reserved=tuple((str(first), str(last)) for first, last in ranges),
    )
