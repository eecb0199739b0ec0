"""Every source is kept with its time and confidence; one value is chosen by rule; what disagrees is found and stops a plan."""

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.assessment.comparing import COMPARED, GATING
from controlplane.assessment.truth import contradiction_findings, in_the_way, seen_digest, shown, truth_of
from controlplane.model.decision import Decision
from controlplane.model.estate import Disposition
from controlplane.model.facts import CATALOGUE, Answer, Source
from controlplane.model.finding import Severity
from tests.assessment.said import NOON, addresses, ledger, said
from tests.planning.estates import estate, host, server, system

LEDGER = ledger("db1", {"cpu.count": 4, "memory.total_mib": 16384, "os.id": "rhel", "addresses": addresses("10.1.1.5")})
SEEN = said("db1", {"cpu.count": 4, "memory.total_mib": 7810, "os.id": "centos", "addresses": addresses("10.1.1.5", "10.9.9.9")})


def accepted(field, value, facts):
    return Decision(
        server="db1", subject=field, value=value, reason="half was taken out in 2019", actor="sato@mhlw", at=NOON,
        seen=seen_digest(facts),
    )  # fmt: skip


def test_the_source_nearest_to_the_server_wins_and_all_are_kept():
    truth = truth_of("db1", [LEDGER, SEEN, said("another", {"cpu.count": 64})])
    memory = truth.fields["memory.total_mib"]
    assert (memory.value, memory.source, memory.why) == (7810, Source.SSH, "ssh is nearest to the server")
    assert [(fact.source, fact.value) for fact in memory.facts] == [(Source.SSH, 7810), (Source.LEDGER, 16384)]
    assert memory.contradiction == "ssh says 7810 (ssh:memory.total_mib), ledger says 16384 (ledger:memory.total_mib)"
    assert not truth.fields["cpu.count"].contradiction
    assert not truth.fields["addresses"].contradiction
    assert truth.value("os.version") is None


def test_a_contradiction_is_critical_and_says_the_next_move():
    first, second = contradiction_findings(truth_of("db1", [LEDGER, SEEN]))
    assert (first.severity, first.where) == (Severity.CRITICAL, "server db1: memory.total_mib")
    assert "6 % and 192 MiB apart at most" in first.what
    assert first.remedy == "correct the source that is wrong, or `kasumi accept db1 memory.total_mib --reason …`"
    assert second.where == "server db1: os.id"


@pytest.mark.parametrize(
    ("field", "one", "other", "agree"),
    [
        ("memory.total_mib", 16384, 15884, True),
        ("memory.total_mib", 512, 460, True),
        ("memory.total_mib", 16384, 8192, False),
        ("memory.total_mib", 16384, "16384?", False),
        ("disks.total_gib", 300, 279, True),
        ("disks.total_gib", 300, 140, False),
        ("os.version", "7", "7.9", True),
        ("os.version", "7.9", "7.8", False),
        ("os.id", "RHEL", "redhat", True),
        ("os.architecture", "amd64", "x86_64", True),
        ("os.architecture", "i386", "x86_64", False),
        ("hardware.virtualisation", "kvm", "qemu", True),
        ("hardware.virtualisation", "none", "vmware", False),
        ("boot.mode", "EFI", "uefi", True),
        ("cpu.count", 4, 8, False),
        ("addresses", addresses("10.0.0.1"), addresses("10.0.0.2"), False),
        ("os.kernel", "5.10", "6.1", True),
    ],
)
def test_each_field_has_its_own_tolerance(field, one, other, agree):
    truth = truth_of("db1", [ledger("db1", {field: one}), said("db1", {field: other})])
    assert bool(truth.fields[field].contradiction) is not agree


def test_an_unsure_source_is_asked_last():
    guess = said("db1", {"os.version": "5"}, confidence=0.3)
    known = truth_of("db1", [guess, said("db1", {"os.version": "6.1"}, Source.HYPERVISOR)]).fields["os.version"]
    assert (known.value, known.source) == ("6.1", Source.HYPERVISOR)


