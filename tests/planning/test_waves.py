"""Schedules held against their rules by code that did not make them; what cannot be scheduled says why."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from controlplane.cli.waves_view import show_schedule
from controlplane.model.estate import Disposition, LibvirtSource
from controlplane.model.finding import Severity
from controlplane.model.migration import Migration, Phase, SourceDisk
from controlplane.model.plan import Method
from controlplane.model.window import ZONE, parse_window
from controlplane.planning.checks import check_plan
from controlplane.planning.speed import Speed, measured_speed
from controlplane.planning.units import move_units
from controlplane.planning.waves import Freeze, WavePolicy, scheduled, standing_freezes
from tests.planning.estates import applied, estate, host, observed, planned, server, size, small_estate, system
from tests.planning.test_headroom import inputs_of

SPEED = Speed(mib_per_second=100.0, overhead_minutes=15.0, spread=None, source="assumed")
FIRST = date(2026, 12, 1)


def policy(**changes):
    made = WavePolicy(first=FIRST, last=FIRST + timedelta(days=120), speed=SPEED, default_windows=("Sat 22:00-06:00",))
    return replace(made, **changes)


def moving_estate(servers, cold=(), memory_mib=262144, **systems):
    """Servers to be made anew, those of `cold` to come with their disk: id to (system, GiB)."""
    names = {of for of, _ in servers.values()}
    return estate(
        [host(f"hv{n}", n, capacity=size(64, memory_mib, 20000)) for n in (1, 2, 3)],
        systems=[replace(system(name), **systems.get(name, {})) for name in sorted(names)],
        servers=[
            server(name, of, Disposition.REHOST, network="shared", address=f"192.0.2.{100 + n}", mac=f"52:54:00:00:01:{n:02}",
                   size=size(1, 512, gib), source=LibvirtSource(uri="qemu+ssh://old/system", domain=name))
            if name in cold
            else server(name, of, Disposition.REPLATFORM, network="shared", image="debian-12", size=size(1, 512, gib))
            for n, (name, (of, gib)) in enumerate(servers.items())
        ],
    )  # fmt: skip


def schedule_of(given, **changes):
    return scheduled(planned(given), inputs_of(given), policy(**changes))


def test_the_small_estate_is_scheduled_as_agreed(golden, capsys):
    given = small_estate()
    given.systems["pension"] = replace(
        given.systems["pension"], change_windows=("Sun 23:00-24:00",), contract_end=date(2027, 3, 31)
    )
    plan = planned(given)
    show_schedule(scheduled(plan, inputs_of(given), policy(freezes=standing_freezes(FIRST, FIRST + timedelta(days=120)))), plan)
    golden("waves.txt", capsys.readouterr().out)


def test_servers_of_a_cohort_move_in_one_window_though_one_would_do_earlier():
    given = moving_estate({"a": ("s", 100), "b": ("t", 100), "c": ("t", 100)}, s={"change_windows": ("Sat 22:00-06:00",)},
                          t={"change_windows": ("daily 23:00-02:00",)})  # fmt: skip
    made = schedule_of(given, cohorts=(("a", "b"),))
    wave = {move.server: each.window for each in made.waves for move in each.moves}
    assert wave["a"] == wave["b"]
    assert wave["a"].starts_at == datetime(2026, 12, 5, 23, tzinfo=ZONE), "the window in common"
    assert wave["c"].starts_at == datetime(2026, 12, 1, 23, tzinfo=ZONE)


def test_what_is_needed_moves_before_and_circles_move_together():
    given = moving_estate(dict.fromkeys("abcd", ("s", 100)))
    made = schedule_of(given, depends_on={"a": ("b",), "b": ("c",), "c": ("b",), "x": ("a",)}, slots=1)
    order = {move.server: (move.starts_at, move.ends_at) for wave in made.waves for move in wave.moves}
    assert max(order["b"][1], order["c"][1]) <= order["a"][0]
    windows = {move.server: wave.number for wave in made.waves for move in wave.moves}
    assert windows["b"] == windows["c"]
    assert any("not considered: x" in text for text in made.assumptions)


@pytest.mark.parametrize(
    ("changes", "systems", "reason"),
    [
        ({"default_windows": ()}, {}, "neither system s nor ministry mic declares a change window; add `change_windows`"),
        ({}, {"change_windows": ("Sat 22:00-22:30",)}, "needs about 1 h 40 in one window; the longest is 0 h 30"),
        ({}, {"change_windows": ("Sat 22:00-00:00",)}, "the longest is 2 h 00, of which 75 % are planned where no history tells"),
        ({}, {"contract_end": date(2026, 12, 3)}, "no change window before the contract of s ends on 2026-12-03"),
        ({"last": date(2026, 12, 4)}, {}, "no change window"),
        ({"freezes": (Freeze(first=FIRST, last=date(2027, 12, 1), reason="election"),)}, {}, "no change window"),
        (
            {"slots": 1, "last": date(2026, 12, 8)},
            {"change_windows": ("Sat 22:00-00:30",)},
            "every window up to 2026-12-08 is full",
        ),
        (
            {"speed": replace(SPEED, spread=0.5)},
            {"change_windows": ("Sat 22:00-00:00",)},
            "the longest, 2 h 00, is enough with 64 %, and 90 % are asked for",
        ),
    ],
)
def test_what_cannot_be_scheduled_says_why(changes, systems, reason):
    given = moving_estate({"a": ("s", 500), "b": ("s", 500)}, s=systems)
    made = schedule_of(given, **changes)
    assert made.unscheduled
    assert reason in made.unscheduled[-1].reason


def test_cohorts_without_a_common_window_and_what_waits_for_them():
    given = moving_estate({"a": ("s", 10), "b": ("t", 10), "c": ("t", 10)}, s={"change_windows": ("Sat 22:00-06:00",)},
                          t={"change_windows": ("Wed 22:00-06:00",)})  # fmt: skip
    made = schedule_of(given, cohorts=(("a", "b"),), depends_on={"c": ("a",)})
    reasons = {each.server: each.reason for each in made.unscheduled}
    assert reasons["a"] == reasons["b"] == "systems s, t must move together and have no window in common"
    assert reasons["c"] == "must move after a, which has no wave"


def test_contracts_that_end_first_move_first():
    given = moving_estate({"a": ("s", 500), "b": ("t", 100)}, t={"contract_end": date(2027, 1, 31)},
                          s={"change_windows": ("Sat 22:00-00:30",)})  # fmt: skip
    given.systems["t"] = replace(given.systems["t"], change_windows=("Sat 22:00-00:30",))
    made = schedule_of(given, slots=1)
    assert [move.server for wave in made.waves for move in wave.moves] == ["b", "a"]
    assert made.wave_of("b")[0].number < made.wave_of("a")[0].number


def test_states_between_waves_hold_machines_that_come_with_their_disk():
    given = estate(
        (host("hv1", 1), host("hv2", 2)),
        systems=(replace(system("s"), tier="high", change_windows=("Sat 22:00-06:00",)),),
        servers=[
            server(f"m{n}", "s", Disposition.REHOST, network="shared", address=f"192.0.2.{50 + n}", mac=f"52:54:00:00:00:0{n}",
                   size=size(1, 2048, 20), source=LibvirtSource(uri="qemu+ssh://old/system", domain=f"m{n}"))
            for n in range(4)
        ],
    )  # fmt: skip
    plan = planned(given)
    made = scheduled(plan, inputs_of(given), policy(slots=1))
    assert [wave.unsafe for wave in made.waves] == [()] * len(made.waves)
    crowded = replace(plan, machines=tuple(replace(each, host="hv1", size=size(1, 4096, 20)) for each in plan.machines))
    for each in list(given.servers.values()):
        given.servers[each.id] = replace(each, size=size(1, 4096, 20))
    broken = scheduled(crowded, inputs_of(given), policy(slots=1))
    assert any("host hv1: memory: 16384 MiB promised, 8192 may be" in text for wave in broken.waves for text in wave.unsafe)


def test_what_has_arrived_moves_no_more():
    given = small_estate()
    plan = planned(given)
    seen = applied(given, plan)
    made = scheduled(plan, inputs_of(given, seen, plan), policy())
    assert "pension-db" not in {move.server for wave in made.waves for move in wave.moves}
    assert "1 servers have arrived with their disk and run already" in made.assumptions


def _states(made, plan):
    """The plan as far as it stands before the first wave and after each: what comes with its disk is there from its wave on."""
    there = {machine.id for machine in plan.machines if machine.method is not Method.COLD}
    for moves in ((), *(wave.moves for wave in made.waves)):
        there |= {move.machine for move in moves}
        yield replace(plan, machines=tuple(machine for machine in plan.machines if machine.id in there))


def _judge(made, given, rules, plan):
    """Every rule anew: windows, freezes, slots, cohorts, order, chance; and everybody is somewhere."""
    moves = [(wave, move) for wave in made.waves for move in wave.moves]
    placed = [move.server for _, move in moves]
    left = [each.server for each in made.unscheduled]
    wanted = [each.id for each in plan.servers if each.machine]
    assert sorted(placed + left) == sorted(wanted)
    for wave, move in moves:
        assert wave.window.starts_at <= move.starts_at < move.ends_at <= wave.window.ends_at
        own = given.systems[move.system]
        texts = own.change_windows or given.ministries[own.ministry].change_windows or rules.default_windows
        spans = [span for text in texts for span in parse_window(text).spans(rules.first, rules.last)]
        assert any(span.starts_at <= move.starts_at and move.ends_at <= span.ends_at for span in spans)
        for freeze in rules.freezes:
            assert move.ends_at.date() < freeze.first or move.starts_at.date() > freeze.last
        assert own.contract_end is None or move.ends_at.date() <= own.contract_end
        running = [other for _, other in moves if other.starts_at <= move.starts_at < other.ends_at]
        assert len(running) <= rules.slots
        assert sum(1 for other in running if other.host == move.host) <= rules.slots_per_host
    by_server = {move.server: (wave, move) for wave, move in moves}
    for cohort in rules.cohorts:
        assert len({by_server[each][0].number if each in by_server else 0 for each in cohort if each in wanted}) <= 1
    reach = {each: set(rules.depends_on.get(each, ())) for each in wanted}
    for _ in wanted:
        for each in wanted:
            reach[each] |= {far for near in reach[each] if near in reach for far in reach[near]}
    for each, others in rules.depends_on.items():
        for other in others:
            if each in by_server and other in wanted and each not in reach[other]:
                assert by_server[other][1].ends_at <= by_server[each][1].starts_at
    for wave in made.waves:
        assert wave.probability is not None or wave.expected_minutes <= rules.fill * wave.window.minutes + 0.1
        assert wave.probability is None or wave.probability >= rules.least_probability - 1e-4
        assert wave.unsafe == ()
    for state in _states(made, plan):
        found = check_plan(state, given, observed(given))
        assert [str(f) for f in found if f.severity is Severity.CRITICAL and f.where.startswith(("host ", "loss "))] == []


@settings(max_examples=25, deadline=None)
@for_all(st.data())
def test_every_schedule_keeps_its_rules(data):
    windows = st.sampled_from([(), ("Sat 22:00-06:00",), ("daily 23:00-02:00",), ("Sun 21:00-05:00", "Wed 00:00-03:00")])
    names = [f"m{n}" for n in range(data.draw(st.integers(0, 9)))]
    servers = {
        name: (data.draw(st.sampled_from(["s", "t", "u"])), data.draw(st.sampled_from([10, 100, 400, 900]))) for name in names
    }
    ends = st.sampled_from([None, None, date(2026, 12, 20)])
    tiers = st.sampled_from(["standard", "high"])
    systems = {
        name: {"change_windows": data.draw(windows), "contract_end": data.draw(ends), "tier": data.draw(tiers)} for name in "stu"
    }
    cold = [name for name in names if data.draw(st.booleans())]
    given = moving_estate(servers, cold, 4096, **systems)
    some = st.lists(st.sampled_from(names), min_size=2, max_size=3, unique=True) if len(names) > 1 else st.just([])
    rules = policy(
        last=FIRST + timedelta(days=data.draw(st.sampled_from([10, 60]))),
        slots=data.draw(st.integers(1, 3)),
        slots_per_host=data.draw(st.integers(1, 2)),
        speed=replace(SPEED, spread=data.draw(st.sampled_from([None, 0.0, 0.3]))),
        freezes=data.draw(st.sampled_from([(), (Freeze(first=date(2026, 12, 4), last=date(2026, 12, 13), reason="x"),)])),
        default_windows=data.draw(st.sampled_from([(), ("Fri 20:00-04:00",)])),
        cohorts=tuple(tuple(data.draw(some)) for _ in range(data.draw(st.integers(0, 2)))),
        depends_on={name: (data.draw(st.sampled_from(names)),) for name in names[:3] if data.draw(st.booleans())},
    )
    rules = replace(rules, depends_on={name: tuple(o for o in others if o != name) for name, others in rules.depends_on.items()})
    plan = planned(given)
    made = scheduled(plan, inputs_of(given), rules)
    _judge(made, given, rules, plan)
    turned = replace(given, servers=dict(reversed(given.servers.items())), systems=dict(reversed(given.systems.items())))
    assert scheduled(planned(turned), inputs_of(turned), rules) == made


@for_all(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=14))
def test_units_are_the_circles_of_dependencies(pairs):
    names = [f"s{n}" for n in range(8)]
    needs = {name: tuple(names[b] for a, b in pairs if names[a] == name) for name in names}
    units, remarks = move_units(names, (), needs)
    assert remarks == ()
    reach = {name: {name} for name in names}
    for _ in names:
        for name in names:
            for other in list(reach[name]):
                reach[name] |= set(needs[other])
    unit_of = {name: unit for unit in units for name in unit.servers}
    for one in names:
        for other in names:
            assert (unit_of[one] == unit_of[other]) == (other in reach[one] and one in reach[other])
    for unit in units:
        assert set(unit.after) == {o for name in unit.servers for o in needs[name]} - set(unit.servers)


def _migration(number, seconds, phase=Phase.FINALIZED):
    started = datetime(2026, 1, 1, tzinfo=UTC)
    return Migration(
        estate="test", machine=f"m{number}", plan="", phase=phase, source_uri="", source_domain="", source_uuid="",
        disk=SourceDisk(path="/d", format="raw", size_bytes=100 * 1024 * 1024 * 1024), started_at=started, updated_at=started,
        cut_over_at=started + timedelta(seconds=seconds),
    )  # fmt: skip


def test_speed_is_measured_from_five_moves_on_and_not_known_below():
    assert measured_speed([_migration(n, 1024) for n in range(4)], 0) is None
    speed = measured_speed([_migration(n, 1024 * factor) for n, factor in enumerate((0.5, 1, 1, 1, 2))], 0)
    assert speed.mib_per_second == pytest.approx(100)
    assert speed.spread == pytest.approx(0.49, abs=0.01)
    assert measured_speed([_migration(n, 1024, Phase.ROLLED_BACK) for n in range(9)], 0) is None


def test_the_chance_of_ending_in_time_is_lognormal():
    sure = replace(SPEED, spread=0.5)
    assert sure.probability(60, 60) == pytest.approx(0.5)
    assert sure.probability(60, 60 * 1.9) == pytest.approx(0.9, abs=0.001), "0.9 needs exp(1.2816 × 0.5) times the expected time"
    assert SPEED.probability(60, 60) is None
    assert replace(SPEED, spread=0.0).probability(61, 60) == 0.0


def test_freezes_at_the_turns_of_the_years():
    found = standing_freezes(date(2026, 12, 1), date(2027, 11, 30))
    assert [(str(each.first), str(each.last)) for each in found] == [("2026-12-29", "2027-01-03"), ("2027-03-25", "2027-04-05")]
