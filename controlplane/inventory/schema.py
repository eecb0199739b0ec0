"""What may stand under each `kasumi_*` variable: one model for each kind of thing, strict, unknown keys refused."""

from datetime import date
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field

from controlplane.inventory.values import (
    STAND_IN_ADDRESS,
    AbsolutePath,
    Address,
    Amount,
    ChangeWindow,
    Cidr,
    FiscalYear,
    Gib,
    Grade,
    HourlyPercent,
    Id,
    LongText,
    Mac,
    Mib,
    Port,
    Sha256,
    Text,
    Vcpus,
    Watts,
)
from controlplane.model.estate import Disposition
from controlplane.model.lease import AtEnd
from controlplane.model.needs import Domain
from controlplane.model.running import Objective
from controlplane.model.tenancy import DEFAULT_DOMAIN, Tenancy


class Strict(BaseModel):
    """Unknown keys are mistakes; nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def with_stand_ins(cls, sound: dict[str, Any]) -> Self:
        """The entry with harmless values where fields failed or are missing, so that the others are still checked."""
        missing = {name for name, field in cls.model_fields.items() if field.is_required() and name not in sound}
        return cls.model_validate(sound | {name: cls.stand_ins.get(name, "-") for name in missing})

    stand_ins: ClassVar[dict[str, Any]] = {
        "id": "x",
        "size": {"vcpus": 1, "memory": "1024TiB", "disk": "1024TiB"},
        "capacity": {"vcpus": 4096, "memory": "1024TiB", "disk": "1024TiB"},
        "kind": "virtual",
        "disposition": "retain",
        "study_class": 1,
        "confidentiality": 1,
        "host_failures": 0,
        "cidr": STAND_IN_ADDRESS,
        "format": "raw",
        "file": "/-",
        "confirmed_on": date(1970, 1, 1),
        "until": date(1970, 1, 1),
        "percent": [100] * 24,
        "sockets": 1,
        "ministries": {"-": "-"},
    }


class Size(Strict):
    """`vcpus: 2, memory: 4GiB, disk: 40GiB`."""

    vcpus: Vcpus
    memory: Mib
    disk: Gib


class HostReserve(Strict):
    """What a host keeps for itself."""

    vcpus: Annotated[int, Field(ge=0)] = 0
    memory: Mib | None = None
    disk: Gib | None = None


class CpuEntry(Strict):
    """Instructions of a processor."""

    architecture: Literal["x86_64", "aarch64", "ppc64le", "s390x"] | None = None
    baseline: Literal["x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v4"] | None = None
    features: list[Text] = []


class TogetherEntry(Strict):
    """Names of groups of the system whose members share a failure domain."""

    host: Id | None = None
    rack: Id | None = None
    power_feed: Id | None = None
    site: Id | None = None


class NeedsEntry(Strict):
    """What a machine asks of its host beyond its size."""

    network_mbps: Amount = 0
    iops: Amount = 0
    load: str = ""
    cpu: CpuEntry = CpuEntry()
    together: TogetherEntry = TogetherEntry()
    licences: list[Id] = []
    disk_class: Id | None = None


class OffersEntry(Strict):
    """What a host has for machines beyond `capacity`."""

    network_mbps: Amount = 0
    iops: Amount = 0
    cpu: CpuEntry = CpuEntry()
    sockets: Annotated[int, Field(ge=0, le=64)] = 0


class LicenceEntry(Strict):
    """One of `kasumi_licences`: a product, and for how many sockets it is licensed."""

    sockets: Annotated[int, Field(ge=1, le=1_000_000)]


class RunningEntry(Strict):
    """What it takes to run a physical machine for a year."""

    idle_watts: Watts | None = None
    loaded_watts: Watts | None = None
    rack_units: Annotated[int, Field(ge=0, le=100)] | None = None
    maintenance_thousand_yen: Annotated[float, Field(ge=0, le=1e9, strict=False)] | None = None


class PolicyEntry(Strict):
    """`kasumi_policy`: objectives in their order, and what is assumed where nothing is stated."""

    objectives: list[Annotated[Objective, Field(strict=False)]] | None = None
    pue: Annotated[float, Field(ge=1, le=10, strict=False)] | None = None
    yen_per_kwh: Annotated[float, Field(ge=0, le=1000, strict=False)] | None = None
    co2_kg_per_kwh: Annotated[float, Field(ge=0, le=10, strict=False)] | None = None
    server_load: Annotated[float, Field(ge=0, le=1, strict=False)] | None = None
    server: RunningEntry = RunningEntry()
    host: RunningEntry = RunningEntry()


class LoadProfileEntry(Strict):
    """One of `kasumi_load_profiles`."""

    percent: HourlyPercent


class CloudEntry(Strict):
    """One of `kasumi_clouds`: a cloud in which each ministry has a project of its own."""

    administrator: Text
    member: Text
    member_domain: Text = DEFAULT_DOMAIN
    tenancy: Annotated[Tenancy, Field(strict=False)] = Tenancy.PROJECT
    domain: Text | None = None
    headroom_percent: Annotated[int, Field(ge=0, le=1000)] | None = None
    ministries: Annotated[dict[str, Text], Field(min_length=1)]


class AccessEntry(Strict):
    """How the controller reaches hosts and machines."""

    user: Text = "kasumi"
    identity_file: str = ""
    authorized_key_files: list[Text] = []
    ssh_config: str = ""


class EstateEntry(Strict):
    """`kasumi_estate`."""

    id: Id
    name: Text
    access: AccessEntry = AccessEntry()


class TierEntry(Strict):
    """One of `kasumi_tiers`."""

    host_failures: Annotated[int, Field(ge=0, le=3)]
    spread_over: Domain = "host"
    survives: Domain = "host"


class SiteEntry(Strict):
    """One of `kasumi_sites`."""

    name: Text


class NetworkEntry(Strict):
    """One of `kasumi_networks`."""

    cidr: Cidr
    confidentiality: Grade
    ministry: str = ""
    gateway: Address | None = None
    vlan: Annotated[int, Field(ge=1, le=4094)] | None = None
    dns: list[Address] = []
    reserved: list[Text] = []


class ImageEntry(Strict):
    """One of `kasumi_images`."""

    file: AbsolutePath
    format: Literal["qcow2", "raw"]
    os: Text
    sha256: Sha256 | None = None
    min_disk: Gib = 1


class OvercommitEntry(Strict):
    """Promised over physical."""

    vcpus: Annotated[float, Field(ge=1, le=32, strict=False)] = 1.0
    memory: Annotated[float, Field(ge=1, le=4, strict=False)] = 1.0
    disk: Annotated[float, Field(ge=1, le=10, strict=False)] = 1.0


class PoolEntry(Strict):
    """A directory on the host for our volumes."""

    name: Id = "kasumi"
    path: AbsolutePath = "/var/lib/libvirt/kasumi"
    storage: Id | None = None


class ClassPoolEntry(Strict):
    """A pool for disks of one class."""

    stand_ins: ClassVar[dict[str, Any]] = Strict.stand_ins | {"capacity": "1024TiB", "path": "/-"}

    name: Id | None = None
    path: AbsolutePath
    capacity: Gib
    storage: Id | None = None


class HostEntry(Strict):
    """`kasumi_host`."""

    stand_ins: ClassVar[dict[str, Any]] = Strict.stand_ins | {"confidentiality": [1], "networks": {}}

    uri: Text
    site: str
    rack: Text
    power_feed: Text
    capacity: Size
    reserved: HostReserve = HostReserve()
    overcommit: OvercommitEntry = OvercommitEntry()
    confidentiality: Annotated[list[Grade], Field(min_length=1)]
    networks: dict[str, str]
    pool: PoolEntry = PoolEntry()
    pools: dict[Id, ClassPoolEntry] = {}
    maintenance: bool = False
    offers: OffersEntry = OffersEntry()
    running: RunningEntry = RunningEntry()


class MinistryEntry(Strict):
    """`kasumi_ministry`."""

    name: Text
    name_en: Text
    cost_centre: str = ""
    contact: str = ""
    change_windows: list[ChangeWindow] = []
    apart_from: list[Id] = []


class SavingEntry(Strict):
    """One row of the savings table."""

    label: Text
    cost_thousand_yen: int
    cost_fiscal_year: FiscalYear | None = None
    hours: int | None = None
    hours_fiscal_year: FiscalYear | None = None
    shared_use: bool = False
    note: str = ""


class ServiceEntry(Strict):
    """Something that must answer."""

    name: Text
    port: Port
    protocol: Literal["tcp", "http"] = "tcp"
    path: AbsolutePath = "/"
    expect: str = ""


class LeaseEntry(Strict):
    """Until when, the last day included, and what is done then."""

    until: date
    at_end: Annotated[AtEnd, Field(strict=False)] = AtEnd.REPORT


class MachineEntry(Strict):
    """One of the `machines` of a system."""

    size: Size
    image: str
    network: str
    address: Address | None = None
    replica_group: str = ""
    only_on: list[Id] = []
    not_on: list[Id] = []
    needs: NeedsEntry = NeedsEntry()
    roles: list[Id] = []
    services: list[ServiceEntry] = []
    variables: dict[str, Any] = {}
    lease: LeaseEntry | None = None


class DemandEntry(Strict):
    """Who confirmed that a system is needed, and when."""

    confirmed_by: Text
    confirmed_on: date


class ReservationEntry(Strict):
    """One of the `reservations` of a system: room for machines that do not exist yet."""

    size: Size
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    network: str
    until: date
    needs: NeedsEntry = NeedsEntry()


class SystemEntry(Strict):
    """`kasumi_system`; each of its machines is a `MachineEntry`, each reservation a `ReservationEntry`, checked by itself."""

    name: Text
    name_en: Text
    study_class: Annotated[int, Field(ge=1, le=4)]
    confidentiality: Grade
    tier: str = "standard"
    status: Literal["active", "planned"] = "active"
    change_windows: list[ChangeWindow] = []
    contract_end: date | None = None
    savings: list[SavingEntry] = []
    description: LongText = ""
    demand: DemandEntry | None = None
    lease: LeaseEntry | None = None
    machines: dict[str, Any] = {}
    reservations: dict[str, Any] = {}


class SourceEntry(Strict):
    """Where a guest runs today."""

    uri: Text
    domain: Text
    disk_address: str = ""


class SshEntry(Strict):
    """How discovery comes in to a server; what is left out is as `kasumi_estate.access` says."""

    port: Port = 22
    user: str = ""
    jump: str = ""
    identity_file: str = ""
    old_algorithms: bool = False


class ServerEntry(Strict):
    """`kasumi_server`."""

    kind: Literal["physical", "virtual", "unknown"]
    size: Size | None = None
    disposition: Annotated[Disposition, Field(strict=False)]
    reason: LongText = ""
    into: str = ""
    target: Size | None = None
    os: str = ""
    address: Address | None = None
    mac: Mac | None = None
    network: str = ""
    image: str = ""
    replica_group: str = ""
    only_on: list[Id] = []
    not_on: list[Id] = []
    needs: NeedsEntry = NeedsEntry()
    roles: list[Id] = []
    services: list[ServiceEntry] = []
    source: SourceEntry | None = None
    ssh: SshEntry = SshEntry()
    variables: dict[str, Any] = {}
    depends_on: list[Id] = []
    lease: LeaseEntry | None = None
    running: RunningEntry = RunningEntry()
    example: bool = False


def keys_at(model: type[Strict], inside: tuple[str | int, ...]) -> tuple[str, ...]:
    """The keys allowed at a place inside a model, found through its fields; empty where anything goes."""
    current: Any = model
    for part in inside:
        if isinstance(part, int) or not (isinstance(current, type) and issubclass(current, BaseModel)):
            continue
        current = _model_in(current.model_fields[part].annotation) if part in current.model_fields else current
    return tuple(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else ()


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner)) is not None), None)
