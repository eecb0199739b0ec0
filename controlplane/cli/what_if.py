"""`kasumi what-if`: what a change would come to, without making it."""

import re

import typer

from controlplane.cli.diagnosis import conflict_and_repairs
from controlplane.cli.gathering import OFFLINE_OPTION, gather
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, emit_document, say
from controlplane.cli.session import Session
from controlplane.cli.what_if_view import rows, show_what_if
from controlplane.errors import ExitCode, KasumiError
from controlplane.model.document import to_data
from controlplane.planning.alter import afresh as placed_afresh
from controlplane.planning.alter import (
    with_closed_host,
    with_growth,
    with_host_like,
    with_ministry_like,
    with_overcommit,
    without_hosts,
)
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.what_if import what_if as compared

COLUMNS = ("measure", "now", "then")
_HOST_COUNT = re.compile(r"(?P<host>[^:]+)(?::(?P<count>[1-9][0-9]{0,3}))?")
_GROWTH = re.compile(r"(?:(?P<ministry>[^=]+)=)?(?P<percent>-?[0-9]+(?:\.[0-9]+)?)%?")
_OVERCOMMIT = re.compile(r"(?:(?P<host>[^:]+):)?(?P<dimension>vcpus|memory|disk)=(?P<ratio>[0-9]+(?:\.[0-9]+)?)")

_MOST_GROWTH, _MOST_PROMISED = 10_000, 100


