"""RVTools exports of several releases: guests, and everything that hangs on them and hinders a move."""

from pathlib import Path

import openpyxl
import pytest

from controlplane.assessment.readiness import readiness_of
from controlplane.inventory import load
from controlplane.ledgers.mapping import LedgerMap
from controlplane.ledgers.reading import SourceKind, read_file
from controlplane.model.assessment import Reading
from controlplane.model.finding import Severity
from tests.assessment.estates import knowledge
from tests.ledgers.rvtools_files import write_export


def read(tmp_path, **how):
    write_export(tmp_path / "export.xlsx", **how)
    ledger = read_file(tmp_path / "export.xlsx", SourceKind.AUTO, LedgerMap())
    return {row.name: {value.field: value.value for value in row.values} for row in ledger.rows}, ledger


@pytest.mark.parametrize(
    ("unit", "custom"), [("MiB", ("部署", "Last backup")), ("MB", ()), ("MiB", tuple(f"attribute {n}" for n in range(40)))]
)
def test_every_release_says_the_same(tmp_path, unit, custom):
    guests, _ = read(tmp_path, unit=unit, custom=custom)
    assert list(guests) == ["WEB-01", "人事DB", "old"]
    web = guests["WEB-01"]
    assert (web["cpu.count"], web["memory.total_mib"], web["disks.total_gib"]) == (4, 8192, 100)
    assert (web["os.id"], web["os.version"], web["boot.mode"], web["power.state"]) == ("windows", "2019", "uefi", "running")
    assert (web["cpu.model"], web["cpu.mhz"]) == ("Intel(R) Xeon(R) CPU E5-2620 v4 @ 2.10GHz", 2100)
    assert [card["address"] for card in web["addresses"]] == ["10.0.20.71", "10.0.20.72", "fe80::250:56ff:feaa:1"]
    assert {card["mac"] for card in web["addresses"]} == {"00:50:56:aa:00:01"}
    assert web["filesystems"] == [{"mount": "C:\\", "size_mib": 101853, "used_mib": 40960}]


def test_what_hinders_a_move_is_a_fact(tmp_path):
    guests, _ = read(tmp_path)
    assert guests["WEB-01"]["snapshots"] == [{"name": "更新前", "created_at": "2026-03-01", "size_mib": 2048}]
    assert "removable" not in guests["WEB-01"], "an empty drive of a client hinders nobody"
    database = guests["人事DB"]
    assert database["removable"] == [{"kind": "ISO [ds1] rhel7.iso", "name": "CD/DVD drive 1", "connected": True}]
    assert database["hardware.usb"] == [{"name": "SafeNet Sentinel HASP", "product": "security"}]
    assert database["disks"] == [
        {"name": "Hard disk 1", "size_gib": 100, "kind": "disk", "mode": "independent_persistent", "shared": False},
        {"name": "Hard disk 2", "size_gib": 500, "kind": "raw", "mode": "independent_persistent", "shared": True},
    ]
    assert database["networks"] == [
        {"card": "Network adapter 1", "network": "VLAN30", "mac": "00:50:56:aa:00:02", "connected": False}
    ]


def test_readiness_rules_find_what_hinders_a_move(tmp_path):
    guests, _ = read(tmp_path)
    met = {
        name: {result.rule.text.id for result in readiness_of(knowledge().rules, facts) if result.reading is Reading.MET}
        for name, facts in guests.items()
    }
    assert {"snapshots", "boot-mode-uefi"} <= met["WEB-01"]
    assert {"raw-devices", "disks-shared-by-guests", "independent-disks", "media-connected", "dongle"} <= met["人事DB"]
    assert not {"snapshots", "raw-devices", "disks-shared-by-guests", "media-connected", "dongle"} & met["old"]


def test_what_cannot_be_read_is_named_by_its_cell(tmp_path):
    guests, ledger = read(tmp_path)
    findings = [str(remark.finding()) for remark in ledger.remarks if remark.severity is not Severity.INFORMATION]
    assert findings == [
        "export.xlsx:vDisk!A7: 'gone': belongs to no guest of vInfo, not read",
        "export.xlsx:vInfo!N4: 'lots': wanted a size such as 16GB, 'lots' is not understood",
    ]
    assert "memory.total_mib" not in guests["old"]
    assert guests["old"]["disks.total_gib"] == 21, "from vDisk, rounded up"
    told = [str(remark.finding()) for remark in ledger.remarks if remark.severity is Severity.INFORMATION]
    assert "export.xlsx:vInfo!A5: 'golden': is a template, not imported" in told
    assert any("several versions are named: none is read" in one for one in told)


def test_missing_sheets_are_told_once(tmp_path):
    guests, ledger = read(tmp_path, without=("vSnapshot", "vUSB"))
    assert "snapshots" not in guests["WEB-01"]
    assert any("has no sheet vSnapshot, vUSB, so what they would say is not known" in remark.why for remark in ledger.remarks)


def test_a_custom_attribute_with_the_heading_of_a_column_is_never_taken_for_it(tmp_path):
    write_export(tmp_path / "export.xlsx", custom=("OS", "Host"))
    book = openpyxl.load_workbook(tmp_path / "export.xlsx")
    sheet = book["vInfo"]
    headings = [cell.value for cell in sheet[1]]
    for number in range(2, sheet.max_row + 1):
        sheet.cell(number, headings.index("OS") + 1, "Solaris 10")
        sheet.cell(number, headings.index("Host") + 1, "rack 7" if number == 2 else "esx01.mof.example")
    book.save(tmp_path / "export.xlsx")
    ledger = read_file(tmp_path / "export.xlsx", SourceKind.AUTO, LedgerMap())
    web, database, _ = ({value.field: value.value for value in row.values} for row in ledger.rows)
    assert (web["os.id"], database["os.id"]) == ("windows", "rhel"), "the program's own heading goes first"
    assert "host" not in web["hypervisor"]
    assert database["hypervisor"]["host"] == "esx01.mof.example"
    findings = [str(remark.finding()) for remark in ledger.remarks if remark.severity is Severity.WARNING]
    assert (
        "export.xlsx:vInfo!AF2: 'esx01.mof.example': stands under the same heading as 'rack 7' of vInfo!AC2, neither is read"
        in findings
    )


def test_import_into_an_inventory(import_, kasumi):
    write_export(Path("export.xlsx"))
    done = import_("export.xlsx", "--system", "ledger")
    assert done.returncode == 0, done.stdout
    assert kasumi("check").returncode == 0
    servers = load(Path("inventory")).servers
    assert servers["web-01"].os == "windows-2019"
    assert (servers["hr-db"].size.vcpus, servers["hr-db"].size.disk_gib, servers["hr-db"].kind) == (8, 600, "virtual")
    assert servers["old"].size is None
    assert "nothing to write" in import_("export.xlsx", "--system", "ledger").stderr


def test_a_workbook_that_is_no_export_is_refused_as_one(tmp_path):
    write_export(tmp_path / "export.xlsx", without=("vInfo",))
    ledger = read_file(tmp_path / "export.xlsx", SourceKind.RVTOOLS, LedgerMap())
    assert [remark.why for remark in ledger.remarks] == ["has no sheet vInfo with the headings of RVTools"]
