"""How proposed moves between hosts are checked, shown and written."""

import json
from pathlib import Path

import typer

from controlplane.cli.output import print_table, say
from controlplane.cli.plan import STDOUT, write_whole
from controlplane.errors import KasumiError
from controlplane.model.document import digest, to_data
from controlplane.model.finding import Severity
from controlplane.model.plan import Plan
from controlplane.model.rebalance import Rebalance
from controlplane.planning.between import plans_between
from controlplane.planning.checks import check_plan
from controlplane.planning.inputs import PlanInputs


def show_moves(found: Rebalance, plan: Plan, inputs: PlanInputs, out: Path | None) -> None:
    """Ask the checker about every state, then show the moves and write them. Raises KasumiError before anything is written."""
    known = {finding.where for finding in check_plan(plan, inputs.estate, inputs.observation)}
    for number, state in enumerate(plans_between(plan, found, inputs.estate), start=1):
        for finding in check_plan(state, inputs.estate, inputs.observation):
            if finding.severity is Severity.CRITICAL and finding.where not in known:
                raise KasumiError(f"the state after move {number} does not pass its check ({finding}); nothing was written")
    if out == STDOUT:
        typer.echo(_document(found), nl=False)
    else:
        _show(found)
    if out is not None and out != STDOUT:
        write_whole(Path(out), _document(found))
        say(f"written to {out}")


def _document(found: Rebalance) -> str:
    return json.dumps({"digest": digest(found), **to_data(found)}, ensure_ascii=False, sort_keys=True, indent=1) + "\n"


def _show(found: Rebalance) -> None:
    if found.moves:
        columns = ("ORDER", "WINDOW", "MACHINE", "FROM", "TO", "MEMORY", "DISK", "WHY")
        rows = [
            (
                str(move.order),
                str(move.window),
                move.machine,
                move.found,
                move.wanted,
                f"{move.memory_mib} MiB",
                f"{move.disk_gib} GiB",
                move.reason,
            )
            for move in found.moves
        ]
        print_table(columns, rows)
    for text in found.left:
        say(f"stays against a rule: {text}")
