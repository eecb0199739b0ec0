"""Ganeti's `hbal` and `hail` on a fleet, and the product on the same: CPU seconds a move, and for one machine more.

hbal looks for the next move over all pairs of machine and node, and keeps nodes safe to lose (shared storage, `ext`). The product
evens load with the same machines and hosts, in a tier that survives a host. The measures of evenness differ, so moves are
counted and not compared. hail is asked for a host for one machine more, with its start and its reading of the cluster (it is a
program that Ganeti starts for each); the product's plan so far is at hand.
"""

import json
import re
import resource
import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.planner.adding import Added, add
from benchmarks.planner.fleet import SCALE, Fleet
from controlplane.model.estate import (
    Access,
    Estate,
    Host,
    Image,
    Ministry,
    Network,
    Site,
    StoragePool,
    System,
    Tier,
    WantedMachine,
)
from controlplane.model.observed import HostCapacity, HostObservation, Mark, Observation, ObservedMachine, PowerState
from controlplane.model.plan import PlannedImage
from controlplane.model.rebalance import RebalancePolicy
from controlplane.model.resources import Overcommit, Resources
from controlplane.planning.capacity import rooms_of
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import demand_of
from controlplane.planning.existing import existing_machines
from controlplane.planning.identity import machine_uuid
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.rebalance import rebalance
from controlplane.planning.standing import stand_existing

_HBAL_SECONDS = 1_200
"""Of wall time, after which it is stopped."""
_HAIL = "/usr/lib/ganeti/iallocators/hail"
_SIZE_OF_ONE = (2, 8)
"""vCPU and GiB of the machine that is added."""
_NOWHERE = -1
_POLICY = "128,1,1024,1,1,1|128,1,1024,1,1,1;1048576,256,1048576,16,8,12|ext|8.0|64.0"
_GAIN = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """CPU seconds that hbal took, its moves, and whether it was done with as many as it was asked for."""

    cpu_seconds: float
    moves: int
    done: bool


