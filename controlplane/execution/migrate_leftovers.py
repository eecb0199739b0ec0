"""What killed migrations left behind and nobody takes up again: exports with their keys on hosts, cut copies on this controller.

Swept by the next migration that comes to the host. Only what the records of this store say to be over is touched, by the id that
follows from estate and machine, and only while nobody is at work on that machine. A migration without record may be another
controller's; one that stands still may be taken up again by any controller; both are left alone. So is a whole copy: it goes only
once its disk was proven to be elsewhere, or its source runs again and has moved on.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from controlplane.connectors.disks import end_export, exports
from controlplane.connectors.shell import Shell
from controlplane.errors import LockedError
from controlplane.model.migration import Migration, Phase
from controlplane.model.plan import Method, Plan
from controlplane.planning.identity import machine_uuid
from controlplane.store import Store

_PULLING = frozenset({Phase.PREPARED, Phase.SOURCE_STOPPED})
_WHOLE_HERE = frozenset({Phase.COPIED, Phase.VERIFIED})


def export_is_over(record: Migration, plan: Plan) -> bool:
    """Whether nobody will pull by its export again: all was pulled, or the plan moves the machine no more."""
    return record.phase not in _PULLING or record.machine not in _migrating(plan)


def copy_is_over(record: Migration, plan: Plan) -> bool:
    """Whether nobody needs the file that its ranges are gathered in."""
    return record.phase not in _WHOLE_HERE and export_is_over(record, plan)


def sweep(plan: Plan, store: Store, shells: Sequence[Shell], *, copies: Path | None, at_work_on: str) -> tuple[str, ...]:
    """Remove what is over from these hosts and from the folder of copies, if there is one; one line for each thing.

    `at_work_on`: the machine whose lock the caller holds. May be repeated. Raises KasumiError, UnreachableError.
    """
    hosts = {shell.place: shell for shell in shells}
    there = {place: exports(shell) for place, shell in hosts.items()}
    told: list[str] = []
    for record in store.migrations(plan.estate):
        uuid = machine_uuid(plan.estate, record.machine)
        file = copies / f"{uuid}.raw" if copies is not None else None
        left = [shell for place, shell in hosts.items() if uuid in there[place]]
        if record.machine == at_work_on or not (left or (file is not None and file.exists())):
            continue
        with suppress(LockedError), store.controller_lock(f"{plan.estate}/{record.machine}", verb="migrate"):
            told += _sweep_one(store.migration(plan.estate, record.machine) or record, plan, left, uuid, file)
    return tuple(told)


def _sweep_one(record: Migration, plan: Plan, shells: Iterable[Shell], uuid: str, file: Path | None) -> Iterable[str]:
    if export_is_over(record, plan):
        for shell in shells:
            end_export(shell, uuid)
            yield f"{shell.place}: ended the export that a killed migration of {record.machine} left"
    if file is not None and copy_is_over(record, plan) and file.exists():
        file.unlink()
        yield f"{file}: removed the copy that a killed migration of {record.machine} left"


def _migrating(plan: Plan) -> frozenset[str]:
    return frozenset(machine.id for machine in plan.machines if machine.method is Method.COLD)