def what_if(
    add_host: list[str] = typer.Option([], "--add-host", metavar="LIKE[:N]", help="One more host, or N, like this one."),
    lose_host: list[str] = typer.Option([], "--lose-host", metavar="HOST", help="This host is lost for good."),
    lose_rack: list[str] = typer.Option([], "--lose-rack", metavar="RACK", help="All hosts of this rack are lost for good."),
    close_host: list[str] = typer.Option([], "--close-host", metavar="HOST", help="This host goes into maintenance."),
    join: list[str] = typer.Option([], "--join", metavar="LIKE", help="One more ministry joins, as large as this one."),
    growth: list[str] = typer.Option(
        [], "--growth", metavar="[MINISTRY=]PERCENT", help="All sizes grow by so many per cent, or those of one ministry."
    ),
    overcommit: list[str] = typer.Option(
        [], "--overcommit", metavar="[HOST:]DIMENSION=RATIO", help="Other overcommit: vcpus=4, or hv1:memory=1.2."
    ),
    afresh: bool = typer.Option(False, "--afresh", help="As if nothing of ours stood anywhere: everything is placed anew."),
    offline: bool = OFFLINE_OPTION,
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Plan the estate as it is and as it would be, side by side. Options combine, in the order of this help. Changes nothing.

    Exit codes: 0 there would be a plan, 1 there would be none (why is said).
    """
    session = Session(home=home, inventory=inventory)
    inputs = gather(session, offline=offline)
    asked = [
        *((text, _add_host) for text in add_host),
        *((text, _lose_host) for text in lose_host),
        *((text, _lose_rack) for text in lose_rack),
        *((text, _close_host) for text in close_host),
        *((text, _join) for text in join),
        *((text, _grow) for text in growth),
        *((text, _overcommit) for text in overcommit),
        *([("", _afresh)] if afresh else []),
    ]
    altered, changes = inputs, []
    for text, alter in asked:
        altered, change = alter(text, altered)
        changes.append(change)
    if not changes:
        raise KasumiError("what-if: nothing would change; give at least one change, see `kasumi what-if --help`", ExitCode.USAGE)
    found = compared(inputs, altered)
    if output is Format.TABLE:
        show_what_if(found, changes, conflict_and_repairs(found.unplaced, altered))
    elif output is Format.CSV:
        emit("measures", [dict(zip(COLUMNS, row, strict=True)) for row in rows(found)], COLUMNS, output)
    else:
        emit_document({"changes": changes, "what_if": to_data(found)}, output)
    if offline:
        say("offline: hosts are believed as declared")
    return ExitCode.DONE if found.after is not None else ExitCode.FAILED


_Altered = tuple[PlanInputs, str]


def _add_host(text: str, inputs: PlanInputs) -> _Altered:
    match = _parsed(_HOST_COUNT, text, "--add-host", "LIKE or LIKE:N")
    added = []
    for _ in range(int(match["count"] or 1)):
        inputs, name = with_host_like(inputs, _host(match["host"], inputs))
        added.append(name)
    return inputs, f"{', '.join(added)} added, like {match['host']}"


def _lose_host(text: str, inputs: PlanInputs) -> _Altered:
    return without_hosts(inputs, [_host(text, inputs)]), f"{text} is lost"


def _lose_rack(text: str, inputs: PlanInputs) -> _Altered:
    lost = [host.id for host in inputs.estate.hosts.values() if host.rack == text]
    if not lost:
        racks = sorted({host.rack for host in inputs.estate.hosts.values()})
        raise KasumiError(f"what-if: no host in rack {text!r}; wanted one of {', '.join(racks)}", ExitCode.USAGE)
    return without_hosts(inputs, lost), f"rack {text} is lost: {', '.join(sorted(lost))}"


def _close_host(text: str, inputs: PlanInputs) -> _Altered:
    return with_closed_host(inputs, _host(text, inputs)), f"{text} is in maintenance"


def _join(text: str, inputs: PlanInputs) -> _Altered:
    return with_ministry_like(inputs, _ministry(text, inputs)), f"a ministry joins that is as large as {text}"


def _grow(text: str, inputs: PlanInputs) -> _Altered:
    match = _parsed(_GROWTH, text, "--growth", "PERCENT or MINISTRY=PERCENT")
    ministry = _ministry(match["ministry"], inputs) if match["ministry"] else ""
    if not -100 < float(match["percent"]) <= _MOST_GROWTH:
        raise KasumiError(
            f"what-if: --growth {text!r}: wanted more than -100 and at most {_MOST_GROWTH} per cent", ExitCode.USAGE
        )
    return with_growth(inputs, float(match["percent"]), ministry), f"{ministry or 'everything'} grows by {match['percent']} %"


def _overcommit(text: str, inputs: PlanInputs) -> _Altered:
    match = _parsed(_OVERCOMMIT, text, "--overcommit", "vcpus=4, memory=1.2, disk=1.5 or HOST:vcpus=4")
    hosts = [_host(match["host"], inputs)] if match["host"] else sorted(inputs.estate.hosts)
    if not 0 < float(match["ratio"]) <= _MOST_PROMISED:
        raise KasumiError(f"what-if: --overcommit {text!r}: wanted more than 0 and at most {_MOST_PROMISED}", ExitCode.USAGE)
    altered = with_overcommit(inputs, hosts, match["dimension"], float(match["ratio"]))
    return altered, f"{match['dimension']} promised {match['ratio']} times on {match['host'] or 'every host'}"


def _afresh(_: str, inputs: PlanInputs) -> _Altered:
    return placed_afresh(inputs), "everything is placed anew"


def _parsed(pattern: re.Pattern[str], text: str, option: str, wanted: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise KasumiError(f"what-if: {option} {text!r}: wanted {wanted}", ExitCode.USAGE)
    return match


def _host(name: str, inputs: PlanInputs) -> str:
    if name not in inputs.estate.hosts:
        raise KasumiError(f"what-if: no host {name!r}; wanted one of {', '.join(sorted(inputs.estate.hosts))}", ExitCode.USAGE)
    return name


def _ministry(name: str, inputs: PlanInputs) -> str:
    if name not in inputs.estate.ministries:
        known = ", ".join(sorted(inputs.estate.ministries))
        raise KasumiError(f"what-if: no ministry {name!r}; wanted one of {known}", ExitCode.USAGE)
    return name
