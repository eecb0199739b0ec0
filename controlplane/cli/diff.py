"""`kasumi diff`: what one plan changes against another."""

import typer

from controlplane.cli.named_plan import named_plan
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, emit_document
from controlplane.cli.plan_view import show_difference
from controlplane.cli.session import Session
from controlplane.errors import ExitCode
from controlplane.model.document import to_data
from controlplane.planning.difference import PlanDifference, diff_plans

COLUMNS = ("mark", "machine", "field", "found", "wanted")


def diff(
    before: str = typer.Argument(..., metavar="A", help="A plan file, or the word `accepted`."),
    after: str = typer.Argument(..., metavar="B", help="A plan file, or the word `accepted`."),
    detailed_exitcode: bool = typer.Option(False, "--detailed-exitcode", help="Exit 2 when the plans differ."),
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Show what plan B changes against plan A: machines added, removed, moved and changed, and the fate of servers.

    Exit codes: 0 shown, 2 the plans differ (only with --detailed-exitcode).
    """
    session = Session(home=home, inventory=inventory)
    difference = diff_plans(named_plan(before, session), named_plan(after, session))
    if output is Format.TABLE:
        show_difference(difference)
    elif output is Format.CSV:
        emit("changes", _records(difference), COLUMNS, output)
    else:
        emit_document({"is_empty": difference.is_empty, "difference": to_data(difference)}, output)
    return ExitCode.DIFFERENCES if detailed_exitcode and not difference.is_empty else ExitCode.DONE


def _records(difference: PlanDifference) -> list[dict[str, object]]:
    records: list[dict[str, object]] = []
    records += [{"mark": "-", "machine": machine.id, "found": machine.host} for machine in difference.removed]
    for change in difference.changed:
        if change.moved is not None:
            records.append(_row("->", change.machine.id, "host", *change.moved))
        records += [_row("~", change.machine.id, item.field, item.found, item.wanted) for item in change.fields]
    records += [{"mark": "+", "machine": machine.id, "wanted": machine.host} for machine in difference.added]
    return records


def _row(mark: str, machine: str, field: str, found: str, wanted: str) -> dict[str, object]:
    return {"mark": mark, "machine": machine, "field": field, "found": found, "wanted": wanted}
