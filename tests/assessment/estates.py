"""A made estate of three ministries with everything that an assessment has to find, and what was seen of it."""

from datetime import UTC, date, datetime, timedelta
from functools import cache

import numpy as np

from controlplane.assessment.assess import assess
from controlplane.assessment.shipped import Knowledge
from controlplane.assessment.truth import truth_of
from controlplane.execution.assessing import shipped_knowledge
from controlplane.ledgers.facts import ledger_facts
from controlplane.model.assessment import AssessedServer, Assessment, SizingPolicy
from controlplane.model.decision import Decision
from controlplane.model.estate import Confirmation, Disposition, Estate, LibvirtSource, Ministry, Network
from controlplane.model.facts import Answer, ServerFacts, Source, Value
from controlplane.model.resources import Resources
from controlplane.model.series import Dimension, Series
from tests.assessment.said import NOON, said
from tests.planning.estates import estate, host, machine, server, size, system

AS_OF = date(2026, 6, 1)
DAYS = 30
START = datetime(2026, 5, 2, 15, tzinfo=UTC)
"""Thirty days before the end of AS_OF in Japan."""
POLICY = SizingPolicy()


@cache
def knowledge() -> Knowledge:
    return shipped_knowledge(None)


def _moving(server_id: str, system_id: str, address: str, **changes: object):
    given = {"network": "mhlw", "address": address, "mac": "52:54:00:00:00:01", "image": "debian-12", "os": "debian-12",
             "size": size(8, 16384, 200), "source": LibvirtSource(uri="qemu+ssh://old/system", domain=server_id)}  # fmt: skip
    return server(server_id, system_id, Disposition.REHOST, **(given | changes))


def office_estate() -> Estate:
    made = estate(
        [host("hv1", 1), host("hv2", 2)],
        systems=[
            system(
                "pension", "mhlw", name="年金記録システム", study_class=1, demand=Confirmation(by="佐藤", on=date(2026, 4, 1))
            ),
            system("office", "mhlw", name="物品管理", study_class=4),
            system("names-mhlw", "mhlw", name="厚労省名前解決"),
            system("names-mof", "mof", name="財務省名前解決"),
            system("old", "mof", name="旧会計 <b>&", name_en="Old <script>alert(1)</script>"),
        ],
        machines=[machine("names", "pension")],
        servers=[
            _moving("pension-ap", "pension", "203.0.113.10"),
            _moving("pension-db", "pension", "203.0.113.11", depends_on=("pension-ap",)),
            _moving("office-db", "office", "203.0.113.12", size=size(2, 4096, 40)),
            _moving("office-idle", "office", "203.0.113.13"),
            _moving("dns-mhlw", "names-mhlw", "203.0.113.14"),
            _moving("dns-mof", "names-mof", "192.0.2.14", network="shared"),
            _moving("old-dongle", "old", "192.0.2.15", network="shared", os="centos-5"),
            _moving("old-gone", "old", "192.0.2.16", network="shared"),
            _moving("old-windows", "old", "192.0.2.17", network="shared", os="windows-2012"),
        ],
    )
    mof = Ministry(id="mof", name="財務省", name_en="Finance")
    ministries = made.ministries | {"mof": mof}
    wide = Network(id="mof", cidr="10.20.0.0/16", confidentiality=2, ministry="mof")
    object.__setattr__(made, "ministries", ministries)
    object.__setattr__(made, "networks", made.networks | {"mof": wide})
    return made


def sound(address: str, **changes: Value) -> dict[str, Value]:
    """What a healthy Debian 12 answers."""
    return {
        "os.family": "linux", "os.id": "debian", "os.version": "12", "os.architecture": "x86_64", "boot.mode": "bios",
        "boot.uptime_seconds": 86_400, "cpu.count": 8, "cpu.model": "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "cpu.mhz": 2400,
        "memory.total_mib": 15_900, "disks.total_gib": 200, "hardware.usb": [], "hardware.virtualisation": "kvm",
        "disks": [{"name": "vda", "size_gib": 200, "kind": "disk", "transport": "virtio", "read_only": False}],
        "filesystems": [{"mount": "/", "device": "/dev/vda1", "type": "ext4", "size_mib": 1, "used_mib": 1, "encrypted": False}],
        "addresses": [{"interface": "eth0", "address": address, "prefix_length": 24, "mac": ""}],
        "ntp.servers": ["ntp"], "ntp.offset_seconds": 0.01, "multicast": [], "certificates": [], "packages": [], "databases": [],
        "licences": [], "cluster": [], "backup": [{"kind": "cron", "name": "backup.sh"}], "mounts.remote": [],
        "hard_coded_addresses": [], "connections": [], "listeners": [_listen(22, "sshd")],
    } | changes  # fmt: skip


def _listen(port: int, process: str, address: str = "*") -> dict[str, Value]:
    return {"protocol": "tcp", "address": address, "port": port, "process": process}


def talk(remote: str, port: int, process: str = "app", direction: str = "out") -> dict[str, Value]:
    ends = {"local_port": port, "remote_port": 50_000} if direction == "in" else {"local_port": 50_000, "remote_port": port}
    return {"protocol": "tcp", "local_address": "", "remote_address": remote, "process": process, "direction": direction, **ends}


