"""What changes from one plan to the next: machines added, removed, moved and changed, field by field."""

from dataclasses import dataclass

from controlplane.model.document import to_data
from controlplane.model.plan import Plan, PlannedMachine

_COMPARED = ("host", "size", "nics", "image", "roles", "services", "variables", "tier", "confidentiality", "replica_group", "autostart", "method")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field of a machine, before and after, as text."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineChange:
    """One machine that differs: `mark` is + added, - removed, -> moved to another host, ~ changed in place."""

    machine: str
    mark: str
    host_before: str
    host_after: str
    changes: tuple[FieldChange, ...]


def diff_plans(before: Plan | None, after: Plan) -> tuple[MachineChange, ...]:
    """All machines that differ, by id; `before` None means that nothing exists yet."""
    old = {machine.id: machine for machine in before.machines} if before is not None else {}
    new = {machine.id: machine for machine in after.machines}
    found = []
    for machine_id in sorted(old.keys() | new.keys()):
        change = _change(machine_id, old.get(machine_id), new.get(machine_id))
        if change is not None:
            found.append(change)
    return tuple(found)


def _change(machine_id: str, old: PlannedMachine | None, new: PlannedMachine | None) -> MachineChange | None:
    if old is None and new is not None:
        return MachineChange(machine=machine_id, mark="+", host_before="", host_after=new.host, changes=())
    if new is None and old is not None:
        return MachineChange(machine=machine_id, mark="-", host_before=old.host, host_after="", changes=())
    if old is None or new is None:
        return None
    changes = tuple(
        FieldChange(field=name, before=before, after=after)
        for field in _COMPARED
        for name, before, after in _field_changes(field, to_data(getattr(old, field)), to_data(getattr(new, field)))
    )
    if not changes:
        return None
    mark = "->" if old.host != new.host else "~"
    return MachineChange(machine=machine_id, mark=mark, host_before=old.host, host_after=new.host, changes=changes)


def _field_changes(name: str, before: object, after: object) -> list[tuple[str, str, str]]:
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted(before.keys() | after.keys())
        return [change for key in keys for change in _field_changes(f"{name}.{key}", before.get(key), after.get(key))]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [change for number, (one, other) in pairs for change in _field_changes(f"{name}.{number}", one, other)]
    return [(name, str(before), str(after))]
