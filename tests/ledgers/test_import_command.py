"""`kasumi inventory import` end to end: files as ministries have them, the inventory afterwards, and what is said."""

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from controlplane.inventory import load
from controlplane.ledgers import generated
from controlplane.ledgers.facts import ledger_facts
from controlplane.settings import load as load_settings
from controlplane.store import open_store
from tests.ledgers.files import CHINESE, ENGLISH, JAPANESE, write_workbook

GENERATED = Path("inventory/50-ledger-mof.yml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16", "iso2022_jp_ext"])
def test_a_japanese_csv_in_any_encoding(import_, encoding, golden):
    Path("台帳.csv").write_text(JAPANESE, encoding=encoding)
    done = import_("台帳.csv")
    assert done.returncode == 0
    said = done.stdout.replace("information: 台帳.csv: is not UTF-8, read as CP932\n", "")
    said = said.replace("information: 台帳.csv: has the escapes of JIS, read as ISO-2022-JP\n", "")
    golden("japanese.txt", f"{said}{done.stderr}\n{GENERATED.read_text(encoding='utf-8')}")
    web02 = load(Path("inventory")).servers["web02"]
    assert (web02.size.vcpus, web02.size.memory_mib, web02.size.disk_gib) == (4, 16384, 300)
    assert (web02.os, web02.address, web02.kind, web02.system) == ("rhel-6.9", "10.0.20.32", "physical", "ledger")


def test_a_workbook_with_titles_merged_cells_and_several_sheets(import_, golden):
    write_workbook(Path("台帳.xlsx"))
    done = import_("台帳.xlsx")
    assert done.returncode == 0
    golden("workbook.txt", f"{done.stdout}{done.stderr}\n{GENERATED.read_text(encoding='utf-8')}")
    servers = load(Path("inventory")).servers
    assert servers["fs01"].size.disk_gib == 1800
    assert servers["fs02"].size is None
    assert "ghost" not in servers


@pytest.mark.parametrize(
    ("text", "server", "size", "os"),
    [(CHINESE, "db01", (8, 32768, 500), "centos-7.9"), (ENGLISH, "app01", (4, 8192, 120), "debian-10")],
)
def test_chinese_and_english_headings(import_, text, server, size, os):
    Path("ledger.csv").write_text(text, encoding="utf-8")
    done = import_("ledger.csv")
    assert done.returncode == 0
    found = load(Path("inventory")).servers[server]
    assert (found.size.vcpus, found.size.memory_mib, found.size.disk_gib) == size
    assert (found.os, found.kind, found.system) == (os, "virtual", "ledger")


def test_the_same_file_again_changes_nothing(import_, kasumi):
    Path("ledger.csv").write_text(JAPANESE, encoding="utf-8")
    assert import_("ledger.csv").returncode == 0
    before = GENERATED.read_bytes(), GENERATED.stat().st_mtime_ns
    again = import_("ledger.csv")
    assert again.returncode == 0
    assert again.stderr.endswith("3 unchanged; 0 not in the file any more; 0 not imported; nothing to write\n")
    assert (GENERATED.read_bytes(), GENERATED.stat().st_mtime_ns) == before
    assert kasumi("check").returncode == 0
    assert [record.action for record in _evidence()] == ["inventory-import"]


def test_a_changed_row_is_shown_and_not_taken_unasked(import_):
    Path("ledger.csv").write_text(JAPANESE, encoding="utf-8")
    import_("ledger.csv")
    before = GENERATED.read_text(encoding="utf-8")
    Path("ledger.csv").write_text(JAPANESE.replace("仮想,たくさん,8GB,不明", "仮想,2,8GB,40GB"), encoding="utf-8")
    refused = import_("ledger.csv")
    assert refused.returncode == 5
    assert "not confirmed, nothing was written; --yes answers this" in refused.stderr
    assert GENERATED.read_text(encoding="utf-8") == before
    shown = refused.stdout[refused.stdout.index("~ web03") :]
    assert shown == (
        "~ web03 (ledger)\n    size: (none) -> vcpus 2 memory 8GiB disk 40GiB\n"
        "    cpu.count: (none) -> 2 (ledger.csv:6:5)\n    disks.total_gib: (none) -> 40 (ledger.csv:6:7)\n"
    )
    assert import_("ledger.csv", "--dry-run").returncode == 0
    assert GENERATED.read_text(encoding="utf-8") == before
    assert import_("ledger.csv", "--yes").returncode == 0
    assert load(Path("inventory")).servers["web03"].size.vcpus == 2