def test_of_one_source_the_latest_word_counts():
    later = said("db1", {"cpu.count": 8}, at=NOON + timedelta(days=1))
    assert truth_of("db1", [later, SEEN]).value("cpu.count") == 8


def test_an_acceptance_holds_while_the_sources_say_the_same():
    facts = truth_of("db1", [LEDGER, SEEN]).fields["memory.total_mib"].facts
    decision = accepted("memory.total_mib", 8192, facts)
    memory = truth_of("db1", [LEDGER, SEEN], [decision]).fields["memory.total_mib"]
    assert (memory.value, memory.source, memory.is_open) == (8192, Source.PERSON, False)
    assert memory.why == "accepted by sato@mhlw: half was taken out in 2019"
    later = said("db1", {"memory.total_mib": 7810}, at=NOON + timedelta(days=9))
    assert not truth_of("db1", [LEDGER, SEEN, later], [decision]).fields["memory.total_mib"].is_open
    moved = said("db1", {"memory.total_mib": 3900}, at=NOON + timedelta(days=9))
    assert truth_of("db1", [LEDGER, SEEN, moved], [decision]).fields["memory.total_mib"].is_open


def test_the_score_is_zero_for_what_nobody_said_or_all_deny():
    assert truth_of("db1", []).score == 0
    whole = {"addresses": addresses("10.1.1.5"), "cpu.count": 2, "disks.total_gib": 40, "memory.total_mib": 4096,
             "os.id": "debian", "os.version": "12"}  # fmt: skip
    assert truth_of("db1", [ledger("db1", whole), said("db1", whole)]).score == 1
    assert truth_of("db1", [ledger("db1", whole)]).score == pytest.approx(0.6 * 0.4)
    assert truth_of("db1", [said("db1", whole)]).score == pytest.approx(0.95 * 0.8)
    doubted = truth_of("db1", [ledger("db1", whole | {"cpu.count": 4}), said("db1", whole)])
    assert doubted.score == pytest.approx(5 / 6)


def test_a_server_that_did_not_answer_is_known_from_its_ledger_alone():
    truth = truth_of("db1", [LEDGER, said("db1", {}, answer=Answer.UNREACHABLE, message="no route to host")])
    assert (truth.answer, truth.was_seen, truth.message) == (Answer.UNREACHABLE, False, "no route to host")
    assert truth.value("cpu.count") == 4


def test_only_servers_that_become_machines_stop_a_plan():
    def truths_and_estate(disposition):
        made = estate([host("hv1")], systems=[system("s")], servers=[server("db1", "s", disposition)])
        return [truth_of("db1", [LEDGER, SEEN])], made

    assert [finding.where for finding in in_the_way(*truths_and_estate(Disposition.REHOST))] == [
        "server db1: memory.total_mib",
        "server db1: os.id",
    ]
    assert not in_the_way(*truths_and_estate(Disposition.RETAIN))


def test_comparisons_are_about_fields_of_the_catalogue():
    assert set(COMPARED) <= set(CATALOGUE)
    assert set(COMPARED) >= GATING


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(CATALOGUE)), VALUES, VALUES)
def test_any_value_of_any_field_is_merged_in_any_order(field, one, other):
    collections = [ledger("db1", {field: one}), said("db1", {field: other}), said("db1", {field: one}, Source.HYPERVISOR)]
    truths = [truth_of("db1", order) for order in permutations(collections)]
    assert all(truth == truths[0] for truth in truths)
    assert all(0 <= truth.score <= 1 for truth in truths)
    for finding in contradiction_findings(truths[0]):
        assert finding.remedy
    assert isinstance(shown(one), str)


def test_shown_values_are_short():
    assert shown(addresses("10.0.0.1", "10.0.0.2")) == "10.0.0.1 10.0.0.2"
    assert shown([]) == "(none)"
    assert shown({"kind": "drbd"}) == "drbd"
