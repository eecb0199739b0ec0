"""One truth for each field of a server: every source with its time and confidence, one value chosen by a stated rule.

What sources disagree about beyond a field's tolerance is a contradiction. It stays one until a source is corrected or a
named person accepts a value; the acceptance holds while the sources say what they said then. Pure: knows no clock or store.
"""

import dataclasses
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from controlplane.assessment.comparing import COMPARED, GATING, PLANNED_ON
from controlplane.model.decision import Decision
from controlplane.model.document import digest
from controlplane.model.estate import Disposition, Estate
from controlplane.model.facts import Answer, Fact, ServerFacts, Source, Value
from controlplane.model.finding import Finding, Severity

_RANK = {Source.SSH: 0, Source.HYPERVISOR: 1, Source.PROMETHEUS: 2, Source.LEDGER: 3, Source.PERSON: 4}
"""Who was nearest to the server; a person speaks by accepting, which is asked first."""
_SURE = 0.5
"""Below this confidence a source is asked last, wherever it stands."""
_HEARD = frozenset({Answer.ANSWERED, Answer.PARTLY})
_ONE_LIVE_SOURCE = 0.8
_LEDGER_ALONE = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTruth:
    """One field: the value that counts, why, and everything that was said, the chosen fact first."""

    field: str
    value: Value = dataclasses.field(hash=False)
    source: Source
    confidence: float
    why: str
    facts: tuple[Fact, ...]
    contradiction: str = ""
    """Who says what, when they do not agree; also when a person has accepted it."""
    accepted: Decision | None = None

    @property
    def is_open(self) -> bool:
        """True for a contradiction that nobody has accepted."""
        return bool(self.contradiction) and self.accepted is None

    @property
    def score(self) -> float:
        """0 to 1: contradicted 0; two sources agree or a person answers for it 1; one source alone less."""
        if self.is_open:
            return 0.0
        if self.accepted is not None or len({fact.source for fact in self.facts}) > 1:
            return 1.0
        return self.confidence * (_LEDGER_ALONE if self.source is Source.LEDGER else _ONE_LIVE_SOURCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTruth:
    """All that is known of one server. `answer` is how the latest look at the server itself ended; None: nobody looked."""

    server: str
    answer: Answer | None
    message: str
    looked_at: datetime | None
    fields: Mapping[str, FieldTruth] = dataclasses.field(hash=False)

    def value(self, name: str) -> Value:
        """The value that counts, None when nobody said anything."""
        known = self.fields.get(name)
        return known.value if known is not None else None

    @property
    def was_seen(self) -> bool:
        """True when the server itself answered at the latest look."""
        return self.answer in _HEARD

    def only(self, names: Container[str]) -> "ServerTruth":
        """The same without fields that nobody will ask for any more: a server's packages alone are 100 KB."""
        return dataclasses.replace(self, fields={name: known for name, known in self.fields.items() if name in names})

    @property
    def contradictions(self) -> tuple[FieldTruth, ...]:
        """The contradicted fields, accepted ones too, by name."""
        return tuple(known for _, known in sorted(self.fields.items()) if known.contradiction)

    @property
    def score(self) -> float:
        """Truth score, 0 to 1: the mean over what a plan rests on; what nobody said counts 0."""
        known = [self.fields[name].score if name in self.fields else 0.0 for name in PLANNED_ON]
        return sum(known) / len(known)


def truth_of(server: str, collections: Iterable[ServerFacts], decisions: Iterable[Decision] = ()) -> ServerTruth:
    """Merge what all sources said of one server; the order in which they are given does not matter."""
    given = [one for one in collections if one.server == server]
    accepted = {decision.subject: decision for decision in decisions if decision.server == server}
    said: dict[str, dict[tuple[Source, str], Fact]] = {}
    for collection in given:
        for fact in collection.facts:
            # Two cells of a ledger may disagree, so each is kept; a source that looks has one latest answer.
            key = (fact.source, fact.by if fact.source is Source.LEDGER else "")
            latest = said.setdefault(fact.field, {})
            if key not in latest or _freshness(fact) > _freshness(latest[key]):
                latest[key] = fact
    looks = [one for one in given if one.source not in {Source.LEDGER, Source.PERSON}]
    last = max(looks, key=lambda one: (one.source is Source.SSH, one.collected_at, one.answer.value), default=None)
    return ServerTruth(
        server=server,
        answer=last.answer if last is not None else None,
        message=last.message if last is not None else "",
        looked_at=last.collected_at if last is not None else None,
        fields={name: _field_truth(name, tuple(facts.values()), accepted.get(name)) for name, facts in sorted(said.items())},
    )


def seen_digest(facts: Iterable[Fact]) -> str:
    """What the sources say of a field, whenever they said it: an acceptance is bound to this."""
    return digest(sorted([fact.source.value, digest(fact.value)] for fact in facts if fact.source is not Source.PERSON))


def contradiction_findings(truth: ServerTruth) -> tuple[Finding, ...]:
    """Each contradicted field: critical where a plan rests on it, a warning elsewhere, information once accepted."""
    return tuple(_finding(truth.server, known) for known in truth.contradictions)


def in_the_way(truths: Iterable[ServerTruth], estate: Estate) -> tuple[Finding, ...]:
    """The critical contradictions of servers of which a plan makes machines: no plan until they are resolved or accepted."""
    moving = {Disposition.REHOST, Disposition.REPLATFORM, Disposition.MERGE}
    return tuple(
        finding
        for truth in truths
        if truth.server in estate.servers and estate.servers[truth.server].disposition in moving
        for finding in contradiction_findings(truth)
        if finding.severity is Severity.CRITICAL
    )


def _field_truth(name: str, facts: tuple[Fact, ...], decision: Decision | None) -> FieldTruth:
    ordered = tuple(sorted(facts, key=lambda fact: (fact.confidence < _SURE, _RANK[fact.source], -fact.confidence, fact.by)))
    chosen = ordered[0]
    contradiction = _contradiction(name, ordered)
    if contradiction and decision is not None and decision.seen == seen_digest(facts):
        return FieldTruth(
            field=name,
            value=decision.value,
            source=Source.PERSON,
            confidence=1.0,
            why=f"accepted by {decision.actor}: {decision.reason}",
            facts=ordered,
            contradiction=contradiction,
            accepted=decision,
        )
    return FieldTruth(
        field=name,
        value=chosen.value,
        source=chosen.source,
        confidence=chosen.confidence,
        why=_why(chosen, ordered),
        facts=ordered,
        contradiction=contradiction,
    )


def _why(chosen: Fact, ordered: tuple[Fact, ...]) -> str:
    if len(ordered) == 1:
        return f"only {chosen.source.value} speaks of it"
    if chosen.confidence < _SURE:
        return f"{chosen.source.value} is nearest to the server, though no source is sure"
    return f"{chosen.source.value} is nearest to the server"


def _contradiction(name: str, ordered: tuple[Fact, ...]) -> str:
    if name not in COMPARED:
        return ""
    agree, _ = COMPARED[name]
    if all(agree(one.value, other.value) for index, one in enumerate(ordered) for other in ordered[index + 1 :]):
        return ""
    return ", ".join(f"{fact.source.value} says {shown(fact.value)}" + (f" ({fact.by})" if fact.by else "") for fact in ordered)


def _finding(server: str, known: FieldTruth) -> Finding:
    where = f"server {server}: {known.field}"
    _, rule = COMPARED[known.field]
    if known.accepted is not None:
        return Finding(
            severity=Severity.INFORMATION,
            where=where,
            what=f"{known.contradiction}; accepted as {shown(known.value)} by {known.accepted.actor}: {known.accepted.reason}",
            remedy="",
        )
    return Finding(
        severity=Severity.CRITICAL if known.field in GATING else Severity.WARNING,
        where=where,
        what=f"{known.contradiction} (wanted: {rule})",
        remedy=f"correct the source that is wrong, or `kasumi accept {server} {known.field} --reason …`",
    )


def _freshness(fact: Fact) -> tuple[datetime, float, str]:
    return fact.observed_at, fact.confidence, fact.by


def shown(value: Value) -> str:
    """A value in one short piece of text: of a list of things, what tells them apart."""
    if isinstance(value, list):
        return " ".join(shown(item) for item in value) or "(none)"
    if isinstance(value, dict):
        return str(
            next((value[key] for key in ("address", "name", "mount", "path") if value.get(key)), next(iter(value.values()), ""))
        )
    return str(value)
