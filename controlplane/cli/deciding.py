"""What verbs share by which a person decides about a server: who, about which server, why, and taking it back."""

from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from controlplane.cli.output import say
from controlplane.cli.session import Session
from controlplane.discovery.selection import selected
from controlplane.errors import ExitCode, KasumiError, RefusedError

SERVER_ARGUMENT: Any = typer.Argument(..., metavar="SERVER", help="Id of a server of the inventory.")
REASON_OPTION: Any = typer.Option(..., "--reason", help="Why; it goes into the evidence with your name.")
WITHDRAW_OPTION: Any = typer.Option(False, "--withdraw", help="Take an earlier decision about it back.")


def deciding_session(server: str, reason: str, home: Path | None, inventory: Path | None) -> Session:
    """The session for a decision about a server. Raises KasumiError when there is no such server or no reason."""
    session = Session(home=home, inventory=inventory)
    if server not in session.estate.servers:
        selected(session.estate, [server])
        raise KasumiError(f"{server} is not a server; `kasumi inventory list servers` shows ids", ExitCode.USAGE)
    if not reason.strip():
        raise KasumiError("--reason is empty; say why, it goes into the evidence", ExitCode.USAGE)
    return session


def withdrawn(session: Session, server: str, subject: str, reason: str, now: datetime) -> int:
    """Take a decision back. Raises RefusedError when there is none."""
    if not session.store.decisions.withdraw(session.estate.id, server, subject, actor=session.actor, reason=reason, at=now):
        raise RefusedError(f"server {server}: nobody has decided about {subject}; there is nothing to withdraw")
    say(f"server {server}: decision about {subject} withdrawn by {session.actor}; assess again")
    return ExitCode.DONE
