"""CPU time that planning takes as it grows: `python -m benchmarks.planning_scale [MACHINES HOSTS [rules]]` (default 1000 on 100).

One in five machines belongs to a tier that must survive the loss of a host; replicas come in pairs; sizes are of six flavours. With
`rules` there is something of every rule that planning knows (`with_every_rule`).
"""

import json
import resource
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime

from controlplane.model.document import plan_to_json
from controlplane.model.estate import (
    Access,
    ClassPool,
    Confirmation,
    Estate,
    Host,
    Image,
    Ministry,
    Network,
    Reservation,
    Site,
    StoragePool,
    System,
    Tier,
    WantedMachine,
)
from controlplane.model.finding import Severity
from controlplane.model.needs import Cpu, Licence, LoadProfile, Needs, Offers
from controlplane.model.observed import HostCapacity, HostObservation, Observation
from controlplane.model.plan import PlannedImage
from controlplane.model.resources import Overcommit, Resources
from controlplane.planning.bounds import hosts_used
from controlplane.planning.build import build_plan
from controlplane.planning.checks import check_plan

SEEN_AT = datetime(2026, 1, 1, tzinfo=UTC)
FLAVOURS = ((1, 2, 20), (2, 4, 40), (2, 8, 40), (4, 8, 80), (4, 16, 80), (8, 16, 160))
MACHINES_OF_A_SYSTEM = 10


