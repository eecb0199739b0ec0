"""`kasumi evidence`: what was decided and done, by whom; and whether the record is whole."""

import typer

from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.model.document import to_data

_COLUMNS = ("number", "at", "actor", "action", "subject", "digest")


def evidence(
    verify: bool = typer.Option(False, "--verify", help="Check that no record was changed, dropped or added between."),
    limit: int = typer.Option(50, "--limit", min=1, help="Show the last so many records."),
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """List the evidence of the estate, or verify its chain. Exit 1 when the chain is broken."""
    session = Session(home=home, inventory=inventory)
    if not verify:
        emit("evidence", [to_data(record) for record in session.store.evidence(session.estate.id, limit=limit)], _COLUMNS, output)
        return ExitCode.DONE
    broken = session.store.first_broken_evidence(session.estate.id)
    if broken is not None:
        raise KasumiError(
            f"evidence of {session.estate.id}: broken at record {broken}; restore the database and find out who changed it"
        )
    last = session.store.evidence(session.estate.id, limit=1)
    seal = f"{last[-1].number} records, last digest {last[-1].digest}" if last else "no records yet"
    say(f"evidence of {session.estate.id} is whole: {seal}")
    return ExitCode.DONE
