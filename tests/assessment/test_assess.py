"""The assessment of a made estate finds every contradiction, dependency, ghost and blocker, and is one document."""

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.assessment.assess import assess
from controlplane.assessment.readiness import readiness_of
from controlplane.assessment.truth import seen_digest, truth_of
from controlplane.errors import KasumiError
from controlplane.model.assessment import Reading
from controlplane.model.decision import Decision
from controlplane.model.document import assessment_from_json, assessment_to_json, digest
from controlplane.model.estate import Confirmation, Disposition
from controlplane.model.facts import CATALOGUE
from controlplane.model.finding import Severity
from tests.assessment.estates import AS_OF, POLICY, assessed, collections, knowledge, office_estate, one
from tests.assessment.said import NOON, ledger, said


@pytest.fixture(scope="module")
def made():
    return assessed()


def rules(server, reading=Reading.MET):
    return {outcome.rule for outcome in server.readiness if outcome.reading is reading}


def test_the_same_inputs_give_the_same_bytes_and_come_back_equal(made):
    text = assessment_to_json(made)
    assert assessment_to_json(assessed()) == text
    assert assessment_from_json(text, "file") == made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda document: document | {"schema_version": 9}, "assessment schema version 9, this kasumi reads 1; assess again"),
        (lambda document: document | {"more": 1}, "unknown key 'more'"),
        (lambda document: document | {"as_of": "2026-06-02"}, "does not match its digest; an assessment is never edited"),
        (lambda document: document | {"servers": 3}, "servers: Input should be a valid tuple"),
    ],
)
def test_an_assessment_changed_by_hand_is_refused(made, change, message):
    with pytest.raises(KasumiError, match=message):
        assessment_from_json(json.dumps(change(json.loads(assessment_to_json(made)))), "file")


def test_contradictions_stop_their_server(made):
    server = one(made, "pension-db")
    (contradiction,) = server.contradictions
    assert (contradiction.field, contradiction.critical, contradiction.is_open) == ("memory.total_mib", True, True)
    assert [(said.source, said.value) for said in contradiction.statements] == [("ssh", "7900"), ("ledger", "16384")]
    assert server.waits_for == ("memory.total_mib",)
    assert one(made, "pension-ap").waits_for == ()


def test_an_accepted_contradiction_lets_it_go():
    facts = (
        truth_of("pension-db", [*collections(), ledger("pension-db", {"memory.total_mib": 16384})])
        .fields["memory.total_mib"]
        .facts
    )
    decision = Decision(server="pension-db", subject="memory.total_mib", value=8192, reason="half was taken out", actor="sato", at=NOON,
                        seen=seen_digest(facts))  # fmt: skip
    server = one(assessed((decision,)), "pension-db")
    assert server.waits_for == ()
    assert server.contradictions[0].accepted_by == "sato"
    assert server.size.wanted.memory_mib == 8192


def test_rules_find_what_was_planted_and_say_what_is_not_known(made):
    assert rules(one(made, "old-dongle")) == {
        "32-bit", "certificate-expires", "dongle", "no-backup", "no-time-source", "os-out-of-support",
    }  # fmt: skip
    assert rules(one(made, "pension-ap")) == {"hard-coded-addresses"}
    assert rules(one(made, "pension-db")) == {"uptime-over-a-year"}
    assert not rules(one(made, "pension-ap"), Reading.UNKNOWN)
    gone = one(made, "old-gone")
    assert {"dongle", "no-backup", "clustered"} <= rules(gone, Reading.UNKNOWN)
    assert next(outcome for outcome in gone.readiness if outcome.rule == "no-backup").details == ("backup",)
    assert rules(one(made, "old-windows")) == {"os-out-of-support"}


def test_critical_is_only_what_blocks(made):
    dongle = next(outcome for outcome in one(made, "old-dongle").readiness if outcome.rule == "dongle")
    assert one(made, "old-dongle").fate.decided is Disposition.RETAIN
    assert dongle.severity is Severity.WARNING
    stays = Decision(server="old-dongle", subject="disposition", value={"disposition": "rehost", "into": ""}, reason="USB server is here",
                     actor="sato", at=NOON)  # fmt: skip
    moved = one(assessed((stays,)), "old-dongle")
    assert (moved.fate.decided, moved.fate.decided_by) == (Disposition.REHOST, "sato")
    assert moved.waits_for == ("rule:dongle",)
    assert "sato decided: USB server is here" in moved.fate.reasons


def test_a_waived_rule_no_longer_blocks_while_the_same_is_seen():
    names = {"hardware.usb": [{"vendor": "0529", "product": "0001", "name": "HASP dongle"}]}
    (result,) = (result for result in readiness_of(knowledge().rules, names) if result.rule.text.id == "dongle")
    waiver = Decision(
        server="old-dongle", subject="rule:dongle", value=None, reason="USB server", actor="sato", at=NOON, seen=result.seen
    )
    server = one(assessed((waiver,)), "old-dongle")
    outcome = next(outcome for outcome in server.readiness if outcome.rule == "dongle")
    assert (outcome.reading, outcome.waived_by, outcome.severity) == (Reading.WAIVED, "sato", Severity.INFORMATION)
    assert server.fate.advised is Disposition.REPLATFORM
    stale = replace(waiver, seen="0" * 64)
    assert one(assessed((stale,)), "old-dongle").fate.advised is Disposition.RETAIN


