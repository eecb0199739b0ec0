"""The estate: everything an inventory declares. Written by `inventory`, read by `planning` and `reporting`.

Ids are ASCII (`[a-z0-9-]`) and unique within their kind; `name` is as the source writes it (Japanese or Chinese).
"""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from controlplane.model.facts import Value
from controlplane.model.lease import Lease
from controlplane.model.needs import Licence, LoadProfile, Needs, Offers
from controlplane.model.resources import Overcommit, Resources
from controlplane.model.running import Policy, Running
from controlplane.model.tenancy import CloudPolicy


class Disposition(StrEnum):
    """What becomes of a server."""

    RETIRE = "retire"
    MERGE = "merge"
    REPLATFORM = "replatform"
    REHOST = "rehost"
    RETAIN = "retain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ministry:
    """A tenant. `cost_centre` may be empty; `contact` is a role or an address, never a password.

    `change_windows` hold for its systems that declare none; see `model.window` for the grammar. `apart_from`: ministries with
    whose machines its own may share neither host, network nor storage; it holds both ways.
    """

    id: str
    name: str
    name_en: str
    cost_centre: str = ""
    contact: str = ""
    change_windows: tuple[str, ...] = ()
    apart_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """One row of the savings table: thousand yen and hours a year, and the fiscal years they were promised for.

    Negative means a rise. `shared_use` marks the extra effect of sharing one system between ministries.
    """

    label: str
    cost_thousand_yen: int
    cost_fiscal_year: int | None = None
    hours: int | None = None
    hours_fiscal_year: int | None = None
    shared_use: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Something that must answer on a server or machine: `tcp` connects; `http` also wants status < 400 and `expect`."""

    name: str
    port: int
    protocol: str = "tcp"
    path: str = "/"
    expect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LibvirtSource:
    """Where a server that is a guest runs today: the old host's URI and its domain's name there.

    The URI of a shared host, a cloud's too, means that it stands where it belongs, and `kasumi adopt` takes it over; `domain`
    may then be its id as well.

    `disk_address` is the address from which the new host can read the disk; empty means the host of the URI.
    """

    uri: str
    domain: str
    disk_address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """That a named contact confirmed on a date that a system is needed."""

    by: str
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerValue:
    """What one cell of an imported ledger says about one field of `model/facts.py`.

    `cell` is `sheet!A1`, or `line:column` of a text file; `text` is what stands there where reading it took interpretation.
    """

    value: Value = field(hash=False)
    file: str
    cell: str
    field: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SshAccess:
    """How discovery comes in to a server; empty fields are as the estate's `Access` says.

    `jump`: id of the server to go through, or `[user@]address[:port]`. `old_algorithms`: SHA-1 may be spoken with it.
    """

    port: int = 22
    user: str = ""
    jump: str = ""
    identity_file: str = ""
    old_algorithms: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One existing machine, physical, virtual or of unknown kind. `size` is declared by its ledger, `target` the size wanted
    after the move. A ledger that does not state all of a size leaves it None; `ledger` holds what it does state.

    `into` is the id of the wanted machine that takes over a merged server; `depends_on` are ids of servers it cannot work
    without, whether or not anybody saw them talk. `example` marks data made up for illustration.
    `only_on`: hosts its machine may stand on, empty: any; `not_on`: hosts it may not.
    """

    id: str
    system: str
    kind: str
    size: Resources | None
    disposition: Disposition
    reason: str = ""
    into: str = ""
    target: Resources | None = None
    os: str = ""
    address: str = ""
    mac: str = ""
    network: str = ""
    image: str = ""
    replica_group: str = ""
    only_on: tuple[str, ...] = ()
    not_on: tuple[str, ...] = ()
    needs: Needs = Needs()
    running: Running = Running()
    roles: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    source: LibvirtSource | None = None
    ssh: SshAccess = SshAccess()
    variables: dict[str, object] = field(default_factory=dict, hash=False)
    depends_on: tuple[str, ...] = ()
    example: bool = False
    lease: Lease | None = None
    """None: that of its system, if that has one."""
    ledger: tuple[LedgerValue, ...] = ()
    target_reason: str = ""
    """Why this target, where an assessment set it; empty for one that the inventory states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedMachine:
    """A machine that a system asks for beside those derived from its servers. `address` empty: the planner picks one.

    `only_on`: hosts it may stand on, empty: any; `not_on`: hosts it may not.
    """

    id: str
    system: str
    size: Resources
    image: str
    network: str
    address: str = ""
    replica_group: str = ""
    only_on: tuple[str, ...] = ()
    not_on: tuple[str, ...] = ()
    needs: Needs = Needs()
    roles: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    variables: dict[str, object] = field(default_factory=dict, hash=False)
    lease: Lease | None = None
    """None: that of its system, if that has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Room for `count` machines of a system whose demand is confirmed and that do not exist yet, held through the day `until`."""

    id: str
    system: str
    size: Resources
    count: int
    network: str
    until: date
    needs: Needs = Needs()


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One information system of a ministry.

    `study_class`: 1 shared between ministries, 2 LAN, 3 back office of electronic applications, 4 small office system.
    `confidentiality`: 1 to 3 (機密性). `tier`: name of an availability tier of the policy. `status`: active or planned.
    """

    id: str
    ministry: str
    name: str
    name_en: str
    study_class: int
    confidentiality: int
    tier: str = "standard"
    status: str = "active"
    change_windows: tuple[str, ...] = ()
    contract_end: date | None = None
    savings: tuple[Saving, ...] = ()
    description: str = ""
    lease: Lease | None = None
    """Of its machines that have none of their own."""
    demand: Confirmation | None = None
    """None: nobody has confirmed that it is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A building with hosts: the largest failure domain."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePool:
    """A directory pool on a libvirt host, made and owned by us."""

    name: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPool:
    """A pool for disks of one class, beside the host's own pool. `storage` as that of a host."""

    disk_class: str
    name: str
    path: str
    capacity_gib: int
    storage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A shared hypervisor. `capacity` caps what the host reports; `reserved` is kept for the host itself.

    `confidentiality`: grades it may hold. `networks`: network id to the existing bridge that carries it there, or to
    "" for an isolated bridge that libvirt makes. `storage`: the system that its pool stands on, where hosts share one; empty: its
    own disks. `pools`: those for disks that ask for a class, at most one of each; other disks stand in `pool`.
    """

    id: str
    uri: str
    site: str
    rack: str
    power_feed: str
    capacity: Resources
    reserved: Resources
    overcommit: Overcommit
    confidentiality: tuple[int, ...]
    networks: dict[str, str] = field(hash=False)
    pool: StoragePool
    maintenance: bool = False
    offers: Offers = Offers()
    running: Running = Running()
    storage: str = ""
    pools: tuple[ClassPool, ...] = ()

    def pool_gib(self, disk_class: str) -> int:
        """Size of its pool of a class; 0 when it has none."""
        return next((pool.capacity_gib for pool in self.pools if pool.disk_class == disk_class), 0)

    def storage_of(self, disk_class: str) -> str:
        """The shared system that disks of a class (empty: of none) stand on here, or empty."""
        return next((pool.storage for pool in self.pools if pool.disk_class == disk_class), "" if disk_class else self.storage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network of one ministry or zone. `reserved`: first and last address of ranges never given to machines.

    `confidentiality`: highest grade that may use it. `ministry` empty: shared by all.
    """

    id: str
    cidr: str
    confidentiality: int
    ministry: str = ""
    gateway: str = ""
    vlan: int | None = None
    dns: tuple[str, ...] = ()
    reserved: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A base image: a file on the controller. `sha256` empty: read from the file `<file>.sha256` beside it when planning."""

    id: str
    file: str
    format: str
    os: str
    sha256: str = ""
    min_disk_gib: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """An availability tier: after the loss of any `host_failures` of what it `survives` its machines must still fit on the rest.

    `survives`: host, rack, power_feed or site, lost as a whole. `spread_over`: replicas of one group differ in host, rack, power_feed or site.
    """

    id: str
    host_failures: int
    spread_over: str
    survives: str = "host"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How the controller reaches hosts and machines: the user made on each machine, key files, an optional ssh_config."""

    user: str = "kasumi"
    identity_file: str = ""
    authorized_key_files: tuple[str, ...] = ()
    ssh_config: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """The whole inventory, valid: every reference resolves, every address lies in its network. Maps are keyed by id."""

    id: str
    name: str
    access: Access
    ministries: dict[str, Ministry] = field(hash=False)
    systems: dict[str, System] = field(hash=False)
    servers: dict[str, Server] = field(hash=False)
    machines: dict[str, WantedMachine] = field(hash=False)
    sites: dict[str, Site] = field(hash=False)
    hosts: dict[str, Host] = field(hash=False)
    networks: dict[str, Network] = field(hash=False)
    images: dict[str, Image] = field(hash=False)
    tiers: dict[str, Tier] = field(hash=False)
    load_profiles: dict[str, LoadProfile] = field(default_factory=dict, hash=False)
    reservations: dict[str, Reservation] = field(default_factory=dict, hash=False)
    licences: dict[str, Licence] = field(default_factory=dict, hash=False)
    policy: Policy = Policy()
    clouds: dict[str, CloudPolicy] = field(default_factory=dict, hash=False)
