"""The difference between a plan and an observation: one pure function, the same for apply, reconcile and status."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date

from controlplane.model.drift import Action, Drift
from controlplane.model.lease import AtEnd, Lease, LeaseState
from controlplane.model.migration import Migration, Phase
from controlplane.model.observed import HostObservation, Mark, Observation, ObservedMachine, PowerState
from controlplane.model.plan import Method, Plan, PlannedMachine
from controlplane.model.security import IN, SecurityGroup, rules_of, security_groups
from controlplane.planning.leases import planned_leases

_ARRIVED = frozenset({Phase.CUT_OVER, Phase.FINALIZED})

_STAYING = frozenset({Action.REFUSE, Action.WAIT, Action.MIGRATE})
_RULES = "rules of "

_POWER_ACTIONS = {
    PowerState.STOPPED: Action.START,
    PowerState.CRASHED: Action.START,
    PowerState.PAUSED: Action.RESUME,
    PowerState.CHANGING: Action.WAIT,
    PowerState.FAILED: Action.CREATE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the store remembers and drift needs: uuids of machines of earlier accepted plans, and migrations by machine.

    `native_ids`: the id that a provider with ids of its own gave to the machine of a uuid. `today`: the day on which leases
    are held against their ends; None: none ends.
    """

    recorded_uuids: frozenset[str] = frozenset()
    native_ids: dict[str, str] = field(default_factory=dict, hash=False)
    migrations: dict[str, Migration] = field(default_factory=dict, hash=False)
    today: date | None = None

    def arrived(self, machine: PlannedMachine) -> bool:
        """True when a machine that comes by migration has been cut over, so that we keep it running from now on."""
        migration = self.migrations.get(machine.id)
        return migration is not None and migration.phase in _ARRIVED


def differences(plan: Plan, observation: Observation, memory: Memory) -> tuple[Drift, ...]:
    """All drift on the hosts that answered, by host, networks first, machines in the plan's order."""
    where: dict[str, list[tuple[HostObservation, ObservedMachine]]] = {}
    for seen_host in observation.hosts.values():
        for seen in seen_host.machines:
            where.setdefault(seen.uuid, []).append((seen_host, seen))
    leases = planned_leases(plan)
    found: list[Drift] = []
    for planned_host in plan.hosts:
        host = observation.hosts.get(planned_host.id)
        if host is None or not host.reachable:
            continue
        found.extend(_network_drift(plan, host))
        for machine in plan.machines:
            if machine.host == host.host:
                there = where.get(machine.uuid, [])
                lease = leases.get(machine.id)
                if lease is not None and is_kept_stopped(lease, memory.today):
                    found.extend(_let_lie(_machine_drift(plan, lying(machine), host, there, memory), lease, there))
                else:
                    found.extend(_machine_drift(plan, machine, host, there, memory))
        found.extend(_surplus(plan, host, memory))
    return tuple(_rules_once(found))


def _rules_once(found: list[Drift]) -> Iterator[Drift]:
    """Machines share security groups, and the first that can be adjusted puts a group right for all: only it shows the difference."""
    stuck = {(drift.host, drift.subject) for drift in found if drift.action in _STAYING}
    told: set[tuple[str, str]] = set()
    for drift in found:
        if drift.what.startswith(_RULES):
            if (drift.host, drift.what) in told or (drift.host, drift.subject) in stuck:
                continue
            told.add((drift.host, drift.what))
        yield drift


def unplanned_foreign(plan: Plan, observation: Observation) -> int:
    """How many machines on the hosts are not ours."""
    return sum(
        1
        for host in observation.hosts.values()
        for machine in host.machines
        if machine.mark is None or machine.mark.estate != plan.estate
    )


def _network_drift(plan: Plan, host: HostObservation) -> Iterator[Drift]:
    for planned in plan.networks:
        if planned.host != host.host:
            continue
        named = [network for network in host.networks if network.name == planned.name]
        network = next((each for each in named if each.bridge == planned.bridge), named[0] if named else None)
        if network is None:
            yield _drift(host, planned.name, "network", "active", "absent", Action.DEFINE_NETWORK)
        elif not planned.bridge and network.bridge == network.name:  # how a cloud's network reads that is not of our making
            yield _drift(host, planned.name, "network", f"one with the mark of {plan.estate}", "somebody else's", Action.REFUSE)
        elif planned.bridge and network.bridge != planned.bridge:
            yield _drift(host, planned.name, "network bridge", planned.bridge, network.bridge or "another", Action.REFUSE)
        elif not (network.active and network.autostart):
            state = "inactive" if not network.active else "no autostart"
            yield _drift(host, planned.name, "network", "active, autostart", state, Action.START_NETWORK)


