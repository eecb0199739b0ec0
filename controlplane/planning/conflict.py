"""Why there is no plan, as few words as possible: a minimal set of constraints that cannot all hold.

A constraint is one rule for one machine (its room, grade, network, spreading, losses, name) or one closed host. Minimal: with any
one of them given up, the others can hold. QuickXplain (Junker 2004) finds the machines, once from those that fit nowhere and once
from the largest; of the fewer, deletion leaves the rules.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from controlplane.model.needs import Cpu, Needs
from controlplane.model.resources import Resources
from controlplane.planning.capacity import HostRoom, rooms_of
from controlplane.planning.demand import Draft, demand_of
from controlplane.planning.existing import existing_machines
from controlplane.planning.feasibility import Case, feasible
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.objections import Rule

_ANY = "(any)"
_ANY_GRADE = 0
_GIVEN_UP_FIRST = (
    Rule.NAME, Rule.CLOSED, Rule.LOSS, Rule.SPREAD, Rule.TOGETHER, Rule.APART, Rule.LICENCE, Rule.NETWORK, Rule.ZONE, Rule.CPU,
    Rule.PIN, Rule.CAPACITY,
)  # fmt: skip
"""Deletion tries rules in this order, so what is left speaks of room before it speaks of names."""
_STEPS = 4_000
_WORK = 40_000
"""Machines placed in all questions together; when it is spent the rest is kept, and the set is not called minimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One rule for one machine, or `closed` for one host; `text` says what it asks for."""

    rule: Rule
    subject: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Constraints that cannot all hold. `proven` when every answer was proven; `minimal` when all could be tried."""

    constraints: tuple[Constraint, ...]
    proven: bool
    minimal: bool

    @property
    def machines(self) -> tuple[str, ...]:
        """The machines in the conflict."""
        subjects = {each.subject for each in self.constraints if each.rule is not Rule.CLOSED}
        return tuple(sorted(subjects))


_Key = tuple[Rule, str]


def minimal_conflict(inputs: PlanInputs, suspects: Sequence[str] = ()) -> Conflict | None:
    """A minimal conflict of an estate without plan; None when a placement exists after all. `suspects` are tried first."""
    case = case_of(inputs)
    asking = _Asking(case)
    closed = [(Rule.CLOSED, room.host.id) for room in case.rooms if not room.takes_new]
    rules = {draft.id: rules_of(case, draft) for draft in case.drafts}

    def conflicting(some: Sequence[str]) -> bool:
        return not asking.holds([*closed, *(key for machine in some for key in rules[machine])])

    found: list[list[str]] = []
    for order in (_most_suspect(case, suspects), _most_suspect(case, ())):
        some = _first_conflicting(order, conflicting, asking)
        if some is None and not found:
            return None if not asking.spent else Conflict(constraints=(), proven=False, minimal=False)
        found += [_quickxplain(conflicting, some, asking)] if some is not None else []
        if len(found[0]) == 1:
            break
    guilty = min(found, key=len)
    keys = [*closed, *(key for machine in sorted(guilty) for key in rules[machine])]
    for key in sorted(keys, key=lambda key: (_GIVEN_UP_FIRST.index(key[0]), key[1])):
        without = [other for other in keys if other != key]
        if not asking.spent and not asking.holds(without):
            keys = without
    constraints = tuple(Constraint(rule=rule, subject=subject, text=_text(rule, subject, case)) for rule, subject in sorted(keys))
    return Conflict(constraints=constraints, proven=asking.proven, minimal=not asking.spent)


def case_of(inputs: PlanInputs) -> Case:
    """What is to be placed, and what stands and is not moved."""
    demand = demand_of(inputs.estate)
    drafts = demand.drafts
    rooms = rooms_of(inputs.estate, inputs.observation, inputs.parent, frozenset(draft.id for draft in drafts))
    existing, _ = existing_machines(drafts, inputs.estate, inputs.observation, inputs.parent)
    standing = tuple((draft, existing[draft.id].host) for draft in drafts if draft.id in existing and existing[draft.id].in_place)
    there = {draft.id for draft, _ in standing}
    return Case(
        rooms=rooms,
        networks=inputs.estate.networks,
        drafts=tuple(draft for draft in (*drafts, *demand.reserved) if draft.id not in there),
        standing=standing,
    )


