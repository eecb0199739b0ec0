"""The shipped rules cover what may block a move, in both languages; mistakes in rules of a user are said at their place."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.assessment.processors import core_speed
from controlplane.assessment.readiness import readiness_of
from controlplane.assessment.shipped import knowledge_of, support_of
from controlplane.discovery.probes.storage import DISKS
from controlplane.discovery.probes.traces import PROGRAMS
from controlplane.errors import KasumiError
from controlplane.execution.assessing import shipped_knowledge
from controlplane.inventory.nodes import document_of
from controlplane.model.assessment import Reading
from controlplane.model.finding import Severity
from tests.assessment.estates import knowledge

WANTED = {
    "os-out-of-support", "32-bit", "foreign-architecture", "boot-mode-uefi", "file-system-unsupported", "raw-devices", "dongle",
    "hard-coded-addresses", "multicast", "overlapping-addresses", "licence-bound-to-hardware", "vendor-bound-middleware", "clock-skew",
    "certificate-expired", "certificate-expires", "uptime-over-a-year", "no-backup", "encrypted-file-systems", "clustered",
}  # fmt: skip

RULE = """rules:
  - id: {id}
    severity: {severity}
    when: {when}
    what: {{en: too small, ja: 小さい}}
    remedy: {{en: enlarge it, ja: 大きくする}}
