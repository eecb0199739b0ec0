"""The command `kasumi`: puts the verbs together and turns every error into a message and an exit code.

A verb's module is imported when the verb is used, so that no command waits for the libraries of another.
"""

import io
import sys
from collections.abc import Sequence
from importlib import import_module

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from controlplane import __version__
from controlplane.errors import ExitCode, KasumiError

CLICK_USAGE = 2
"""Exit code the command-line library gives to usage errors; ours is 64, since 2 means differences."""

VERBS: Sequence[str] = (
    "trust",
    "discover",
    "facts",
    "assess",
    "accept",
    "decide",
    "dependencies",
    "report",
    "plan",
    "show",
    "diff",
    "check",
    "explain",
    "capacity",
    "what-if",
    "rebalance",
    "drain",
    "waves",
    "adopt",
    "apply",
    "configure",
    "cloud",
    "inventory",
    "lab",
    "migrate",
    "reconcile",
    "status",
    "serve",
    "evidence",
)
"""In the order of the help. The module of the same name has a function of the same name, or `app` for a group of verbs."""


class _Verbs(TyperGroup):
    """Finds a verb in its module."""

    def list_commands(self, ctx: object) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | TyperGroup | None:
        if cmd_name not in VERBS:
            return None
        name = cmd_name.replace("-", "_")
        module = import_module(f"controlplane.cli.{name}")
        found = typer.Typer(rich_markup_mode=None)
        if hasattr(module, "app"):
            found.add_typer(module.app, name=cmd_name)
        else:
            found.command(cmd_name)(getattr(module, name))
        return typer.main.get_group(found).commands[cmd_name]  # type: ignore[return-value]


app = typer.Typer(
    name="kasumi",
    cls=_Verbs,
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


def main() -> None:
    """Run the command line; never returns normally. Usage errors exit 64, interruption 130."""
    # A terminal of another encoding than UTF-8 lacks some of the names; a word it cannot show must not end a run.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(_run())


def _run() -> int:
    try:
        result = app(standalone_mode=False)
        if sys.stdout is not None:  # closed by whoever started us
            sys.stdout.flush()
    except KasumiError as error:
        print(f"kasumi: {error}", file=sys.stderr)
        return int(error.exit_code)
    except TyperException as error:
        message = error.format_message()
        # A verb that lacks its arguments has the whole help as its message.
        print(message if message.startswith("Usage:") else f"kasumi: {message}; see `kasumi --help`", file=sys.stderr)
        return ExitCode.USAGE if error.exit_code == CLICK_USAGE else ExitCode.FAILED
    except OSError as error:
        # The verbs say it better where they can; what is left is a full disk behind `>`, or a folder nobody may enter.
        place = f"{error.filename}: " if error.filename is not None else ""
        print(f"kasumi: {place}{error.strerror or error}; correct that and run again", file=sys.stderr)
        return ExitCode.FAILED
    except (KeyboardInterrupt, EOFError, typer.Abort):
        return ExitCode.INTERRUPTED
    return result if isinstance(result, int) else ExitCode.DONE
