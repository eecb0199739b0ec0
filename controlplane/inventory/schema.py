"""What may stand under each `kasumi_*` variable: one model for each kind of thing, strict, unknown keys refused."""

import re
from datetime import date
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from controlplane.model.estate import Disposition

_SIZE = re.compile(r"^([0-9]+(?:\.[0-9]+)?) ?(MiB|GiB|TiB)$")
_MIB = {"MiB": 1, "GiB": 1024, "TiB": 1024 * 1024}
_MAC = re.compile(r"^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$")
_ID = re.compile(r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")
GIB_MIB = 1024


def _mib(value: Any) -> int:
    found = _SIZE.match(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("wanted a size with its unit: MiB, GiB or TiB, such as 8GiB")
    mib = float(found.group(1)) * _MIB[found.group(2)]
    if mib <= 0:
        raise ValueError("wanted a size above zero")
    if mib != int(mib):
        raise ValueError("wanted a whole number of MiB")
    return int(mib)


def _gib(value: Any) -> int:
    mib = _mib(value)
    if mib % GIB_MIB:
        raise ValueError("wanted a whole number of GiB")
    return mib // GIB_MIB


def _mac(value: str) -> str:
    lower = value.lower()
    if not _MAC.match(lower):
        raise ValueError("wanted a MAC address such as 52:54:00:12:34:56")
    if int(lower[:2], 16) & 1:
        raise ValueError("this is a multicast address, wanted one of a single card")
    return lower


def _id(value: str) -> str:
    if not _ID.match(value):
        raise ValueError("wanted an id of a-z, 0-9 and dashes, at most 63 characters")
    return value


def _address(value: str) -> str:
    try:
        return str(IPv4Address(value))
    except ValueError:
        raise ValueError("wanted an IPv4 address such as 10.1.2.3") from None


def _cidr(value: str) -> str:
    try:
        return str(IPv4Network(value))
    except ValueError:
        try:
            right = IPv4Interface(value).network
        except ValueError:
            raise ValueError("wanted an IPv4 network such as 10.1.2.0/24") from None
        raise ValueError(f"has host bits set, wanted {right}") from None


Mib = Annotated[int, BeforeValidator(_mib)]
Gib = Annotated[int, BeforeValidator(_gib)]
Mac = Annotated[str, AfterValidator(_mac)]
Id = Annotated[str, AfterValidator(_id)]
Address = Annotated[str, AfterValidator(_address)]
Cidr = Annotated[str, AfterValidator(_cidr)]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Port = Annotated[int, Field(ge=1, le=65535)]
FiscalYear = Annotated[int, Field(ge=1990, le=2100)]
Vcpus = Annotated[int, Field(ge=1, le=4096)]


class Strict(BaseModel):
    """Unknown keys are mistakes; nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def with_stand_ins(cls, sound: dict[str, Any]) -> Self:
        """The entry with harmless values where fields failed or are missing, so that the others are still checked."""
        missing = {name for name, field in cls.model_fields.items() if field.is_required() and name not in sound}
        return cls.model_validate(sound | {name: cls.stand_ins.get(name, "-") for name in missing})

    stand_ins: ClassVar[dict[str, Any]] = {
        "size": {"vcpus": 1, "memory": "1024TiB", "disk": "1024TiB"},
        "capacity": {"vcpus": 4096, "memory": "1024TiB", "disk": "1024TiB"},
        "kind": "virtual",
        "disposition": "retain",
        "study_class": 1,
        "confidentiality": 1,
        "cost_thousand_yen": 0,
        "host_failures": 0,
        "cidr": "192.0.2.0/24",
        "format": "raw",
        "port": 1,
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
    spread_over: Literal["host", "rack", "power_feed", "site"] = "host"


class SiteEntry(Strict):
    """One of `kasumi_sites`."""

    name: Text


class NetworkEntry(Strict):
    """One of `kasumi_networks`."""

    cidr: Cidr
    confidentiality: Annotated[int, Field(ge=1, le=3)]
    ministry: str = ""
    gateway: Address | None = None
    vlan: Annotated[int, Field(ge=1, le=4094)] | None = None
    dns: list[Address] = []
    reserved: list[Text] = []


class ImageEntry(Strict):
    """One of `kasumi_images`."""

    file: Text
    format: Literal["qcow2", "raw"]
    os: Text
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    min_disk: Gib = 1


class OvercommitEntry(Strict):
    """Promised over physical."""

    vcpus: Annotated[float, Field(ge=1, le=32, strict=False)] = 1.0
    memory: Annotated[float, Field(ge=1, le=4, strict=False)] = 1.0
    disk: Annotated[float, Field(ge=1, le=10, strict=False)] = 1.0


class PoolEntry(Strict):
    """A directory on the host for our volumes."""

    name: Id = "kasumi"
    path: Annotated[str, Field(pattern="^/[^\\s]+$")] = "/var/lib/libvirt/kasumi"


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
    confidentiality: Annotated[list[Annotated[int, Field(ge=1, le=3)]], Field(min_length=1)]
    networks: dict[str, str]
    pool: PoolEntry = PoolEntry()
    maintenance: bool = False


class MinistryEntry(Strict):
    """`kasumi_ministry`."""

    name: Text
    name_en: Text
    cost_centre: str = ""
    contact: str = ""


class SavingEntry(Strict):
    """One row of the savings table."""

    label: Text
    cost_thousand_yen: int
    cost_fiscal_year: FiscalYear | None = None
    hours: Annotated[int, Field(ge=0)] | None = None
    hours_fiscal_year: FiscalYear | None = None
    shared_use: bool = False
    note: str = ""


class ServiceEntry(Strict):
    """Something that must answer."""

    name: Text
    port: Port
    protocol: Literal["tcp", "http"] = "tcp"
    path: Annotated[str, Field(pattern="^/")] = "/"
    expect: str = ""


class MachineEntry(Strict):
    """One of the `machines` of a system."""

    size: Size
    image: str
    network: str
    address: Address | None = None
    replica_group: str = ""
    roles: list[Id] = []
    services: list[ServiceEntry] = []
    variables: dict[str, Any] = {}


class SystemEntry(Strict):
    """`kasumi_system`."""

    name: Text
    name_en: Text
    study_class: Annotated[int, Field(ge=1, le=4)]
    confidentiality: Annotated[int, Field(ge=1, le=3)]
    tier: str = "standard"
    status: Literal["active", "planned"] = "active"
    change_windows: list[Text] = []
    contract_end: date | None = None
    savings: list[SavingEntry] = []
    description: str = ""
    machines: dict[str, MachineEntry] = {}


class SourceEntry(Strict):
    """Where a guest runs today."""

    uri: Text
    domain: Text
    disk_address: str = ""


class ServerEntry(Strict):
    """`kasumi_server`."""

    kind: Literal["physical", "virtual"]
    size: Size
    disposition: Annotated[Disposition, Field(strict=False)]
    reason: str = ""
    into: str = ""
    target: Size | None = None
    os: str = ""
    address: Address | None = None
    mac: Mac | None = None
    network: str = ""
    image: str = ""
    replica_group: str = ""
    roles: list[Id] = []
    services: list[ServiceEntry] = []
    source: SourceEntry | None = None
    variables: dict[str, Any] = {}
    example: bool = False


def valid_id(value: str) -> str:
    """The id itself; raises ValueError with what was wanted."""
    return _id(value)


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
