"""A year before and after: watts, rack units, CO2 and yen, by ministry and fiscal year, with what is assumed said."""

from dataclasses import replace
from datetime import date
from io import StringIO

import pytest
from rich.console import Console

from controlplane.cli.footprint_view import draw_footprints
from controlplane.model.estate import Disposition, Saving
from controlplane.model.running import Policy, Running
from controlplane.planning.fiscal import fiscal_years
from controlplane.planning.footprint import HOURS_OF_A_YEAR, fiscal_year, footprints, server_year
from controlplane.planning.waves import scheduled
from tests.planning.estates import estate, host, machine, planned, server, size, system
from tests.planning.test_headroom import inputs_of
from tests.planning.test_waves import policy

KNOWN = Running(idle_watts=100, loaded_watts=200, rack_units=3, maintenance_thousand_yen=50)
POLICY = Policy(pue=2.0, yen_per_kwh=10.0, co2_kg_per_kwh=0.5, server_load=0.5)


def made(*servers, machines=(), systems=(), hosts=None):
    given = estate(hosts or (host("hv1", 1, running=KNOWN),), systems=systems, machines=machines, servers=servers)
    return replace(given, policy=POLICY)


def test_one_server_is_reckoned_by_hand():
    given = made(server("old", "portal", Disposition.RETAIN, running=KNOWN))
    found = footprints(planned(given), given)
    kwh = 0.150 * HOURS_OF_A_YEAR * 2.0
    assert found.before == found.after
    assert found.before.kwh == pytest.approx(kwh)
    assert found.before.co2_tonnes == pytest.approx(kwh * 0.5 / 1000)
    assert found.before.thousand_yen == pytest.approx(kwh * 10 / 1000 + 50)
    assert (found.before.machines, found.before.rack_units, found.assumed) == (1, 3, 0)


def test_a_shared_host_is_borne_by_memory():
    given = made(
        machines=(machine("a", size=size(4, 3072, 10)), machine("b", "pension", network="mhlw", size=size(4, 1024, 10))),
        systems=(system("portal"), system("pension", "mhlw")),
    )
    found = footprints(planned(given), given)
    shares = {each.ministry: each.after.machines for each in found.ministries}
    assert shares == {"mic": pytest.approx(0.75), "mhlw": pytest.approx(0.25)}
    assert found.after.machines == pytest.approx(1)
    assert found.after.kwh == pytest.approx(0.150 * HOURS_OF_A_YEAR * 2.0)  # 8 of 16 vCPU


@pytest.mark.parametrize(("servers", "said"), [(0, "more"), (9, "less")])
def test_what_a_year_costs_more_is_not_told_as_less(servers, said):
    old = [server(f"s{n}", "portal", Disposition.RETIRE, running=KNOWN) for n in range(servers)]
    given = made(*old, machines=(machine("a"),))
    found = footprints(planned(given), given)
    text = StringIO()
    draw_footprints(Console(file=text, width=200), found)
    amount = abs(found.before.thousand_yen - found.after.thousand_yen)
    assert f" {amount:,.0f} thousand yen a year {said} for power and maintenance" in text.getvalue()


def test_the_sum_is_that_of_the_ministries():
    given = made(
        server("one", "portal", Disposition.RETIRE), server("two", "pension", Disposition.RETAIN),
        machines=(machine("a"), machine("b", "pension", network="mhlw")), systems=(system("portal"), system("pension", "mhlw")),
    )  # fmt: skip
    found = footprints(planned(given), given)
    for when in ("before", "after"):
        whole = getattr(found, when)
        parts = [getattr(each, when) for each in found.ministries]
        assert whole.thousand_yen == pytest.approx(sum(each.thousand_yen for each in parts))
        assert whole.kwh == pytest.approx(sum(each.kwh for each in parts))
    assert found.before.machines == 2


def test_what_nobody_states_is_assumed_and_counted():
    given = made(server("old", "portal", Disposition.RETAIN, running=Running(idle_watts=100)))
    found = footprints(planned(given), given)
    assert (found.assumed, found.numbers) == (3, 4)
    assert found.before.rack_units == POLICY.server.rack_units


