"""Whatever stands in a ledger: no exception comes out of a reader, and no zero or emptiness goes in as a value."""

import io
import tempfile
from pathlib import Path

import openpyxl
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from controlplane.errors import KasumiError
from controlplane.inventory import read
from controlplane.ledgers import dates, sizes, values
from controlplane.ledgers.ansible_inventory import read_ansible
from controlplane.ledgers.generated import read_hosts
from controlplane.ledgers.headings import Headings, shipped_headings
from controlplane.ledgers.importing import prepare
from controlplane.ledgers.mapping import LedgerMap, read_map
from controlplane.ledgers.os_names import os_name
from controlplane.ledgers.reading import SourceKind, read_bytes
from controlplane.ledgers.rows import Ledger
from controlplane.model.facts import CATALOGUE
from tests.inventory.conftest import BASE
from tests.ledgers.rvtools_files import COLUMNS

LIKELY = st.text(
    alphabet="0123456789０１２.,xX×*+/-:()[]{}%#=\"'年月日平成令和元HSRGMTKBiIgb ｂＧコア本台構成RAIDraid約以上同上〃なし:;、\t\n",
    max_size=30,
)
TEXTS = st.one_of(LIKELY, st.text(max_size=40))
READINGS = {
    "cpus": values.cpus,
    "cores": values.cores_within,
    "kind": values.kind,
    "state": values.state,
    "mac": values.mac,
    "addresses": values.addresses,
    "mhz": values.mhz,
    "day": dates.day,
    "memory": lambda text: sizes.memory(text, ""),
    "memory in GB": lambda text: sizes.memory(text, "GB"),
    "disk": lambda text: sizes.disk(text, ""),
    "disk in MiB": lambda text: sizes.disk(text, "MiB"),
}


@pytest.mark.parametrize("name", READINGS)
@given(text=TEXTS)
@settings(max_examples=250, deadline=None)
@example(text="0")
@example(text="0GB×0")
@example(text="9" * 400)
@example(text="²")
@example(text="٣GB")
@example(text="平成0年1月1日")
@example(text="9999年度末")
@example(text="令和99999年1月1日")
def test_no_reading_raises_and_none_is_zero(name, text):
    reading = READINGS[name](values.plain(text))
    assert (reading.value is None) == bool(reading.problem)
    assert reading.value not in (0, "", [], {}, False)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_names_of_systems_and_headings(text):
    folded = values.plain(text)
    assert values.plain(folded) == folded
    assert folded.isprintable()
    found = os_name(folded)
    assert found is None or found.id
    Headings().find(text)


def sound(ledger: Ledger) -> None:
    for row in ledger.rows:
        assert row.name
        for value in row.values:
            assert value.field in CATALOGUE
            assert value.value not in (0, "", [], {}, None), value


@given(st.binary(max_size=400), st.sampled_from(["a.csv", "a.xlsx", "a.yml", "a.ini", "a"]), st.sampled_from(list(SourceKind)))
@settings(max_examples=400, deadline=None)
def test_bytes(raw, name, kind):
    sound(read_bytes(raw, name, kind, LedgerMap()))


FIELDS = sorted({headings[0] for headings in shipped_headings().values()})
NAMES = st.one_of(
    st.from_regex(r"[a-z]{1,3}[0-9]{0,2}", fullmatch=True), st.sampled_from(["on", "no", "null", "all", "hv1", "Web_01"]), TEXTS
)
TABLES = st.lists(st.sampled_from(FIELDS), min_size=2, max_size=12, unique=True).flatmap(
    lambda headings: st.tuples(
        st.just(headings),
        st.lists(st.lists(TEXTS, min_size=len(headings), max_size=len(headings)), max_size=6),
        st.lists(NAMES, min_size=6, max_size=6),
    )
)


def text_of(table) -> str:
    headings, rows, names = table
    lines = [["ホスト名", *headings], *([name, *row] for name, row in zip(names, rows, strict=False))]
    return "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in line) + "\n" for line in lines)


