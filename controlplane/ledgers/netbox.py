"""NetBox's CSV of virtual machines: an ordinary table, but for numbers whose unit NetBox never writes.

Memory is MB in every version. Disk is GB up to NetBox 4.0 and MB since; the file does not say, so a column that can be either is
not read without a map.
"""

from collections.abc import Mapping
from dataclasses import replace

from controlplane.ledgers.headings import Header, Headings
from controlplane.ledgers.rows import LedgerRow, Remark
from controlplane.ledgers.sheets import Sheet
from controlplane.ledgers.values import plain
from controlplane.model.estate import LedgerValue
from controlplane.model.finding import Severity

_ITS_COLUMNS = (frozenset(("name", "vcpus", "memory", "disk", "cluster")), frozenset(("name", "vcpus", "memory (mb)", "cluster")))
_LEAST_MB = 1024
"""A disk of less than 1 GiB is none, so a column whose least is above this is in MB, …"""
_MOST_GB = 100_000
"""… and one whose least is below may still be in GB."""


def is_netbox(sheet: Sheet) -> bool:
    """True when the first row has NetBox's columns."""
    if not sheet.rows:
        return False
    first = {plain(text).lower() for text in sheet.rows[0]}
    return any(columns <= first for columns in _ITS_COLUMNS)


def netbox_units(sheet: Sheet, headings: Headings, units: Mapping[str, str], remarks: list[Remark]) -> dict[str, str]:
    """Units of bare numbers, those of the map first; how they were found is told."""
    found = dict(units)
    header = headings.header(sheet.rows, lambda _place, _column: "")
    if header is None:
        return found
    columns = {column.field: column for column in header.columns}
    if "memory" in columns and "memory" not in found and not columns["memory"].unit:
        found["memory"] = "MB"
        _tell(sheet, header, columns["memory"].index, "bare numbers read as MB, which NetBox means by them", remarks)
    if "disk" in columns and "disk" not in found and not columns["disk"].unit:
        index = columns["disk"].index
        numbers = [
            int(text)
            for row in sheet.rows[header.last_row + 1 :]
            if index < len(row) and (text := plain(row[index])).isdecimal() and len(text) < 12 and int(text)
        ]
        if numbers and min(numbers) >= _LEAST_MB and max(numbers) > _MOST_GB:
            found["disk"] = "MB"
            _tell(sheet, header, index, "bare numbers read as MB (NetBox 4.1 and later): as GB they would be too large", remarks)
        elif numbers and min(numbers) < _LEAST_MB:
            found["disk"] = "GB"
            _tell(sheet, header, index, "bare numbers read as GB (NetBox before 4.1): as MB they would be too small", remarks)
        elif numbers:
            why = "bare numbers may be GB (NetBox before 4.1) or MB (since), not read"
            remedy = "say `units: {disk: MB}` or `{disk: GB}` in a map"
            _tell(sheet, header, index, why, remarks, Severity.WARNING, remedy)
    return found


def as_virtual(row: LedgerRow) -> LedgerRow:
    """The row as one of a virtual machine, which is all that this file of NetBox holds."""
    if any(value.field == "kind" for value in row.values):
        return row
    return replace(row, values=(*row.values, LedgerValue(file=row.file, cell=row.cell, field="kind", value="virtual")))


def _tell(
    sheet: Sheet,
    header: Header,
    index: int,
    why: str,
    remarks: list[Remark],
    severity: Severity = Severity.INFORMATION,
    remedy: str = "",
) -> None:
    where = f"{sheet.file}:{sheet.cell(header.last_row, index)}"
    text = plain(sheet.rows[header.last_row][index])
    remarks.append(Remark(severity=severity, where=where, text=text, why=why, remedy=remedy))
