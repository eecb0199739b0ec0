"""Fiscal years of a schedule: what running the estate takes in each, by ministry, while servers end one wave after the other.

A physical server runs until the wave it moves in has ended; one that is retired, until the last wave; one that stays or has no wave,
always. Its maintenance is paid until its system's contract ends, if that is later. Shared hosts in use run from the first wave
on. Days are counted; machines and rack units are means over the year.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from controlplane.model.estate import Disposition, Estate, Server
from controlplane.model.plan import Plan, PlannedServer
from controlplane.planning.footprint import Footprint, fiscal_year, host_years, server_year
from controlplane.planning.savings import promised_by_year
from controlplane.planning.waves import Schedule

_BEGINS = (4, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MinistryYear:
    """One ministry in one fiscal year, beside a year as things were; `promised_thousand_yen`: of Table 1, up to this year."""

    ministry: str
    before: Footprint
    found: Footprint
    promised_thousand_yen: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FiscalYear:
    """April of the year that it is named by, to March."""

    fiscal_year: int
    ministries: tuple[MinistryYear, ...]
    before: Footprint
    found: Footprint


def fiscal_years(plan: Plan, estate: Estate, schedule: Schedule) -> tuple[FiscalYear, ...]:
    """From the year of the first wave to the first one in which nothing ends and no contract runs out; none without waves."""
    if not schedule.waves:
        return ()
    first = min(wave.window.starts_at.date() for wave in schedule.waves)
    last = max(wave.window.ends_at.date() for wave in schedule.waves)
    fates = {fate.id: fate for fate in plan.servers}
    physical = [server for server in estate.servers.values() if server.kind == "physical"]
    ends = {server.id: _end(fates.get(server.id), schedule, first, last) for server in physical}
    paid = {server.id: _paid_until(server, ends[server.id], estate) for server in physical}
    days = [day for day in (last, *ends.values(), *paid.values()) if day is not None]
    hosts = host_years(plan, estate)
    promised = promised_by_year(estate)
    ministries = sorted({*hosts, *promised, *(estate.systems[server.system].ministry for server in physical)})
    before = {name: Footprint() for name in ministries}
    for server in physical:
        before[estate.systems[server.system].ministry] += server_year(server, estate.policy)
    years = []
    for year in range(fiscal_year(first), fiscal_year(max(days)) + 2):
        found = {
            name: hosts.get(name, Footprint()).scaled(1 - _share_until(year, first - timedelta(days=1))) for name in ministries
        }
        for server in physical:
            whole = server_year(server, estate.policy)
            runs = whole.scaled(_share_until(year, ends[server.id]))
            pays = whole.maintenance_thousand_yen * _share_until(year, paid[server.id])
            found[estate.systems[server.system].ministry] += replace(runs, maintenance_thousand_yen=pays)
        years.append(_year(year, before, found, promised))
    return tuple(years)


def _year(
    year: int, before: Mapping[str, Footprint], found: Mapping[str, Footprint], promised: Mapping[str, Mapping[int, int]]
) -> FiscalYear:
    return FiscalYear(
        fiscal_year=year,
        ministries=tuple(
            MinistryYear(
                ministry=name,
                before=before[name],
                found=found[name],
                promised_thousand_yen=sum(a for of, a in promised[name].items() if of <= year) if name in promised else None,
            )
            for name in before
        ),
        before=sum(before.values(), Footprint()),
        found=sum(found.values(), Footprint()),
    )


def _end(fate: PlannedServer | None, schedule: Schedule, first: date, last: date) -> date | None:
    """The day on which a server ends; None: it runs on. What is to move and needs no wave has moved already."""
    if fate is None or (not fate.machine and fate.disposition is not Disposition.RETIRE):
        return None
    if fate.disposition is Disposition.RETIRE:
        return last
    moved = schedule.wave_of(fate.id)
    if moved is not None and moved[1].server == fate.id:
        return moved[0].window.ends_at.date()
    return None if any(each.server == fate.id for each in schedule.unscheduled) else first


def _paid_until(server: Server, end: date | None, estate: Estate) -> date | None:
    contract = estate.systems[server.system].contract_end
    return end if end is None or contract is None else max(end, contract)


def _share_until(year: int, day: date | None) -> float:
    """The part of a fiscal year that lies up to a day, that day included; all of it where there is none."""
    begin, end = date(year, *_BEGINS), date(year + 1, *_BEGINS)
    if day is None or day >= end:
        return 1.0
    return max(0, (day + timedelta(days=1) - begin).days) / (end - begin).days
