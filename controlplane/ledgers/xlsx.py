"""Reads the sheets of an XLSX file through openpyxl, once the archive itself was found harmless.

Formulas stay text that begins with `=`, which no reader of values evaluates. Before openpyxl sees a file its directory is
looked at: Python's zipfile never inflates an entry beyond the size stated there, so capping these caps memory.
"""

import io
import re
import resource
import warnings
import zipfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

import openpyxl
from openpyxl.cell.read_only import EMPTY_CELL
from openpyxl.utils.cell import range_boundaries

from controlplane.ledgers.headings import SEARCHED_ROWS
from controlplane.ledgers.rows import Remark
from controlplane.ledgers.sheets import MAX_CELLS, MAX_COLUMNS, MAX_ROWS, Sheet
from controlplane.ledgers.values import plain
from controlplane.model.finding import Severity

MAX_SHEETS = 64
MAX_ENTRIES = 2_000
MAX_INFLATED_BYTES = 768 * 1024 * 1024
"""Some 200,000 rows of RVTools; what is larger is a bomb or can be split."""
MAX_STRINGS_BYTES = 128 * 1024 * 1024
"""openpyxl holds all shared strings at once."""
MAX_MERGED_CELLS = 200_000
MAX_MEMORY_BYTES = 3 * 1024**3
"""What reading may take beside what the process has: a file of some hundred KB can hold a hundred million empty elements, which
no limit of bytes or rows stops before openpyxl has made objects of them."""
_CONTENTS = "[Content_Types].xml"

_MERGED = re.compile(rb"""<(?:[A-Za-z0-9]+:)?mergeCell\s[^<>]*?\bref\s*=\s*["']([A-Z]{1,3}[0-9]{1,7}:[A-Z]{1,3}[0-9]{1,7})["']""")
_CHUNK = 1024 * 1024
_OVERLAP = 256
_LITERAL = re.compile(r'"([^"]{1,20})"')
_ENCRYPTED = b"\xd0\xcf\x11\xe0"
"""An OLE file: an old .xls, or an .xlsx with a password."""


def read_xlsx(raw: bytes, file: str) -> tuple[tuple[Sheet, ...], tuple[Remark, ...]]:
    """All visible sheets with something on them, and what is to be said; never raises for what is in the file."""
    if raw.startswith(_ENCRYPTED):
        return (), (_critical(file, "is an old .xls file or has a password", "save it as .xlsx without one, or as CSV"),)
    if why := _dangerous(raw):
        return (), (_critical(file, why, "save the ledger alone as .xlsx or as CSV"),)
    remarks: list[Remark] = []
    with warnings.catch_warnings():
        # openpyxl warns of charts, validations and styles that it leaves out; none of them is a value.
        warnings.simplefilter("ignore")
        try:
            with _memory_capped(MAX_MEMORY_BYTES):
                sheets = tuple(_sheets(raw, file, remarks))
        except MemoryError:
            why = f"takes more than {MAX_MEMORY_BYTES // 1024**2} MiB of memory to read"
            return (), (_critical(file, why, "split it, or save the ledger alone as CSV"),)
        except Exception as error:  # openpyxl raises whatever a broken part makes its code trip over
            return (), (_critical(file, f"cannot be read as XLSX: {type(error).__name__}: {error}", "save it again, or as CSV"),)
    return sheets, tuple(remarks)


@contextmanager
def _memory_capped(most_bytes: int) -> Iterator[None]:
    """Within it the process gets so much more memory and then MemoryError, instead of the end that the kernel has for it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    has = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    limits = [has + most_bytes, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _dangerous(raw: bytes) -> str:
    """Why the archive is not handed on, or empty."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entries = archive.infolist()
            if _CONTENTS not in archive.namelist():
                return "is an archive and no .xlsx workbook"
            if len(entries) > MAX_ENTRIES:
                return f"holds {len(entries)} files, at most {MAX_ENTRIES} are looked at"
            inflated = sum(entry.file_size for entry in entries)
            if inflated > MAX_INFLATED_BYTES:
                return f"inflates to {inflated} bytes, at most {MAX_INFLATED_BYTES} are read"
            for entry in entries:
                name = entry.filename.lower()
                if name.endswith("sharedstrings.xml") and entry.file_size > MAX_STRINGS_BYTES:
                    return f"has {entry.file_size} bytes of texts, at most {MAX_STRINGS_BYTES} are read"
                if name.endswith((".xml", ".rels", ".vml")):
                    with archive.open(entry) as part:
                        if why := _declares_entities(part):
                            return f"{entry.filename} {why}"
    except Exception as error:  # a broken archive makes zipfile and zlib raise many kinds
        return f"is not a sound archive: {type(error).__name__}: {error}"
    return ""


class _BegunError(Exception):
    """The root element was reached, so no declaration follows."""


def _declares_entities(part: IO[bytes]) -> str:
    """Why an XML part is not parsed any further, or empty: a document type can define entities, a workbook has none."""
    found: list[str] = []
    parser = expat.ParserCreate()

    def doctype(*_: object) -> None:
        found.append("has a document type, which no workbook has")
        raise _BegunError

    def element(*_: object) -> None:
        raise _BegunError

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = element
    with suppress(_BegunError):
        while chunk := part.read(4096):
            try:
                parser.Parse(chunk, False)
            except expat.ExpatError:
                return ""  # openpyxl will say it
    return found[0] if found else ""


