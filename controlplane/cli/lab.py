"""`kasumi lab`: the lab of real hosts and legacy servers on this machine. Parses and prints; the package `lab` does it."""

from dataclasses import asdict
from pathlib import Path

import typer

from controlplane.cli.output import FORMAT_OPTION, Format, emit, emit_document, say
from lab import entrance, inventory, lifecycle, status

app = typer.Typer(help="Real libvirt hosts and legacy servers on this machine, to try things out.", no_args_is_help=True)

COLUMNS = ("name", "kind", "state", "address", "pid", "detail")


@app.command("up")
def up(
    hosts: int | None = typer.Option(None, "--hosts", min=1, help="Number of shared hosts (default: as it is, else 2)."),
    wait: bool = typer.Option(True, "--wait/--no-wait", help="Wait until every host and server answers."),
) -> None:
    """Bring the lab up, or repair it. What is there and alive is left alone."""
    lifecycle.up(shared=hosts, wait=wait)


@app.command("status")
def show_status(output: Format = FORMAT_OPTION) -> None:
    """Show every piece of the lab, and whether guests run under kvm or tcg."""
    pieces = [asdict(piece) for piece in status.pieces()]
    if not pieces:
        say("lab: nothing is up; `kasumi lab up`")
    elif output is Format.TABLE:
        say(f"lab: guests run under {status.acceleration()}")
    if output in {Format.TABLE, Format.CSV}:
        emit("pieces", pieces, COLUMNS, output)
    else:
        emit_document({"acceleration": status.acceleration(), "pieces": pieces}, output)


@app.command("ssh")
def ssh(
    name: str = typer.Argument(help="A host (hv1, old1), a legacy server (mof-files, mhlw-pension), or an address."),
    command: list[str] | None = typer.Argument(None, help="A command to run there, after `--`."),
) -> None:
    """Open ssh to a host or server of the lab."""
    entrance.enter(name, command or [])


@app.command("down")
def down(purge: bool = typer.Option(False, "--purge", help="Remove the image cache too.")) -> None:
    """End and remove everything of the lab, nothing else."""
    if not lifecycle.down(purge=purge):
        say("lab: nothing is up")


@app.command("inventory")
def write_inventory(
    directory: Path = typer.Argument(help="A new or empty directory.", file_okay=False),
    hosts: int | None = typer.Option(None, "--hosts", min=1, help="Number of shared hosts (default: those of the lab, else 2)."),
) -> None:
    """Write an inventory of this lab, with as many hosts as it has."""
    say(f"lab: wrote {inventory.write_to(directory, shared=hosts)}")
