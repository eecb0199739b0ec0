"""`kasumi explain`: why a machine has this size, host, address and order, and why it is on no other host."""

from dataclasses import replace

import typer

from controlplane.cli.explain_view import show_explanation
from controlplane.cli.gathering import OFFLINE_OPTION, gather, gather_for
from controlplane.cli.named_plan import ACCEPTED, named_plan
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, emit_document, say
from controlplane.cli.scheduling import plain_policy
from controlplane.cli.session import Session
from controlplane.cli.waves_view import wave_reason
from controlplane.errors import ExitCode
from controlplane.model.document import digest, to_data
from controlplane.planning.explain import Explanation
from controlplane.planning.explain import explain as explained
from controlplane.planning.waves import scheduled

COLUMNS = ("host", "answer", "machines", "full", "why")


def explain(
    machine: str = typer.Argument(..., metavar="MACHINE", help="A machine, or a server by what becomes of it."),
    plan: str = typer.Argument(
        "", metavar="[PLAN]", help="A plan file or `accepted`; without it the accepted plan, or what would be planned now."
    ),
    first: str = typer.Option(
        "", "--from", metavar="DATE", help="Also say in which wave it moves from this day on, by the defaults of `kasumi waves`."
    ),
    offline: bool = OFFLINE_OPTION,
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Say why a machine is as the plan says: size, host, address, order; what each other host objects; what was possible.

    Every other host is asked with all other machines where the plan has them. Changes nothing.
    """
    session = Session(home=home, inventory=inventory)
    if plan or session.store.accepted_plan(session.estate.id) is not None:
        shown = named_plan(plan or ACCEPTED, session)
        inputs = gather_for(shown, plan or ACCEPTED, session, offline=offline)
    else:
        say("no plan is accepted here: explained is what would be planned now")
        inputs = gather(session, offline=offline)
        shown = inputs.plan()
    found = explained(machine, shown, inputs)
    if first:
        made = scheduled(shown, inputs, plain_policy(session, first))
        found = replace(found, reasons=(*found.reasons, ("wave", wave_reason(made, machine))))
    if output is Format.TABLE:
        show_explanation(found, shown)
    elif output is Format.CSV:
        emit("hosts", _records(found), COLUMNS, output)
    else:
        emit_document({"plan": digest(shown), "explanation": to_data(found)}, output)
    return ExitCode.DONE


def _records(found: Explanation) -> list[dict[str, object]]:
    return [
        {
            "host": answer.host,
            "answer": "chosen" if answer.chosen else "possible" if answer.possible else "no",
            "machines": answer.others_there,
            "full": f"{answer.full:.3f}",
            "why": "; ".join(objection.text for objection in answer.objections),
        }
        for answer in found.hosts
    ]
