"""What stands in the way of moving a server: every rule, met or not known. What is not known never passes for well.

A rule's severity is that of its text only where it blocks what becomes of the server; elsewhere a critical rule is a warning,
so that nothing is called critical that does not block.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from controlplane.assessment.expression import Unknown
from controlplane.assessment.shipped import Rule
from controlplane.assessment.truth import shown
from controlplane.model.assessment import Outcome, Reading
from controlplane.model.decision import RULE_PREFIX, Decision
from controlplane.model.document import digest
from controlplane.model.estate import Disposition
from controlplane.model.facts import Value
from controlplane.model.finding import Severity

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """One rule that is met or unknown for a server; `details` are the things that meet it, or the names that are missing."""

    rule: Rule
    reading: Reading
    details: tuple[str, ...]
    seen: str
    """Digest of all that met it, which a waiver is bound to."""


def readiness_of(rules: Sequence[Rule], names: Mapping[str, Value]) -> tuple[RuleResult, ...]:
    """The rules that do not come out well for these names, in the order of the rules."""
    results: list[RuleResult] = []
    for rule in rules:
        met, found = rule.when.of(names)
        if isinstance(met, Unknown):
            results.append(RuleResult(rule=rule, reading=Reading.UNKNOWN, details=tuple(sorted(met.names)), seen=""))
        elif met:
            things = sorted({shown(item) for item in found}) or [
                f"{name} {shown(names[name])}" for name in rule.show or sorted(rule.when.names) if name in names
            ]
            details = (*things[:_SHOWN], f"and {len(things) - _SHOWN} more") if len(things) > _SHOWN else tuple(things)
            results.append(RuleResult(rule=rule, reading=Reading.MET, details=details, seen=digest(things)))
    return tuple(results)


def outcomes_of(results: Iterable[RuleResult], fate: Disposition, decisions: Mapping[str, Decision]) -> tuple[Outcome, ...]:
    """The results as the document holds them, for what becomes of the server; `decisions` by subject."""
    return tuple(_outcome(result, fate, decisions.get(RULE_PREFIX + result.rule.text.id)) for result in results)


def _outcome(result: RuleResult, fate: Disposition, decision: Decision | None) -> Outcome:
    rule = result.rule
    severity = rule.text.severity
    if severity is Severity.CRITICAL and (result.reading is Reading.UNKNOWN or fate not in rule.blocks):
        severity = Severity.WARNING
    waived = result.reading is Reading.MET and decision is not None and decision.seen == result.seen
    return Outcome(
        rule=rule.text.id,
        reading=Reading.WAIVED if waived else result.reading,
        severity=Severity.INFORMATION if waived else severity,
        details=result.details,
        waived_by=decision.actor if waived and decision is not None else "",
        waived_because=decision.reason if waived and decision is not None else "",
    )
