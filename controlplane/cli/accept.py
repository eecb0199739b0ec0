"""`kasumi accept`: a person answers by name for a contradiction or a rule that blocks."""

import json
from datetime import UTC, datetime
from pathlib import Path

import typer

from controlplane.assessment.names import NAMES
from controlplane.assessment.truth import seen_digest, shown
from controlplane.cli.deciding import REASON_OPTION, SERVER_ARGUMENT, WITHDRAW_OPTION, deciding_session, withdrawn
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError, RefusedError
from controlplane.execution.assessing import rule_result, truth_of_server
from controlplane.inventory.complaints import suggestion
from controlplane.model.decision import RULE_PREFIX, Decision
from controlplane.model.facts import Value


def accept(
    server: str = SERVER_ARGUMENT,
    subject: str = typer.Argument(..., metavar="FIELD|rule:ID", help="A contradicted field, or a critical readiness rule."),
    reason: str = REASON_OPTION,
    value: str = typer.Option(
        "", "--value", help="The value that is right (default: the one used now), as sources write it; lists as JSON."
    ),
    rules: OptionalPath = typer.Option(
        None, "--rules", metavar="DIR", help="Directory with further rules, as for assess.", file_okay=False
    ),
    withdraw: bool = WITHDRAW_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Accept a contradiction or a blocking rule by name. It holds while the same is seen; exit 5 when there is nothing to accept."""
    session = deciding_session(server, reason, home, inventory)
    now = datetime.now(UTC)
    if withdraw:
        return withdrawn(session, server, subject, reason, now)
    if subject.startswith(RULE_PREFIX):
        seen, held = _rule(session, server, subject, rules, now)
    else:
        seen, held = _field(session, server, subject, value, now)
    session.store.decisions.record(
        session.estate.id,
        Decision(server=server, subject=subject, value=held, reason=reason, actor=session.actor, at=now, seen=seen),
    )
    say(f"server {server}: {subject} accepted{f' as {shown(held)}' if held is not None else ''} by {session.actor}; assess again")
    return ExitCode.DONE


def _field(session: Session, server: str, subject: str, value: str, now: datetime) -> tuple[str, Value]:
    if subject not in NAMES:
        remedy = suggestion(subject, tuple(NAMES), f"`kasumi facts {server}` shows them")
        raise KasumiError(f"{subject}: no such field; {remedy}", ExitCode.USAGE)
    known = truth_of_server(session.estate, session.store, server, as_of=now.date()).fields.get(subject)
    if known is None or not known.contradiction:
        what = "its sources agree" if known is not None else "nobody says anything about it"
        raise RefusedError(f"server {server}: {subject}: {what}; there is nothing to accept")
    said = known.facts[0].value
    return seen_digest(known.facts), _value(value, said, f"server {server}: {subject}") if value else said


def _value(text: str, said: Value, what: str) -> Value:
    """The value that a person gives, of the kind that sources give: what counts afterwards must be one they could have said."""
    if isinstance(said, str):
        if text.strip():
            return text.strip()
        raise KasumiError(f"{what}: --value is blank; a source says {shown(said)}", ExitCode.USAGE)
    try:
        read: Value = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        read = None
    if isinstance(said, int) and not isinstance(said, bool):
        if isinstance(read, int) and not isinstance(read, bool) and read > 0:
            return read
        raise KasumiError(f"{what}: --value {text}: wanted a whole number above zero, as {said}", ExitCode.USAGE)
    if type(read) is type(said) and (not isinstance(read, list) or _alike(read, said)):
        return read
    raise KasumiError(f"{what}: --value {text}: wanted JSON as {json.dumps(said, ensure_ascii=False)}", ExitCode.USAGE)


def _alike(read: list[Value], said: Value) -> bool:
    """Whether a list has items of the kinds that the source's list has."""
    kinds = {type(item) for item in said} if isinstance(said, list) else set()
    return bool(read) and {type(item) for item in read} <= kinds


def _rule(session: Session, server: str, subject: str, rules: Path | None, now: datetime) -> tuple[str, Value]:
    result = rule_result(session.estate, session.store, server, subject.removeprefix(RULE_PREFIX), as_of=now.date(), rules=rules)
    if result is None or not result.seen:
        raise RefusedError(f"server {server}: {subject} is not met; there is nothing to accept")
    return result.seen, None