def made_estate(machines: int, hosts: int) -> Estate:
    systems = [
        System(
            id=f"s{number}", ministry=f"min{number % 20}", name=f"情報システム{number}", name_en=f"System {number}",
            study_class=2, confidentiality=1 + number % 3, tier="high" if number % 5 == 0 else "standard",
        )
        for number in range(max(1, machines // MACHINES_OF_A_SYSTEM))
    ]  # fmt: skip
    wanted = [_wanted(number, systems[number % len(systems)].id) for number in range(machines)]
    return Estate(
        id="scale",
        name="規模",
        access=Access(),
        ministries={f"min{number}": Ministry(id=f"min{number}", name="府省", name_en="Ministry") for number in range(20)},
        systems={system.id: system for system in systems},
        servers={},
        machines={machine.id: machine for machine in wanted},
        sites={"east": Site(id="east", name="東"), "west": Site(id="west", name="西")},
        hosts={host.id: host for host in (_host(number) for number in range(hosts))},
        networks={"shared": Network(id="shared", cidr="10.0.0.0/16", confidentiality=3, gateway="10.0.0.1")},
        images={"debian-12": Image(id="debian-12", file="/x", format="qcow2", os="debian-12")},
        tiers={
            "standard": Tier(id="standard", host_failures=0, spread_over="host"),
            "high": Tier(id="high", host_failures=1, spread_over="rack"),
        },
    )


def _wanted(number: int, system: str) -> WantedMachine:
    vcpus, memory_gib, disk_gib = FLAVOURS[(number * 7 + number // 6) % len(FLAVOURS)]
    return WantedMachine(
        id=f"m{number:05}", system=system, size=Resources(vcpus=vcpus, memory_mib=memory_gib * 1024, disk_gib=disk_gib),
        image="debian-12", network="shared", replica_group=f"g{number % 200}" if number % 5 == 0 else "",
    )  # fmt: skip


def _host(number: int) -> Host:
    site = "east" if number % 2 else "west"
    return Host(
        id=f"hv{number:04}", uri=f"qemu+ssh://root@172.16.{number // 250}.{number % 250 + 1}/system", site=site,
        rack=f"r{number // 10}", power_feed=f"p{number % 4}", capacity=Resources(vcpus=64, memory_mib=262144, disk_gib=4000),
        reserved=Resources(memory_mib=8192, disk_gib=50), overcommit=Overcommit(vcpus=4.0),
        confidentiality=(1, 2, 3) if number % 3 == 0 else (1, 2), networks={"shared": "br0"},
        pool=StoragePool(name="kasumi", path="/pool"),
    )  # fmt: skip


def with_every_rule(estate: Estate) -> Estate:
    """The same with hours, network, IOPS, processors, groups, racks that may be lost, two ministries apart on shared storage, a
    product licensed by the socket, disks of a class, and room reserved.
    """
    apart = ("min0", "min1")
    own = {name: replace(estate.networks["shared"], id=name, cidr=f"10.{at}.0.0/16", gateway=f"10.{at}.0.1")
           for at, name in enumerate(apart, 1)}  # fmt: skip
    systems = {
        name: replace(each, tier="racks" if number % 50 == 5 else each.tier, demand=Confirmation(by="x", on=date(2026, 1, 1)))
        for number, (name, each) in enumerate(estate.systems.items())
    }
    machines = {
        name: replace(each, needs=_needs(number),
                      network=systems[each.system].ministry if systems[each.system].ministry in apart else "shared")
        for number, (name, each) in enumerate(estate.machines.items())
    }  # fmt: skip
    licensed = sum(1 for each in machines.values() if each.needs.licences)
    return replace(
        estate,
        systems=systems,
        machines=machines,
        hosts={name: _richer(number, host) for number, (name, host) in enumerate(estate.hosts.items())},
        networks={**estate.networks, **own},
        ministries={**estate.ministries, "min0": replace(estate.ministries["min0"], apart_from=("min1",))},
        tiers={**estate.tiers, "racks": Tier(id="racks", host_failures=1, spread_over="host", survives="rack")},
        load_profiles={
            "day": LoadProfile(id="day", percent=(10,) * 8 + (100,) * 10 + (30,) * 6),
            "night": LoadProfile(id="night", percent=(100,) * 6 + (20,) * 14 + (80,) * 4),
        },
        licences={"db": Licence(id="db", sockets=2 * max(4, licensed // 12))},
        reservations={"more": Reservation(id="more", system="s2", size=Resources(vcpus=4, memory_mib=8192, disk_gib=80), count=20,
                                          network="shared", until=date(2099, 3, 31))},
    )  # fmt: skip


def _needs(number: int) -> Needs:
    return Needs(
        load="day" if number % 3 == 0 else "night" if number % 10 == 1 else "",
        network_mbps=100 if number % 4 == 0 else 0,
        iops=200 if number % 4 == 1 else 0,
        cpu=Cpu(baseline="x86-64-v3") if number % 8 == 3 else Cpu(),
        together=(("rack", "near"),) if number % 20 == 4 else (),
        licences=("db",) if number % 40 == 7 else (),
        disk_class="ssd" if number % 8 == 6 else "",
    )


def _richer(number: int, host: Host) -> Host:
    return replace(
        host,
        networks={**host.networks, "min0": "br1", "min1": "br2"},
        offers=Offers(network_mbps=10_000, iops=20_000, cpu=Cpu(baseline=f"x86-64-v{3 if number % 2 else 2}"), sockets=2),
        storage=f"san-{number // 10}",
        pools=(ClassPool(disk_class="ssd", name="kasumi-ssd", path="/ssd", capacity_gib=2000),) if number % 4 < 2 else (),
    )


def seen(estate: Estate) -> Observation:
    def look(host: Host) -> HostObservation:
        capacity = HostCapacity(
            total=host.capacity, used_by_foreign=Resources(), hypervisor="QEMU", version="9", architecture="x86_64",
            virtualisation="kvm",
        )  # fmt: skip
        return HostObservation(host=host.id, observed_at=SEEN_AT, duration_seconds=0.0, capacity=capacity)

    return Observation(hosts={host.id: look(host) for host in estate.hosts.values()})


def main() -> None:
    machines, hosts = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (1000, 100)
    estate = made_estate(machines, hosts)
    if "rules" in sys.argv[3:]:
        estate = with_every_rule(estate)
    observation = seen(estate)
    images = {"debian-12": PlannedImage(id="debian-12", file="/x", format="qcow2", sha256="0" * 64, os="debian-12")}
    began = time.process_time()
    plan = build_plan(estate, observation, None, images=images, authorized_keys=())
    built = time.process_time()
    critical = [finding for finding in check_plan(plan, estate, observation) if finding.severity is Severity.CRITICAL]
    checked = time.process_time()
    assert not critical, critical
    use = hosts_used(plan)
    print(
        json.dumps(
            {
                "machines": machines,
                "hosts": hosts,
                "build_cpu_seconds": round(built - began, 2),
                "check_cpu_seconds": round(checked - built, 2),
                "plan_bytes": len(plan_to_json(plan).encode()),
                "hosts_used": use.used,
                "bound": use.bound,
                "binding": use.binding,
                "gap_percent": round(100 * (use.used / use.bound - 1), 2),
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