def _most_suspect(case: Case, suspects: Sequence[str]) -> list[str]:
    """What fits nowhere first, then those that want the same hosts, then the others; the largest first."""
    first = frozenset(suspects)
    wanted = {(draft.confidentiality, draft.network) for draft in case.drafts if draft.id in first}

    def rank(draft: Draft) -> tuple[object, ...]:
        size = draft.size
        alike = (draft.confidentiality, draft.network) in wanted
        return (draft.id not in first, not alike, -size.memory_mib, -size.vcpus, -size.disk_gib, draft.id)

    return [draft.id for draft in sorted(case.drafts, key=rank)]


def _first_conflicting(
    machines: Sequence[str], conflicting: Callable[[Sequence[str]], bool], asking: "_Asking"
) -> list[str] | None:
    """The first machines, as few as doubling finds, that already conflict; None when all of them do not, or work has ended."""
    count = 1
    while not asking.spent:
        some = list(machines[:count])
        if conflicting(some):
            return some
        if count >= len(machines):
            return None
        count = min(2 * count, len(machines))
    return None


def rules_of(case: Case, draft: Draft) -> list[_Key]:
    """The rules that say anything about a machine."""
    machine = draft.id
    said = [Rule.CAPACITY, Rule.ZONE, Rule.NETWORK]
    said += [Rule.SPREAD] if draft.replica_group else []
    said += [Rule.PIN] if draft.only_on or draft.not_on else []
    said += [Rule.CPU] if draft.needs.cpu != Cpu() else []
    said += [Rule.TOGETHER] if draft.needs.together else []
    said += [Rule.APART] if draft.apart_from else []
    said += [Rule.LICENCE] if draft.licences else []
    said += [Rule.LOSS] if draft.tier.host_failures else []
    said += [Rule.NAME] if any(machine in room.others_by_name for room in case.rooms) else []
    return [(rule, machine) for rule in said]


def only(case: Case, keys: Sequence[_Key]) -> Case:
    """The case in which these constraints alone hold. A machine without any is left out."""
    kept = set(keys)
    rooms = tuple(_opened(room, (Rule.CLOSED, room.host.id) in kept, kept) for room in case.rooms)
    network = replace(next(iter(case.networks.values())), id=_ANY, ministry="", confidentiality=3)
    return Case(
        rooms=rooms,
        networks={**case.networks, _ANY: network},
        drafts=tuple(_loosened(draft, kept) for draft in case.drafts if any(subject == draft.id for _, subject in kept)),
        standing=case.standing,
    )


def _loosened(draft: Draft, kept: set[_Key]) -> Draft:
    def holds(rule: Rule) -> bool:
        return (rule, draft.id) in kept

    return replace(
        draft,
        size=draft.size if holds(Rule.CAPACITY) else Resources(),
        confidentiality=draft.confidentiality if holds(Rule.ZONE) else _ANY_GRADE,
        network=draft.network if holds(Rule.NETWORK) else _ANY,
        replica_group=draft.replica_group if holds(Rule.SPREAD) else "",
        needs=Needs(
            network_mbps=draft.needs.network_mbps if holds(Rule.CAPACITY) else 0,
            iops=draft.needs.iops if holds(Rule.CAPACITY) else 0,
            cpu=draft.needs.cpu if holds(Rule.CPU) else Cpu(),
            together=draft.needs.together if holds(Rule.TOGETHER) else (),
            disk_class=draft.needs.disk_class if holds(Rule.CAPACITY) else "",
        ),
        licences=draft.licences if holds(Rule.LICENCE) else (),
        apart_from=draft.apart_from if holds(Rule.APART) else (),
        only_on=draft.only_on if holds(Rule.PIN) else (),
        not_on=draft.not_on if holds(Rule.PIN) else (),
        tier=draft.tier if holds(Rule.LOSS) else replace(draft.tier, host_failures=0),
    )


