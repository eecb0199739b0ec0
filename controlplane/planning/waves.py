"""Servers into change windows: who moves in which wave, how long it takes, how surely, and what cannot be scheduled and why.

Pure: dates are inputs. Servers that must move together (cohorts, and circles of dependencies) are one unit, which moves in one
window. Units are taken by contract end, then class of the system (shared ones first), then length, longest first; each takes
the earliest time at which its systems' windows, the freezes, the conversion slots and the slots of its hosts allow it.
Every state between two waves is held against the constraints.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from controlplane.model.estate import Disposition, Estate
from controlplane.model.observed import PowerState
from controlplane.model.plan import Method, Plan, PlannedMachine, PlannedServer
from controlplane.model.window import ZONE, Span, parse_window
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.speed import Speed
from controlplane.planning.units import Unit, move_units, order_within
from controlplane.planning.wave_states import unsafe_states

_MIB_PER_GIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Days on which nothing moves, both included."""

    first: date
    last: date
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WavePolicy:
    """What bounds the schedule. `slots` copies run at once, `slots_per_host` of them into one host.

    A wave must end in its window with `least_probability`; where no history tells, no more than the share `fill` of a window is
    planned.
    """

    first: date
    last: date
    speed: Speed
    slots: int = 4
    slots_per_host: int = 2
    least_probability: float = 0.9
    fill: float = 0.75
    freezes: tuple[Freeze, ...] = ()
    default_windows: tuple[str, ...] = ()
    cohorts: tuple[tuple[str, ...], ...] = ()
    depends_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """Server to servers that must have moved before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One server of a wave; `gib` is the most that is copied, `minutes` the expected time of its copy and change."""

    server: str
    machine: str
    host: str
    system: str
    ministry: str
    gib: int
    minutes: float
    starts_at: datetime
    ends_at: datetime
    cohort: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """The machines moved in one change window. `probability` of ending in it is None without history."""

    number: int
    window: Span
    moves: tuple[Move, ...]
    expected_minutes: float
    probability: float | None
    unsafe: tuple[str, ...]
    """What would not hold in the state after this wave; empty in a sound plan."""

    @property
    def ministries(self) -> tuple[str, ...]:
        """Whose servers move."""
        return tuple(sorted({move.ministry for move in self.moves}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unscheduled:
    """A server that is to move and has no wave, and why."""

    server: str
    system: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """All waves by time, what is left over, and what was assumed."""

    waves: tuple[Wave, ...]
    unscheduled: tuple[Unscheduled, ...]
    freezes: tuple[Freeze, ...]
    assumptions: tuple[str, ...]

    def wave_of(self, subject: str) -> tuple[Wave, Move] | None:
        """The wave and move of a server, or the last move into a machine."""
        found = [(wave, move) for wave in self.waves for move in wave.moves if subject in {move.server, move.machine}]
        exact = [pair for pair in found if pair[1].server == subject]
        return (exact or found)[-1] if found else None


def standing_freezes(first: date, last: date) -> tuple[Freeze, ...]:
    """The turn of the fiscal year (25 March to 5 April) and of the calendar year (29 December to 3 January)."""
    years = range(first.year - 1, last.year + 1)
    found = [Freeze(first=date(y, 3, 25), last=date(y, 4, 5), reason="turn of the fiscal year") for y in years]
    found += [Freeze(first=date(y, 12, 29), last=date(y + 1, 1, 3), reason="turn of the year") for y in years]
    return tuple(f for f in sorted(found, key=lambda f: f.first) if f.last >= first and f.first <= last)


def scheduled(plan: Plan, inputs: PlanInputs, policy: WavePolicy) -> Schedule:
    """Put every server that moves into a wave, or say why not."""
    estate = inputs.estate
    machines = {machine.id: machine for machine in plan.machines}
    moving, unscheduled, arrived = _moving(plan, inputs)
    units, odd = move_units(moving, policy.cohorts, policy.depends_on)
    booking = _Booking(policy)
    done: dict[str, datetime] = {}
    failed: dict[str, str] = {}
    planned: list[tuple[Span, Move]] = []
    for unit in _ordered(units, moving, machines, estate, policy):
        reason, moves = _place(unit, moving, machines, estate, policy, booking, done, failed)
        for server in unit.servers:
            if reason:
                failed[server] = reason
                unscheduled.append(Unscheduled(server=server, system=moving[server].system, reason=reason))
        planned += moves
        done |= {move.server: move.ends_at for _, move in moves}
    waves = _waves(planned, policy, plan, inputs)
    return Schedule(
        waves=waves,
        unscheduled=tuple(sorted(unscheduled, key=lambda each: each.server)),
        freezes=policy.freezes,
        assumptions=(*_assumptions(policy, estate, moving), *arrived, *odd),
    )


def _moving(plan: Plan, inputs: PlanInputs) -> tuple[dict[str, PlannedServer], list[Unscheduled], tuple[str, ...]]:
    """Servers that move by id; those that should and cannot; and a remark about those that have moved."""
    moving: dict[str, PlannedServer] = {}
    left: list[Unscheduled] = []
    arrived = _arrived(plan, inputs)
    gone = 0
    for server in plan.servers:
        if server.disposition in {Disposition.RETAIN, Disposition.RETIRE} or server.id not in inputs.estate.servers:
            continue
        if not server.machine:
            left.append(Unscheduled(server=server.id, system=server.system, reason=f"gets no machine: {server.reason}"))
        elif server.machine in arrived:
            gone += 1
        else:
            moving[server.id] = server
    return moving, left, (f"{gone} servers have arrived with their disk and run already",) if gone else ()


def _arrived(plan: Plan, inputs: PlanInputs) -> frozenset[str]:
    """Machines that come with their disk and were seen running where the plan wants them."""
    running = {
        (host.host, machine.uuid)
        for host in inputs.observation.hosts.values()
        if not host.believed
        for machine in host.machines
        if machine.state is PowerState.RUNNING and machine.mark is not None
    }
    return frozenset(m.id for m in plan.machines if m.method is Method.COLD and (m.host, m.uuid) in running)


def _ordered(
    units: Sequence[Unit],
    moving: Mapping[str, PlannedServer],
    machines: Mapping[str, PlannedMachine],
    estate: Estate,
    policy: WavePolicy,
) -> list[Unit]:
    """By contract end, class and length, but never before what a unit depends on."""

    def rank(unit: Unit) -> tuple[object, ...]:
        systems = [estate.systems[moving[server].system] for server in unit.servers]
        end = min((system.contract_end for system in systems if system.contract_end is not None), default=date.max)
        length = sum(policy.speed.minutes(_gib(moving[s], machines) * _MIB_PER_GIB) for s in unit.servers)
        return (end, min(system.study_class for system in systems), -length, unit.servers)

    waiting, placed, ordered = sorted(units, key=rank), set[str](), list[Unit]()
    while waiting:
        unit = next((u for u in waiting if all(other in placed or other not in moving for other in u.after)), waiting[0])
        waiting.remove(unit)
        ordered.append(unit)
        placed |= set(unit.servers)
    return ordered


def _place(
    unit: Unit,
    moving: Mapping[str, PlannedServer],
    machines: Mapping[str, PlannedMachine],
    estate: Estate,
    policy: WavePolicy,
    booking: "_Booking",
    done: Mapping[str, datetime],
    failed: Mapping[str, str],
) -> tuple[str, list[tuple[Span, Move]]]:
    """The reason why not, or the moves with their window."""
    blocked = [other for other in unit.after if other in failed]
    if blocked:
        return f"must move after {blocked[0]}, which has no wave", []
    systems = sorted({moving[server].system for server in unit.servers})
    windows = {system: _windows_of(system, estate, policy) for system in systems}
    without = [system for system, texts in windows.items() if not texts]
    if without:
        ministry = estate.systems[without[0]].ministry
        return f"neither system {without[0]} nor ministry {ministry} declares a change window; add `change_windows`", []
    own = {system: _spans(texts, policy) for system, texts in windows.items()}
    closed = [system for system, found in own.items() if not found]
    if closed:
        return (
            f"no change window of system {closed[0]} from {policy.first} to {policy.last} outside the freezes; "
            "give it other windows or a later last day, or lift a freeze"
        ), []
    spans = _common(list(own.values()))
    if not spans:
        return f"systems {', '.join(systems)} must move together and have no window in common", []
    contract_ends = [(end, s) for s in systems if (end := estate.systems[s].contract_end) is not None]
    limit, whose = min(contract_ends, default=(None, ""))
    before = [span for span in spans if limit is None or span.ends_at.date() <= limit]
    if not before:
        return f"no change window before the contract of {whose} ends on {limit}; begin earlier or prolong the contract", []
    earliest = max((done[other] for other in unit.after if other in done), default=None)
    return _fit(unit, before, earliest, moving, machines, policy, booking)


def _fit(
    unit: Unit,
    spans: Sequence[Span],
    earliest: datetime | None,
    moving: Mapping[str, PlannedServer],
    machines: Mapping[str, PlannedMachine],
    policy: WavePolicy,
    booking: "_Booking",
) -> tuple[str, list[tuple[Span, Move]]]:
    sizes = {server: _gib(moving[server], machines) for server in unit.servers}
    order = order_within(unit, policy.depends_on, sizes)
    most, shortest = 0.0, 0.0
    for span in spans:
        booked: list[tuple[Span, Move]] = []
        ends_at: dict[str, datetime] = {}
        for server, follows in order:
            machine = machines[moving[server].machine]
            minutes = policy.speed.minutes(sizes[server] * _MIB_PER_GIB)
            before = [ends_at[other] for other in follows] + ([earliest] if earliest is not None else [])
            start = booking.earliest(span, minutes, machine.host, max(before, default=None))
            booking.book(start, minutes, machine.host)
            move = Move(
                server=server, machine=machine.id, host=machine.host, system=moving[server].system,
                ministry=moving[server].ministry, gib=sizes[server], minutes=round(minutes, 1), starts_at=start,
                ends_at=start + timedelta(minutes=minutes), cohort=unit.name,
            )  # fmt: skip
            booked.append((span, move))
            ends_at[server] = move.ends_at
        ends = max(move.ends_at for _, move in booked)
        expected = (ends - span.starts_at).total_seconds() / 60
        likely = policy.speed.probability(expected, span.minutes)
        sure = likely >= policy.least_probability if likely is not None else expected <= policy.fill * span.minutes
        if ends <= span.ends_at and sure:
            return "", booked
        for _, move in booked:
            booking.cancel(move.starts_at, move.minutes, move.host)
        alone = (ends - min(move.starts_at for _, move in booked)).total_seconds() / 60
        most, shortest = max(most, span.minutes), min(shortest or alone, alone)
    needs = f"needs about {_hours(shortest)} in one window"
    likely = policy.speed.probability(shortest, most)
    if shortest > most:
        why = f"the longest is {_hours(most)}"
    elif likely is None and shortest > policy.fill * most:
        why = f"the longest is {_hours(most)}, of which {100 * policy.fill:.0f} % are planned where no history tells"
    elif likely is not None and likely < policy.least_probability:
        why = f"the longest, {_hours(most)}, is enough with {100 * likely:.0f} %, and {100 * policy.least_probability:.0f} % are asked for"
    else:
        why = f"every window up to {policy.last} is full"
    return f"{needs}; {why}; give it a longer window, more bandwidth or slots, or more time", []


class _Booking:
    """Which copies run when; asks for the earliest time that keeps within all slots."""

    def __init__(self, policy: WavePolicy) -> None:
        self._policy = policy
        self._booked: list[tuple[datetime, datetime, str]] = []

    def earliest(self, span: Span, minutes: float, host: str, not_before: datetime | None) -> datetime:
        """From the begin of the span on, whether or not it ends in it."""
        begin = max(span.starts_at, not_before) if not_before is not None else span.starts_at
        near = [each for each in self._booked if each[1] > begin]
        for start in sorted({begin, *(end for _, end, _ in near if end > begin)}):
            end = start + timedelta(minutes=minutes)
            running = [each for each in near if each[0] < end and each[1] > start]
            if _peak(running) < self._policy.slots and (
                _peak([each for each in running if each[2] == host]) < self._policy.slots_per_host
            ):
                return start
        raise AssertionError("after the last copy every slot is free")

    def book(self, start: datetime, minutes: float, host: str) -> None:
        """Take a slot."""
        self._booked.append((start, start + timedelta(minutes=minutes), host))

    def cancel(self, start: datetime, minutes: float, host: str) -> None:
        """Give the latest slot of this host that begins there back."""
        index = max(i for i, each in enumerate(self._booked) if each[0] == start and each[2] == host)
        del self._booked[index]


def _peak(copies: Sequence[tuple[datetime, datetime, str]]) -> int:
    """The most that run at once."""
    return max((sum(1 for other in copies if other[0] <= each[0] < other[1]) for each in copies), default=0)


def _windows_of(system_id: str, estate: Estate, policy: WavePolicy) -> tuple[str, ...]:
    system = estate.systems[system_id]
    return system.change_windows or estate.ministries[system.ministry].change_windows or policy.default_windows


def _spans(texts: Iterable[str], policy: WavePolicy) -> list[Span]:
    """All spans of these windows that touch no freeze, in order and without overlap of each other."""
    spans = sorted(
        (span for text in texts for span in parse_window(text).spans(policy.first, policy.last)),
        key=lambda s: (s.starts_at, s.ends_at),
    )
    return [span for span in spans if not any(_touches(span, freeze) for freeze in policy.freezes)]


def _touches(span: Span, freeze: Freeze) -> bool:
    begin = datetime.combine(freeze.first, datetime.min.time(), ZONE)
    end = datetime.combine(freeze.last + timedelta(days=1), datetime.min.time(), ZONE)
    return span.starts_at < end and span.ends_at > begin


def _common(all_spans: Sequence[Sequence[Span]]) -> list[Span]:
    """Spans in which all may be interrupted."""
    common = list(all_spans[0])
    for spans in all_spans[1:]:
        both = [
            Span(starts_at=max(one.starts_at, other.starts_at), ends_at=min(one.ends_at, other.ends_at))
            for one in common
            for other in spans
            if one.starts_at < other.ends_at and other.starts_at < one.ends_at
        ]
        common = sorted(both, key=lambda s: (s.starts_at, s.ends_at))
    return common


def _waves(planned: Sequence[tuple[Span, Move]], policy: WavePolicy, plan: Plan, inputs: PlanInputs) -> tuple[Wave, ...]:
    by_window: dict[Span, list[Move]] = {}
    for span, move in planned:
        by_window.setdefault(span, []).append(move)
    ordered = sorted(by_window.items(), key=lambda item: (item[0].starts_at, item[0].ends_at))
    unsafe = unsafe_states(plan, inputs, [[move.machine for move in moves] for _, moves in ordered])
    waves = []
    for number, ((span, moves), wrong) in enumerate(zip(ordered, unsafe, strict=True), start=1):
        expected = (max(move.ends_at for move in moves) - span.starts_at).total_seconds() / 60
        waves.append(
            Wave(
                number=number,
                window=span,
                moves=tuple(sorted(moves, key=lambda move: (move.starts_at, move.server))),
                expected_minutes=round(expected, 1),
                probability=_rounded(policy.speed.probability(expected, span.minutes)),
                unsafe=wrong,
            )
        )
    return tuple(waves)


def _gib(server: PlannedServer, machines: Mapping[str, PlannedMachine]) -> int:
    """A disk that moves as it is moves whole; otherwise no more can move than both disks hold."""
    machine = machines[server.machine]
    if machine.method is Method.COLD or server.size is None:
        return machine.size.disk_gib
    return min(server.size.disk_gib, machine.size.disk_gib)


def _assumptions(policy: WavePolicy, estate: Estate, moving: Mapping[str, PlannedServer]) -> tuple[str, ...]:
    speed = policy.speed
    said = [
        f"{speed.mib_per_second:.0f} MiB/s for each copy with its verification, {speed.overhead_minutes:.0f} minutes besides ({speed.source})",
        f"{policy.slots} copies at once, {policy.slots_per_host} into one host",
        "what is copied is the declared disk, at most; for machines made anew no more than both disks hold",
    ]
    if speed.spread is None:
        said.append(
            "no history of moves: how surely a wave ends in its window is not known, "
            f"and no more than {100 * policy.fill:.0f} % of a window is planned"
        )
    else:
        said.append(f"time taken is lognormal around what is expected, spread {speed.spread:.2f}, one factor for a whole wave")
    systems = Counter(moving[server].system for server in moving)
    bare = [
        s
        for s in systems
        if not (estate.systems[s].change_windows or estate.ministries[estate.systems[s].ministry].change_windows)
    ]
    if bare and policy.default_windows:
        said.append(f"{len(bare)} systems declare no window and get {', '.join(policy.default_windows)}")
    said += [f"nothing moves from {f.first} to {f.last}: {f.reason}" for f in policy.freezes]
    return tuple(said)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _hours(minutes: float) -> str:
    return f"{int(minutes // 60)} h {int(minutes % 60):02d}"
