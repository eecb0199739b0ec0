"""What is believed of hosts when nobody looks at them: capacities as declared, machines as the accepted plan says.

For planning away from the hosts. Such an observation says of itself that it is believed; a plan made from it carries that
in its facts and first warning, and is never applied.
"""

from datetime import UTC, datetime

from controlplane.model.estate import Estate, Host
from controlplane.model.observed import (
    HostCapacity,
    HostObservation,
    Mark,
    Observation,
    ObservedMachine,
    ObservedNic,
    PowerState,
)
from controlplane.model.plan import Plan, PlannedMachine
from controlplane.model.resources import Resources

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Instant of a look that never happened."""


def believed_observation(estate: Estate, parent: Plan | None) -> Observation:
    """Every host of the estate as declared, with the machines of the accepted plan on it and no others."""
    return Observation(hosts={host.id: believed_host(host, estate.id, parent) for host in estate.hosts.values()})


def believed_host(host: Host, estate: str, parent: Plan | None) -> HostObservation:
    """One host as declared."""
    machines = [machine for machine in parent.machines if machine.host == host.id] if parent is not None else []
    return HostObservation(
        host=host.id,
        observed_at=NEVER,
        duration_seconds=0.0,
        capacity=HostCapacity(
            total=host.capacity,
            used_by_foreign=Resources(),
            hypervisor="",
            version="",
            architecture="",
            virtualisation="",
        ),
        machines=tuple(_believed_machine(machine, estate) for machine in machines),
        disk_free_gib=host.capacity.disk_gib,
        believed=True,
    )


def believed_warnings(observation: Observation) -> tuple[str, ...]:
    """What a plan made from this observation must say first; empty when somebody looked at every host."""
    hosts = sorted(host.host for host in observation.hosts.values() if host.believed)
    if not hosts:
        return ()
    whom = f"host {hosts[0]} is" if len(hosts) == 1 else f"{len(hosts)} hosts are"
    text = (
        f"made offline: {whom} believed as declared, machines that are not ours are not counted, and nobody looked at image "
        "files; `kasumi apply` refuses this plan"
    )
    return (text,)


def _believed_machine(machine: PlannedMachine, estate: str) -> ObservedMachine:
    return ObservedMachine(
        name=machine.id,
        uuid=machine.uuid,
        mark=Mark(estate=estate, machine=machine.id, plan=""),
        state=PowerState.RUNNING,
        vcpus=machine.size.vcpus,
        memory_mib=machine.size.memory_mib,
        live_vcpus=machine.size.vcpus,
        live_memory_mib=machine.size.memory_mib,
        autostart=machine.autostart,
        nics=tuple(ObservedNic(network=f"kasumi-{nic.network}", mac=nic.mac) for nic in machine.nics),
    )