def hbal(fleet: Fleet, folder: Path, moves: int) -> Moved | None:
    """Its first moves, as many as asked for at most, its start and its reading of the cluster included; None: not installed."""
    program = shutil.which("hbal")
    if program is None:
        return None
    cluster = folder / "cluster.data"
    cluster.write_text(_text(fleet), encoding="ascii")
    before = _children_cpu_seconds()
    try:
        done = subprocess.run(
            [program, "-t", str(cluster), "--max-length", str(moves)],
            capture_output=True, text=True, check=False, timeout=_HBAL_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Moved(cpu_seconds=_children_cpu_seconds() - before, moves=0, done=False)
    found = re.search(r"Solution length=(\d+)", done.stdout)
    if found is None:
        raise RuntimeError(f"hbal: {done.stdout[-300:]}{done.stderr[-300:]}")
    return Moved(cpu_seconds=_children_cpu_seconds() - before, moves=int(found[1]), done=True)


def _children_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ours(fleet: Fleet) -> tuple[float, int]:
    """CPU seconds and moves of the product's rebalance, to its end; the plan it starts from is not counted."""
    inputs = _inputs(fleet)
    plan = inputs.plan()
    began = time.process_time()
    found = rebalance(inputs, plan, RebalancePolicy(empty_hosts=False, least_gain=_GAIN))
    return time.process_time() - began, len(found.moves)


def hail(fleet: Fleet, folder: Path) -> float | None:
    """CPU seconds for one machine more; None where it is not installed."""
    if not Path(_HAIL).exists():
        return None
    cluster, request = folder / "cluster.data", folder / "request.json"
    cluster.write_text(_text(fleet), encoding="ascii")
    cpus, memory = _SIZE_OF_ONE
    asked = {
        "type": "allocate", "name": "new", "memory": memory * 1024, "vcpus": cpus, "spindle_use": 1, "disk_template": "ext",
        "disks": [{"size": 10240, "mode": "w", "spindles": 1}], "disk_space_total": 10240, "required_nodes": 1, "tags": [], "nics": [],
        "os": "debian", "hypervisor": "kvm",
    }  # fmt: skip
    nothing = {"cluster_tags": [], "nodegroups": {}, "nodes": {}, "instances": {}, "enabled_hypervisors": ["kvm"]}
    request.write_text(json.dumps({**nothing, "request": asked}), encoding="ascii")
    before = _children_cpu_seconds()
    done = subprocess.run([_HAIL, "-t", str(cluster), str(request)], capture_output=True, text=True, check=False, timeout=600)
    after = _children_cpu_seconds()
    if not json.loads(done.stdout or "{}").get("success"):
        raise RuntimeError(f"hail: {done.stdout[-300:]}{done.stderr[-300:]}")
    return after - before


def ours_added(fleet: Fleet, more: int) -> Added:
    """The product's cost of such machines, one after the other, each safe to lose a host with."""
    sizes = np.tile(np.array(_SIZE_OF_ONE, dtype=np.int64) * SCALE, (more, 1))
    inputs = _inputs(
        replace(
            fleet,
            machines=(*fleet.machines, *(f"new{number}" for number in range(more))),
            sizes=np.concatenate([fleet.sizes, sizes]),
            where=np.concatenate([fleet.where, np.full(more, _NOWHERE)]),
        )
    )
    drafts = demand_of(inputs.estate).drafts
    existing, _ = existing_machines(drafts, inputs.estate, inputs.observation, None)
    rooms = rooms_of(inputs.estate, inputs.observation, None, frozenset(draft.id for draft in drafts))
    standing = stand_existing(PlanSoFar(rooms, inputs.estate.networks, drafts), drafts, existing)
    return add(standing.so_far, standing.to_place)


def _text(fleet: Fleet) -> str:
    used = [[0, 0] for _ in fleet.hosts]
    for machine, host in enumerate(fleet.where):
        for dimension in range(2):
            used[host][dimension] += int(fleet.sizes[machine, dimension]) // SCALE
    nodes = []
    for number, name in enumerate(fleet.hosts):
        cpus, memory = (int(amount) // SCALE for amount in fleet.capacities[number])
        free = (memory - used[number][1]) * 1024
        nodes.append(f"{name}|{memory * 1024}|0|{free}|9000000|8000000|{cpus}|N|uuid-1|1||N|0|1|1.0")
    instances = [
        f"{name}|{int(fleet.sizes[number, 1]) // SCALE * 1024}|10240|{int(fleet.sizes[number, 0]) // SCALE}|running|Y|"
        f"{fleet.hosts[fleet.where[number]]}||ext||1|1|N"
        for number, name in enumerate(fleet.machines)
    ]
    return "\n".join(["group-1|uuid-1|preferred||", "", *nodes, "", *instances, "", "", f"|{_POLICY}", f"group-1|{_POLICY}", ""])


def _inputs(fleet: Fleet) -> PlanInputs:
    hosts = {name: _host(name, number, fleet) for number, name in enumerate(fleet.hosts)}
    estate = Estate(
        id="peer", name="比較", access=Access(), ministries={"m": Ministry(id="m", name="府省", name_en="Ministry")},
        systems={"s": System(id="s", ministry="m", name="系", name_en="System", study_class=2, confidentiality=1, tier="high")},
        servers={}, machines={name: _machine(name, number, fleet) for number, name in enumerate(fleet.machines)},
        sites={"east": Site(id="east", name="東")}, hosts=hosts,
        networks={"shared": Network(id="shared", cidr="10.0.0.0/16", confidentiality=3, gateway="10.0.0.1")},
        images={"debian-12": Image(id="debian-12", file="/x", format="qcow2", os="debian-12")},
        tiers={"high": Tier(id="high", host_failures=1, spread_over="host")},
    )  # fmt: skip
    standing: dict[str, list[ObservedMachine]] = {name: [] for name in hosts}
    for number, name in enumerate(fleet.machines):
        if fleet.where[number] == _NOWHERE:
            continue
        size = estate.machines[name].size
        standing[fleet.hosts[fleet.where[number]]].append(
            ObservedMachine(
                name=name, uuid=machine_uuid("peer", name), mark=Mark(estate="peer", machine=name, plan="0" * 64),
                state=PowerState.RUNNING, vcpus=size.vcpus, memory_mib=size.memory_mib, live_vcpus=size.vcpus,
                live_memory_mib=size.memory_mib, autostart=True, nics=(),
            )
        )  # fmt: skip
    seen = {
        host.id: HostObservation(
            host=host.id, observed_at=datetime(2026, 1, 1, tzinfo=UTC), duration_seconds=0.0, machines=tuple(standing[host.id]),
            capacity=HostCapacity(
                total=host.capacity, used_by_foreign=Resources(), hypervisor="QEMU", version="9", architecture="x86_64",
                virtualisation="kvm",
            ),
        )
        for host in hosts.values()
    }  # fmt: skip
    images = {"debian-12": PlannedImage(id="debian-12", file="/x", format="qcow2", sha256="0" * 64, os="debian-12")}
    return PlanInputs(estate=estate, observation=Observation(hosts=seen), parent=None, images=images, authorized_keys=())


def _host(name: str, number: int, fleet: Fleet) -> Host:
    cpus, memory = (int(amount) // SCALE for amount in fleet.capacities[number])
    return Host(
        id=name, uri=f"qemu+ssh://root@172.16.{number // 250}.{number % 250 + 1}/system", site="east", rack=f"r{number // 10}",
        power_feed="a", capacity=Resources(vcpus=cpus, memory_mib=memory * 1024, disk_gib=20_000), reserved=Resources(),
        overcommit=Overcommit(), confidentiality=(1, 2, 3), networks={"shared": "br0"}, pool=StoragePool(name="kasumi", path="/p"),
    )  # fmt: skip


def _machine(name: str, number: int, fleet: Fleet) -> WantedMachine:
    cpus, memory = (int(amount) // SCALE for amount in fleet.sizes[number])
    return WantedMachine(
        id=name, system="s", size=Resources(vcpus=cpus, memory_mib=memory * 1024, disk_gib=10), image="debian-12", network="shared",
    )  # fmt: skip
