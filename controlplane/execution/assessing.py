"""Brings together what an assessment is made of: facts and decisions from the store, ledgers, series, rules and tables."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from pathlib import Path

from controlplane.assessment.assess import assess, rule_results
from controlplane.assessment.readiness import RuleResult
from controlplane.assessment.shipped import Knowledge, knowledge_of
from controlplane.assessment.truth import ServerTruth, truth_of
from controlplane.errors import ExitCode, KasumiError
from controlplane.inventory.complaints import suggestion
from controlplane.inventory.nodes import read_document
from controlplane.ledgers.facts import ledger_facts
from controlplane.model.assessment import Assessment, SizingPolicy
from controlplane.model.decision import Decision
from controlplane.model.estate import Estate
from controlplane.model.facts import Answer, Fact, ServerFacts, Source
from controlplane.store import Store

_SHOWN = 20


def make_assessment(
    estate: Estate, store: Store, *, policy: SizingPolicy, as_of: date, rules: Path | None
) -> Assessment:  # fmt: skip
    """The assessment of what the store holds up to the end of a day (local by the policy). Raises KasumiError for bad rules."""
    end = datetime.combine(as_of + timedelta(days=1), time(), UTC) - timedelta(minutes=policy.utc_offset_minutes)
    return assess(
        estate,
        truths(estate, store, as_of=as_of),
        store.series.of_estate(estate.id, end - timedelta(days=policy.days), end),
        store.decisions.standing(estate.id),
        shipped_knowledge(rules),
        policy,
        as_of,
    )


def truths(estate: Estate, store: Store, *, as_of: date) -> Iterator[ServerTruth]:
    """The truth of every server that the store has facts of, then of those that only ledgers know."""
    decided: dict[str, list[Decision]] = {}
    for decision in store.decisions.standing(estate.id):
        decided.setdefault(decision.server, []).append(decision)
    at = datetime.combine(as_of, time(), UTC)
    ledgers = ledger_facts(estate, at=at)
    for server, collections in store.facts.by_server(estate.id):
        known = ledgers.pop(server, ())
        yield truth_of(server, (*collections, _ledger(server, known, at)), decided.get(server, ()))
    for server, known in ledgers.items():
        yield truth_of(server, (_ledger(server, known, at),), decided.get(server, ()))


def truth_of_server(estate: Estate, store: Store, server: str, *, as_of: date) -> ServerTruth:
    """The truth of one server."""
    at = datetime.combine(as_of, time(), UTC)
    last = store.facts.latest(estate.id, server=server).get(server, ())
    good = store.facts.latest_with_facts(estate.id, server=server).get(server, ())
    ledger = _ledger(server, ledger_facts(estate, at=at).get(server, ()), at)
    decided = [decision for decision in store.decisions.standing(estate.id) if decision.server == server]
    return truth_of(server, (*good, *last, ledger), decided)


def rule_result(estate: Estate, store: Store, server: str, rule: str, *, as_of: date, rules: Path | None) -> RuleResult | None:
    """How one rule comes out for one server; None when it comes out well. Raises KasumiError when there is no such rule."""
    knowledge = shipped_knowledge(rules)
    known = tuple(one.text.id for one in knowledge.rules)
    if rule not in known:
        remedy = suggestion(rule, known, f"known: {', '.join(known)}")
        raise KasumiError(f"rule:{rule}: no such rule; {remedy}", ExitCode.USAGE)
    results = rule_results(estate, truths(estate, store, as_of=as_of), server, knowledge, as_of)
    return next((result for result in results if result.rule.text.id == rule), None)


def shipped_knowledge(rules: Path | None) -> Knowledge:
    """The shipped rules and tables, and those in the YAML files of the user's directory. Raises KasumiError for mistakes."""
    shipped = Path(str(files("controlplane.assessment"))) / "data"
    found = [read_document(file, f"(shipped) {file.name}") for file in sorted(shipped.glob("*.yml"))]
    if rules is not None:
        if not rules.is_dir():
            raise KasumiError(f"{rules}: no such directory; name one with rules in YAML files, see docs/assessment.md")
        own = sorted((*rules.glob("*.yml"), *rules.glob("*.yaml")))
        if not own:
            raise KasumiError(f"{rules}: no *.yml or *.yaml in it; put rules there or leave --rules out, see docs/assessment.md")
        found += [read_document(file, str(file)) for file in own]
    knowledge, findings = knowledge_of(found)
    if findings:
        more = f"\nand {len(findings) - _SHOWN} more" if len(findings) > _SHOWN else ""
        raise KasumiError("rules are not usable:\n" + "\n".join(map(str, findings[:_SHOWN])) + more)
    return knowledge


def _ledger(server: str, facts: tuple[Fact, ...], at: datetime) -> ServerFacts:
    return ServerFacts(
        server=server, source=Source.LEDGER, collected_at=at, duration_seconds=0.0, answer=Answer.ANSWERED, facts=facts
    )
