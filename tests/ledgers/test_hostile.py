"""Files that no honest person made: each ends in a remark, never in an exception, a crash, or a program's worth of memory."""

import io
import re
import resource
import zipfile
from pathlib import Path

import openpyxl
import pytest

from controlplane.errors import KasumiError
from controlplane.ledgers import delimited, sheets, xlsx
from controlplane.ledgers.mapping import LedgerMap
from controlplane.ledgers.reading import SourceKind, read_bytes, read_file
from controlplane.model.finding import Severity
from tests.ledgers.files import write_workbook

QUOTE = '"'
SHEET = "xl/worksheets/sheet1.xml"


@pytest.fixture
def workbook(tmp_path):
    write_workbook(tmp_path / "ledger.xlsx")
    return (tmp_path / "ledger.xlsx").read_bytes()


def critical(raw, name="ledger.xlsx"):
    ledger = read_bytes(raw, name, SourceKind.AUTO, LedgerMap())
    return [str(remark.finding()) for remark in ledger.remarks if remark.severity is Severity.CRITICAL]


def rewritten(raw, part, change):
    """The archive with one part changed."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry.filename, change(content) if entry.filename == part else content)
        if part not in old.namelist():
            new.writestr(part, change(b""))
    return made.getvalue()


def test_a_zip_bomb_is_not_inflated(workbook, monkeypatch):
    monkeypatch.setattr(xlsx, "MAX_INFLATED_BYTES", 1_000_000)
    bomb = rewritten(workbook, SHEET, lambda _: b"<worksheet>" + b" " * 30_000_000)
    assert len(bomb) < 100_000
    assert critical(bomb)[0].startswith("ledger.xlsx: inflates to 300")


def test_a_directory_that_lies_about_sizes_is_no_way_around(workbook):
    whole = bytearray(rewritten(workbook, SHEET, lambda _: b"<worksheet>" + b" " * 30_000_000))
    with zipfile.ZipFile(io.BytesIO(bytes(whole))) as archive:
        size = archive.getinfo(SHEET).file_size
    assert whole.count(size.to_bytes(4, "little")) == 2
    assert critical(bytes(whole.replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little"))))


def test_many_entries_and_large_texts(workbook, monkeypatch):
    monkeypatch.setattr(xlsx, "MAX_ENTRIES", 3)
    assert "files, at most 3 are looked at" in critical(workbook)[0]
    monkeypatch.setattr(xlsx, "MAX_ENTRIES", 100)
    monkeypatch.setattr(xlsx, "MAX_STRINGS_BYTES", 10)
    texts = rewritten(workbook, "xl/sharedStrings.xml", lambda _: b"<sst></sst>")
    assert "bytes of texts, at most 10 are read" in critical(texts)[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("part", [SHEET, "xl/sharedStrings.xml", "xl/workbook.xml", "[Content_Types].xml"])
def test_entities_are_refused_before_any_parser_expands_them(workbook, part, encoding):
    laughs = f'<?xml version="1.0" encoding="{encoding}"?><!-- {"x" * 5000} --><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    found = critical(rewritten(workbook, part, lambda _: laughs.encode(encoding)))
    assert found == [f"ledger.xlsx: {part} has a document type, which no workbook has, save the ledger alone as .xlsx or as CSV"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"PK\x03\x04 and nothing else", "is not a sound archive"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 100, "is an old .xls file or has a password"),
        (b"", "wanted a row of headings"),
        (b"\x00" * 1000, "is no text that is known: there are zeros in it"),
        (bytes(range(256)) * 10, "is no text that is known: there are zeros in it"),
        ("hostname,memory\nweb1,8GB\n".encode("utf-32"), "is no text that is known: there are zeros in it"),
        ("hostname,memory\nweb1,8GB\n".encode("utf-16-le"), "is no text that is known: there are zeros in it"),
        (b"%PDF-1.4\n" + bytes(range(128, 256)) * 100, "is a PDF and no ledger"),
        (b"\xef\xbb\xbf\n<HTML><table>", "is HTML or XML and no ledger"),
    ],
)
def test_what_is_no_ledger_at_all(raw, said):
    assert said in critical(raw)[0]


def test_texts_shared_between_cells_as_excel_writes_them(workbook):
    """openpyxl writes texts where they stand; Excel and RVTools write each once in a part of its own."""
    texts: list[bytes] = []

    def share(found: re.Match[bytes]) -> bytes:
        texts.append(found[1])
        return b't="s"><v>%d</v>' % (len(texts) - 1)

    shared = rewritten(workbook, SHEET, lambda sheet: re.sub(rb't="inlineStr"><is><t[^>]*>(.*?)</t></is>', share, sheet))
    main = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    kinds = b'<Override PartName="/xl/sharedStrings.xml" ContentType="%s"/></Types>' % main
    shared = rewritten(shared, "[Content_Types].xml", lambda text: text.replace(b"</Types>", kinds))
    name = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    strings = b"".join(b"<si><t>%s</t></si>" % text for text in texts)
    shared = rewritten(shared, "xl/sharedStrings.xml", lambda _: b'<sst xmlns="%s">%s</sst>' % (name, strings))
    assert len(texts) > 20
    plain, other = (read_bytes(raw, "ledger.xlsx", SourceKind.AUTO, LedgerMap()) for raw in (workbook, shared))
    assert (other.rows, other.remarks) == (plain.rows, plain.remarks)


def test_a_truncated_workbook(workbook):
    for length in range(0, len(workbook), 500):
        assert critical(workbook[:length])


def test_a_row_at_the_end_of_the_world(workbook):
    far = rewritten(workbook, SHEET, lambda text: text.replace(b'<row r="7"', b'<row r="999999999999"'))
    found = critical(far)
    assert found == ["ledger.xlsx:サーバ一覧: only the first 200000 rows are read, split the sheet"]


def test_more_rows_cells_and_columns_than_a_ledger_has(monkeypatch):
    monkeypatch.setattr(delimited, "MAX_ROWS", 10)
    rows = "hostname,memory\n" + "".join(f"web{n},1GB\n" for n in range(50))
    assert critical(rows.encode(), "a.csv") == ["a.csv:11: only the first 10 rows are read, split the file"]
    monkeypatch.setattr(delimited, "MAX_COLUMNS", 3)
    ledger = read_bytes(b"hostname,memory,disk,os\nweb1,1GB,1GB,Debian 12\n", "a.csv", SourceKind.AUTO, LedgerMap())
    assert [remark.why for remark in ledger.remarks if remark.severity is Severity.WARNING] == [
        "4 fields, only the first 3 are read"
    ] * 2


def test_a_wide_workbook():
    book = openpyxl.Workbook()
    book.active.append(["hostname", "memory", *["x"] * 400])
    book.active.append(["web01", "4GB", *["x"] * 400])
    made = io.BytesIO()
    book.save(made)
    ledger = read_bytes(made.getvalue(), "a.xlsx", SourceKind.AUTO, LedgerMap())
    assert [row.name for row in ledger.rows] == ["web01"]
    assert any(
        "only the first 256 columns are read, 290 rows go on" in remark.why or "go on" in remark.why for remark in ledger.remarks
    )


def test_a_file_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr("controlplane.ledgers.reading.MAX_FILE_BYTES", 10)
    (tmp_path / "a.csv").write_bytes(b"x" * 11)
    with pytest.raises(Exception, match="has 11 bytes, at most 10 are read; split it"):
        read_file(tmp_path / "a.csv", SourceKind.AUTO, LedgerMap())
    assert sheets.MAX_FILE_BYTES == 64 * 1024 * 1024


def test_quotes_that_are_never_closed_cost_their_own_line_only():
    rows = "hostname,memory\n" + "".join(f"web{n},{QUOTE if n % 10 == 5 else ''}1GB\n" for n in range(200))
    ledger = read_bytes(rows.encode(), "a.csv", SourceKind.CSV, LedgerMap())
    assert len(ledger.rows) + sum(remark.severity is Severity.CRITICAL for remark in ledger.remarks) == 200
    assert len(ledger.rows) == 180


def test_a_cell_with_line_breaks_is_one_cell():
    ledger = read_bytes(b'hostname,ip\nweb1,"10.0.0.1\n10.0.0.2"\nweb2,10.0.0.3\n', "a.csv", SourceKind.CSV, LedgerMap())
    assert [(row.name, row.cell) for row in ledger.rows] == [("web1", "2:1"), ("web2", "4:1")]
    assert [len(row.values[0].value) for row in ledger.rows] == [2, 1]


def test_a_line_with_more_fields_than_headings_is_not_read_as_another_server():
    rows = "hostname,notes,memory (GB),vcpus\nweb1,rack 3, row 4,16,8\nweb2,fine,16,4,\nweb3,fine,16,4, ,x\n"
    ledger = read_bytes(rows.encode(), "a.csv", SourceKind.CSV, LedgerMap())
    assert {row.name: [value.value for value in row.values if value.field != "notes"] for row in ledger.rows} == {
        "web2": [4, 16384]
    }
    assert critical(rows.encode(), "a.csv") == [
        (
            "a.csv:2:5: '8': 5 fields under 4 headings, so which belongs to which is not known; the row is not imported, "
            "put values that hold the separator in quotes"
        ),
        (
            "a.csv:4:6: 'x': 6 fields under 4 headings, so which belongs to which is not known; the row is not imported, "
            "put values that hold the separator in quotes"
        ),
    ]


def test_what_stands_under_no_heading_is_told():
    ledger = read_bytes(b"hostname,,memory\nweb1,4,8GB\nweb2,-,8GB\n", "a.csv", SourceKind.CSV, LedgerMap())
    assert [row.name for row in ledger.rows] == ["web1", "web2"]
    assert [str(remark.finding()) for remark in ledger.remarks] == [
        "a.csv:2:2: '4': stands under no heading, not read, give the column a heading"
    ]
    book = openpyxl.Workbook()
    for row in (["hostname", "memory"], ["web01", "4GB"], ["web02", "4GB", None, "8GB", "see note"]):
        book.active.append(row)
    made = io.BytesIO()
    book.save(made)
    ledger = read_bytes(made.getvalue(), "a.xlsx", SourceKind.AUTO, LedgerMap())
    assert [row.name for row in ledger.rows] == ["web01", "web02"]
    assert [str(remark.finding()) for remark in ledger.remarks] == [
        "a.xlsx:Sheet!E3: 'see note': stands under no heading, not read, and 1 more in its row, give the column a heading"
    ]


def test_merged_cells_without_end_cost_no_more_than_the_limit(workbook, monkeypatch):
    monkeypatch.setattr(xlsx, "MAX_MERGED_CELLS", 1_000)
    many = b'<mergeCell ref="A1:IV1"/>' * 2_000
    found = critical(rewritten(workbook, SHEET, lambda text: text.replace(b"</mergeCells>", many + b"</mergeCells>")))
    assert found == [
        (
            "ledger.xlsx:サーバ一覧: has more than 1000 merged cells, those after them are not followed, "
            "split the sheet, or take merged cells apart"
        )
    ]
    tall = rewritten(workbook, SHEET, lambda text: text.replace(b'ref="A5:A7"', b'ref="A5:A1048576"'))
    assert critical(tall) == [], "rows that are not there cost nothing"


def test_a_workbook_of_nothing_but_elements_ends_before_the_memory_does(workbook, monkeypatch):
    monkeypatch.setattr(xlsx, "MAX_MEMORY_BYTES", 64 * 1024 * 1024)
    before = resource.getrlimit(resource.RLIMIT_AS)
    bomb = rewritten(workbook, SHEET, lambda text: text.replace(b"<sheetData>", b"<x/>" * 8_000_000 + b"<sheetData>"))
    assert len(bomb) < 100_000
    assert critical(bomb) == ["ledger.xlsx: takes more than 64 MiB of memory to read, split it, or save the ledger alone as CSV"]
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_an_archive_that_is_no_workbook_and_a_table_without_servers():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("content.xml", "<x/>")
    assert critical(made.getvalue()) == [
        "ledger.xlsx: is an archive and no .xlsx workbook, save the ledger alone as .xlsx or as CSV"
    ]
    ledger = read_bytes(b"hostname,memory\n", "a.csv", SourceKind.CSV, LedgerMap())
    assert [str(remark.finding()) for remark in ledger.remarks] == [
        "a.csv: has headings and no server below them, export it again if it should have"
    ]


def test_a_title_is_no_upper_row_of_headings():
    book = openpyxl.Workbook()
    for row in (["一覧", None, "取扱注意"], [], ["ホスト名", "メモリ", "謎"], ["web01", "8GB", "x"]):
        book.active.append(row)
    made = io.BytesIO()
    book.save(made)
    ledger = read_bytes(made.getvalue(), "a.xlsx", SourceKind.AUTO, LedgerMap())
    assert [remark.text for remark in ledger.remarks] == ["謎"]


def test_a_device_without_end_is_read_up_to_the_limit(monkeypatch):
    monkeypatch.setattr("controlplane.ledgers.reading.MAX_FILE_BYTES", 100_000)
    with pytest.raises(KasumiError, match="/dev/zero: has more than 100000 bytes, which is all that is read; split it"):
        read_file(Path("/dev/zero"), SourceKind.AUTO, LedgerMap())


def test_a_name_of_several_lines_is_not_one_server():
    rows = b'hostname,label,memory\n"web1\nweb2",,8GB\n"web3\n",Print\n"web4\r\nweb5",Mail,8GB\n'
    ledger = read_bytes(rows, "a.csv", SourceKind.CSV, LedgerMap())
    assert [row.name for row in ledger.rows] == ["web3", "Mail"]
    assert [str(remark.finding()) for remark in ledger.remarks if remark.severity is not Severity.INFORMATION] == [
        "a.csv:2:1: 'web1 web2': may name several servers, as it has several lines",
        "a.csv:2:1: the row names no server, not imported, fill in hostname",
        "a.csv:6:1: 'web4 web5': may name several servers, as it has several lines",
    ]


def test_long_and_controlling_texts_reach_no_terminal():
    long = "x" * 3000
    ledger = read_bytes(f"hostname,notes,os\nweb1,{long},\x1b[31mred\x07\n".encode(), "a.csv", SourceKind.CSV, LedgerMap())
    said = "".join(str(remark.finding()) for remark in ledger.remarks)
    assert "has 3000 characters, at most 2000 are read" in said
    assert "\x1b" not in said
    assert "\x1b" not in str(ledger.rows)