def _sheets(raw: bytes, file: str, remarks: list[Remark]) -> Iterator[Sheet]:
    book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=False, keep_links=False)
    cells_left = MAX_CELLS
    try:
        for count, sheet in enumerate(book.worksheets):
            name = plain(str(sheet.title))
            streamed: Any = sheet  # the stubs know sheets that can be written, not these
            if count >= MAX_SHEETS:
                remarks.append(_critical(file, f"has more than {MAX_SHEETS} sheets", "split the file"))
                return
            if sheet.sheet_state != "visible":
                remarks.append(Remark(severity=Severity.INFORMATION, where=f"{file}:{name}", why="is a hidden sheet, not read"))
                continue
            read = _sheet(streamed, file, name, cells_left, remarks)
            cells_left -= sum(map(len, read.rows))
            if read.rows:
                with zipfile.ZipFile(io.BytesIO(raw)) as archive, archive.open(streamed._worksheet_path) as part:
                    _fill_merged(read, _merged_ranges(part), remarks)
                yield read
    finally:
        book.close()


def _sheet(sheet: Any, file: str, name: str, most: int, remarks: list[Remark]) -> Sheet:
    # What a file states of its own dimensions may be wrong; the limits are ours.
    sheet.reset_dimensions()
    numbers: list[int] = []
    rows: list[list[str]] = []
    beyond = cells = 0
    for number, row in enumerate(sheet.iter_rows(max_row=MAX_ROWS + 1, max_col=MAX_COLUMNS + 1), start=1):
        if number > MAX_ROWS or cells > most:
            limit = f"{MAX_ROWS} rows" if number > MAX_ROWS else f"{MAX_CELLS} cells"
            remarks.append(_critical(f"{file}:{name}", f"only the first {limit} are read", "split the sheet"))
            break
        texts: list[str] = []
        for column, cell in enumerate(row):
            if cell is EMPTY_CELL or cell.value is None:
                continue
            if column >= MAX_COLUMNS:
                beyond += 1
                continue
            texts.extend([""] * (column - len(texts)))
            texts.append(_text(cell))
        if any(texts):
            cells += len(texts)
            numbers.append(number)
            rows.append(texts)
    if beyond:
        why = f"only the first {MAX_COLUMNS} columns are read, {beyond} rows go on"
        remarks.append(Remark(severity=Severity.WARNING, where=f"{file}:{name}", why=why))
    return Sheet(file=file, name=name, numbers=numbers, rows=rows)


def _text(cell: Any) -> str:
    """A cell as a person sees it: `16` shown as `16GB` by its format is 16GB."""
    value = cell.value
    match value:
        case str():
            return value
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float():
            whole = int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value
            literal = _LITERAL.findall(cell.number_format or "")
            return f"{whole}{literal[-1]}" if len(literal) == 1 and value > 0 else str(whole)
        case datetime():
            return (value.date() if value.time() == datetime.min.time() else value.replace(microsecond=0)).isoformat()
        case date():
            return value.isoformat()
    formula = getattr(value, "text", None)
    return f"={str(formula or '').lstrip('=')}" if cell.data_type == "f" else str(value)


def _merged_ranges(part: IO[bytes]) -> Iterator[tuple[int, int, int, int]]:
    """First column, first row, last column, last row of each merged range. openpyxl does not tell them when it streams."""
    rest = b""
    while chunk := part.read(_CHUNK):
        text = rest + chunk
        end = 0
        for found in _MERGED.finditer(text):
            end = found.end()
            with suppress(ValueError):
                yield range_boundaries(found[1].decode("ascii"))  # type: ignore[misc]  # all four are there
        rest = text[max(end, len(text) - _OVERLAP) :]


def _fill_merged(sheet: Sheet, ranges: Iterable[tuple[int, int, int, int]], remarks: list[Remark]) -> None:
    """Give cells below the first of a merged range its text, and note those beside it, for headings of two levels."""
    places = {number: place for place, number in enumerate(sheet.numbers)}
    left = MAX_MERGED_CELLS
    for first_column, first_row, last_column, last_row in ranges:
        left -= 1
        place = places.get(first_row)
        if place is not None and first_column <= len(sheet.rows[place]):
            text = sheet.rows[place][first_column - 1]
            if place <= SEARCHED_ROWS:
                for column in range(first_column, min(last_column, MAX_COLUMNS)):
                    sheet.across[place, column] = text
            end = bisect_right(sheet.numbers, last_row)
            for below in range(place + 1, min(end, place + 1 + left)):
                row = sheet.rows[below]
                row.extend([""] * (first_column - len(row)))
                row[first_column - 1] = text
                sheet.merged[below, first_column - 1] = first_row
            left -= max(end - place - 1, 0)
        if left <= 0:
            why = f"has more than {MAX_MERGED_CELLS} merged cells, those after them are not followed"
            remarks.append(_critical(f"{sheet.file}:{sheet.name}", why, "split the sheet, or take merged cells apart"))
            return


def _critical(where: str, why: str, remedy: str) -> Remark:
    return Remark(severity=Severity.CRITICAL, where=where, why=why, remedy=remedy)
