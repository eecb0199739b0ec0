"""A ledger of any kind to its rows: decides by content which reader a file needs, and asks that one."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from controlplane.errors import ExitCode, KasumiError
from controlplane.inventory.reading import collector_paused
from controlplane.ledgers.ansible_inventory import files_of_directory, read_ansible
from controlplane.ledgers.delimited import read_delimited
from controlplane.ledgers.headings import Headings
from controlplane.ledgers.mapping import LedgerMap
from controlplane.ledgers.netbox import as_virtual, is_netbox, netbox_units
from controlplane.ledgers.rows import Ledger, LedgerRow, Remark
from controlplane.ledgers.rvtools import is_rvtools, read_rvtools
from controlplane.ledgers.sheets import MAX_FILE_BYTES, Sheet
from controlplane.ledgers.tables import read_table
from controlplane.ledgers.values import plain
from controlplane.model.finding import Severity

_ARCHIVES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How XLSX begins, and what older Excel or a password make of it, which its reader names."""


class SourceKind(StrEnum):
    """What a ledger is."""

    AUTO = "auto"
    CSV = "csv"
    XLSX = "xlsx"
    RVTOOLS = "rvtools"
    NETBOX = "netbox"
    ANSIBLE = "ansible"
    LIBVIRT = "libvirt"
    OPENSTACK = "openstack"


def read_file(file: Path, kind: SourceKind, mapping: LedgerMap) -> Ledger:
    """The rows of a file and what is to be said of it. Raises KasumiError only when the file itself cannot be read."""
    try:
        if file.is_dir():
            return read_ansible(
                files_of_directory(file, MAX_FILE_BYTES), plain(file.resolve().name), Headings(mapping.headings, mapping.ignore)
            )
        size = file.stat().st_size
        if size > MAX_FILE_BYTES:
            raise KasumiError(f"{file}: has {size} bytes, at most {MAX_FILE_BYTES} are read; split it")
        with file.open("rb") as opened:
            raw = opened.read(MAX_FILE_BYTES + 1)  # a pipe or device states no size
        if len(raw) > MAX_FILE_BYTES:
            raise KasumiError(f"{file}: has more than {MAX_FILE_BYTES} bytes, which is all that is read; split it")
    except OSError as error:
        raise KasumiError(f"{file}: cannot be read: {error.strerror}; name a ledger", ExitCode.FAILED) from None
    except ValueError as error:
        raise KasumiError(f"{file}: {error}; name the files one by one", ExitCode.FAILED) from None
    return replace(read_bytes(raw, plain(file.name), kind, mapping), sha256=hashlib.sha256(raw).hexdigest())


def read_bytes(raw: bytes, name: str, kind: SourceKind, mapping: LedgerMap) -> Ledger:
    """The rows of a file's content; never raises for what is in it."""
    with collector_paused():
        return _read(raw, name, kind, mapping)


def _read(raw: bytes, name: str, kind: SourceKind, mapping: LedgerMap) -> Ledger:
    headings = Headings(mapping.headings, mapping.ignore)
    if kind is SourceKind.AUTO:
        kind = _kind_of(raw, name)
    if kind is SourceKind.ANSIBLE:
        return read_ansible({name: raw}, name, headings)
    if kind in {SourceKind.XLSX, SourceKind.RVTOOLS}:
        from controlplane.ledgers.xlsx import read_xlsx  # noqa: PLC0415  # openpyxl is slow to load and few files need it

        sheets, said = read_xlsx(raw, name)
        remarks = list(said)
        if is_rvtools(sheets):
            return read_rvtools(sheets, name, remarks)
        if kind is SourceKind.RVTOOLS and sheets:
            why = "has no sheet vInfo with the headings of RVTools"
            remarks.append(Remark(severity=Severity.CRITICAL, where=name, why=why, remedy="export all sheets to xlsx"))
            return Ledger(name=name, rows=(), remarks=tuple(remarks))
    else:
        sheet, said = read_delimited(raw, name, headings)
        sheets, remarks = (sheet,), list(said)
    return _tables(sheets, name, headings, mapping, remarks, netbox=kind is SourceKind.NETBOX)


def _kind_of(raw: bytes, name: str) -> SourceKind:
    """By content, and where that does not tell, by the name's ending."""
    if raw.startswith(_ARCHIVES):
        return SourceKind.XLSX
    ending = Path(name).suffix.lower()
    return SourceKind.ANSIBLE if ending in {".yml", ".yaml", ".json", ".ini"} else SourceKind.CSV


def _tables(
    sheets: Sequence[Sheet], name: str, headings: Headings, mapping: LedgerMap, remarks: list[Remark], *, netbox: bool
) -> Ledger:
    rows: list[LedgerRow] = []
    read = 0
    for sheet in sheets:
        where = f"{name}:{sheet.name}" if sheet.name else name
        if mapping.sheets and sheet.name and sheet.name not in mapping.sheets:
            remarks.append(Remark(severity=Severity.INFORMATION, where=where, why="is not among `sheets` of the map, not read"))
            continue
        units = {str(field): str(unit) for field, unit in mapping.units.items()}
        if netbox or is_netbox(sheet):
            units = netbox_units(sheet, headings, units, remarks)
        found = read_table(sheet, headings, units, remarks)
        if found is None:
            why = "has no row of headings, not read"
            remarks.append(Remark(severity=Severity.INFORMATION, where=where, why=why))
            continue
        if not found:
            why = "has headings and no server below them"
            remarks.append(Remark(severity=Severity.WARNING, where=where, why=why, remedy="export it again if it should have"))
        read += 1
        rows += found
    if not read and not any(remark.severity is Severity.CRITICAL for remark in remarks):
        why = "wanted a row of headings with a server's name and something about it, found none"
        remarks.append(Remark(severity=Severity.CRITICAL, where=name, why=why, remedy="name the headings in a map (--map)"))
    if netbox or all(is_netbox(sheet) for sheet in sheets):
        rows = [as_virtual(row) for row in rows]
    return Ledger(name=name, rows=tuple(rows), remarks=tuple(remarks))
