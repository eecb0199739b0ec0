"""`kasumi inventory import`: servers from a ministry's ledger into the inventory."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import typer

from controlplane.cli.confirming import go_on
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, emit_document, say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.ledgers.importing import Import, prepare
from controlplane.ledgers.mapping import LedgerMap, read_map
from controlplane.ledgers.reading import SourceKind, read_file
from controlplane.ledgers.rows import Ledger, Remark
from controlplane.model.cloud import SCHEME
from controlplane.model.document import to_data
from controlplane.model.finding import Severity

_URI = re.compile(r"[a-z][a-z0-9+]*://")
_ALIKE_SHOWN = 3
"""Remarks of one kind about one column that a table shows; the other formats carry all."""
_COLUMNS = ("severity", "where", "what", "remedy")


def import_(
    file: str = typer.Argument(
        ...,
        metavar="FILE",
        help="The ledger: CSV, XLSX (RVTools too), NetBox CSV, an Ansible inventory, a libvirt URI, openstack://CLOUD, or `openstack`.",
    ),
    cloud: str = typer.Argument("", metavar="[CLOUD]", help="After `openstack`: the cloud by its name in clouds.yaml."),
    ministry: str = typer.Option(..., "--ministry", help="Id of the ministry whose servers these are."),
    system: str = typer.Option("", "--system", help="Id of the system of rows that name none, or none of the inventory's."),
    map_file: OptionalPath = typer.Option(
        None, "--map", help="YAML file with further headings, units, ids and systems.", exists=True, dir_okay=False
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Show what the import would do and write nothing."),
    yes: bool = typer.Option(False, "--yes", help="Take changes to servers that are there already without asking."),
    source_kind: SourceKind = typer.Option(SourceKind.AUTO, "--source-kind", help="What FILE is; found out when not given."),
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Import servers from a ledger; what cannot be read is listed with its cell, the rest is imported.

    Importing the same file again changes nothing. A change to a server that is there already is shown and asked about;
    nothing is ever removed. Exit codes: 0 done, 3 some rows are not imported, 5 a change was not confirmed.
    """
    session = Session(home=home, inventory=inventory)
    if cloud:
        file = _uri_of(file, cloud)
    mapping = read_map(map_file)
    ledger = _ledger(session, file, source_kind, mapping)
    ready = prepare(ledger, session.settings.inventory, ministry=ministry, system=system, mapping=mapping)
    _show(ready, output)
    if ready.differs and not dry_run:
        _confirm(ready, yes)
        _ = session.store  # a store that does not open ends here, before anything is written
        ready.carry_out()
        _record(session, ready, file, ledger.sha256)
    say(_sentence(ready, ledger.name, dry_run))
    return ExitCode.PARTLY_FAILED if ready.refused_rows else ExitCode.DONE


def _uri_of(kind: str, cloud: str) -> str:
    """`openstack CLOUD`, as a person says it."""
    if kind != SCHEME:
        raise KasumiError(f"inventory import: one ledger at a time, found {kind!r} and {cloud!r}", ExitCode.USAGE)
    return f"{SCHEME}://{cloud}"


def _ledger(session: Session, file: str, kind: SourceKind, mapping: LedgerMap) -> Ledger:
    if not file:
        raise KasumiError("import: FILE is empty; name a ledger", ExitCode.USAGE)  # it would mean this very folder
    if kind is SourceKind.OPENSTACK or (kind is SourceKind.AUTO and file.startswith(f"{SCHEME}://")):
        from controlplane.ledgers.openstack_project import read_openstack  # noqa: PLC0415  # nor a cloud's

        return read_openstack(file)
    if kind is SourceKind.LIBVIRT or (kind is SourceKind.AUTO and _URI.match(file)):
        from controlplane.ledgers.libvirt_host import read_libvirt  # noqa: PLC0415  # files need no hypervisor's library

        return read_libvirt(file, ssh_config=session.estate.access.ssh_config)
    return read_file(Path(file), kind, mapping)


def _show(ready: Import, output: Format) -> None:
    findings = [to_data(remark.finding()) for remark in ready.remarks]
    if output is Format.TABLE:
        lines = [*_remark_lines(ready.remarks), *_change_lines(ready)]
        if lines:
            typer.echo("\n".join(lines))
    elif output is Format.CSV:
        emit("remarks", findings, _COLUMNS, output)
    else:
        merged = ready.merge
        document = {
            "ministry": ready.ministry,
            "changes": to_data(merged.changes),
            "unchanged": len(merged.unchanged),
            "moved": len(merged.moved),
            "missing": list(merged.missing),
            "remarks": findings,
        }
        emit_document(document, output)


def _remark_lines(remarks: tuple[Remark, ...]) -> Iterator[str]:
    """Remarks by severity; of many alike in one column the first few and how many follow."""
    for severity in Severity:
        alike: dict[str, list[Remark]] = {}
        for number, remark in enumerate(remarks):
            if remark.severity is severity:
                alike.setdefault(remark.column or f"#{number}", []).append(remark)
        for group in alike.values():
            for remark in group[:_ALIKE_SHOWN]:
                yield f"{severity.value}: {remark.finding()}"
            if len(group) > _ALIKE_SHOWN:
                yield f"{severity.value}: … and {len(group) - _ALIKE_SHOWN} more like it; -o json lists all"


def _change_lines(ready: Import) -> Iterator[str]:
    for change in ready.merge.changes:
        place = f"{change.server} ({change.system or 'declared in another file'})"
        if change.added:
            yield f"+ {place}: {', '.join(change.lines)}"
        else:
            yield from (f"~ {place}", *(f"    {line}" for line in change.lines))
    for server in ready.merge.missing:
        yield f"? {server}: not in this file any more; kept, retire it by its disposition"


def _confirm(ready: Import, yes: bool) -> None:
    count = len(ready.merge.changed)
    if not count or yes:
        return
    say(f"{count} server{'s' if count != 1 else ''} of the inventory would change as shown")
    go_on("written")


def _record(session: Session, ready: Import, file: str, sha256: str) -> None:
    merged = ready.merge
    detail: dict[str, object] = {
        "file": file,
        "sha256": sha256,
        "added": len(merged.added),
        "changed": len(merged.changed),
        "refused_rows": ready.refused_rows,
    }
    session.store.append_evidence(
        ready.estate, actor=session.actor, action="inventory-import", subject=ready.ministry, detail=detail, at=datetime.now(UTC)
    )


def _sentence(ready: Import, ledger: str, dry_run: bool) -> str:
    merged = ready.merge
    counts = {
        "added": len(merged.added),
        "changed": len(merged.changed),
        "unchanged": len(merged.unchanged) + len(merged.moved),
        "not in the file any more": len(merged.missing),
        "not imported": ready.refused_rows,
    }
    moved = f" ({len(merged.moved)} of them stand in other cells now)" if merged.moved else ""
    what = "; ".join(f"{count} {name}" + (moved if name == "unchanged" else "") for name, count in counts.items())
    if not ready.differs:
        return f"{ledger}: {what}; nothing to write"
    files = ", ".join(file.name for file in ready.files)
    return f"{ledger}: {what}; " + (f"{files} would be written" if dry_run else f"wrote {files}")
