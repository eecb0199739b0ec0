"""Leases: whose they are, how they stand on a day, what a plan knows of them, and that only what is to be stopped is stopped."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from controlplane.execution.drift import Memory, differences
from controlplane.model.document import plan_from_json, plan_to_json
from controlplane.model.drift import Action
from controlplane.model.estate import Disposition
from controlplane.model.lease import WARNED_DAYS, AtEnd, Lease, LeaseState
from controlplane.model.observed import Mark, Observation, PowerState
from controlplane.planning.checks import check_plan
from controlplane.planning.facts import input_facts, moved_facts
from controlplane.planning.leases import leases_of, planned_leases, standings, told
from tests.planning.estates import IMAGES, KEYS, applied, estate, host, machine, observed, planned, server, system

LAST = date(2027, 3, 31)
STOP, REPORT = Lease(until=LAST, at_end=AtEnd.STOP), Lease(until=LAST)
HOSTS = (host("hv1", 1),)


def given(lease, **more):
    return estate(HOSTS, machines=(machine("trial", lease=lease), machine("kept")), **more)


def test_a_machine_has_its_own_lease_or_that_of_its_server_or_its_systems():
    whole = estate(
        HOSTS,
        systems=(system("portal", lease=REPORT), system("board")),
        machines=(machine("own", lease=STOP), machine("of-system"), machine("none", "board")),
        servers=(
            server("made", "board", Disposition.REPLATFORM, network="shared", image="debian-12", lease=STOP),
            server("gone", "portal", Disposition.RETIRE),
        ),
    )
    assert leases_of(whole) == {"own": STOP, "of-system": REPORT, "made": STOP}


@pytest.mark.parametrize(
    ("days", "state"),
    [
        (-WARNED_DAYS - 1, LeaseState.CURRENT),
        (-WARNED_DAYS, LeaseState.ENDING),
        (0, LeaseState.ENDING),
        (1, LeaseState.ENDED),
    ],
)
def test_it_ends_after_its_last_day(days, state):
    today = LAST + timedelta(days=days)
    [found] = standings({"trial": STOP}, today)
    assert (found.state, found.days) == (state, 1 - days)
    assert told({"trial": STOP}, today) == (() if state is LeaseState.CURRENT else (found,))


def test_it_is_told_in_words():
    [stops, runs] = told({"a": STOP, "b": REPORT}, LAST)
    assert str(stops) == "lease of a ends on 2027-03-31, in 1 day; it is then stopped, prolong it or let it go"
    assert "it then runs on" in str(runs)
    [stopped, running] = told({"a": STOP, "b": REPORT}, LAST + timedelta(days=9))
    assert str(stopped).startswith("lease of a ended on 2027-03-31; it is kept stopped, prolong it or")
    assert "it runs on, as the inventory says" in str(running)


def test_a_plan_carries_it_and_is_stale_when_it_is_prolonged():
    plan = planned(given(STOP))
    assert planned_leases(plan_from_json(plan_to_json(plan), "x")) == {"trial": STOP}
    assert [f for f in check_plan(plan, given(STOP), observed(given(STOP))) if f.severity == "critical"] == []
    longer = given(replace(STOP, until=date(2028, 3, 31)))
    [moved] = moved_facts(plan, input_facts(longer, observed(longer), IMAGES, KEYS))
    assert (moved.entity, moved.field, moved.now, moved.touches) == ("lease/trial", "until", "2028-03-31", ("trial",))
    assert planned(given(None)).inputs.keys() == plan.inputs.keys() - {"lease/trial"}


def drift(lease, today, **changes):
    plan = planned(given(lease))
    world = applied(given(lease), plan)
    hv1 = world.hosts["hv1"]
    machines = tuple(replace(each, **changes) if each.name == "trial" else each for each in hv1.machines)
    if changes.get("state") == "gone":
        machines = tuple(each for each in hv1.machines if each.name != "trial")
    seen = Observation(hosts={"hv1": replace(hv1, machines=machines)})
    rows = differences(plan, seen, Memory(today=today))
    return [(d.what, d.found, d.action) for d in rows if d.subject == "trial"]


AFTER = LAST + timedelta(days=1)
AUTOSTART = ("autostart", "on", Action.SET_AUTOSTART)
"""Its hypervisor's restart would start it."""


@pytest.mark.parametrize(("lease", "today"), [(STOP, LAST), (REPORT, AFTER), (None, AFTER), (STOP, None)])
def test_it_runs_until_its_end_and_beyond_unless_it_is_to_be_stopped(lease, today):
    assert drift(lease, today) == []
    assert drift(lease, today, state=PowerState.STOPPED) == [("state", "stopped", Action.START)]


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ({}, [("lease", "running", Action.STOP), AUTOSTART]),
        ({"autostart": False}, [("lease", "running", Action.STOP)]),
        ({"state": PowerState.PAUSED}, [("lease", "paused", Action.STOP), AUTOSTART]),
        ({"vcpus": 4}, [("lease", "running", Action.STOP), AUTOSTART]),
        ({"state": PowerState.STOPPED}, [AUTOSTART]),
        ({"state": PowerState.STOPPED, "autostart": False}, []),
        ({"state": PowerState.CRASHED}, [AUTOSTART]),
        ({"state": "gone"}, []),
        ({"state": PowerState.CHANGING}, [("state", "changing", Action.WAIT)]),
        ({"mark": Mark(estate="other", machine="x", plan="")}, [("owner", "other/x", Action.REFUSE)]),
    ],
    ids=str,
)
def test_then_it_is_stopped_and_kept_so_and_nothing_else_is_done(changes, rows):
    assert drift(STOP, AFTER, **changes) == rows