def _opened(room: HostRoom, stays_closed: bool, kept: set[_Key]) -> HostRoom:
    host = replace(
        room.host,
        confidentiality=(*room.host.confidentiality, _ANY_GRADE),
        networks={**room.host.networks, _ANY: ""},
        maintenance=room.host.maintenance and stays_closed,
    )
    names = {name: uuid for name, uuid in room.others_by_name.items() if (Rule.NAME, name) in kept}
    return replace(room, host=host, answers=room.answers or not stays_closed, others_by_name=names)


class _Asking:
    """Asks whether constraints can hold together, within the work there is."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._left = _WORK
        self.proven = True

    @property
    def spent(self) -> bool:
        """True when no more work may be done."""
        return self._left <= 0

    def holds(self, keys: Sequence[_Key]) -> bool:
        """True when they can hold together; what is not known counts as not."""
        asked = only(self._case, keys)
        self._left -= len(asked.drafts) + 1
        answer = feasible(asked, steps=_STEPS)
        self.proven &= answer is not None
        return answer is True


def _quickxplain(conflicting: Callable[[Sequence[str]], bool], elements: Sequence[str], asking: _Asking) -> list[str]:
    """A minimal subset that conflicts, preferring elements that come first; when work has ended, what is left is kept."""

    def search(background: list[str], added: bool, candidates: list[str]) -> list[str]:
        if added and conflicting(background):
            return []
        if len(candidates) == 1 or asking.spent:
            return candidates
        half = len(candidates) // 2
        former, latter = candidates[:half], candidates[half:]
        second = search(background + former, bool(former), latter)
        first = search(background + second, bool(second), former)
        return first + second

    return search([], False, list(elements))


def _text(rule: Rule, subject: str, case: Case) -> str:
    if rule is Rule.CLOSED:
        room = next(room for room in case.rooms if room.host.id == subject)
        return "is in maintenance" if room.answers else f"does not answer ({room.error})"
    draft = next(draft for draft in case.drafts if draft.id == subject)
    size, tier = draft.size, draft.tier
    kind = tier.survives.replace("_", " ")
    lost = f"one {kind}" if tier.host_failures == 1 else f"{tier.host_failures} {kind}s"
    words = {
        Rule.CAPACITY: f"needs {size.vcpus} vCPU, {size.memory_mib} MiB, {size.disk_gib} GiB{_more(draft)}",
        Rule.ZONE: f"needs a host of grade {draft.confidentiality}",
        Rule.NETWORK: f"needs a host that carries network {draft.network} for {draft.ministry} at grade {draft.confidentiality}",
        Rule.PIN: _pins(draft),
        Rule.SPREAD: f"stands apart from the other replicas of {draft.replica_group} by {tier.spread_over}",
        Rule.CPU: f"needs a processor of {_cpu(draft.needs.cpu)}",
        Rule.TOGETHER: f"stands in one {' and one '.join(f'{domain} with {name}' for domain, name in draft.needs.together)}",
        Rule.LICENCE: "needs " + " and ".join(f"one of {n} sockets licensed for {name}" for name, n in draft.licences),
        Rule.APART: f"shares no host and no storage with {', '.join(draft.apart_from)}, from whom {draft.ministry} is kept apart",
        Rule.LOSS: f"must fit elsewhere after the loss of any {lost}, as tier {tier.id} asks",
        Rule.NAME: "may not share a host with another machine of its name",
    }
    return words[rule]


def _more(draft: Draft) -> str:
    needs = draft.needs
    amounts = ((needs.network_mbps, "Mbit/s"), (needs.iops, "IOPS"))
    asked = "".join(f", {amount} {unit}" for amount, unit in amounts if amount)
    in_class = f" of class {needs.disk_class}" if needs.disk_class else ""
    return f"{in_class}{asked}{_hours(draft.load)}"


def _hours(load: Sequence[int]) -> str:
    return f", between {min(load)} and {max(load)} % of its vCPUs by the hour" if load else ""


def _cpu(cpu: Cpu) -> str:
    return ", ".join(filter(None, (cpu.architecture, cpu.baseline, *cpu.features)))


def _pins(draft: Draft) -> str:
    stated = [f"may stand only on {', '.join(draft.only_on)}"] if draft.only_on else []
    return " and ".join([*stated, *([f"may not stand on {', '.join(draft.not_on)}"] if draft.not_on else [])])