@given(TABLES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_table_holds_the_inventory_afterwards_is_valid_and_the_same_again(table):
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        for file in BASE.rglob("*.yml"):
            target = directory / file.relative_to(BASE)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
        raw = text_of(table).encode("utf-8", errors="replace")
        ledger = read_bytes(raw, "台帳 {{ x }}.csv", SourceKind.CSV, LedgerMap())
        sound(ledger)
        ready = prepare(ledger, directory, ministry="mof", system="ledger", mapping=LedgerMap())
        ready.carry_out()
        estate, findings = read(directory)
        assert findings == ()
        assert estate is not None
        for text in ready.texts:
            yaml.safe_load(text.replace("!unsafe", "!!str"))
        again = prepare(ledger, directory, ministry="mof", system="ledger", mapping=LedgerMap())
        assert not again.differs
        assert not again.merge.changes
        assert read_hosts(ready.files, "mof") == ready.merge.hosts


PRINTABLE = st.characters(min_codepoint=32, max_codepoint=0xFFFD, exclude_categories=["Cs"])
CELLS = st.one_of(
    st.none(), st.integers(-(10**20), 10**20), st.floats(), st.booleans(), st.datetimes(), st.text(PRINTABLE, max_size=20), LIKELY
)


@given(
    st.lists(st.lists(CELLS, max_size=8), max_size=5),
    st.sampled_from(["vInfo", "一覧"]),
    st.lists(st.sampled_from(["A1:B3", "A2:A4", "B2:C2"]), max_size=2, unique=True),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_workbooks(rows, title, merged):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    headings = ["VM", "Powerstate", "CPUs", "Memory", "Total disk capacity MiB", "Primary IP Address", "DNS Name", "Template"]
    sheet.append(
        headings if title == "vInfo" else ["ホスト名", "メモリ", "ディスク容量", "CPU", "OS", "IPアドレス", "導入日", "状態"]
    )
    for row in rows:
        sheet.append([None if isinstance(cell, float) and cell != cell else cell for cell in row])  # noqa: PLR0124
    for cells in merged:
        sheet.merge_cells(cells)
    made = io.BytesIO()
    try:
        book.save(made)
    except (ValueError, OverflowError, TypeError):
        return  # openpyxl writes no such value
    sound(read_bytes(made.getvalue(), "a.xlsx", SourceKind.AUTO, LedgerMap()))


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_exports_with_anything_in_their_sheets(data):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, columns in COLUMNS.items():
        headings = columns.format(unit="MiB", custom="").split(",")
        sheet = book.create_sheet(name)
        sheet.append(headings)
        for _ in range(data.draw(st.integers(0, 2))):
            row = data.draw(
                st.lists(
                    st.one_of(st.sampled_from(["WEB-01", "True", "False", 0, 1024, "poweredOn", None]), TEXTS),
                    max_size=len(headings),
                )
            )
            sheet.append([cell if not isinstance(cell, str) else values.plain(cell) for cell in row])
    made = io.BytesIO()
    book.save(made)
    sound(read_bytes(made.getvalue(), "export.xlsx", SourceKind.AUTO, LedgerMap()))


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_damaged_workbooks(workbook_bytes, place, damage):
    at = place % len(workbook_bytes)
    sound(read_bytes(workbook_bytes[:at] + damage + workbook_bytes[at + len(damage) :], "a.xlsx", SourceKind.AUTO, LedgerMap()))


@pytest.fixture(scope="module")
def workbook_bytes(tmp_path_factory):
    from tests.ledgers.files import write_workbook

    file = tmp_path_factory.mktemp("fuzz") / "a.xlsx"
    write_workbook(file)
    return file.read_bytes()


INI_LINES = st.lists(
    st.one_of(st.sampled_from(["[a]", "[a:vars]", "[a:children]", "[a:b:c]", "h[01:03] x=1", "h memory=0GB", "b", "x='"]), TEXTS),
    max_size=8,
)


@given(INI_LINES)
@settings(max_examples=200, deadline=None)
def test_ini_inventories(lines):
    sound(read_bytes("\n".join(lines).encode("utf-8", errors="replace"), "hosts.ini", SourceKind.AUTO, LedgerMap()))


VARIABLES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=10,
)
INNER = st.dictionaries(st.one_of(TEXTS, st.sampled_from(["memory", "vcpus", "a[0:9]"])), VARIABLES, max_size=3)
GROUPS = st.dictionaries(st.sampled_from(["hosts", "vars", "children", "x"]), INNER)


@given(st.dictionaries(st.sampled_from(["all", "system_a", "b"]), st.one_of(GROUPS, VARIABLES), max_size=3))
@settings(max_examples=150, deadline=None)
def test_yaml_inventories(document):
    sound(read_bytes(yaml.safe_dump(document).encode("utf-8", errors="replace"), "hosts.yml", SourceKind.AUTO, LedgerMap()))


@given(
    st.dictionaries(
        st.sampled_from(
            ["hosts", "hosts.ini", "hosts.yml", "host_vars/h1.yml", "host_vars/h1/a.json", "group_vars/all.yml", "x/y"]
        ),
        st.one_of(
            INI_LINES.map("\n".join),
            st.dictionaries(st.sampled_from(["all", "h1", "memory", "vcpus"]), st.one_of(GROUPS, VARIABLES), max_size=3).map(
                yaml.safe_dump
            ),
            TEXTS,
        ),
        max_size=4,
    )
)
@settings(max_examples=150, deadline=None)
def test_inventory_directories(files):
    raw = {path: text.encode("utf-8", errors="replace") for path, text in files.items()}
    sound(read_ansible(raw, "inventory", Headings()))


@given(
    st.sampled_from(
        [("name", "vcpus", "memory", "disk", "cluster"), ("Name", "vCPUs", "Memory (MB)", "Disk (GB)", "Cluster", "Status")]
    ),
    st.lists(st.lists(TEXTS, min_size=4, max_size=6), max_size=4),
    st.sampled_from([SourceKind.AUTO, SourceKind.NETBOX]),
)
@settings(max_examples=150, deadline=None)
def test_netbox_exports(headings, rows, kind):
    lines = [headings, *rows]
    text = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in line) + "\n" for line in lines)
    sound(read_bytes(text.encode("utf-8", errors="replace"), "netbox.csv", kind, LedgerMap()))


@given(
    st.one_of(st.dictionaries(st.sampled_from([*LedgerMap.model_fields, "x"]), VARIABLES, max_size=4).map(yaml.safe_dump), TEXTS)
)
@settings(max_examples=150, deadline=None)
def test_a_map_is_read_or_refused(text):
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "map.yml")
        file.write_bytes(text.encode("utf-8", errors="replace"))
        try:
            found = read_map(file)
        except KasumiError as error:
            assert "map.yml" in str(error)
            return
        sound(read_bytes("ホスト名,memory\nweb1,8\n".encode(), "a.csv", SourceKind.CSV, found))