def test_what_a_person_edits_stays_and_what_left_the_ledger_is_kept_and_told(import_):
    Path("ledger.csv").write_text(JAPANESE, encoding="utf-8")
    import_("ledger.csv")
    edited = GENERATED.read_text(encoding="utf-8").replace("disposition: retain", "disposition: retire", 1)
    edited = edited.replace("          kasumi_server:\n", "          ansible_user: root\n          kasumi_server:\n", 1)
    edited = edited.replace('memory: "16GiB"', 'memory: "24GiB"', 1)
    GENERATED.write_text(edited, encoding="utf-8")
    lines = JAPANESE.splitlines(keepends=True)
    Path("ledger.csv").write_text("".join(lines[:3] + lines[4:]).replace("同上", "台帳", 1), encoding="utf-8")
    done = import_("ledger.csv", "--yes")
    assert "? web01: not in this file any more; kept" in done.stdout
    web01 = load(Path("inventory")).servers["web01"]
    assert (web01.disposition.value, web01.size.memory_mib) == ("retire", 24576)
    assert (
        yaml.safe_load(GENERATED.read_text(encoding="utf-8").replace("!unsafe", ""))["ministry_mof"]["children"]["system_ledger"][
            "hosts"
        ]["web01"]["ansible_user"]
        == "root"
    )


def test_evidence_names_the_very_file_that_was_read(import_, monkeypatch):
    raw = b"hostname,memory,disk,vcpus\nweb1,8GB,40GB,2\n"
    Path("ledger.csv").write_bytes(raw)
    monkeypatch.setattr(
        "controlplane.cli.inventory_import._confirm", lambda *_: Path("ledger.csv").write_text("changed meanwhile")
    )
    assert import_("ledger.csv", "--system", "ledger").returncode == 0
    (recorded,) = _evidence()
    assert recorded.detail["sha256"] == hashlib.sha256(raw).hexdigest()


def test_rows_that_only_moved_are_no_change(import_):
    Path("ledger.csv").write_text(JAPANESE, encoding="utf-8")
    import_("ledger.csv")
    Path("ledger.csv").write_text("\n" + JAPANESE, encoding="utf-8")
    done = import_("ledger.csv")
    assert done.returncode == 0
    assert "0 changed; 3 unchanged (3 of them stand in other cells now)" in done.stderr
    assert '["5:5", "cpu.count", 4]' in GENERATED.read_text(encoding="utf-8")


def test_a_server_of_another_file_gets_the_ledgers_facts_and_no_second_entry(import_):
    Path("ledger.csv").write_text("hostname,system,memory,ip\nledger-old,台帳,1GB,10.0.20.5\n", encoding="utf-8")
    done = import_("ledger.csv")
    assert (done.returncode, done.stdout) == (0, "+ ledger-old (declared in another file): 2 values as facts\n")
    server = load(Path("inventory")).servers["ledger-old"]
    assert server.size.memory_mib == 768
    assert [(value.field, value.value) for value in server.ledger] == [
        ("memory.total_mib", 1024),
        ("addresses", [{"address": "10.0.20.5"}]),
    ]


def test_rows_that_cannot_be_imported_are_named_and_the_others_are_imported(import_, kasumi, golden):
    Path("ledger.csv").write_text(
        "hostname,label,system,memory,ip\n"
        "good-1,,台帳,1GB,10.0.20.61\n"
        "good-2,,台帳,0GB,10.0.20.61\n"
        ",,台帳,1GB,\n"
        ",会計サーバ,台帳,1GB,\n"
        "good-1,,台帳,1GB,\n"
        "hv1,,台帳,1GB,\n"
        "hypervisors,,台帳,1GB,\n"
        "elsewhere,,旅費,1GB,\n"
        "nowhere,,,1GB,\n"
        '"open,,台帳,1GB,\n'
        "good-3,,台帳,1,\n"
        "on,,台帳,1GB,10.0.20.6\n",
        encoding="utf-8",
    )
    done = import_("ledger.csv")
    assert done.returncode == 3
    golden("refused.txt", done.stdout + done.stderr)
    assert kasumi("check").returncode == 0
    assert {"good-1", "good-2", "good-3", "on"} <= load(Path("inventory")).servers.keys()