def test_fates_follow_from_facts(made):
    advised = {server.id: server.fate.advised for server in made.servers}
    assert advised == {
        "dns-mhlw": Disposition.MERGE, "dns-mof": Disposition.MERGE, "office-db": Disposition.MERGE, "office-idle": Disposition.RETIRE,
        "old-dongle": Disposition.RETAIN, "old-gone": Disposition.REHOST, "old-windows": Disposition.REHOST,
        "pension-ap": Disposition.REHOST, "pension-db": Disposition.REHOST,
    }  # fmt: skip
    assert "2 ministries run (mhlw, mof)" in one(made, "dns-mof").fate.reasons[0]
    assert one(made, "old-gone").fate.reasons[0] == "the last look failed (unreachable): it stays rehost, as declared"
    assert one(made, "pension-ap").fate.reasons[-1] == "demand was confirmed by 佐藤 on 2026-04-01"
    assert all(server.fate.would_change for server in made.servers)


def test_advice_that_cannot_be_carried_out_says_what_is_missing(made):
    fate = one(made, "dns-mof").fate
    assert (fate.decided, fate.decided_by) == (Disposition.REHOST, "inventory")
    assert "name the machine: `kasumi decide dns-mof merge --into MACHINE --reason …`" in fate.reasons[1]


def test_a_reason_in_the_inventory_is_a_decision():
    given = office_estate()
    servers = given.servers | {"office-idle": replace(given.servers["office-idle"], reason="needed at the census")}
    fate = one(assessed(given=replace(given, servers=servers)), "office-idle").fate
    assert (fate.advised, fate.decided, fate.decided_by) == (Disposition.RETIRE, Disposition.REHOST, "inventory")


def test_confirmed_demand_beats_idleness():
    given = office_estate()
    office = replace(given.systems["office"], demand=Confirmation(by="鈴木", on=date(2026, 5, 1)))
    fate = one(assessed(given=replace(given, systems=given.systems | {"office": office})), "office-idle").fate
    assert fate.advised is Disposition.REHOST
    assert fate.would_change == ("more samples confirm that it is idle; then retire it",)


def test_idle_and_ghosts(made):
    assert [server.id for server in made.servers if server.idle] == ["office-idle"]
    assert one(made, "pension-db").idle is None
    assert {server.id: server.ghost for server in made.servers if server.ghost} == {
        "office-idle": "it answers, but it serves nothing but login, nobody talks to it and it talks to nobody",
        "old-gone": "declared, but it does not answer (no route to host) and nobody was seen talking to it",
    }


def test_who_depends_on_whom(made):
    graph = made.graph
    seen = {(one.client, one.server, one.port): one for one in graph.dependencies}
    both = seen["pension-ap", "pension-db", 5432]
    assert (both.evidence, both.process, both.strong) == ("observed at both ends", "postgres", True)
    assert seen["pension-db", "pension-ap", 0].evidence == "declared"
    assert not seen["pension-ap", "dns-mhlw", 53].strong
    assert seen["pension-ap", "198.18.0.9", 443].external
    assert [cohort.servers for cohort in graph.cohorts] == [("old-dongle", "pension-ap", "pension-db")]
    assert graph.cohorts[0].ministries == ("mhlw", "mof")
    assert [(stranger.address, stranger.inside) for stranger in graph.strangers] == [
        ("192.0.2.77", "shared"), ("198.18.0.9", ""), ("203.0.113.99", "mhlw"),
    ]  # fmt: skip
    assert [(shared.server, shared.systems) for shared in graph.shared] == [("dns-mhlw", ("pension",)), ("pension-ap", ("old",))]
    assert graph.observed_servers == 7


def test_ministries_sum_up(made):
    ministry = {one.id: one for one in made.ministries}
    assert (ministry["mof"].servers, ministry["mof"].seen, ministry["mhlw"].open_contradictions) == (4, 2, 1)
    assert ministry["mhlw"].dispositions == {"rehost": 4, "retire": 1}
    assert ministry["mof"].unknown > 20
    assert ministry["mic"].servers == 0
    assert {system.id: system.confirmed_by for system in made.systems}["pension"] == "佐藤"


def test_a_server_that_nobody_speaks_of_is_unknown():
    given = office_estate()
    ghost = replace(given.servers["old-gone"], id="unheard", size=None, address="", mac="", os="")
    made = assessed(given=replace(given, servers=given.servers | {"unheard": ghost}))
    server = one(made, "unheard")
    assert (server.answer, server.truth_score, server.size.wanted) == ("", 0, None)
    assert server.fate.reasons[0] == "nobody has looked at it: it stays rehost, as declared"
    assert digest(made) != digest(assessed())


FIELDS = sorted(CATALOGUE)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["203.0.113.10", "fe80::1%eth0", "2026-01-01", "ü\x00"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["address", "prefix_length", "remote_address", "remote_port", "local_port", "direction", "port", "process",
                         "kind", "name", "not_after", "type", "engine", "bound_to"]), inner, max_size=5),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), ANY, max_size=8), st.dictionaries(st.sampled_from(FIELDS), ANY, max_size=8))
def test_whatever_servers_and_ledgers_say_there_is_an_assessment(seen, stated):
    given_estate = office_estate()
    truths = [truth_of("pension-db", [said("pension-db", seen), ledger("pension-db", stated)])]
    made = assess(given_estate, truths, [], (), knowledge(), POLICY, AS_OF)
    assert len(made.servers) == len(given_estate.servers)
    assert assessment_from_json(assessment_to_json(made), "x") == made
