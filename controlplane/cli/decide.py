"""`kasumi decide`: a person says what becomes of a server, with a reason."""

from datetime import UTC, datetime

import typer

from controlplane.cli.deciding import REASON_OPTION, SERVER_ARGUMENT, WITHDRAW_OPTION, deciding_session, withdrawn
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import say
from controlplane.errors import ExitCode, KasumiError
from controlplane.model.decision import DISPOSITION, Decision
from controlplane.model.estate import Disposition


def decide(
    server: str = SERVER_ARGUMENT,
    disposition: Disposition = typer.Argument(..., help="What becomes of it."),
    reason: str = REASON_OPTION,
    into: str = typer.Option("", "--into", metavar="MACHINE", help="The wanted machine that takes a merged server over."),
    withdraw: bool = WITHDRAW_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Decide what becomes of a server, whatever the assessment advises. The reason is kept in evidence."""
    session = deciding_session(server, reason, home, inventory)
    now = datetime.now(UTC)
    if withdraw:
        return withdrawn(session, server, DISPOSITION, reason, now)
    merge = disposition is Disposition.MERGE
    if merge and into not in session.estate.machines:
        raise KasumiError(f"merge needs a wanted machine, found {into or '(none)'}; name one with --into", ExitCode.USAGE)
    if into and not merge:
        raise KasumiError(f"--into is for merge, not for {disposition.value}; leave it out", ExitCode.USAGE)
    session.store.decisions.record(
        session.estate.id,
        Decision(
            server=server, subject=DISPOSITION, value={"disposition": disposition.value, "into": into}, reason=reason,
            actor=session.actor, at=now,
        ),
    )  # fmt: skip
    say(f"server {server}: {disposition.value}, decided by {session.actor}; assess again")
    return ExitCode.DONE
