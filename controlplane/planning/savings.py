"""What was promised to be saved, and which part of it a plan touches. A row that is a total of others counts once, not twice.

The savings table has a row for all systems in shared use beside the rows of each; to add it would count them again. It is known by
its content: shared use, and exactly the sum of all other shared-use rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from controlplane.model.estate import Disposition, Estate, Saving, System
from controlplane.model.plan import Plan


class Coverage(StrEnum):
    """How much of a system a plan touches."""

    WHOLE = "whole"
    """Every server of the system ends or moves."""
    PART = "part"
    """Some servers stay as they are, or get no machine yet."""
    NONE = "none"
    """No server of it is in the inventory, or all stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromisedSaving:
    """The sum of one system's rows, in thousand yen and hours a year; `fiscal_years` for which they were promised."""

    system: str
    ministry: str
    thousand_yen: int
    hours: int | None
    fiscal_years: tuple[int, ...]
    coverage: Coverage
    servers: int
    servers_ending: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """All promises by ministry and system; `totals` are rows left out since they sum up others."""

    promised: tuple[PromisedSaving, ...]
    totals: tuple[tuple[str, int], ...]

    def thousand_yen(self, coverage: Coverage | None = None, ministry: str = "") -> int:
        """The sum, of one coverage and one ministry where given."""
        return sum(
            each.thousand_yen for each in self.promised if coverage in {None, each.coverage} and ministry in {"", each.ministry}
        )


def counted_rows(estate: Estate) -> tuple[dict[str, tuple[Saving, ...]], tuple[tuple[str, int], ...]]:
    """The rows of each system that count, and the label and amount of each row that is a total of others."""
    shared = [saving for system in estate.systems.values() for saving in system.savings if saving.shared_use]
    whole = sum(saving.cost_thousand_yen for saving in shared)

    def is_total(saving: Saving) -> bool:
        return saving.shared_use and len(shared) > 2 and 2 * saving.cost_thousand_yen == whole

    rows = {system.id: tuple(saving for saving in system.savings if not is_total(saving)) for system in estate.systems.values()}
    totals = [(s.label, s.cost_thousand_yen) for system in estate.systems.values() for s in system.savings if is_total(s)]
    return rows, tuple(sorted(totals))


def promised_savings(plan: Plan, estate: Estate) -> Savings:
    """Hold the promises of the inventory against what the plan does with each system's servers."""
    rows, totals = counted_rows(estate)
    systems = sorted(estate.systems.values(), key=lambda system: (system.ministry, system.id))
    promised = tuple(_promised(system, rows[system.id], plan) for system in systems if rows[system.id])
    return Savings(promised=promised, totals=totals)


def promised_by_year(estate: Estate) -> dict[str, dict[int, int]]:
    """For each ministry with a promise: fiscal year to thousand yen a year that are promised from it on; 0: no year is stated."""
    rows, _ = counted_rows(estate)
    found: dict[str, dict[int, int]] = {}
    for system in estate.systems.values():
        for saving in rows[system.id]:
            years = found.setdefault(system.ministry, {})
            year = saving.cost_fiscal_year or 0
            years[year] = years.get(year, 0) + saving.cost_thousand_yen
    return found


def _promised(system: System, rows: Sequence[Saving], plan: Plan) -> PromisedSaving:
    servers = [server for server in plan.servers if server.system == system.id]
    ending = [server for server in servers if server.machine or server.disposition is Disposition.RETIRE]
    coverage = Coverage.NONE if not ending else Coverage.WHOLE if len(ending) == len(servers) else Coverage.PART
    hours = [saving.hours for saving in rows if saving.hours is not None]
    return PromisedSaving(
        system=system.id,
        ministry=system.ministry,
        thousand_yen=sum(saving.cost_thousand_yen for saving in rows),
        hours=sum(hours) if hours else None,
        fiscal_years=tuple(sorted({saving.cost_fiscal_year for saving in rows if saving.cost_fiscal_year is not None})),
        coverage=coverage,
        servers=len(servers),
        servers_ending=len(ending),
    )
