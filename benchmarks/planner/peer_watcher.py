"""OpenStack Watcher's workload consolidation on a fleet, in process and without Nova: run by an interpreter that has python-watcher.

`python peer_watcher.py MACHINES.csv HOSTS.csv`: files as this benchmark writes them. The model is filled from them; a stub
stands for the metrics and says that every machine uses what it was given. Prints seconds, hosts in use and migrations.
Shares no code with the planner.
"""

import csv
import logging
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_DISK_GIB = 10**6


class _FullyUsed:
    """The datasource: vCPU in per cent, memory in MiB, disk in GiB."""

    def get_instance_cpu_usage(self, **_: Any) -> float:
        return 100.0

    def get_instance_ram_usage(self, resource: Any, **_: Any) -> Any:
        return resource.memory

    def get_instance_ram_allocated(self, resource: Any, **_: Any) -> Any:
        return resource.memory

    def get_instance_root_disk_size(self, resource: Any, **_: Any) -> Any:
        return resource.disk

    def get_host_cpu_usage(self, *_: Any) -> None:
        return None

    def get_host_ram_usage(self, *_: Any) -> None:
        return None


def main() -> None:
    """One line."""
    from oslo_config import cfg  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
    from watcher.common import utils  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
    from watcher.decision_engine.model import element, model_root  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
    from watcher.decision_engine.strategy.strategies import (  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
        vm_workload_consolidation,
    )

    logging.disable(logging.CRITICAL)
    cfg.CONF([], project="watcher")
    machines, hosts = (list(csv.DictReader(Path(name).read_text(encoding="utf-8").splitlines())) for name in sys.argv[1:3])
    model = model_root.ModelRoot()
    for host in hosts:
        model.add_node(
            element.ComputeNode(
                uuid=host["name"], hostname=host["name"], status="enabled", state="up", disabled_reason="",
                memory=int(host["memory"]), memory_mb_reserved=0, memory_ratio=1.0, disk=_DISK_GIB, disk_gb_reserved=0,
                disk_ratio=1.0, vcpus=int(host["cpu"]), vcpu_reserved=0, vcpu_ratio=1.0,
            )
        )  # fmt: skip
    for machine in machines:
        instance = element.Instance(
            uuid=machine["name"], name=machine["name"], state="active", memory=int(machine["memory"]), disk=1,
            vcpus=int(machine["cpu"]), metadata={}, project_id="0" * 32, locked=False, host=machine["host"],
            hypervisor_hostname=machine["host"], created=datetime(2026, 1, 1, tzinfo=UTC), watcher_exclude=False,
            pinned_az="", flavor_extra_specs={},
        )  # fmt: skip
        model.add_instance(instance)
        model.map_instance(instance, model.get_node_by_uuid(machine["host"]))
    strategy = vm_workload_consolidation.VMWorkloadConsolidation(config=utils.Struct(datasources=None))
    strategy._compute_model = model
    strategy._datasource_backend = _FullyUsed()
    strategy.input_parameters = utils.Struct(period=3600, granularity=300)
    began = time.process_time()
    strategy.do_execute()
    seconds = time.process_time() - began
    used = sum(1 for node in model.get_all_compute_nodes().values() if model.get_node_instances(node))
    print(f"{seconds:.3f} {used} {strategy.number_of_migrations}")


if __name__ == "__main__":
    main()
