"""What one plan changes against another: machines added, removed, changed field by field, and machines on another host."""

from collections.abc import Iterator
from dataclasses import dataclass

from controlplane.model.document import digest, to_data
from controlplane.model.plan import Plan, PlannedMachine, PlannedServer

_UNSHOWN = frozenset({"id", "reasons", "derived_from", "host"})
"""Fields of a machine that are no change to it: its reasons tell of the plan, and its host is a move of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field: what it was (`found`) and what it is to be (`wanted`), as text."""

    field: str
    found: str
    wanted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineChange:
    """One machine in both plans that is not the same; `moved` is (from host, to host) or None."""

    machine: PlannedMachine
    moved: tuple[str, str] | None
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerChange:
    """What becomes of a server now, and became of it before; None where a plan does not know it."""

    id: str
    found: str | None
    wanted: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDifference:
    """Everything that differs. Digests are of the plans; `before` is empty when there was none."""

    before: str
    after: str
    added: tuple[PlannedMachine, ...]
    removed: tuple[PlannedMachine, ...]
    changed: tuple[MachineChange, ...]
    unchanged: int
    servers: tuple[ServerChange, ...]
    hosts_added: tuple[str, ...]
    hosts_removed: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """True when applying the second after the first would change no machine, and no server's fate differs."""
        return not (self.added or self.removed or self.changed or self.servers or self.hosts_added or self.hosts_removed)


def diff_plans(before: Plan | None, after: Plan) -> PlanDifference:
    """The difference from one plan, or from nothing, to another. Inputs, reasons and parents are no difference."""
    old = {machine.id: machine for machine in before.machines} if before is not None else {}
    new = {machine.id: machine for machine in after.machines}
    common = sorted(set(old) & set(new))
    changes = [_machine_change(old[machine], new[machine]) for machine in common]
    changed = [change for change in changes if change.moved is not None or change.fields]
    old_hosts = {host.id for host in before.hosts} if before is not None else set()
    new_hosts = {host.id for host in after.hosts}
    return PlanDifference(
        before=digest(before) if before is not None else "",
        after=digest(after),
        added=tuple(machine for machine in after.machines if machine.id not in old),
        removed=tuple(old[machine] for machine in sorted(set(old) - set(new))),
        changed=tuple(changed),
        unchanged=len(common) - len(changed),
        servers=tuple(_server_changes(before, after)),
        hosts_added=tuple(sorted(new_hosts - old_hosts)),
        hosts_removed=tuple(sorted(old_hosts - new_hosts)),
    )


def _machine_change(old: PlannedMachine, new: PlannedMachine) -> MachineChange:
    found, wanted = _flat(old), _flat(new)
    fields = tuple(
        FieldChange(field=name, found=found.get(name, "none"), wanted=wanted.get(name, "none"))
        for name in sorted(set(found) | set(wanted))
        if found.get(name) != wanted.get(name)
    )
    return MachineChange(machine=new, moved=(old.host, new.host) if old.host != new.host else None, fields=fields)


def _flat(machine: PlannedMachine) -> dict[str, str]:
    """Field path to text; list members by number."""
    data = to_data(machine)
    return dict(pair for name in sorted(data) if name not in _UNSHOWN for pair in _walk(name, data[name]))


def _walk(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _walk(f"{path}.{key}", value[key])
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _walk(f"{path}[{number}]", item)
    else:
        yield path, "none" if value is None or value == "" else str(value)


def _server_changes(before: Plan | None, after: Plan) -> Iterator[ServerChange]:
    old = {server.id: _fate(server) for server in before.servers} if before is not None else {}
    new = {server.id: _fate(server) for server in after.servers}
    for server in sorted(set(old) | set(new)):
        if old.get(server) != new.get(server):
            yield ServerChange(id=server, found=old.get(server), wanted=new.get(server))


def _fate(server: PlannedServer) -> str:
    return f"{server.disposition.value} into {server.machine}" if server.machine else server.disposition.value