def test_a_map_extends_the_dictionary(import_):
    Path("map.yml").write_text(
        "headings: {memory: [実メモリ量], name: [識別]}\nignore: [雑]\nunits: {memory: GB}\nkind: virtual\n"
        "systems: {旅費: ledger}\nids: {会計サーバ: kaikei}\nid_prefix: mof-\n",
        encoding="utf-8",
    )
    Path("ledger.csv").write_text("識別,雑,システム,実メモリ量\n会計サーバ,x,旅費,4\nweb01,x,旅費,8\n", encoding="utf-8")
    done = import_("ledger.csv", "--map", "map.yml")
    assert (done.returncode, "雑" in done.stdout) == (0, False)
    servers = load(Path("inventory")).servers
    assert (servers["kaikei"].kind, servers["kaikei"].ledger[0].value) == ("virtual", 4096)
    assert servers["mof-web01"].ledger[0].value == 8192


def test_mistakes_in_a_map_are_named_with_their_place(import_):
    Path("ledger.csv").write_text(JAPANESE, encoding="utf-8")
    Path("map.yml").write_text("headings: {memori: [x]}\nunits: {memory: GO}\nidz: {}\n", encoding="utf-8")
    done = import_("ledger.csv", "--map", "map.yml")
    assert done.returncode == 1
    assert "map.yml:1:11: headings: no field 'memori'" in done.stderr
    assert "map.yml:2:17: units.memory: wanted one of B, KB," in done.stderr
    assert "map.yml:3:1: idz: unknown key, did you mean ids?" in done.stderr
    Path("map.yml").write_text("headings: {memory: [Ｓｉｚｅ], disk: [size]}\n", encoding="utf-8")
    done = import_("ledger.csv", "--map", "map.yml")
    assert done.returncode == 1
    assert "map.yml:1:11: headings: 'size' is a heading of memory and of disk" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("ledger.csv", "--ministry", "mot"), 64, "no ministry 'mot' in the inventory; did you mean mof?"),
        (("ledger.csv", "--ministry", "mof", "--system", "lodger"), 64, "has no system 'lodger'; did you mean ledger?"),
        (("", "--ministry", "mof"), 64, "import: FILE is empty; name a ledger"),
        (("missing.csv", "--ministry", "mof"), 1, "missing.csv: cannot be read: No such file or directory"),
    ],
)
def test_wrong_words(kasumi, arguments, code, message):
    Path("ledger.csv").write_text(JAPANESE, encoding="utf-8")
    done = kasumi("import", *arguments)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr


def test_a_file_without_headings_is_refused_whole(import_):
    Path("notes.csv").write_text("this,is\nno,ledger\n", encoding="utf-8")
    done = import_("notes.csv")
    assert done.returncode == 3
    assert "wanted a row of headings with a server's name and something about it, found none" in done.stdout
    assert not GENERATED.exists()


def test_a_broken_inventory_takes_no_import(import_, change):
    change("20-mof.yml", "study_class: 2", "study_class: 5")
    Path("ledger.csv").write_text(JAPANESE, encoding="utf-8")
    done = import_("ledger.csv")
    assert done.returncode == 1
    assert "correct and run `kasumi inventory check` again" in done.stderr


def test_what_an_import_would_lose_is_refused(import_):
    Path("ledger.csv").write_text(JAPANESE, encoding="utf-8")
    import_("ledger.csv")
    text = GENERATED.read_text(encoding="utf-8")
    GENERATED.write_text(text.replace("      hosts:\n", "      vars: {a: 1}\n      hosts:\n", 1), encoding="utf-8")
    done = import_("ledger.csv")
    assert done.returncode == 1
    assert "50-ledger-mof.yml: 'vars' is nothing that an import writes, and would be lost" in done.stderr


def test_json_lists_every_remark(import_):
    rows = "".join(f"web{n:03},台帳,2×300GB RAID1\n" for n in range(50))
    Path("ledger.csv").write_text("ホスト名,システム,ディスク\n" + rows, encoding="utf-8")
    document = json.loads(import_("ledger.csv", "-o", "json", "--dry-run").stdout)
    assert document["schema_version"] == 1
    assert len([one for one in document["remarks"] if "RAID1 of 2 disks" in one["what"]]) == 50
    assert len(document["changes"]) == 50
    table = import_("ledger.csv", "--dry-run").stdout
    assert "… and 47 more like it; -o json lists all" in table


