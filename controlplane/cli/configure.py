"""`kasumi configure`: push the security policy and middleware to machines."""

import sys
from pathlib import Path

import typer
from rich.console import Console
from rich.status import Status as Spinner

from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import DOCUMENT_OPTION, Format, emit_document, print_table, say
from controlplane.cli.session import Session
from controlplane.connectors.ansible import Engine
from controlplane.connectors.push_events import Difference, Notice, PushEvent, TaskEnded, TaskFailed, TaskStarted
from controlplane.execution import configure as stage
from controlplane.model.document import to_data

COLUMNS = ("machine", "status", "ok", "changed", "failed", "skipped", "task", "message")


def configure(
    machines: list[str] = typer.Argument(
        None, metavar="[MACHINE]...", help="Machines of the accepted plan; all made from an image when left out."
    ),
    check: bool = typer.Option(False, "--check", help="Change nothing, say what would change."),
    diff: bool = typer.Option(False, "--diff", help="Show changes of files line by line."),
    tags: list[str] = typer.Option([], "--tags", help="Only these controls: KSP-ACCESS-1,KSP-TIME-1."),
    plain: bool = typer.Option(False, "--plain", help="Without Mitogen: Ansible's own ssh with pipelining."),
    wait: float = typer.Option(stage.WAIT_SECONDS, "--wait", min=0, help="Seconds to wait for machines that just boot."),
    accept_host_key: list[str] = typer.Option(
        [], "--accept-host-key", metavar="MACHINE", help="This machine's ssh host key changed and you know why."
    ),
    vault_password_file: Path | None = typer.Option(
        None,
        "--vault-password-file",
        envvar="ANSIBLE_VAULT_PASSWORD_FILE",
        exists=True,
        help="Opens variables made by ansible-vault.",
    ),
    output: Format = DOCUMENT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Push the security policy, and the middleware each machine's roles ask for. The second run changes nothing.

    Exit codes: 0 done, 1 failed, 3 some machines failed, 4 some were not reached, 5 a changed ssh host key was refused,
    75 another push is on its way, 130 interrupted.
    """
    session = Session(home=home, inventory=inventory)
    options = stage.Options(
        machines=tuple(machines or ()), check=check, diff=diff, tags=tuple(t for text in tags for t in text.split(",") if t),
        engine=Engine.PLAIN if plain else Engine.MITOGEN, wait_seconds=wait, accept_host_keys=frozenset(accept_host_key),
        vault_password_file=vault_password_file.absolute() if vault_password_file is not None else None,
    )  # fmt: skip
    with PushProgress() as watch:
        result = stage.configure(
            session.store, session.estate.id, home=session.settings.home, options=options, actor=session.actor, watch=watch
        )
    if output is Format.TABLE:
        rows = [to_data(machine) for machine in result.machines]
        print_table(COLUMNS, [[_first_line(row[column]) for column in COLUMNS] for row in rows])
    else:
        emit_document(to_data(result), output)
    say(sentence(result))
    return int(result.exit_code)


class PushProgress:
    """Shows each task as it ends, failures and differences as they come; on a terminal also the task that runs."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
        self._spinner = Spinner("", console=self._console) if sys.stderr.isatty() else None

    def __enter__(self) -> "PushProgress":
        if self._spinner is not None:
            self._spinner.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._spinner is not None:
            self._spinner.stop()

    def __call__(self, event: PushEvent) -> None:
        """Show one event."""
        if isinstance(event, TaskStarted):
            if self._spinner is not None:
                self._spinner.update(event.task)
            return
        self._console.print(line(event))


def line(event: PushEvent) -> str:
    """One event as it is printed."""
    if isinstance(event, TaskEnded):
        counts = (
            f"ok={event.ok} changed={event.changed} failed={event.failed} unreachable={event.unreachable} skipped={event.skipped}"
        )
        return f"{event.task}: {counts} seconds={event.seconds:.1f}"
    if isinstance(event, TaskFailed):
        return f"{'unreachable' if event.unreachable else 'failed'} machine={event.machine} task={event.task!r}: {event.message}"
    if isinstance(event, Difference):
        return f"{event.machine}: {event.task}\n{event.text}"
    return event.text if isinstance(event, Notice) else event.task


def sentence(result: stage.ConfigureResult) -> str:
    """What the push did, in one line."""
    if not result.machines:
        return "configure: the accepted plan has no machine made from an image; name one that came by migration or was adopted to configure it"
    counts = {status: sum(1 for machine in result.machines if machine.status is status) for status in stage.Status}
    parts = [f"{counts[status]} {status.value}" for status in stage.Status if counts[status]]
    changes = f"{result.changed} changes {'would be made' if result.check else 'made'}" if result.changed else "nothing to change"
    how = "Mitogen" if result.engine is Engine.MITOGEN else "plain ssh"
    what = f"configure: {len(result.machines)} machines: {', '.join(parts)}; {changes}"
    return f"{what}; by {how}; policy {result.policy[:12]}; {result.seconds:.1f} s"


def _first_line(value: object) -> str:
    lines = str(value).splitlines()
    return lines[0] if lines else "-"
