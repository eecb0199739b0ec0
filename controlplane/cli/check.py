"""`kasumi check`: hold a saved plan against the inventory and the hosts, by code that did not make it."""

import typer

from controlplane.cli.gathering import OFFLINE_OPTION, gather_for
from controlplane.cli.named_plan import named_plan
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode
from controlplane.model.document import digest, to_data
from controlplane.model.finding import Severity
from controlplane.planning.checks import check_plan

COLUMNS = ("severity", "where", "what", "remedy")


def check(
    plan: str = typer.Argument(..., metavar="PLAN", help="A file written by `kasumi plan`, or the word `accepted`."),
    offline: bool = OFFLINE_OPTION,
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Check a plan anew, from the rules and not from the planner: every finding, critical ones first. Changes nothing.

    Exit codes: 0 nothing critical, 1 a critical finding: the plan must not be applied.
    """
    session = Session(home=home, inventory=inventory)
    checked = named_plan(plan, session)
    inputs = gather_for(checked, plan, session, offline=offline)
    findings = check_plan(checked, inputs.estate, inputs.observation)
    if findings or output is not Format.TABLE:
        emit("findings", [to_data(finding) for finding in findings], COLUMNS, output)
    critical = sum(1 for finding in findings if finding.severity is Severity.CRITICAL)
    verdict = "must not be applied" if critical else "passes"
    say(
        f"plan {digest(checked)[:12]}: {len(checked.machines)} machines on {len(checked.hosts)} hosts checked, "
        f"{critical} critical, {len(findings) - critical} other findings; it {verdict}"
    )
    return ExitCode.FAILED if critical else ExitCode.DONE
