"""`kasumi inventory`: check, list and show what the inventory declares."""

from collections.abc import Mapping

import typer

from controlplane.cli.inventory_import import import_
from controlplane.cli.lease_view import say_leases
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, emit_document, say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.inventory import read as read_inventory
from controlplane.inventory.related import find, near, related_to
from controlplane.model.document import to_data
from controlplane.planning.leases import leases_of
from controlplane.settings import load as load_settings

app = typer.Typer(no_args_is_help=True, help="Check, list and show what the inventory declares.")

app.command("import")(import_)

_COLUMNS = {
    "ministries": ("id", "name", "name_en", "cost_centre", "contact"),
    "systems": ("id", "ministry", "name", "name_en", "study_class", "confidentiality", "tier", "status"),
    "servers": ("id", "system", "kind", "disposition", "vcpus", "memory_mib", "disk_gib", "os", "example", "reason"),
    "machines": ("id", "system", "image", "network", "vcpus", "memory_mib", "disk_gib", "roles"),
    "hosts": ("id", "uri", "site", "rack", "power_feed", "vcpus", "memory_mib", "disk_gib", "confidentiality", "maintenance"),
    "networks": ("id", "cidr", "ministry", "vlan", "confidentiality", "gateway"),
    "sites": ("id", "name"),
    "tiers": ("id", "host_failures", "survives", "spread_over"),
    "images": ("id", "file", "format", "os"),
}
_FINDING_COLUMNS = ("severity", "where", "what", "remedy")


@app.command()
def check(output: Format = FORMAT_OPTION, home: OptionalPath = HOME_OPTION, inventory: OptionalPath = INVENTORY_OPTION) -> int:
    """Read the whole inventory; print every mistake as file:line:column: where: what, what to do; exit 1 when there is one."""
    directory = load_settings(home=home, inventory=inventory).inventory
    estate, findings = read_inventory(directory)
    if output is not Format.TABLE:
        emit("findings", [to_data(finding) for finding in findings], _FINDING_COLUMNS, output)
    else:
        for finding in findings:
            typer.echo(str(finding))
    if estate is None:
        plural = "" if len(findings) == 1 else "s"
        say(f"kasumi: inventory {directory}: {len(findings)} mistake{plural}; correct and run `kasumi inventory check` again")
        return ExitCode.FAILED
    say_leases(leases_of(estate))
    counts = ", ".join(f"{len(getattr(estate, kind))} {kind}" for kind in _COLUMNS)
    say(f"inventory of {estate.id} ({estate.name}): {counts}; no mistakes")
    return ExitCode.DONE


@app.command("list")
def list_(
    kind: str = typer.Argument("systems", metavar="KIND", help=f"One of {', '.join(_COLUMNS)}."),
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """List everything of one kind."""
    if kind not in _COLUMNS:
        raise KasumiError(f"inventory list: no kind {kind!r}; wanted one of {', '.join(_COLUMNS)}", ExitCode.USAGE)
    estate = Session(home=home, inventory=inventory).estate
    records = [_record(thing) for _, thing in sorted(getattr(estate, kind).items())]
    emit(kind, records, _COLUMNS[kind], output)
    return ExitCode.DONE


@app.command()
def show(
    thing_id: str = typer.Argument(
        ..., metavar="ID", help="A ministry, system, server, machine, host, network, site, tier or image."
    ),
    output: Format = typer.Option(Format.YAML, "--output", "-o", help="json or yaml."),
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Show everything about one id, and what belongs to it; an id of several kinds shows them all."""
    if output not in {Format.JSON, Format.YAML}:
        raise KasumiError(f"inventory show: no output as {output.value}; wanted json or yaml", ExitCode.USAGE)
    estate = Session(home=home, inventory=inventory).estate
    found = find(estate, thing_id)
    if not found:
        alike = near(estate, thing_id)
        remedy = f"did you mean {' or '.join(alike)}?" if alike else "`kasumi inventory list KIND` shows ids"
        raise KasumiError(f"inventory show: nothing has the id {thing_id!r}; {remedy}")
    whole = {kind: to_data(thing) | {"related": to_data(related_to(estate, kind, thing_id))} for kind, thing in found.items()}
    emit_document(whole, output)
    return ExitCode.DONE


def _record(thing: object) -> dict[str, object]:
    data: dict[str, object] = to_data(thing)
    size = data.get("size") or data.get("capacity")
    return data | dict(size) if isinstance(size, Mapping) else data
