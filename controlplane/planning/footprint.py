"""What running the estate takes in a year, before and after a plan: machines, rack units, kWh, CO2 and yen, by ministry and fiscal year.

Power grows with load in a straight line from idle to full load, as Fan, Weber and Barroso (ISCA 2007) found good enough for servers.
Before: every physical server at the load that the policy assumes. After: servers that stay, and shared hosts in use, each at the share of
its vCPUs that is promised to machines of the plan; a ministry bears the share of a host's memory that its machines hold. Hosts
without machines are taken to be switched off. What nobody states is assumed by the policy, and counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date

from controlplane.model.estate import Disposition, Estate, Host, Server
from controlplane.model.plan import Plan
from controlplane.model.running import Policy, Running
from controlplane.planning.savings import promised_savings

HOURS_OF_A_YEAR = 8_766
"""Of 365.25 days."""
_FISCAL_YEAR_BEGINS = 4
"""Japan's: April to March, named by the year in which it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Amounts of one year. `machines` are physical: servers, and hosts by share."""

    machines: float = 0.0
    rack_units: float = 0.0
    kwh: float = 0.0
    co2_tonnes: float = 0.0
    power_thousand_yen: float = 0.0
    maintenance_thousand_yen: float = 0.0

    @property
    def thousand_yen(self) -> float:
        """Power and maintenance."""
        return self.power_thousand_yen + self.maintenance_thousand_yen

    def __add__(self, other: "Footprint") -> "Footprint":
        return Footprint(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def scaled(self, share: float) -> "Footprint":
        """A share of it."""
        return Footprint(**{f.name: getattr(self, f.name) * share for f in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class MinistryFootprint:
    """One ministry: a year before and a year after, and what Table 1 promised for its systems (None: nothing)."""

    ministry: str
    before: Footprint
    after: Footprint
    promised_thousand_yen: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class YearSaving:
    """One fiscal year once the plan is carried out: yen saved, less maintenance of ended servers whose contracts still run."""

    fiscal_year: int
    saved_thousand_yen: float
    still_due_thousand_yen: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprints:
    """By ministry with their sum, by fiscal year as far as contracts run, and how many numbers were assumed of how many."""

    ministries: tuple[MinistryFootprint, ...]
    before: Footprint
    after: Footprint
    years: tuple[YearSaving, ...]
    assumed: int
    numbers: int
    policy: Policy


def footprints(plan: Plan, estate: Estate) -> Footprints:
    """Reckon both years. A virtual server has no watts of its own: the old host under it is not in the inventory."""
    policy = estate.policy
    before: dict[str, Footprint] = {}
    after: dict[str, Footprint] = {}
    physical = [server for server in estate.servers.values() if server.kind == "physical"]
    ministry_of = {server.id: estate.systems[server.system].ministry for server in physical}
    stays = {fate.id for fate in plan.servers if not fate.machine and fate.disposition is not Disposition.RETIRE}
    for server in physical:
        each = server_year(server, policy)
        _add(before, ministry_of[server.id], each)
        if server.id in stays:
            _add(after, ministry_of[server.id], each)
    used = {machine.host for machine in plan.machines}
    for ministry, year in host_years(plan, estate).items():
        _add(after, ministry, year)
    savings = promised_savings(plan, estate)
    stated = {each.ministry for each in savings.promised}
    running = [server.running for server in physical] + [estate.hosts[host].running for host in sorted(used & set(estate.hosts))]
    return Footprints(
        ministries=tuple(
            MinistryFootprint(
                ministry=ministry,
                before=before.get(ministry, Footprint()),
                after=after.get(ministry, Footprint()),
                promised_thousand_yen=savings.thousand_yen(ministry=ministry) if ministry in stated else None,
            )
            for ministry in sorted({*before, *after, *stated})
        ),
        before=_total(before),
        after=_total(after),
        years=tuple(_years([s for s in physical if s.id not in stays], estate, _total(before), _total(after))),
        assumed=sum(getattr(each, f.name) is None for each in running for f in fields(Running)),
        numbers=len(running) * len(fields(Running)),
        policy=policy,
    )


def host_years(plan: Plan, estate: Estate) -> dict[str, Footprint]:
    """A year of the shared hosts in use, by ministry."""
    found: dict[str, Footprint] = {}
    shares = _shares(plan)
    for host in (host for host in plan.hosts if host.id in shares and host.id in estate.hosts):
        most, promised = host.promised_capacity.vcpus, host.allocated_after.vcpus
        year = host_year(estate.hosts[host.id], min(1.0, promised / most) if most else 1.0, estate.policy)
        for ministry, share in shares[host.id].items():
            _add(found, ministry, year.scaled(share))
    return found


def server_year(server: Server, policy: Policy) -> Footprint:
    """A year of one physical server of today."""
    return _year(server.running, policy.server, policy.server_load, policy)


def host_year(host: Host, load: float, policy: Policy) -> Footprint:
    """A year of one shared host at a load between 0 and 1."""
    return _year(host.running, policy.host, load, policy)


def _year(stated: Running, assumed: Running, load: float, policy: Policy) -> Footprint:
    idle, loaded = _known(stated.idle_watts, assumed.idle_watts), _known(stated.loaded_watts, assumed.loaded_watts)
    kwh = (idle + max(0.0, loaded - idle) * load) / 1000 * HOURS_OF_A_YEAR * policy.pue
    return Footprint(
        machines=1,
        rack_units=_known(stated.rack_units, assumed.rack_units),
        kwh=kwh,
        co2_tonnes=kwh * policy.co2_kg_per_kwh / 1000,
        power_thousand_yen=kwh * policy.yen_per_kwh / 1000,
        maintenance_thousand_yen=_known(stated.maintenance_thousand_yen, assumed.maintenance_thousand_yen),
    )


def _known(stated: float | None, assumed: float | None) -> float:
    return stated if stated is not None else assumed or 0.0


def _shares(plan: Plan) -> dict[str, dict[str, float]]:
    """For each host in use: ministry to its share of the memory that machines of the plan hold there."""
    memory: dict[str, dict[str, int]] = {}
    for machine in plan.machines:
        here = memory.setdefault(machine.host, {})
        here[machine.ministry] = here.get(machine.ministry, 0) + machine.size.memory_mib
    return {
        host: {name: held / sum(here.values()) for name, held in sorted(here.items())} for host, here in sorted(memory.items())
    }


def _years(ended: Iterable[Server], estate: Estate, before: Footprint, after: Footprint) -> Iterable[YearSaving]:
    """From the year before the first contract of an ended server runs out to the year after the last."""
    due: dict[int, float] = {}
    for server in ended:
        end = estate.systems[server.system].contract_end
        if end is not None:
            last = fiscal_year(end)
            due[last] = due.get(last, 0.0) + _known(
                server.running.maintenance_thousand_yen, estate.policy.server.maintenance_thousand_yen
            )
    for year in range(min(due), max(due) + 2) if due else ():
        still = sum(amount for last, amount in due.items() if last >= year)
        saved = before.thousand_yen - after.thousand_yen - still
        yield YearSaving(fiscal_year=year, saved_thousand_yen=saved, still_due_thousand_yen=still)


def fiscal_year(day: date) -> int:
    """The fiscal year of a day."""
    return day.year if day.month >= _FISCAL_YEAR_BEGINS else day.year - 1


def _add(sums: dict[str, Footprint], ministry: str, footprint: Footprint) -> None:
    sums[ministry] = sums.get(ministry, Footprint()) + footprint


def _total(sums: Mapping[str, Footprint]) -> Footprint:
    return sum((sums[ministry] for ministry in sorted(sums)), Footprint())
