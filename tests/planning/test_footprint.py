"""A year before and after: watts, rack units, CO2 and yen, by ministry and fiscal year, with what is assumed said."""

from dataclasses import replace
from datetime import date

import pytest

from controlplane.model.estate import Disposition, Saving
from controlplane.model.running import Policy, Running
from controlplane.planning.footprint import HOURS_OF_A_YEAR, fiscal_year, footprints
from tests.planning.estates import estate, host, machine, planned, server, size, system

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
