"""What becomes of a server: retire, merge, re-platform, rehost or retain, why, and what would change the answer.

The advice follows from facts by the rules below, in this order. What is decided is a person's word where there is one, then the
inventory's where it gives a reason, then the advice as far as the inventory holds what carrying it out needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controlplane.assessment.functions import BY_ID
from controlplane.assessment.readiness import RuleResult
from controlplane.assessment.sizing import SURE_STARS
from controlplane.model.assessment import Fate, Reading, SizeAdvice
from controlplane.model.decision import DISPOSITION, RULE_PREFIX, Decision
from controlplane.model.estate import Confirmation, Disposition, Server, System
from controlplane.model.resources import Resources

SMALL = Resources(vcpus=4, memory_mib=16_384, disk_gib=100)
"""What a small office system may want at most to fit a shared database platform beside others."""
SMALL_OFFICE_CLASS = 4
OLD = frozenset({"os-out-of-support", "32-bit"})
"""Rules that call for a new system rather than a moved one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything the disposition of one server follows from. `common`: function to all ministries that have it, if several."""

    server: Server
    system: System
    seen: bool
    unseen_because: str
    idle: bool | None
    ghost: str
    size: SizeAdvice
    functions: tuple[str, ...]
    only_functions: bool
    common: Mapping[str, tuple[str, ...]]
    database: bool | None
    results: Sequence[RuleResult]
    decisions: Mapping[str, Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Advice:
    disposition: Disposition
    reasons: tuple[str, ...]
    would_change: tuple[str, ...]


def fate_of(case: Case) -> Fate:
    """The fate of one server, with all reasons."""
    advice = _advice(case)
    decided, decided_by, into, extra = _decided(case, advice.disposition)
    return Fate(
        declared=case.server.disposition,
        advised=advice.disposition,
        decided=decided,
        decided_by=decided_by,
        into=into,
        reasons=(*advice.reasons, *extra, _demand(case.system.demand)),
        would_change=advice.would_change,
    )


def _advice(case: Case) -> _Advice:
    if not case.seen:
        return _Advice(
            disposition=case.server.disposition,
            reasons=(f"{case.unseen_because}: it stays {case.server.disposition.value}, as declared",),
            would_change=("discover it; then it is judged by what is there",),
        )
    return _retired(case) or _merged(case) or _moved(case)


def _retired(case: Case) -> _Advice | None:
    if not case.idle or case.system.demand is not None or case.size.stars < SURE_STARS:
        return None
    return _Advice(
        disposition=Disposition.RETIRE,
        reasons=(
            f"idle on {_days(case)} days ({case.size.stars} of 5 stars), nobody talks to it, and nobody confirmed its need",
        ),
        would_change=("a named contact confirms the demand in `demand` of its system", "a connection or load is seen"),
    )


def _merged(case: Case) -> _Advice | None:
    shared = [function for function in case.functions if function in case.common]
    if shared and case.only_functions:
        named = "; ".join(
            f"{BY_ID[one].name}, which {len(case.common[one])} ministries run ({', '.join(case.common[one])}): {BY_ID[one].common} takes it over"
            for one in shared
        )
        return _Advice(
            disposition=Disposition.MERGE,
            reasons=(f"its function is {named}",),
            would_change=("it serves something else too", "the common service cannot meet its grade or tier"),
        )
    wanted = case.size.wanted
    if case.system.study_class == SMALL_OFFICE_CLASS and case.database and wanted is not None and wanted.fits_in(SMALL):
        return _Advice(
            disposition=Disposition.MERGE,
            reasons=(f"a small office system (class 4) with a database; {shown_size(wanted)} fit the shared database platform",),
            would_change=(f"it grows beyond {shown_size(SMALL)}",),
        )
    return None


def _moved(case: Case) -> _Advice:
    blocked = {
        move: [result.rule.text for result in case.results if _blocks(case, result, move)]
        for move in (Disposition.REHOST, Disposition.REPLATFORM)
    }
    old = [result.rule.text.what for result in case.results if result.reading is Reading.MET and result.rule.text.id in OLD]
    suspicion = ("more samples confirm that it is idle; then retire it",) if case.idle else ()
    rehost, replatform = blocked[Disposition.REHOST], blocked[Disposition.REPLATFORM]
    if rehost and replatform:
        return _Advice(
            disposition=Disposition.RETAIN,
            reasons=tuple(f"it cannot move: {text.what}" for text in replatform),
            would_change=tuple(dict.fromkeys(text.remedy for text in replatform)),
        )
    if rehost or (old and not replatform):
        return _Advice(
            disposition=Disposition.REPLATFORM,
            reasons=tuple(dict.fromkeys((*(text.what for text in rehost), *old))),
            would_change=(*dict.fromkeys(text.remedy for text in rehost), *suspicion)
            or ("the vendor extends support and the ministry pays for it",),
        )
    return _Advice(
        disposition=Disposition.REHOST,
        reasons=(f"re-platforming is blocked: {replatform[0].what}",)
        if replatform
        else ("nothing that was looked at stands in the way of moving it as it is",),
        would_change=suspicion or ("its operating system leaves support", "a common service takes its function over"),
    )


def _blocks(case: Case, result: RuleResult, move: Disposition) -> bool:
    waiver = case.decisions.get(RULE_PREFIX + result.rule.text.id)
    return (
        result.reading is Reading.MET and move in result.rule.blocks and not (waiver is not None and waiver.seen == result.seen)
    )


def _decided(case: Case, advised: Disposition) -> tuple[Disposition, str, str, tuple[str, ...]]:
    """What planning takes, whose word it is, the machine it is merged into, and what to say about it."""
    server, decision = case.server, case.decisions.get(DISPOSITION)
    if decision is not None and isinstance(decision.value, dict):
        chosen = Disposition(str(decision.value["disposition"]))
        return chosen, decision.actor, str(decision.value.get("into") or ""), (f"{decision.actor} decided: {decision.reason}",)
    if advised is server.disposition:
        return advised, "assessment" if case.seen else "inventory", server.into, ()
    if server.reason:
        return (
            server.disposition,
            "inventory",
            server.into,
            (f"the inventory decides {server.disposition.value}: {server.reason}",),
        )
    missing = _missing(server, advised)
    if missing:
        say = f"{advised.value} is advised; to carry it out {missing}; until then it stays {server.disposition.value}"
        return server.disposition, "inventory", server.into, (say,)
    return advised, "assessment", "", ()


def _missing(server: Server, advised: Disposition) -> str:
    """What the inventory lacks to carry the advice out."""
    if advised is Disposition.MERGE:
        return f"name the machine: `kasumi decide {server.id} merge --into MACHINE --reason …`"
    needed: dict[str, object] = {}
    if advised is Disposition.REPLATFORM:
        needed = {"image": server.image, "network": server.network}
    elif advised is Disposition.REHOST:
        needed = {"source": server.source, "network": server.network, "address": server.address, "mac": server.mac}
    lacking = [f"`{name}`" for name, value in needed.items() if not value]
    return f"add {', '.join(lacking)} to the server in the inventory" if lacking else ""


def shown_size(size: Resources) -> str:
    """A size in words."""
    return f"{size.vcpus} vCPU, {size.memory_mib} MiB, {size.disk_gib} GiB"


def _demand(demand: Confirmation | None) -> str:
    if demand is None:
        return "demand is unconfirmed: no named contact has confirmed that it is needed"
    return f"demand was confirmed by {demand.by} on {demand.on}"


def _days(case: Case) -> str:
    return f"{max((one.days for one in case.size.measurements), default=0):g}"
