"""The command `kasumi`: puts the verbs together and turns every error into a message and an exit code."""

import sys

import typer
from typer.exceptions import TyperException

from controlplane import __version__
from controlplane.cli import (
    apply,
    capacity,
    check,
    configure,
    diff,
    discover,
    evidence,
    explain,
    facts,
    inventory,
    lab,
    migrate,
    plan,
    reconcile,
    serve,
    show,
    status,
    trust,
)
from controlplane.errors import ExitCode, KasumiError

CLICK_USAGE = 2
"""Exit code the command-line library gives to usage errors; ours is 64, since 2 means differences."""

app = typer.Typer(
    name="kasumi",
    help="Consolidates ministries' servers onto shared hypervisors and keeps the result true.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=True,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kasumi {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
) -> None:
    """Consolidates ministries' servers onto shared hypervisors and keeps the result true."""


app.command("trust")(trust.trust)
app.command("discover")(discover.discover)
app.command("facts")(facts.facts)
app.command("plan")(plan.plan)
app.command("show")(show.show)
app.command("diff")(diff.diff)
app.command("check")(check.check)
app.command("explain")(explain.explain)
app.command("capacity")(capacity.capacity)
app.command("apply")(apply.apply)
app.command("configure")(configure.configure)
app.add_typer(inventory.app, name="inventory")
app.add_typer(lab.app, name="lab")
app.add_typer(migrate.app, name="migrate")
app.command("reconcile")(reconcile.reconcile)
app.command("status")(status.status)
app.command("serve")(serve.serve)
app.command("evidence")(evidence.evidence)


def main() -> None:
    """Run the command line; never returns normally. Usage errors exit 64, interruption 130."""
    sys.exit(_run())


def _run() -> int:
    try:
        result = app(standalone_mode=False)
    except KasumiError as error:
        print(f"kasumi: {error}", file=sys.stderr)
        return int(error.exit_code)
    except TyperException as error:
        message = error.format_message()
        # A verb that lacks its arguments has the whole help as its message.
        print(message if message.startswith("Usage:") else f"kasumi: {message}; see `kasumi --help`", file=sys.stderr)
        return ExitCode.USAGE if error.exit_code == CLICK_USAGE else ExitCode.FAILED
    except (KeyboardInterrupt, EOFError, typer.Abort):
        return ExitCode.INTERRUPTED
    return result if isinstance(result, int) else ExitCode.DONE