"""


def test_every_rule_has_remedies_in_both_languages():
    rules = {rule.text.id: rule for rule in knowledge().rules}
    assert set(rules) >= WANTED
    for rule in rules.values():
        assert rule.text.remedy
        assert any(ord(character) > 0x3000 for character in rule.text.remedy_ja)
        assert bool(rule.blocks) is (rule.text.severity is Severity.CRITICAL)


def met(facts):
    return {result.rule.text.id for result in readiness_of(knowledge().rules, facts) if result.reading is Reading.MET}


@pytest.mark.parametrize(
    "program",
    [
        "corosync",
        "pacemakerd",
        "heartbeat",
        "rgmanager",
        "cman",
        "aisexec",
        "had",
        "ocssd.bin",
        "clulsnrd",
        "o2net",
        "dlm_controld",
    ],
)
def test_every_cluster_that_is_discovered_is_in_the_way(program):
    assert "clustered" in met(PROGRAMS.parse(f"== programs\n{program}\n"))


def test_a_raw_device_that_is_discovered_is_in_the_way():
    assert "raw-devices" in met(DISKS.parse("== block\nsda 2048000 0\n== raw\n/dev/raw/raw1\n"))
    assert "raw-devices" not in met(DISKS.parse("== block\nsda 2048000 0\n== raw\n"))


def test_a_directory_adds_rules_and_replaces_those_of_the_same_id(tmp_path):
    (tmp_path / "ours.yml").write_text(RULE.format(id="small", severity="warning", when="cpu.count < 2"), encoding="utf-8")
    (tmp_path / "tables.yml").write_text(
        "support:\n  - {id: debian, version: '4', until: 2010-02-15}\n"
        "processors:\n  - {models: ['*special*'], family: Special, year: 2020, relative: 2, mhz: 1000}\n",
        encoding="utf-8",
    )
    (tmp_path / "z.yml").write_text(RULE.format(id="no-backup", severity="critical", when="count backup == 0"), encoding="utf-8")
    found = shipped_knowledge(tmp_path)
    rules = {rule.text.id: rule for rule in found.rules}
    assert rules["small"].text.what == "too small"
    assert rules["no-backup"].text.severity is Severity.CRITICAL
    assert len(rules) == len(knowledge().rules) + 1
    assert support_of("debian", "4.0", found.support).until.year == 2010
    assert core_speed("A special one", None, found.processors).factor == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RULE.format(id="a", severity="fatal", when="any backup"), ":3:15: rules.0.severity: wanted one of critical, warning, information"),
        (RULE.format(id="a", severity="warning", when="cpu.coun < 2"), ":4:11: rules.0.when: no fact 'cpu.coun', did you mean cpu.count?"),
        (RULE.format(id="a", severity="warning", when="cpu.count < 2 and"), ":4:28: rules.0.when: wanted a fact or a value, found the end"),
        (RULE.format(id="a", severity="warning", when='"cpu.count <"'), ":4:23: rules.0.when: wanted a fact or a value"),
        (RULE.format(id="a", severity="warning", when="any backup") + "    blocks: [rehost]\n", ":7:13: rules.0.blocks: a warning blocks nothing"),
        (RULE.format(id="a", severity="warning", when="any backup") + "    show: [os.idd]\n", "no fact 'os.idd', did you mean os.id?"),
        (RULE.format(id="a", severity="warning", when="any filesystems where (typ == 1)"), "used_mib, did you mean type?"),
        (RULE.format(id="a", severity="warning", when="xyzzy == 1"), "no fact 'xyzzy', name facts that exist, as `kasumi facts SERVER`"),
        (RULE.format(id="a", severity="warning", when="any backup") + "    wen: true\n", ":7:5: rules.0.wen: unknown key, did you mean when?"),
        ("rules: 3\n", ":1:8: rules: wanted a list"),
        ("rulez: []\n", ":1:1: rulez: unknown key, did you mean rules?"),
        ("[1, 2]\n", ":1:1: (file): wanted a mapping"),
        ("rules: [\n", "is not YAML"),
        ("support:\n  - {id: debian, version: 4, until: never}\n", ":2:27: support.0.version: wanted text, found 4"),
    ],
)  # fmt: skip
def test_mistakes_in_rules_are_said_at_their_place(tmp_path, text, message):
    file = tmp_path / "ours.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(KasumiError) as caught:
        shipped_knowledge(tmp_path)
    assert "rules are not usable:" in str(caught.value)
    assert message in str(caught.value)


def test_two_rules_of_one_id_in_one_file_are_a_mistake(tmp_path):
    twice = RULE.format(id="a", severity="warning", when="any backup")
    (tmp_path / "ours.yml").write_text(twice + twice.partition("\n")[2], encoding="utf-8")
    with pytest.raises(KasumiError, match="a second rule a, rename one of them"):
        shipped_knowledge(tmp_path)


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(KasumiError, match="no such directory"):
        shipped_knowledge(tmp_path / "none")


def test_a_directory_without_rules_is_not_taken_for_no_wish(tmp_path):
    (tmp_path / "ours.txt").write_text(RULE.format(id="a", severity="warning", when="any backup"), encoding="utf-8")
    with pytest.raises(KasumiError, match=r"no \*\.yml or \*\.yaml in it; put rules there or leave --rules out"):
        shipped_knowledge(tmp_path)


@pytest.mark.parametrize(
    ("model", "mhz", "factor"),
    [
        ("Intel(R) Xeon(R) CPU            5160  @ 3.00GHz", None, 0.35),
        ("Intel(R) Xeon(TM) CPU 3.20GHz", 3200, 0.2),
        ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", 2400, 0.75),
        ("Intel(R) Xeon(R) CPU E5-2680 0 @ 2.70GHz", 2600, 0.6),
        ("Intel(R) Xeon(R) CPU X5650 @ 2.67GHz", 5400, 0.75),
        ("AMD EPYC 7763 64-Core Processor", None, 1.05),
        ("AMD EPYC 7551 32-Core Processor", None, 0.75),
        ("Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz", 3.0e9, 1.35),
    ],
)
def test_a_core_of_2006_is_not_one_of_today(model, mhz, factor):
    speed = core_speed(model, mhz, knowledge().processors)
    assert (speed.factor, speed.known) == (pytest.approx(factor), True)


@pytest.mark.parametrize("model", ["QEMU Virtual CPU version 2.5+", "", None, 7, ["x"]])
def test_an_unknown_processor_counts_as_new_and_says_so(model):
    speed = core_speed(model, None, knowledge().processors)
    assert (speed.factor, speed.known) == (1.0, False)


@pytest.mark.parametrize(
    ("os_id", "version", "until"),
    [("debian", "12.5", "2028-06-30"), ("ubuntu", "12.04", "2017-04-28"), ("RHEL", "7.9", "2024-06-30"), ("alpine", "3.18.4", "2025-05-09"),
     ("windows", "2008-r2", "2020-01-14"), ("windows", "2012-r2", "2023-10-10"), ("ol", "7.9", "2024-12-31"),
     ("debian", "1", None), ("plan9", "4", None), (None, None, None)],
)  # fmt: skip
def test_support_is_that_of_the_version_as_its_vendor_counts(os_id, version, until):
    found = support_of(os_id, version, knowledge().support)
    assert (str(found.until) if found else None) == until


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.dates(), st.text(max_size=12),
    st.sampled_from(["critical", "rehost", "cpu.count > 3", "any disks where (", "2026-13-40", "a", "b-1"]),
)  # fmt: skip
WORDS = ["rules", "processors", "support", "id", "severity", "when", "show", "what", "remedy", "en", "ja", "blocks", "models", "family",
         "year", "relative", "mhz", "version", "until", "x"]  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=9)),
    max_leaves=25,
)


@given(text=st.one_of(st.text(max_size=200), st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=3).map(yaml.safe_dump)))
@settings(max_examples=150, deadline=None)
def test_whatever_stands_in_a_rule_file_is_read_or_told_with_its_place(text):
    document = document_of(text.encode("utf-8", errors="replace"), "own.yml")
    found, findings = knowledge_of((document,))
    assert all(finding.where.startswith("own.yml:") for finding in findings)
    readiness_of(found.rules, {})
    core_speed("Xeon", 2600, found.processors)
    support_of("debian", "12", found.support)
