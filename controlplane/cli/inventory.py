"""`kasumi inventory`: check, list and show what the inventory declares."""

from collections.abc import Mapping

import typer

from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, emit_document, say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.model.document import to_data
from controlplane.model.estate import Estate

app = typer.Typer(no_args_is_help=True, help="Check, list and show what the inventory declares.")

_COLUMNS = {
    "ministries": ("id", "name", "name_en", "cost_centre", "contact"),
    "systems": ("id", "ministry", "name", "name_en", "study_class", "confidentiality", "tier", "status"),
    "servers": ("id", "system", "kind", "disposition", "vcpus", "memory_mib", "disk_gib", "os", "example", "reason"),
    "machines": ("id", "system", "image", "network", "vcpus", "memory_mib", "disk_gib", "roles"),
    "hosts": ("id", "uri", "site", "rack", "power_feed", "vcpus", "memory_mib", "disk_gib", "confidentiality", "maintenance"),
    "networks": ("id", "cidr", "ministry", "vlan", "confidentiality", "gateway"),
    "images": ("id", "file", "format", "os"),
}


@app.command()
def check(home: OptionalPath = HOME_OPTION, inventory: OptionalPath = INVENTORY_OPTION) -> int:
    """Read the whole inventory and report every mistake as file:line:column; exit 1 when there is one."""
    estate = Session(home=home, inventory=inventory).estate
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
    thing_id: str = typer.Argument(..., metavar="ID", help="A ministry, system, server, machine, host, network or image."),
    output: Format = typer.Option(Format.YAML, "--output", "-o", help="json or yaml."),
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Show everything about one id, and what belongs to it."""
    estate = Session(home=home, inventory=inventory).estate
    found = {kind: getattr(estate, kind)[thing_id] for kind in _COLUMNS if thing_id in getattr(estate, kind)}
    if not found:
        raise KasumiError(f"inventory show: nothing has the id {thing_id!r}; `kasumi inventory list KIND` shows ids")
    document: dict[str, object] = {kind: to_data(thing) for kind, thing in found.items()}
    if "ministries" in found:
        document["systems"] = [system.id for system in estate.systems.values() if system.ministry == thing_id]
    if "systems" in found:
        document |= _of_system(estate, thing_id)
    emit_document(document, Format.YAML if output in {Format.TABLE, Format.CSV} else output)
    return ExitCode.DONE


def _of_system(estate: Estate, system: str) -> dict[str, object]:
    return {
        "servers": [to_data(server) for server in estate.servers.values() if server.system == system],
        "machines": [to_data(machine) for machine in estate.machines.values() if machine.system == system],
    }


def _record(thing: object) -> dict[str, object]:
    data: dict[str, object] = to_data(thing)
    size = data.get("size") or data.get("capacity")
    return data | dict(size) if isinstance(size, Mapping) else data
