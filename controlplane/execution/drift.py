"""The difference between a plan and an observation: one pure function, the same for apply, reconcile and status."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from controlplane.model.drift import Action, Drift
from controlplane.model.migration import Migration, Phase
from controlplane.model.observed import HostObservation, Observation, ObservedMachine, PowerState
from controlplane.model.plan import Method, Plan, PlannedMachine

_ARRIVED = frozenset({Phase.CUT_OVER, Phase.FINALIZED})

_POWER_ACTIONS = {
    PowerState.STOPPED: Action.START,
    PowerState.CRASHED: Action.START,
    PowerState.PAUSED: Action.RESUME,
    PowerState.CHANGING: Action.WAIT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the store remembers and drift needs: uuids of machines of earlier accepted plans, and migrations by machine."""

    recorded_uuids: frozenset[str] = frozenset()
    migrations: dict[str, Migration] = field(default_factory=dict, hash=False)

    def arrived(self, machine: PlannedMachine) -> bool:
        """True when a machine that comes by migration has been cut over, so that we keep it running from now on."""
        migration = self.migrations.get(machine.id)
        return migration is not None and migration.phase in _ARRIVED


def differences(plan: Plan, observation: Observation, memory: Memory) -> tuple[Drift, ...]:
    """All drift on the hosts that answered, by host, networks first, machines in the plan's order."""
    where = {machine.uuid: (host, machine) for host in observation.hosts.values() for machine in host.machines}
    found: list[Drift] = []
    for planned_host in plan.hosts:
        host = observation.hosts.get(planned_host.id)
        if host is None or not host.reachable:
            continue
        found.extend(_network_drift(plan, host))
        for machine in plan.machines:
            if machine.host == host.host:
                found.extend(_machine_drift(plan, machine, host, where.get(machine.uuid), memory))
        found.extend(_surplus(plan, host, memory))
    return tuple(found)


def unplanned_foreign(plan: Plan, observation: Observation) -> int:
    """How many machines on the hosts are not ours."""
    return sum(
        1
        for host in observation.hosts.values()
        for machine in host.machines
        if machine.mark is None or machine.mark.estate != plan.estate
    )


def _network_drift(plan: Plan, host: HostObservation) -> Iterator[Drift]:
    networks = {network.name: network for network in host.networks}
    for planned in plan.networks:
        if planned.host != host.host:
            continue
        network = networks.get(planned.name)
        if network is None:
            yield _drift(host, planned.name, "network", "active", "absent", Action.DEFINE_NETWORK)
        elif planned.bridge and network.bridge != planned.bridge:
            yield _drift(host, planned.name, "network bridge", planned.bridge, network.bridge or "another", Action.REFUSE)
        elif not (network.active and network.autostart):
            state = "inactive" if not network.active else "no autostart"
            yield _drift(host, planned.name, "network", "active, autostart", state, Action.START_NETWORK)


def _machine_drift(
    plan: Plan,
    machine: PlannedMachine,
    host: HostObservation,
    found: tuple[HostObservation, ObservedMachine] | None,
    memory: Memory,
) -> Iterator[Drift]:
    if found is None:
        yield _missing(machine, host, memory)
        return
    at, seen = found
    if at.host != host.host:
        yield _drift(host, machine.id, "host", host.host, at.host, Action.REFUSE)
        return
    if seen.mark is None or seen.mark.estate != plan.estate or seen.mark.machine != machine.id:
        yield _drift(host, machine.id, "owner", f"{plan.estate}/{machine.id}", _owner(seen), Action.REFUSE)
        return
    if machine.method is Method.COLD and not memory.arrived(machine):
        yield _drift(host, machine.id, "migration", "cut over", seen.state, Action.MIGRATE)
        return
    yield from _shape_drift(plan, machine, host, seen)
    if seen.state is not PowerState.RUNNING:
        yield _drift(host, machine.id, "state", PowerState.RUNNING, seen.state, _POWER_ACTIONS[seen.state])


def _missing(machine: PlannedMachine, host: HostObservation, memory: Memory) -> Drift:
    namesake = next((other for other in host.machines if other.name == machine.id), None)
    if namesake is not None:
        found = f"{_owner(namesake)} with uuid {namesake.uuid}"
        return _drift(host, machine.id, "name", f"uuid {machine.uuid}", found, Action.REFUSE)
    if machine.method is Method.COLD and not memory.arrived(machine):
        return _drift(host, machine.id, "state", PowerState.RUNNING, "not migrated", Action.MIGRATE)
    return _drift(host, machine.id, "state", PowerState.RUNNING, "absent", Action.CREATE)


def _shape_drift(plan: Plan, machine: PlannedMachine, host: HostObservation, seen: ObservedMachine) -> Iterator[Drift]:
    for what, wanted, configured, live in (
        ("vCPU", machine.size.vcpus, seen.vcpus, seen.live_vcpus),
        ("memory MiB", machine.size.memory_mib, seen.memory_mib, seen.live_memory_mib),
    ):
        if configured != wanted:
            yield _drift(host, machine.id, what, str(wanted), str(configured), Action.RESIZE)
        elif live is not None and live != wanted:
            yield _drift(host, machine.id, f"running {what}", str(wanted), str(live), Action.RESIZE)
    if seen.disk_gib not in {None, machine.size.disk_gib}:
        yield _drift(host, machine.id, "disk GiB", str(machine.size.disk_gib), str(seen.disk_gib), Action.RESIZE)
    names = {network.network: network.name for network in plan.networks if network.host == host.host}
    wanted_nics = tuple(sorted((names.get(nic.network, nic.network), nic.mac) for nic in machine.nics))
    for what, nics in (("network cards", seen.nics), ("running network cards", seen.live_nics)):
        if nics is None:
            continue
        found_nics = tuple(sorted((nic.network, nic.mac) for nic in nics))
        if found_nics != wanted_nics:
            yield _drift(host, machine.id, what, _nics_text(wanted_nics), _nics_text(found_nics), Action.RECONNECT)
            break
    if seen.autostart != machine.autostart:
        yield _drift(host, machine.id, "autostart", _on_off(machine.autostart), _on_off(seen.autostart), Action.SET_AUTOSTART)


def _surplus(plan: Plan, host: HostObservation, memory: Memory) -> Iterator[Drift]:
    planned = {machine.uuid for machine in plan.machines}
    for seen in host.machines:
        if seen.mark is None or seen.mark.estate != plan.estate or seen.uuid in planned:
            continue
        recorded = seen.uuid in memory.recorded_uuids
        yield _drift(
            host,
            seen.mark.machine,
            "machine",
            "absent",
            seen.state if recorded else f"{seen.state}, marked as ours but in no plan on record",
            Action.REMOVE if recorded else Action.REFUSE,
        )


def _drift(host: HostObservation, subject: str, what: str, wanted: str, found: str, action: Action) -> Drift:
    return Drift(host=host.host, subject=subject, what=what, wanted=str(wanted), found=str(found), action=action)


def _owner(machine: ObservedMachine) -> str:
    return "a foreign machine" if machine.mark is None else f"{machine.mark.estate}/{machine.mark.machine}"


def _nics_text(nics: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{mac} on {network or 'nothing known'}" for network, mac in nics) or "none"


def _on_off(value: bool) -> str:
    return "on" if value else "off"
