"""`kasumi facts`: what is known of one server, field by field, and who says so."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import typer

from controlplane.assessment.truth import ServerTruth, contradiction_findings
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, say
from controlplane.cli.session import Session
from controlplane.discovery.selection import selected
from controlplane.errors import ExitCode, KasumiError
from controlplane.execution.assessing import truth_of_server
from controlplane.inventory.complaints import suggestion
from controlplane.model.document import to_data
from controlplane.model.facts import CATALOGUE, Value

COLUMNS = ("field", "value", "source", "used", "confidence", "observed_at", "by")
_SHOWN = 100
"""Characters of a value in a table; -o json has them all."""


def facts(
    server: str = typer.Argument(..., metavar="SERVER", help="Id of a server of the inventory."),
    field: list[str] = typer.Option([], "--field", help="Only these fields, as `disks` or `os.*`."),
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Show what is known of a server: every source's latest answer for each field, which one counts, what contradicts."""
    session = Session(home=home, inventory=inventory)
    if server not in session.estate.servers:
        selected(session.estate, [server])
        raise KasumiError(f"facts: {server} is not a server; `kasumi inventory list servers` shows ids", ExitCode.USAGE)
    truth = truth_of_server(session.estate, session.store, server, as_of=datetime.now(UTC).date())
    last = session.store.facts.latest(session.estate.id, server=server).get(server, ())
    _check_fields(field)
    rows = records(truth, field)
    if output is Format.TABLE:
        rows = [row | {"value": shown(row["value"]), "observed_at": str(row["observed_at"])[:19]} for row in rows]  # type: ignore[arg-type]
    elif output is Format.CSV:
        rows = [row | {"value": json.dumps(row["value"], ensure_ascii=False)} for row in rows]
    emit("facts", rows, COLUMNS, output)
    for one in last:
        why = f": {one.message}" if one.message else ""
        say(f"{server}: {one.source.value} {one.answer.value} at {one.collected_at:%Y-%m-%d %H:%M:%S%z}{why}")
    if field and not rows:
        say(f"{server}: no source says anything about {', '.join(field)}")
    if not last:
        say(f"{server}: nobody has asked it yet; `kasumi discover {server}`")
    for finding in contradiction_findings(truth):
        say(f"{finding.severity.value}: {finding}")
    return ExitCode.DONE


def records(truth: ServerTruth, fields: Sequence[str]) -> list[dict[str, object]]:
    """One record for each fact, in the order of the catalogue, sources side by side, the one that counts first."""
    order = {name: place for place, name in enumerate(CATALOGUE)}
    wanted = [known for name, known in truth.fields.items() if not fields or any(_matches(name, one) for one in fields)]
    wanted.sort(key=lambda known: order.get(known.field, len(order)))
    return [
        to_data(fact) | {"used": not place and known.accepted is None, "contradiction": known.contradiction}
        for known in wanted
        for place, fact in enumerate(known.facts)
    ]


def _check_fields(wanted: Sequence[str]) -> None:
    for one in wanted:
        if not any(_matches(name, one) for name in CATALOGUE):
            remedy = suggestion(one, tuple(CATALOGUE), "without --field all are shown")
            raise KasumiError(f"facts: --field {one}: no such field; {remedy}", ExitCode.USAGE)


def _matches(field: str, wanted: str) -> bool:
    return field == wanted or (wanted.endswith("*") and field.startswith(wanted[:-1]))


def shown(value: Value) -> str:
    """A value short enough for a table."""
    if isinstance(value, list):
        few = ", ".join(_brief(item) for item in value[:4])
        return f"{len(value)}: {few}"[:_SHOWN] + (" …" if len(value) > 4 or len(few) > _SHOWN else "") if value else "none"
    return _brief(value)[:_SHOWN]


def _brief(value: Value) -> str:
    if isinstance(value, dict):
        return " ".join(str(item) for item in value.values() if not isinstance(item, (dict, list)))
    return str(value)
