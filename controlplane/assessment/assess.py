"""Makes the assessment: truth, size, readiness, dependencies and fate of every server, and the sums of every ministry.

Pure: the same estate, facts, series, decisions, knowledge, policy and day give the same bytes. Series are taken server by
server, so that the samples of one server only are in memory.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil

from controlplane.assessment.activity import ghost_reason, is_idle
from controlplane.assessment.comparing import COMPARED, GATING
from controlplane.assessment.dependencies import graph_of
from controlplane.assessment.disposition import Case, fate_of
from controlplane.assessment.functions import FUNCTIONS, functions_of, has_database, in_several_ministries, outside_listeners
from controlplane.assessment.names import LATE, Overlaps, names_of, overlaps_of
from controlplane.assessment.processors import core_speed
from controlplane.assessment.readiness import RuleResult, outcomes_of, readiness_of
from controlplane.assessment.shipped import MOVES, Knowledge, support_of
from controlplane.assessment.sizing import KnownSize, size_server
from controlplane.assessment.truth import FieldTruth, ServerTruth, shown, truth_of
from controlplane.model.assessment import (
    AssessedMinistry,
    AssessedServer,
    AssessedSystem,
    Assessment,
    Contradiction,
    Dependency,
    Outcome,
    Reading,
    SizeAdvice,
    SizingPolicy,
    Statement,
)
from controlplane.model.decision import RULE_PREFIX, Decision
from controlplane.model.estate import Estate, Ministry, Server, System
from controlplane.model.facts import Value
from controlplane.model.finding import Severity
from controlplane.model.resources import Resources, total
from controlplane.model.series import Dimension, Series

ServerSeries = Mapping[Dimension, Series]
_ASKED_LATER = frozenset(
    (*COMPARED, "cpu.model", "cpu.mhz", "connections", "listeners", "cluster", "databases", "ntp.offset_seconds", "certificates")
)
"""Fields that are asked for after a server's rules were evaluated; the others are let go, server by server."""
_LOGIN_AND_MONITORING = frozenset({22, 111, 161, 5666, 9100, 10050})
"""Every server has these beside its function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """What was found of one server before its fate is asked."""

    size: SizeAdvice
    results: tuple[RuleResult, ...]
    functions: tuple[str, ...]


def assess(
    estate: Estate,
    collected: Iterable[ServerTruth],
    series: Iterable[tuple[str, ServerSeries]],
    decisions: Sequence[Decision],
    knowledge: Knowledge,
    policy: SizingPolicy,
    as_of: date,
) -> Assessment:
    """The assessment of a whole estate; a server that nobody speaks of is assessed as unknown, other servers are passed over."""
    early = [rule for rule in knowledge.rules if not rule.when.names & LATE]
    late = [rule for rule in knowledge.rules if rule.when.names & LATE]
    asked_later = _ASKED_LATER.union(*(rule.when.names for rule in late))
    truths: dict[str, ServerTruth] = {}
    results: dict[str, tuple[RuleResult, ...]] = {}
    for truth in _of_all_servers(estate, collected):
        names = _names(truth, estate, knowledge, as_of, None)
        results[truth.server] = readiness_of(early, names)
        truths[truth.server] = truth.only(asked_later)
    sizes = {
        server_id: _size(estate.servers[server_id], truths[server_id], given, knowledge, policy)
        for server_id, given in series
        if server_id in estate.servers
    }
    overlaps = overlaps_of(estate, truths)
    looked: dict[str, _Looked] = {}
    for server_id, server in sorted(estate.servers.items()):
        truth = truths[server_id]
        of_all = readiness_of(late, _names(truth, estate, knowledge, as_of, overlaps)) if late else ()
        looked[server_id] = _Looked(
            size=sizes.get(server_id) or _size(server, truth, {}, knowledge, policy),
            results=tuple(sorted((*results[server_id], *of_all), key=lambda result: result.rule.text.id)),
            functions=functions_of(truth, estate.systems[server.system]),
        )
    graph = graph_of(estate, truths)
    touching: dict[str, list[Dependency]] = {server_id: [] for server_id in estate.servers}
    for one in graph.dependencies:
        for end in {one.client, one.server} & touching.keys():
            touching[end].append(one)
    common = in_several_ministries(
        (function, estate.systems[estate.servers[server_id].system].ministry)
        for server_id, found in looked.items()
        for function in found.functions
    )
    decided: dict[str, dict[str, Decision]] = {}
    for decision in decisions:
        decided.setdefault(decision.server, {})[decision.subject] = decision
    servers = tuple(
        _assessed(
            server,
            estate.systems[server.system],
            truths[server_id],
            looked[server_id],
            touching[server_id],
            common,
            decided.get(server_id, {}),
        )
        for server_id, server in sorted(estate.servers.items())
    )
    by_system: dict[str, list[AssessedServer]] = {system: [] for system in estate.systems}
    by_ministry: dict[str, list[AssessedServer]] = {ministry: [] for ministry in estate.ministries}
    for assessed in servers:
        by_system[assessed.system].append(assessed)
        by_ministry[assessed.ministry].append(assessed)
    return Assessment(
        estate=estate.id,
        as_of=as_of,
        policy=policy,
        rules=tuple(rule.text for rule in knowledge.rules),
        ministries=tuple(_ministry(ministry, by_ministry[ministry.id]) for _, ministry in sorted(estate.ministries.items())),
        systems=tuple(_system(system, by_system[system.id]) for _, system in sorted(estate.systems.items())),
        servers=servers,
        graph=graph,
    )


def rule_results(
    estate: Estate, collected: Iterable[ServerTruth], server_id: str, knowledge: Knowledge, as_of: date
) -> tuple[RuleResult, ...]:  # fmt: skip
    """How every rule comes out for one server, given the truth of all."""
    late = {"addresses"}
    truths = {
        truth.server: truth if truth.server == server_id else truth.only(late) for truth in _of_all_servers(estate, collected)
    }
    return readiness_of(knowledge.rules, _names(truths[server_id], estate, knowledge, as_of, overlaps_of(estate, truths)))


def _of_all_servers(estate: Estate, collected: Iterable[ServerTruth]) -> Iterator[ServerTruth]:
    unheard = set(estate.servers)
    for truth in collected:
        if truth.server in unheard:
            unheard.discard(truth.server)
            yield truth
    for server_id in sorted(unheard):
        yield truth_of(server_id, ())


def _names(truth: ServerTruth, estate: Estate, knowledge: Knowledge, as_of: date, overlaps: Overlaps | None) -> dict[str, Value]:
    support = support_of(truth.value("os.id"), truth.value("os.version"), knowledge.support)
    until = support.until if support is not None else None
    return names_of(estate.servers[truth.server], truth, estate, support_until=until, as_of=as_of, overlaps=overlaps)


def _size(server: Server, truth: ServerTruth, series: ServerSeries, knowledge: Knowledge, policy: SizingPolicy) -> SizeAdvice:
    declared = server.size
    known = KnownSize(
        vcpus=_known(truth, "cpu.count", declared.vcpus if declared else None),
        memory_mib=_known(truth, "memory.total_mib", declared.memory_mib if declared else None),
        disk_gib=_known(truth, "disks.total_gib", declared.disk_gib if declared else None),
    )
    speed = core_speed(truth.value("cpu.model"), truth.value("cpu.mhz"), knowledge.processors)
    return size_server(series, speed, policy, declared=declared, known=known, target=server.target)


def _known(truth: ServerTruth, name: str, declared: int | None) -> int | None:
    """The amount held to be true; where ledger and server agree within tolerance the larger, since a kernel sees less."""
    value = truth.value(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        return declared
    agreed = declared if declared is not None and not truth.fields[name].contradiction else 0
    return max(ceil(value), agreed)


def _assessed(
    server: Server,
    system: System,
    truth: ServerTruth,
    looked: _Looked,
    dependencies: Sequence[Dependency],
    common: Mapping[str, tuple[str, ...]],
    decisions: Mapping[str, Decision],
) -> AssessedServer:
    idle = is_idle(truth, looked.size.measurements, dependencies)
    ghost = ghost_reason(truth, dependencies)
    fate = fate_of(
        Case(
            server=server,
            system=system,
            seen=truth.was_seen,
            unseen_because="nobody has looked at it" if truth.answer is None else f"the last look failed ({truth.answer.value})",
            idle=idle,
            ghost=ghost,
            size=looked.size,
            functions=looked.functions,
            only_functions=_only_functions(truth, looked.functions),
            common=common,
            database=has_database(truth),
            results=looked.results,
            decisions=decisions,
        )
    )
    readiness = outcomes_of(looked.results, fate.decided, decisions)
    contradictions = tuple(_contradiction(known) for known in truth.contradictions)
    return AssessedServer(
        id=server.id,
        system=system.id,
        ministry=system.ministry,
        os=" ".join(shown(truth.value(name)) for name in ("os.id", "os.version") if truth.value(name)) or server.os,
        answer=truth.answer.value if truth.answer is not None else "",
        looked_on=truth.looked_at.date() if truth.looked_at is not None else None,
        truth_score=round(truth.score * 100),
        contradictions=contradictions,
        size=looked.size,
        readiness=readiness,
        functions=looked.functions,
        idle=idle,
        ghost=ghost,
        fate=fate,
        waits_for=_waits_for(contradictions, readiness) if fate.decided in MOVES else (),
    )


def _only_functions(truth: ServerTruth, functions: Sequence[str]) -> bool:
    """True when all it serves to others belongs to its common functions."""
    known = {port for function in FUNCTIONS if function.id in functions for port in function.ports}
    expected = known | _LOGIN_AND_MONITORING
    return all(isinstance(port := item.get("port"), int) and port in expected for item in outside_listeners(truth))


def _waits_for(contradictions: Iterable[Contradiction], readiness: Iterable[Outcome]) -> tuple[str, ...]:
    return (
        *(one.field for one in contradictions if one.critical and one.is_open),
        *(RULE_PREFIX + one.rule for one in readiness if one.severity is Severity.CRITICAL),
    )


def _contradiction(known: FieldTruth) -> Contradiction:
    return Contradiction(
        field=known.field,
        critical=known.field in GATING,
        used=shown(known.value),
        statements=tuple(
            Statement(source=fact.source.value, value=shown(fact.value), at=fact.observed_at.isoformat(), by=fact.by)
            for fact in known.facts
        ),
        accepted_by=known.accepted.actor if known.accepted is not None else "",
        accepted_because=known.accepted.reason if known.accepted is not None else "",
    )


def _score(servers: Sequence[AssessedServer]) -> int:
    return round(sum(server.truth_score for server in servers) / len(servers)) if servers else 0


def _system(system: System, servers: Sequence[AssessedServer]) -> AssessedSystem:
    return AssessedSystem(
        id=system.id,
        ministry=system.ministry,
        name=system.name,
        name_en=system.name_en,
        study_class=system.study_class,
        truth_score=_score(servers),
        confirmed_by=system.demand.by if system.demand is not None else "",
        confirmed_on=system.demand.on if system.demand is not None else None,
    )


def _ministry(ministry: Ministry, servers: Sequence[AssessedServer]) -> AssessedMinistry:
    moving = [server for server in servers if server.fate.decided in MOVES]
    outcomes = [outcome for server in servers for outcome in server.readiness]
    open_ones = [one for server in servers for one in server.contradictions if one.is_open]
    known = [outcome.severity for outcome in outcomes if outcome.reading is not Reading.UNKNOWN]
    return AssessedMinistry(
        id=ministry.id,
        name=ministry.name,
        name_en=ministry.name_en,
        servers=len(servers),
        seen=sum(1 for server in servers if server.looked_on is not None and server.answer in {"answered", "partly"}),
        truth_score=_score(servers),
        open_contradictions=len(open_ones),
        critical=known.count(Severity.CRITICAL),
        warnings=known.count(Severity.WARNING),
        unknown=sum(1 for outcome in outcomes if outcome.reading is Reading.UNKNOWN),
        dispositions=dict(sorted(Counter(server.fate.decided.value for server in servers).items())),
        declared=_sum(server.size.declared for server in moving),
        wanted=_sum(server.size.wanted for server in moving),
        stars=round(sum(server.size.stars for server in moving) / len(moving), 1) if moving else 0.0,
    )


def _sum(sizes: Iterable[Resources | None]) -> Resources:
    return total([size for size in sizes if size is not None])
