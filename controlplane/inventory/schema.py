"""What may stand under each `kasumi_*` variable: one model for each kind of thing, strict, unknown keys refused."""

import re
from collections.abc import Callable
from datetime import date
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from controlplane.inventory.units import SizeError, size_gib, size_mib
from controlplane.model.estate import Disposition
from controlplane.model.lease import AtEnd
from controlplane.model.needs import HOURS_OF_A_DAY, HOURS_OF_A_WEEK, Domain
from controlplane.model.running import Objective
from controlplane.model.tenancy import DEFAULT_DOMAIN, Tenancy
from controlplane.model.window import WindowError, parse_window

_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ABSOLUTE = re.compile(r"/[^\s\x00]*")
_STAND_IN_ADDRESS = "192.0.2.0/24"


def wrong(what: str, remedy: str) -> PydanticCustomError:
    """An error of validation that carries what to do about it."""
    return PydanticCustomError("kasumi", "{what}", {"what": what, "remedy": remedy})


def _size(parse: Callable[[object], int]) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        try:
            return parse(value)
        except SizeError as error:
            raise wrong(str(error), error.remedy) from None

    return check


def _mac(value: str) -> str:
    lower = value.lower()
    if not _MAC.fullmatch(lower):
        raise wrong("wanted a MAC address", 'write it as "52:54:00:12:34:56"')
    if int(lower[:2], 16) & 1:
        raise wrong("this is a multicast address, wanted that of a single card", "make its second digit even")
    return lower


def _id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise wrong("wanted an id of a-z, 0-9 and inner dashes, at most 63 characters", "choose another id")
    return value


def _address(value: str) -> str:
    try:
        return str(IPv4Address(value))
    except ValueError:
        raise wrong("wanted an IPv4 address", "write it as 10.1.2.3") from None


def _cidr(value: str) -> str:
    try:
        network = IPv4Network(value)
    except ValueError:
        try:
            right = IPv4Interface(value).network
        except ValueError:
            raise wrong("wanted an IPv4 network", "write it as 10.1.2.0/24") from None
        raise wrong("wanted the network's own address", f"did you mean {right}?") from None
    if "/" not in value or network.prefixlen > 30:
        raise wrong("wanted a network with room for machines", "write its prefix length, at most 30, as in 10.1.2.0/24")
    return str(network)


def _absolute(value: str) -> str:
    if not _ABSOLUTE.fullmatch(value):
        raise wrong("wanted a path from / on without blanks", "write it as /path/name")
    return value


def _window(value: str) -> str:
    try:
        return parse_window(value).text
    except WindowError as error:
        raise wrong(str(error), error.remedy) from None


def _hours(value: list[int]) -> list[int]:
    if len(value) not in {HOURS_OF_A_DAY, HOURS_OF_A_WEEK}:
        raise wrong(
            f"wanted 24 or 168 hourly per cents, found {len(value)}", "state each hour of a day, or of a week from Monday"
        )
    if not any(value):
        raise wrong("wanted a load in some hour", "without load no machine is needed")
    return value


def _sha256(value: str) -> str:
    if not _SHA256.fullmatch(value):
        raise wrong("wanted a SHA-256 of 64 hexadecimal digits in lower case", "take it from sha256sum, in quotes")
    return value


Mib = Annotated[int, BeforeValidator(_size(size_mib))]
Gib = Annotated[int, BeforeValidator(_size(size_gib))]
Mac = Annotated[str, AfterValidator(_mac)]
Id = Annotated[str, AfterValidator(_id)]
Address = Annotated[str, AfterValidator(_address)]
Cidr = Annotated[str, AfterValidator(_cidr)]
AbsolutePath = Annotated[str, AfterValidator(_absolute)]
ChangeWindow = Annotated[str, Field(max_length=60), AfterValidator(_window)]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
LongText = Annotated[str, Field(max_length=2000)]
Grade = Annotated[int, Field(ge=1, le=3)]
Port = Annotated[int, Field(ge=1, le=65535)]
FiscalYear = Annotated[int, Field(ge=1990, le=2100)]
Vcpus = Annotated[int, Field(ge=1, le=4096)]
Watts = Annotated[float, Field(ge=0, le=100_000, strict=False)]
Amount = Annotated[int, Field(ge=0, le=10_000_000)]


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
        "cidr": _STAND_IN_ADDRESS,
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

    percent: Annotated[list[Annotated[int, Field(ge=0, le=100)]], AfterValidator(_hours)]


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

    host_failures: Annotated[int, Field(ge=0, le=1)]
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
    sha256: Annotated[str, AfterValidator(_sha256)] | None = None
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


def is_id(value: str) -> bool:
    """True for an id: a-z, 0-9 and inner dashes, at most 63 characters, so that it is a host name too."""
    return _ID.fullmatch(value) is not None


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