def test_virtual_servers_have_no_watts():
    given = made(server("guest", "portal", Disposition.RETAIN, kind="virtual"))
    assert footprints(planned(given), given).before.kwh == 0


def test_contracts_of_ended_servers_are_paid_to_their_end():
    given = made(
        server("old", "portal", Disposition.RETIRE, running=KNOWN), systems=(system("portal", contract_end=date(2027, 3, 31)),)
    )
    found = footprints(planned(given), given)
    power = found.before.power_thousand_yen
    years = {each.fiscal_year: (each.saved_thousand_yen, each.still_due_thousand_yen) for each in found.years}
    assert years == {2026: (pytest.approx(power), 50), 2027: (pytest.approx(power + 50), 0)}
    assert [fiscal_year(date(2027, month, 1)) for month in (3, 4)] == [2026, 2027]


def test_promises_stand_beside():
    systems = (system("portal", savings=(Saving(label="e-Gov", cost_thousand_yen=740),)),)
    given = made(server("old", "portal", Disposition.RETIRE), systems=systems)
    [row] = footprints(planned(given), given).ministries
    assert (row.ministry, row.promised_thousand_yen) == ("mic", 740)


def test_fiscal_years_count_the_days_until_each_server_ends():
    """Two servers of a ministry: one moves on Saturday 5 December 2026, one stays; its contract runs to the end of next June."""
    given = made(
        server("old", "portal", Disposition.REPLATFORM, image="debian-12", network="shared", running=KNOWN),
        server("stays", "portal", Disposition.RETAIN, running=KNOWN),
        systems=(
            system(
                "portal",
                change_windows=("Sat 20:00-23:00",),
                contract_end=date(2027, 6, 30),
                savings=(
                    Saving(label="e-Gov", cost_thousand_yen=740, cost_fiscal_year=2027),
                    Saving(label="rise", cost_thousand_yen=-40),
                ),
            ),
        ),
    )
    plan = planned(given)
    made_schedule = scheduled(plan, inputs_of(given), policy())
    years = {year.fiscal_year: year for year in fiscal_years(plan, given, made_schedule)}
    assert sorted(years) == [2026, 2027, 2028]
    [whole] = footprints(plan, given).ministries
    one = server_year(given.servers["old"], POLICY)
    hosts = whole.after.kwh - one.kwh
    runs, open_days = 249 / 365, 117 / 365
    assert years[2026].found.kwh == pytest.approx(one.kwh * (1 + runs) + hosts * open_days, rel=1e-3)
    assert years[2026].found.maintenance_thousand_yen == pytest.approx(2 * 50 + 50 * open_days, rel=1e-3)
    assert years[2027].found.kwh == pytest.approx(whole.after.kwh)
    assert years[2027].found.maintenance_thousand_yen == pytest.approx(50 + 50 + 50 * 91 / 366)
    assert years[2028].found == whole.after
    assert [years[year].ministries[0].promised_thousand_yen for year in sorted(years)] == [-40, 700, 700]
    assert {year.before for year in years.values()} == {whole.before}


def test_a_retired_server_runs_to_the_last_wave_and_one_without_wave_for_ever():
    windows = {"change_windows": ("Sat 20:00-23:00",)}
    given = made(
        server("moves", "portal", Disposition.REPLATFORM, image="debian-12", network="shared", running=KNOWN),
        server("ends", "portal", Disposition.RETIRE, running=KNOWN),
        server("waits", "closed", Disposition.REPLATFORM, image="debian-12", network="shared", running=KNOWN),
        systems=(system("portal", **windows), system("closed")),
    )
    plan = planned(given)
    schedule = scheduled(plan, inputs_of(given), policy(default_windows=()))
    assert [each.server for each in schedule.unscheduled] == ["waits"]
    year, after = fiscal_years(plan, given, schedule)
    assert year.found.rack_units == pytest.approx(3 * (1 + 2 * 249 / 365 + 117 / 365), rel=1e-3)
    assert after.found.rack_units == pytest.approx(3 + 3)
    assert fiscal_years(plan, given, replace(schedule, waves=())) == ()
