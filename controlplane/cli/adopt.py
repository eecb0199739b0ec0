"""`kasumi adopt`: take machines that stand on a shared host already under management, without touching them."""

from collections.abc import Sequence

import typer

from controlplane.cli.attempt_view import DRIFT_COLUMNS, drift_record
from controlplane.cli.confirming import go_on
from controlplane.cli.diagnosis import diagnosis
from controlplane.cli.gathering import gather
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import DOCUMENT_OPTION, Format, emit_document, print_table, say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.execution.adopt import Preview, preview
from controlplane.execution.adopt import adopt as take_over
from controlplane.execution.adopt import release as let_go
from controlplane.planning.adoption import Candidate
from controlplane.planning.infeasible import InfeasiblePlan

_COLUMNS = ("machine", "found", "id", "state", "vcpus", "memory_mib", "cards")


def adopt(
    host: str = typer.Argument(..., metavar="HOST", help="Id of a host of the inventory, a hypervisor or a cloud."),
    machines: list[str] = typer.Argument(
        None, metavar="[MACHINE]...", help="Ids of servers of the inventory; without any, all that it says stand there."
    ),
    yes: bool = typer.Option(False, "--yes", help="Do what is shown without asking."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Show what would be adopted and change nothing."),
    release: bool = typer.Option(
        False, "--release", help="Take our mark off these machines instead; only those that no accepted plan has."
    ),
    output: Format = DOCUMENT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Put servers and domains that stand on a shared host under management: shown first, then marked and recorded, nothing else.

    Those are the servers with `disposition: rehost` whose `source` is the host's own URI. What differs from the inventory is shown:
    the next plan and apply would change it. No disk, power or network is touched.
    Exit codes: 0 adopted, or nothing to adopt; 1 failed; 3 some were refused or failed; 4 the host was not reached; 5 refused.
    """
    session = Session(home=home, inventory=inventory)
    names = list(machines or ())
    inputs = gather(session, offline=False)
    if release:
        if not names:
            raise KasumiError("adopt --release: name the machines to let go of", ExitCode.USAGE)
        gone = let_go(inputs, session.store, host, names, actor=session.actor)
        if released := [name for name in names if name not in gone]:
            say(f"adopt: released {', '.join(released)} on {host}: unmarked, forgotten, running on as before")
        if gone:
            say(
                f"adopt: {', '.join(gone)} found neither on {host} nor elsewhere: nothing to unmark, only the record was forgotten"
            )
        return ExitCode.DONE
    try:
        ready = preview(inputs, session.store, host, names)
    except InfeasiblePlan as infeasible:
        raise KasumiError(f"nothing was adopted, as there would be no plan:\n{diagnosis(infeasible, inputs)}") from None
    if output is Format.TABLE:
        _show(ready)
    for name, why in sorted(ready.refused.items()):
        say(f"{name}: not adopted: {why}")
    problems: dict[str, str] = {}
    if ready.candidates and not dry_run:
        _confirm(ready, yes)
        problems = take_over(ready, inputs, session.store, actor=session.actor)
    for name, why in sorted(problems.items()):
        say(f"{name}: {why}")
    if output is not Format.TABLE:
        emit_document(_document(ready, problems, dry_run=dry_run), output)
    say(_sentence(ready, problems, dry_run=dry_run))
    return _exit_code(ready, problems)


def _record(candidate: Candidate) -> dict[str, object]:
    seen = candidate.seen
    return {
        "machine": candidate.machine,
        "found": seen.name,
        "id": seen.given_id,
        "state": seen.state.value,
        "vcpus": seen.vcpus,
        "memory_mib": seen.memory_mib,
        "cards": " ".join(nic.mac for nic in seen.nics),
    }


def _show(ready: Preview) -> None:
    if ready.candidates:
        _table(_COLUMNS, [_record(candidate) for candidate in ready.candidates])
    if ready.drift:
        say("differs from the inventory; the next plan and apply would change it:")
        _table(DRIFT_COLUMNS, [drift_record(drift) for drift in ready.drift])


def _table(columns: Sequence[str], records: Sequence[dict[str, object]]) -> None:
    print_table(columns, [[str(record[column]) for column in columns] for record in records])


def _document(ready: Preview, problems: dict[str, str], *, dry_run: bool) -> dict[str, object]:
    done = not dry_run
    return {
        "host": ready.host,
        "dry_run": dry_run,
        "machines": [_record(c) | {"adopted": done and c.machine not in problems} for c in ready.candidates],
        "differences": [drift_record(drift) for drift in ready.drift],
        "already": list(ready.already),
        "refused": dict(ready.refused),
        "failed": problems,
    }


def _confirm(ready: Preview, yes: bool) -> None:
    count = len(ready.candidates)
    if yes:
        return
    say(
        f"{count} machine{'s' if count != 1 else ''} on {ready.host} would get our mark and be kept as the inventory says from then on"
    )
    go_on("changed")


def _sentence(ready: Preview, problems: dict[str, str], *, dry_run: bool) -> str:
    count = len(ready.candidates) - len(problems)
    parts = [f"{count} {'would be adopted' if dry_run else 'adopted'}"]
    if problems:
        parts.append(f"{len(problems)} failed")
    if ready.already:
        parts.append(f"{len(ready.already)} already ours")
    if ready.refused:
        parts.append(f"{len(ready.refused)} refused")
    move = "; `kasumi plan -o FILE` and `kasumi apply FILE` take them into the accepted plan" if count and not dry_run else ""
    return f"adopt {ready.host}: {', '.join(parts)}; {ready.foreign} foreign machines left alone{move}"


def _exit_code(ready: Preview, problems: dict[str, str]) -> int:
    adopted = len(ready.candidates) - len(problems)
    if problems:
        return ExitCode.PARTLY_FAILED if adopted else ExitCode.FAILED
    if ready.refused:
        return ExitCode.PARTLY_FAILED if adopted or ready.already else ExitCode.REFUSED
    return ExitCode.DONE
