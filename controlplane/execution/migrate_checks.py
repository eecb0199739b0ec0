"""Before a source is touched: everything that would stop its migration later, all of it in one message."""

from collections.abc import Sequence
from contextlib import closing

from controlplane.connectors.disks import TOOLS_NEW_HOST, TOOLS_OLD_HOST, free_bytes, missing_tools
from controlplane.connectors.shell import LocalShell, Shell
from controlplane.connectors.ssh import shell_of_uri
from controlplane.errors import KasumiError, RefusedError
from controlplane.model.estate import LibvirtSource
from controlplane.model.observed import HostObservation, PowerState
from controlplane.model.plan import Plan, PlannedMachine
from controlplane.providers.protocol import CopyHost
from controlplane.providers.source import SourceMachine

_GIB = 2**30


def preflight(
    plan: Plan, machine: PlannedMachine, origin: LibvirtSource, host: CopyHost, source: SourceMachine, *, again: bool
) -> None:
    """Raises RefusedError that lists every obstacle; nothing was touched then. `again`: a target of ours may be left, rolled back."""
    problems = [
        *_source_problems(machine, source),
        *_target_problems(plan, machine, host.observe(), again=again),
        *host.obstacles(machine, size_bytes=sum(disk.size_bytes for disk in source.disks)),
        *_old_host_problems(plan, origin),
        *_copy_problems(plan, host, source),
    ]
    if problems:
        text = "\n".join(f"  {problem}" for problem in problems)
        raise RefusedError(f"machine {machine.id} cannot be migrated now:\n{text}\nnothing was touched")


def _source_problems(machine: PlannedMachine, source: SourceMachine) -> list[str]:
    problems = []
    if source.state not in {PowerState.RUNNING, PowerState.STOPPED}:
        problems.append(f"source {source.name}: wanted running or stopped, found {source.state}; bring it to rest first")
    if len(source.disks) != 1:
        problems.append(f"source {source.name}: wanted one disk, found {len(source.disks)}; the cold method moves one disk")
    if source.firmware != "bios":
        problems.append(
            f"source {source.name}: wanted BIOS boot, found {source.firmware}; the cold method does not carry its variables"
        )
    planned = {nic.mac for nic in machine.nics}
    if planned != set(source.macs):
        problems.append(
            f"source {source.name}: planned MAC {sorted(planned)}, found {sorted(source.macs)}; correct `mac` in the inventory"
        )
    problems.extend(
        f"source disk {disk.path}: {disk.size_bytes / _GIB:.1f} GiB do not fit the planned {machine.size.disk_gib} GiB; plan more"
        for disk in source.disks
        if disk.size_bytes > machine.size.disk_gib * _GIB
    )
    return problems


def _target_problems(plan: Plan, machine: PlannedMachine, seen: HostObservation, *, again: bool) -> list[str]:
    """What stands at its place would be booted instead of the copy, and stopped or removed by the way back."""
    problems = []
    for other in seen.machines:
        adopted = other.mark is not None and other.mark.adopted
        if other.uuid == machine.uuid and adopted:
            problems.append(
                f"host {seen.host}: {other.name} was adopted as {machine.id}, and no migration takes its place; take {machine.id} out "
                "of the inventory, plan, and `kasumi apply --yes` lets it go; rename it there"
            )
        elif other.uuid == machine.uuid and not again:
            problems.append(
                f"host {seen.host}: {machine.id} stands there already ({other.state}) and no migration on record made it; take it "
                "out of the inventory, plan, and `kasumi apply --yes` removes it, or bring the record back"
            )
    return problems + [
        f"host {seen.host}: a machine named {other.name} with uuid {other.uuid} stands there already; rename or remove it by hand"
        for other in seen.machines
        if other.name == machine.id and other.uuid != machine.uuid
    ]


def _old_host_problems(plan: Plan, origin: LibvirtSource) -> list[str]:
    try:
        with closing(shell_of_uri(origin.uri, ssh_config=plan.access.ssh_config)) as shell:
            return _lacking(shell, TOOLS_OLD_HOST)
    except KasumiError as error:
        return [str(error)]


def _copy_problems(plan: Plan, host: CopyHost, source: SourceMachine) -> list[str]:
    """Where the copy is gathered: the new host, or this controller."""
    place = host.copy_place
    needed = sum(disk.size_bytes for disk in source.disks)
    try:
        with closing(shell_of_uri(place.uri, ssh_config=plan.access.ssh_config) if place.uri else LocalShell()) as shell:
            problems = _lacking(shell, TOOLS_NEW_HOST)
            free = free_bytes(shell, str(place.folder))
            if free < needed:
                where = f"host {host.host}" if place.uri else "this controller"
                problems.append(
                    f"{where}: {free / _GIB:.1f} GiB free at {place.folder}, {needed / _GIB:.1f} needed; make room there"
                )
            return problems
    except KasumiError as error:
        return [str(error)]


def _lacking(shell: Shell, tools: Sequence[str]) -> list[str]:
    lacking = missing_tools(shell, tools)
    if not lacking:
        return []
    return [f"host {shell.place}: lacks {', '.join(lacking)}; install qemu-utils, libnbd-bin and openssl there"]