def _machine_drift(
    plan: Plan,
    machine: PlannedMachine,
    host: HostObservation,
    found: list[tuple[HostObservation, ObservedMachine]],
    memory: Memory,
) -> Iterator[Drift]:
    if not found:
        yield _missing(machine, host, memory)
        return
    if len(found) > 1:
        copies = ", ".join(sorted(f"{seen.native_id or seen.uuid} on {at.host}" for at, seen in found))
        yield _drift(host, machine.id, "identity", f"one machine with uuid {machine.uuid}", copies, Action.REFUSE)
        return
    ((at, seen),) = found
    if at.host != host.host:
        yield _drift(host, machine.id, "host", host.host, at.host, Action.REFUSE)
        return
    if seen.mark is None or seen.mark.estate != plan.estate or seen.mark.machine != machine.id:
        yield _drift(host, machine.id, "owner", f"{plan.estate}/{machine.id}", _owner(seen), Action.REFUSE)
        return
    recorded = memory.native_ids.get(machine.uuid, "")
    if recorded and seen.native_id != recorded:
        yield _drift(host, machine.id, "identity", f"server {recorded}", f"its mark on {seen.native_id}", Action.REFUSE)
        return
    if seen.mark.adopted and not recorded:
        yield _drift(host, machine.id, "identity", "an adoption on record", f"its mark on {seen.native_id}", Action.REFUSE)
        return
    if seen.mark.adopted and machine.method is not Method.ADOPT:
        yield _drift(host, machine.id, "method", machine.method, "adopted", Action.REFUSE)
        return
    if machine.method is Method.COLD and not memory.arrived(machine):
        yield _drift(host, machine.id, "migration", "cut over", seen.state, Action.MIGRATE)
        return
    if seen.state is PowerState.FAILED:
        action = Action.REFUSE if seen.mark.adopted else Action.CREATE
        yield _drift(host, machine.id, "state", PowerState.RUNNING, _state_text(seen), action)
        return
    yield from _shape_drift(plan, machine, host, seen)
    if seen.state is not PowerState.RUNNING:
        yield _drift(host, machine.id, "state", PowerState.RUNNING, _state_text(seen), _POWER_ACTIONS[seen.state])


def is_kept_stopped(lease: Lease | None, today: date | None) -> bool:
    """True when a lease ended and its machine is to be stopped then."""
    return lease is not None and today is not None and lease.at_end is AtEnd.STOP and lease.state(today) is LeaseState.ENDED


def lying(machine: PlannedMachine) -> PlannedMachine:
    """As a machine is wanted that is kept stopped: its hypervisor's restart must not start it."""
    return replace(machine, autostart=False)


def _let_lie(rows: Iterator[Drift], lease: Lease, found: list[tuple[HostObservation, ObservedMachine]]) -> Iterator[Drift]:
    """What is left of the drift of a machine that is kept stopped: what a person must decide, its stop, and its autostart."""
    left = list(rows)
    stays = [row for row in left if row.action in _STAYING]
    yield from stays
    if stays:
        return
    if found and found[0][1].state in {PowerState.RUNNING, PowerState.PAUSED}:
        ((at, seen),) = found
        mark = seen.mark
        subject = mark.machine if mark is not None else seen.name
        yield _drift(at, subject, "lease", f"stopped, ended on {lease.until}", seen.state, Action.STOP)
    yield from (row for row in left if row.action is Action.SET_AUTOSTART)


def _missing(machine: PlannedMachine, host: HostObservation, memory: Memory) -> Drift:
    recorded = memory.native_ids.get(machine.uuid, "")
    unmarked = next((other for other in host.machines if recorded and other.given_id == recorded), None)
    if unmarked is not None:
        return _drift(host, machine.id, "owner", f"our mark on server {recorded}", _owner(unmarked), Action.REFUSE)
    if machine.method is Method.ADOPT:
        return _drift(host, machine.id, "state", PowerState.RUNNING, "absent, and it was adopted, not made by us", Action.REFUSE)
    namesake = next((other for other in host.machines if other.name == machine.id), None)
    if namesake is not None:
        found = f"{_owner(namesake)} with uuid {namesake.uuid}"
        return _drift(host, machine.id, "name", f"uuid {machine.uuid}", found, Action.REFUSE)
    if machine.method is Method.COLD and not memory.arrived(machine):
        return _drift(host, machine.id, "state", PowerState.RUNNING, "not migrated", Action.MIGRATE)
    return _drift(host, machine.id, "state", PowerState.RUNNING, "absent", Action.CREATE)


