"""`kasumi capacity`: how many more machines of a shape fit, and what binds."""

from collections.abc import Collection

import typer

from controlplane.cli.capacity_view import show_headroom
from controlplane.cli.gathering import OFFLINE_OPTION, gather
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, emit_document, say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.inventory.units import SizeError, size_gib, size_mib
from controlplane.model.document import to_data
from controlplane.model.estate import Estate
from controlplane.model.resources import Resources
from controlplane.planning.demand import Draft, demand_of
from controlplane.planning.headroom import ANY_NETWORK, HostHeadroom, headroom, shape_draft
from controlplane.planning.inputs import PlanInputs

COLUMNS = ("host", "alone", "in_total", "why")


def capacity(
    vcpus: int = typer.Option(0, "--vcpus", min=0, help="Virtual CPUs of the shape."),
    memory: str = typer.Option("", "--memory", metavar="SIZE", help="Memory of the shape, as 4GiB."),
    disk: str = typer.Option("", "--disk", metavar="SIZE", help="Disk of the shape, as 40GiB."),
    like: str = typer.Option("", "--like", metavar="MACHINE", help="Size, grade, network, ministry and tier of this machine."),
    tier: str = typer.Option("", "--tier", help="Availability tier of the shape (default `standard`, or that of --like)."),
    confidentiality: int = typer.Option(0, "--confidentiality", min=0, max=3, help="Grade of the shape (default 1)."),
    network: str = typer.Option("", "--network", help="Network that the host must carry (default: any)."),
    offline: bool = OFFLINE_OPTION,
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Count how many more machines of a shape fit on top of what is planned now, while every rule and every loss holds.

    The number is one that could be planned: machines are placed one by one until no host takes another. Changes nothing.
    """
    session = Session(home=home, inventory=inventory)
    estate = session.estate
    base = _like(like, estate) if like else None
    size = _size(vcpus, memory, disk, base)
    inputs = gather(session, offline=offline)
    shape = shape_draft(
        size,
        tier=estate.tiers[_known(tier or (base.tier.id if base else "standard"), estate.tiers, "tier")],
        confidentiality=confidentiality or (base.confidentiality if base else 1),
        network=_known(network, estate.networks, "network") if network else base.network if base else ANY_NETWORK,
        ministry=base.ministry if base else _owner(network, inputs),
    )
    found = headroom(shape, inputs.plan(), inputs)
    if output is Format.TABLE:
        show_headroom(found)
    elif output is Format.CSV:
        emit("hosts", [_record(host) for host in found.hosts], COLUMNS, output)
    else:
        emit_document({"capacity": to_data(found)}, output)
    if offline:
        say("offline: hosts are believed as declared")
    return ExitCode.DONE


def _record(host: HostHeadroom) -> dict[str, object]:
    why = "; ".join(objection.text for objection in host.objections)
    return {"host": host.host, "alone": host.alone, "in_total": host.in_total, "why": why}


def _like(name: str, estate: Estate) -> Draft:
    drafts = {draft.id: draft for draft in demand_of(estate).drafts}
    return drafts[_known(name, drafts, "machine")]


def _known(name: str, known: Collection[str], kind: str) -> str:
    if name not in known:
        raise KasumiError(
            f"capacity: no {kind} {name!r} in the inventory; wanted one of {', '.join(sorted(known))}", ExitCode.USAGE
        )
    return name


def _owner(network: str, inputs: PlanInputs) -> str:
    return inputs.estate.networks[network].ministry if network else ""


def _size(vcpus: int, memory: str, disk: str, base: Draft | None) -> Resources:
    found = base.size if base is not None else Resources()
    try:
        made = Resources(
            vcpus=vcpus or found.vcpus,
            memory_mib=size_mib(memory) if memory else found.memory_mib,
            disk_gib=size_gib(disk) if disk else found.disk_gib,
        )
    except SizeError as error:
        raise KasumiError(f"capacity: {error}, {error.remedy}", ExitCode.USAGE) from None
    if not (made.vcpus and made.memory_mib and made.disk_gib):
        raise KasumiError("capacity: wanted a whole shape: --vcpus, --memory and --disk, or --like MACHINE", ExitCode.USAGE)
    return made
