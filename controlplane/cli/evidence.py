"""`kasumi evidence`: what was decided and done, by whom; and the proof that nobody rewrote it."""

import json

import typer

from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode
from controlplane.model.document import to_data

COLUMNS = ("number", "at", "actor", "action", "subject", "detail")


def evidence(
    verify: bool = typer.Option(False, "--verify", help="Check every seal; exit 1 at the first record that was changed."),
    last: int | None = typer.Option(None, "--last", min=1, help="Only the last N records."),
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """List the evidence of the estate, or verify its chain. Note the last digest elsewhere: it seals all before it."""
    session = Session(home=home, inventory=inventory)
    estate = session.estate.id
    if verify:
        return _verify(session, estate)
    records = [to_data(record) for record in session.store.evidence(estate, limit=last)]
    if output in {Format.TABLE, Format.CSV}:
        records = [record | {"detail": json.dumps(record["detail"], ensure_ascii=False)} for record in records]
    emit("evidence", records, COLUMNS, output)
    return ExitCode.DONE


def _verify(session: Session, estate: str) -> int:
    broken = session.store.first_broken_evidence(estate)
    if broken is not None:
        say(
            f"evidence of {estate}: record {broken} does not fit its seal, its number or the record before it; "
            "it was changed after it was written: compare with a backup of the database"
        )
        return ExitCode.FAILED
    count = session.store.evidence_count(estate)
    (newest,) = session.store.evidence(estate, limit=1) or (None,)
    say(f"evidence of {estate}: {count} records, unbroken" + (f"; last digest {newest.digest}" if newest is not None else ""))
    return ExitCode.DONE