def collections() -> list[ServerFacts]:
    return [
        said("pension-ap", sound("203.0.113.10", connections=[talk("203.0.113.11", 5432), talk("198.18.0.9", 443)],
                                 listeners=[_listen(22, "sshd"), _listen(8009, "java")],
                                 hard_coded_addresses=[{"file": "/etc/app.conf", "line": 3, "address": "203.0.113.11"}])),
        said("pension-db", sound("203.0.113.11", connections=[talk("203.0.113.10", 5432, "postgres", "in")],
                                 listeners=[_listen(5432, "postgres")], **{"memory.total_mib": 7900, "boot.uptime_seconds": 40_000_000})),
        said("office-db", sound("203.0.113.12", databases=[{"engine": "postgresql", "version": "13", "name": "goods", "size_mib": 900}],
                                connections=[talk("203.0.113.99", 2049)],
                                **{"cpu.count": 2, "memory.total_mib": 3900, "disks.total_gib": 40})),
        said("office-idle", sound("203.0.113.13")),
        said("dns-mhlw", sound("203.0.113.14", listeners=[_listen(53, "named"), _listen(22, "sshd")],
                               connections=[talk("203.0.113.10", 53, "named", "in")])),
        said("dns-mof", sound("192.0.2.14", listeners=[_listen(53, "unbound")], connections=[talk("192.0.2.77", 53, "unbound", "in")])),
        said("old-dongle", sound("192.0.2.15", **{
            "os.id": "centos", "os.version": "5.11", "os.architecture": "i686", "cpu.model": "Intel(R) Xeon(TM) CPU 3.20GHz",
            "hardware.usb": [{"vendor": "0529", "product": "0001", "name": "HASP dongle"}], "ntp.servers": [], "backup": [],
            "certificates": [{"path": "/etc/pki/tls/cert.pem", "subject": "old", "not_after": "2026-07-01T00:00:00Z"}],
            "connections": [talk("203.0.113.10", 8009)]})),
        said("old-gone", {}, answer=Answer.UNREACHABLE, message="no route to host"),
        said("old-windows", {}, answer=Answer.UNSUPPORTED, message="Windows"),
    ]  # fmt: skip


def flat(
    server_id: str, dimension: Dimension, level: float, *, days: int = DAYS, step: int = 300, start: datetime = START
) -> Series:
    values = np.full(days * 86_400 // step, level, dtype=np.float32)
    return Series(server=server_id, dimension=dimension, source=Source.SSH, started_at=start, step_seconds=step, values=values)


def working_day(server_id: str, quiet: float, busy: float, *, days: int = DAYS) -> Series:
    """Busy from 9 to 18 on working days in Japan, quiet else."""
    local = [START + timedelta(hours=9, minutes=5 * index) for index in range(days * 288)]
    values = np.array([busy if 9 <= at.hour < 18 and at.weekday() < 5 else quiet for at in local], dtype=np.float32)
    return Series(
        server=server_id, dimension=Dimension.CPU_CORES, source=Source.SSH, started_at=START, step_seconds=300, values=values
    )


def measured(server_id: str, cpu: Series, memory_mib: float, disk_mib: float, **more: int) -> dict[Dimension, Series]:
    return {
        Dimension.CPU_CORES: cpu,
        Dimension.MEMORY_USED_MIB: flat(server_id, Dimension.MEMORY_USED_MIB, memory_mib, **more),
        Dimension.DISK_USED_MIB: flat(server_id, Dimension.DISK_USED_MIB, disk_mib, **more),
    }


def all_series() -> list[tuple[str, dict[Dimension, Series]]]:
    return [
        ("office-db", measured("office-db", working_day("office-db", 0.1, 0.8), 1500, 20_000)),
        ("office-idle", measured("office-idle", flat("office-idle", Dimension.CPU_CORES, 0.02), 900, 9_000)),
        ("pension-ap", measured("pension-ap", working_day("pension-ap", 0.2, 2.0), 5_000, 60_000)),
        ("old-dongle", measured("old-dongle", flat("old-dongle", Dimension.CPU_CORES, 1.0, days=5), 800, 9_000, days=5)),
    ]


def assessed(decisions: tuple[Decision, ...] = (), given: Estate | None = None) -> Assessment:
    given = given or office_estate()
    ledgers = ledger_facts(given, at=NOON)
    heard = {one.server: one for one in collections()}
    truths = []
    for server_id in given.servers:
        ledger = ServerFacts(server=server_id, source=Source.LEDGER, collected_at=NOON, duration_seconds=0, answer=Answer.ANSWERED,
                             facts=ledgers[server_id])  # fmt: skip
        truths.append(truth_of(server_id, [one for one in (heard.get(server_id), ledger) if one is not None], decisions))
    return assess(given, truths, all_series(), decisions, knowledge(), POLICY, AS_OF)


def one(made: Assessment, server_id: str) -> AssessedServer:
    return next(server for server in made.servers if server.id == server_id)


__all__ = ["Resources", "assessed", "office_estate", "one"]
