"""`kasumi show`: read a saved plan."""

import typer

from controlplane.cli.footprint_view import footprints_at_hand
from controlplane.cli.named_plan import against_parent, named_plan
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, emit_document
from controlplane.cli.plan_view import show_plan
from controlplane.cli.session import Session
from controlplane.errors import ExitCode
from controlplane.model.document import digest, to_data
from controlplane.model.plan import PlannedMachine
from controlplane.planning.bounds import hosts_used

COLUMNS = ("id", "ministry", "system", "host", "vcpus", "memory_mib", "disk_gib", "address", "method", "order")


def show(
    plan: str = typer.Argument(..., metavar="PLAN", help="A file written by `kasumi plan`, or the word `accepted`."),
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Show a plan: hosts and ministries before and after, each machine with the reason for every choice, warnings."""
    session = Session(home=home, inventory=inventory)
    shown = named_plan(plan, session)
    running = footprints_at_hand(shown, session) if output is not Format.CSV else None
    if output is Format.TABLE:
        show_plan(shown, against_parent(shown, session), running)
    elif output is Format.CSV:
        emit("machines", [_record(machine) for machine in shown.machines], COLUMNS, output)
    else:
        known = {"hosts_used": to_data(hosts_used(shown)), "running": to_data(running)}
        emit_document({"digest": digest(shown), **known, "plan": to_data(shown)}, output)
    return ExitCode.DONE


def _record(machine: PlannedMachine) -> dict[str, object]:
    return {
        "id": machine.id,
        "ministry": machine.ministry,
        "system": machine.system,
        "host": machine.host,
        "vcpus": machine.size.vcpus,
        "memory_mib": machine.size.memory_mib,
        "disk_gib": machine.size.disk_gib,
        "address": [nic.address for nic in machine.nics],
        "method": machine.method.value,
        "order": machine.order,
    }