def test_ansible_reads_what_was_written_and_expands_no_template_of_a_cell(import_):
    Path("ledger.csv").write_text(
        "hostname,system,OS,notes\nweb01,台帳,{{ lookup('pipe'; 'touch HACKED') }},{{ 1 + 1 }}\n", encoding="utf-8"
    )
    assert import_("ledger.csv").returncode == 0
    ansible = Path(sys.executable).with_name("ansible")
    done = subprocess.run(
        [ansible, "web01", "-i", "inventory", "-m", "ansible.builtin.debug", "-c", "local", "-a", "msg='{{ kasumi_server.os }} {{ kasumi_ledger }}'"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "SUCCESS" in done.stdout, done.stdout + done.stderr
    assert "lookup('pipe'" in done.stdout
    assert "{{ 1 + 1 }}" in done.stdout
    assert not Path("HACKED").exists()


def _evidence():
    settings = load_settings()
    return open_store(settings).evidence("small")


def test_a_large_ledger_takes_several_files_and_a_server_stays_in_its_own(import_, kasumi, monkeypatch):
    monkeypatch.setattr(generated, "MAX_FILE_CHARACTERS", 2000)
    rows = [f"web{n:03},台帳,4,8GB,40GB\n" for n in range(0, 60, 2)]
    Path("ledger.csv").write_text("hostname,system,vcpus,memory,disk\n" + "".join(rows), encoding="utf-8")
    assert import_("ledger.csv").returncode == 0
    files = sorted(Path("inventory").glob("50-ledger-mof*.yml"))
    assert len(files) > 3
    before = {file: file.read_bytes() for file in files}
    rows += [f"web{n:03},台帳,4,8GB,40GB\n" for n in range(1, 20, 2)]
    Path("ledger.csv").write_text("hostname,system,vcpus,memory,disk\n" + "".join(rows), encoding="utf-8")
    assert "10 added; 0 changed; 30 unchanged" in import_("ledger.csv").stderr
    unchanged = [file for file in files if file.read_bytes() == before[file]]
    assert len(unchanged) >= len(files) - 1, "new servers go to the last file and those behind it"
    assert kasumi("check").returncode == 0
    assert "nothing to write" in import_("ledger.csv").stderr
    assert not list(Path("inventory").glob(".*")), "no part of a file is left behind"


def test_a_second_ledger_does_not_overrule_the_first_and_both_stay_facts(import_):
    Path("a.csv").write_text("hostname,system,vcpus,memory,disk,kind\nweb01,台帳,4,8GB,40GB,virtual\n", encoding="utf-8")
    Path("b.csv").write_text("hostname,system,vcpus,memory,disk,ip\nweb01,台帳,8,8GB,40GB,10.0.20.61\n", encoding="utf-8")
    assert import_("a.csv").returncode == 0
    second = import_("b.csv", "--yes")
    assert "says another size of web01 than stands in the inventory, which stays; both are kept as facts" in second.stdout
    server = load(Path("inventory")).servers["web01"]
    assert (server.size.vcpus, server.address, server.kind) == (4, "10.0.20.61", "virtual")
    facts = ledger_facts(load(Path("inventory")), at=datetime.now(UTC))["web01"]
    assert {fact.by: fact.value for fact in facts if fact.field == "cpu.count"} == {"a.csv:2:3": 4, "b.csv:2:3": 8}
    for file in ("a.csv", "b.csv", "a.csv"):
        assert "nothing to write" in import_(file).stderr
    Path("a.csv").write_text("hostname,system,vcpus,memory,disk,kind\nweb01,台帳,4,8GB,40GB,physical\n", encoding="utf-8")
    assert "kind: virtual -> physical (" in import_("a.csv", "--dry-run").stdout


def test_a_full_disk_leaves_everything_as_it_was(import_, monkeypatch):
    Path("ledger.csv").write_text(JAPANESE, encoding="utf-8")
    import_("ledger.csv")
    before = {file: file.read_bytes() for file in Path("inventory").rglob("*") if file.is_file()}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(generated.os, "fsync", full)
    Path("ledger.csv").write_text(JAPANESE.replace("RHEL 6.9", "RHEL 7.9"), encoding="utf-8")
    done = import_("ledger.csv", "--yes")
    assert done.returncode == 1
    assert "inventory: cannot be written: No space left on device; files that were replaced are whole" in done.stderr
    assert {file: file.read_bytes() for file in Path("inventory").rglob("*") if file.is_file()} == before
