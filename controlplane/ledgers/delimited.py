"""Reads CSV as ministries save it: CP932, UTF-8 or UTF-16; comma, semicolon or tab; quotes that are never closed.

A cell is named `line:field`, both from 1; a record with line breaks in it is named by its first line.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import islice

from controlplane.ledgers.headings import SEARCHED_ROWS, Headings
from controlplane.ledgers.rows import Remark
from controlplane.ledgers.sheets import MAX_CELLS, MAX_COLUMNS, MAX_ROWS, Sheet
from controlplane.model.finding import Severity

_DELIMITERS = (",", "\t", ";")
_MAX_RECORD_LINES = 50
"""A record that goes on for longer has a quote that is never closed, and would swallow the servers after it."""
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


_JIS = "\x1b$"
"""How ISO-2022-JP changes to Japanese; no other text has it."""
_OTHERS = (
    (b"%pdf-", "a PDF"),
    (b"{\\rtf", "RTF"),
    *((sign, "HTML or XML") for sign in (b"<?xml", b"<!doctype", b"<html", b"<table")),
)
"""How files begin that are no tables though their names may say so; programs export HTML as .xls."""


def read_delimited(raw: bytes, file: str, headings: Headings) -> tuple[Sheet, tuple[Remark, ...]]:
    """The table of a text file and what is to be said of it; never raises for what is in it."""
    begin = raw[:1024].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if what := next((what for sign, what in _OTHERS if begin.startswith(sign)), ""):
        return _none(file), (_critical(file, f"is {what} and no ledger", "save the table as .xlsx or as CSV"),)
    remarks: list[Remark] = []
    text = _decoded(raw, file, remarks)
    if "\0" in text:
        why = "is no text that is known: there are zeros in it"
        return _none(file), (_critical(file, why, "save it as .xlsx, or as CSV in UTF-8, UTF-16 or CP932"),)
    lines = list(io.StringIO(text, newline=""))
    delimiter = _delimiter(lines, headings)
    numbers: list[int] = []
    rows: list[list[str]] = []
    cells = 0
    for number, row in _records(lines, delimiter, file, remarks):
        if not any(row):
            continue
        cells += len(row)
        if len(rows) >= MAX_ROWS or cells > MAX_CELLS:
            limit = f"{MAX_ROWS} rows" if cells <= MAX_CELLS else f"{MAX_CELLS} cells"
            remarks.append(_critical(f"{file}:{number}", f"only the first {limit} are read", "split the file"))
            break
        if len(row) > MAX_COLUMNS:
            why = f"{len(row)} fields, only the first {MAX_COLUMNS} are read"
            remarks.append(Remark(severity=Severity.WARNING, where=f"{file}:{number}:{MAX_COLUMNS + 1}", why=why))
            del row[MAX_COLUMNS:]
        numbers.append(number)
        rows.append(row)
    return Sheet(file=file, name="", numbers=numbers, rows=rows), tuple(remarks)


def _decoded(raw: bytes, file: str, remarks: list[Remark]) -> str:
    """The text, by mark, by the escapes of JIS, or else the first of UTF-8 and CP932 that fits; bytes that fit none are told by line."""
    for mark, name in _BOMS:
        if raw.startswith(mark):
            text = raw.decode(name, errors="replace")
            break
    else:
        try:
            text, why = raw.decode("utf-8"), ""
            if _JIS in text:
                text, why = raw.decode("iso2022_jp_ext", errors="replace"), "has the escapes of JIS, read as ISO-2022-JP"
        except UnicodeDecodeError:
            text, why = raw.decode("cp932", errors="replace"), "is not UTF-8, read as CP932"
        if why:
            remarks.append(Remark(severity=Severity.INFORMATION, where=file, why=why))
    if "\ufffd" in text:
        for number, line in enumerate(io.StringIO(text, newline=""), start=1):
            if "\ufffd" in line:
                where = f"{file}:{number}:{line.index(chr(0xFFFD)) + 1}"
                why, remedy = "bytes that are no text", "save the file as UTF-8"
                remarks.append(Remark(severity=Severity.WARNING, where=where, why=why, remedy=remedy, column=why))
    return text


def _delimiter(lines: list[str], headings: Headings) -> str:
    """The one by which most headings are known; of equals the one that makes most columns."""
    first = lines[: 2 * SEARCHED_ROWS]

    def merit(delimiter: str) -> tuple[int, int]:
        rows = [row for _, row in _records(first, delimiter, "", [])]
        header = headings.header(rows, lambda _place, _column: "")
        return (len(header.columns) if header else 0), max(map(len, rows), default=0)

    return max(_DELIMITERS, key=merit)


def _records(lines: list[str], delimiter: str, file: str, remarks: list[Remark]) -> Iterator[tuple[int, list[str]]]:
    """Each record with its first line; a line that cannot be read is told, and reading goes on after it."""
    start = 0
    while start < len(lines):
        feed = _Feed(islice(lines, start, None))
        reader = csv.reader(feed, delimiter=delimiter, strict=True)
        begun = start
        try:
            for row in reader:
                yield begun + 1, row
                begun = start + reader.line_num
                feed.taken = 0
            return
        except csv.Error as error:
            unclosed = feed.taken > 1 or "unexpected end" in str(error)
            why = "a quote is opened and never closed" if unclosed else f"is not CSV: {error}"
            remarks.append(_critical(f"{file}:{begun + 1}:1", f"{why}; the line is not imported", "correct the quotes"))
            start = begun + 1


class _Feed:
    """Lines for the reader, as long as a record is not too long; `taken` counts those of the record being read."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.taken += 1
        if self.taken > _MAX_RECORD_LINES:
            raise csv.Error(f"a record of more than {_MAX_RECORD_LINES} lines")
        return next(self._lines)


def _none(file: str) -> Sheet:
    return Sheet(file=file, name="", numbers=[], rows=[])


def _critical(where: str, why: str, remedy: str) -> Remark:
    return Remark(severity=Severity.CRITICAL, where=where, why=why, remedy=remedy)
