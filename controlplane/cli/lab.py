"""`kasumi lab`: the lab of real hosts, legacy servers and an OpenStack. Parses and prints; the package `lab` does it."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path

import typer

from controlplane.cli.output import FORMAT_OPTION, Format, emit, emit_document, say
from lab import entrance, inventory, lifecycle, status
from lab.openstack import faults
from lab.openstack import layout as cloud_layout
from lab.openstack import lifecycle as cloud
from lab.openstack import status as cloud_status

app = typer.Typer(
    help="Real libvirt hosts, legacy servers and an OpenStack on this machine, to try things out.", no_args_is_help=True
)

COLUMNS = ("name", "kind", "state", "address", "pid", "detail")


class Action(StrEnum):
    """What can be done to a service of the cloud."""

    STOP = "stop"
    KILL = "kill"
    START = "start"


@app.command("up")
def up(
    hosts: int | None = typer.Option(None, "--hosts", min=1, help="Number of shared hosts (default: as it is, else 2)."),
    wait: bool = typer.Option(True, "--wait/--no-wait", help="Wait until every host and server answers."),
    openstack: bool = typer.Option(
        False, "--openstack", help="An OpenStack, and no libvirt hosts unless --hosts asks for them too."
    ),
    guests: bool = typer.Option(
        False, "--guests", help="The OpenStack with two more compute hosts, whose servers are real guests."
    ),
) -> None:
    """Bring the lab up, or repair it. What is there and alive is left alone."""
    if openstack or guests:
        cloud.up(guests=guests)
    if hosts is not None or not (openstack or guests):
        lifecycle.up(shared=hosts, wait=wait)


@app.command("status")
def show_status(output: Format = FORMAT_OPTION) -> None:
    """Show every piece of the lab, and whether guests run under kvm or tcg."""
    hosts, services = status.pieces(), cloud_status.pieces()
    pieces = [asdict(piece) for piece in (*hosts, *services)]
    clouds = str(cloud_layout.clouds_yaml()) if services else None
    if not pieces:
        say("lab: nothing is up; `kasumi lab up`")
    if hosts and output is Format.TABLE:
        say(f"lab: guests run under {status.acceleration()}")
    if clouds and output is Format.TABLE:
        say(f"lab: clouds {cloud_layout.ADMIN_CLOUD} and {cloud_layout.MEMBER_CLOUD}: export OS_CLIENT_CONFIG_FILE={clouds}")
    if output in {Format.TABLE, Format.CSV}:
        emit("pieces", pieces, COLUMNS, output)
    else:
        emit_document({"acceleration": status.acceleration(), "clouds_yaml": clouds, "pieces": pieces}, output)


@app.command("ssh")
def ssh(
    name: str = typer.Argument(help="A host (hv1, old1), a legacy server (mof-files, mhlw-pension), or an address."),
    command: list[str] | None = typer.Argument(None, help="A command to run there, after `--`."),
) -> None:
    """Open ssh to a host or server of the lab."""
    entrance.enter(name, command or [])


@app.command("down")
def down(
    purge: bool = typer.Option(False, "--purge", help="Remove the caches too: images, packages and databases."),
    openstack: bool = typer.Option(False, "--openstack", help="The OpenStack only."),
) -> None:
    """End and remove everything of the lab, nothing else."""
    was_up = cloud.down(purge=purge)
    if not openstack:
        was_up = lifecycle.down(purge=purge) or was_up
    if not was_up:
        say("lab: nothing is up")


@app.command("reset")
def reset() -> None:
    """Make the lab's OpenStack an empty cloud again, at once and without asking: servers, images, networks, projects go."""
    cloud.reset()


@app.command("service")
def service(
    action: Action = typer.Argument(help="stop, kill or start."),
    name: str = typer.Argument(help="A service of the OpenStack, as `kasumi lab status` names it."),
) -> None:
    """Stop, kill or start one service of the lab's OpenStack, to see what happens without it."""
    acted = {Action.STOP: faults.stop, Action.KILL: faults.kill, Action.START: faults.start}[action](name)
    say(f"lab: {action} {name}: {'done' if acted else 'it was so already'}")


@app.command("inventory")
def write_inventory(
    directory: Path = typer.Argument(help="A new or empty directory.", file_okay=False),
    hosts: int | None = typer.Option(None, "--hosts", min=1, help="Number of shared hosts (default: those of the lab, else 2)."),
) -> None:
    """Write an inventory of this lab, with as many hosts as it has."""
    say(f"lab: wrote {inventory.write_to(directory, shared=hosts)}")