def _shape_drift(plan: Plan, machine: PlannedMachine, host: HostObservation, seen: ObservedMachine) -> Iterator[Drift]:
    taken = seen.made_for
    for what, wanted, configured, live in (
        ("vCPU", machine.size.vcpus, taken.vcpus if taken else seen.vcpus, None if taken else seen.live_vcpus),
        (
            "memory MiB",
            machine.size.memory_mib,
            taken.memory_mib if taken else seen.memory_mib,
            None if taken else seen.live_memory_mib,
        ),
    ):
        if configured != wanted:
            yield _drift(host, machine.id, what, str(wanted), str(configured), Action.RESIZE)
        elif live is not None and live != wanted:
            yield _drift(host, machine.id, f"running {what}", str(wanted), str(live), Action.RESIZE)
    disk_gib = taken.disk_gib if taken else seen.disk_gib
    if disk_gib not in {None, machine.size.disk_gib}:
        yield _drift(host, machine.id, "disk GiB", str(machine.size.disk_gib), str(disk_gib), Action.RESIZE)
    if seen.resize_unconfirmed:
        yield _drift(host, machine.id, "resize", "confirmed", "waiting to be confirmed", Action.RESIZE)
    names = {network.network: network.name for network in plan.networks if network.host == host.host}
    over = {network.bridge: network.name for network in plan.networks if network.host == host.host and network.bridge}
    wanted_nics = tuple(sorted((names.get(nic.network, nic.network), nic.mac) for nic in machine.nics))
    for what, nics in (("network cards", seen.nics), ("running network cards", seen.live_nics)):
        if nics is None:
            continue
        found_nics = tuple(sorted((nic.network or over.get(nic.bridge, ""), nic.mac) for nic in nics))
        if found_nics != wanted_nics:
            yield _drift(host, machine.id, what, _nics_text(wanted_nics), _nics_text(found_nics), Action.RECONNECT)
            break
    yield from _card_drift(plan, machine, host, seen)
    if seen.autostart != machine.autostart:
        yield _drift(host, machine.id, "autostart", _on_off(machine.autostart), _on_off(seen.autostart), Action.SET_AUTOSTART)


def _card_drift(plan: Plan, machine: PlannedMachine, host: HostObservation, seen: ObservedMachine) -> Iterator[Drift]:
    """What a provider that knows them says of addresses and security groups of cards that are there."""
    cards = {nic.mac: nic for nic in seen.nics}
    for nic in machine.nics:
        card = cards.get(nic.mac)
        if card is None:
            continue
        if card.address not in {None, nic.address}:
            yield _drift(host, machine.id, f"address of {nic.mac}", nic.address, card.address or "none", Action.RECONNECT)
        groups = security_groups(plan.estate, machine, nic)
        wanted = tuple(group.name for group in groups)
        if card.security_groups not in {None, wanted}:
            found = ", ".join(card.security_groups or ()) or "none"
            yield _drift(host, machine.id, f"security groups of {nic.mac}", ", ".join(wanted), found, Action.RECONNECT)
        for group in groups:
            yield from _rules_drift(machine, host, group)


def _rules_drift(machine: PlannedMachine, host: HostObservation, group: SecurityGroup) -> Iterator[Drift]:
    """A group that lets in what it should not, or not what it should. What it lets out besides is left alone."""
    seen = next((each for each in host.security_groups if each.name == group.name), None)
    if seen is None:
        return
    wanted = {str(rule) for rule in rules_of(group)}
    lacking = sorted(wanted.difference(seen.rules))
    surplus = sorted(rule for rule in set(seen.rules) - wanted if rule.startswith(f"{IN} "))
    if lacking or surplus:
        wanted_text, found = ", ".join(lacking) or "nothing more", ", ".join(surplus) or "not there"
        yield _drift(host, machine.id, f"{_RULES}{group.name}", wanted_text, found, Action.RECONNECT)


def _surplus(plan: Plan, host: HostObservation, memory: Memory) -> Iterator[Drift]:
    planned = {machine.uuid for machine in plan.machines}
    for seen in host.machines:
        if seen.mark is None or seen.mark.estate != plan.estate or seen.uuid in planned:
            continue
        known = memory.native_ids.get(seen.uuid, "" if seen.mark.adopted else seen.native_id)
        recorded = seen.uuid in memory.recorded_uuids and known == seen.native_id
        found = seen.state if recorded else f"{seen.state}, {_unplanned(seen.mark, adopted=known == seen.native_id)}"
        leave = Action.RELEASE if seen.mark.adopted else Action.REMOVE
        yield _drift(host, seen.mark.machine, "machine", "absent", found, leave if recorded else Action.REFUSE)


def _unplanned(mark: Mark, *, adopted: bool) -> str:
    if mark.adopted and adopted:
        return "adopted, but in no accepted plan yet: plan and apply, or `kasumi adopt --release`"
    return "marked as ours but in no plan on record"


def _drift(host: HostObservation, subject: str, what: str, wanted: str, found: str, action: Action) -> Drift:
    return Drift(host=host.host, subject=subject, what=what, wanted=str(wanted), found=str(found), action=action)


def _state_text(seen: ObservedMachine) -> str:
    return f"{seen.state}: {seen.fault}" if seen.fault else seen.state.value


def _owner(machine: ObservedMachine) -> str:
    return "a foreign machine" if machine.mark is None else f"{machine.mark.estate}/{machine.mark.machine}"


def _nics_text(nics: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{mac} on {network or 'nothing known'}" for network, mac in nics) or "none"


def _on_off(value: bool) -> str:
    return "on" if value else "off"
