"""A plan, or its waves, as one self-contained page for people who decide: no network, no scripts, for the screen and for A4.

Everything that comes from inventories is hostile and escaped by the template; pictures escape for themselves.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from controlplane.model.document import digest
from controlplane.model.estate import Disposition, Estate
from controlplane.model.finding import Finding
from controlplane.model.plan import Plan, PlannedHost
from controlplane.model.resources import Resources, total
from controlplane.planning.bounds import hosts_used
from controlplane.planning.facts import believed_hosts
from controlplane.planning.fiscal import FiscalYear, MinistryYear, fiscal_years
from controlplane.planning.footprint import footprints
from controlplane.planning.savings import Coverage, PromisedSaving, promised_savings
from controlplane.planning.waves import Schedule, Wave
from controlplane.reporting.bars import Block, before_after, calendar, pair, stacked
from controlplane.settings import resource

_FATE_COLOURS = {
    Disposition.REHOST: "#1f4e79",
    Disposition.REPLATFORM: "#2b7a9b",
    Disposition.MERGE: "#3c8d5a",
    Disposition.RETIRE: "#8a5a9e",
    Disposition.RETAIN: "#7b8794",
}
_FATES = {
    Disposition.REHOST: ("moved as they are", "そのまま移行"),
    Disposition.REPLATFORM: ("made anew on a new system", "基盤更新"),
    Disposition.MERGE: ("merged into a shared one", "統合"),
    Disposition.RETIRE: ("retired", "廃止"),
    Disposition.RETAIN: ("left as they are", "存続"),
}
_SHOWN = 400
_DIMENSIONS = ("vcpus", "memory_mib", "disk_gib")


def plan_page(plan: Plan, estate: Estate, findings: Sequence[Finding], schedule: Schedule | None) -> str:
    """The whole plan: hosts before and after, ministries, savings, waves, open findings."""
    page = _Page(plan, estate)
    return _render("plan.html.j2", page.context() | _schedule_context(schedule, page) | {"findings": findings})


def waves_page(schedule: Schedule, plan: Plan, estate: Estate) -> str:
    """The waves alone."""
    page = _Page(plan, estate)
    return _render("waves.html.j2", page.context() | _schedule_context(schedule, page))


def _render(template: str, context: dict[str, object]) -> str:
    environment = Environment(
        loader=FileSystemLoader(resource("templates") / "reports"), undefined=StrictUndefined, autoescape=True, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(template).render(context)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filling:
    """One line of bars: a host, rack or site."""

    name: str
    note: str
    machines: int
    bars: tuple[Markup, ...]
    texts: tuple[str, ...]


class _Page:
    """What the templates show, worked out beforehand."""

    def __init__(self, plan: Plan, estate: Estate) -> None:
        self.plan = plan
        self.estate = estate
        self._on = Counter(machine.host for machine in plan.machines)
        self._savings = promised_savings(plan, estate)
        self._running = footprints(plan, estate)

    def context(self) -> dict[str, object]:
        """Names of the templates."""
        plan, use = self.plan, hosts_used(self.plan)
        fates = Counter(server.disposition for server in plan.servers)
        used = [host for host in plan.hosts if self._on[host.id]]
        physical, promised = total([host.physical for host in used]), total([host.allocated_after for host in used])
        return {
            "plan": plan,
            "digest": digest(plan),
            "estate": self.estate,
            "believed": len(believed_hosts(plan)),
            "servers": len(plan.servers),
            "ending": sum(1 for server in plan.servers if server.machine or server.disposition is Disposition.RETIRE),
            "use": use,
            "overcommit": promised.vcpus / physical.vcpus if physical.vcpus else 0.0,
            "fates": [(*_FATES[fate], fates[fate], _FATE_COLOURS[fate]) for fate in _FATES],
            "fates_bar": stacked([(_FATES[fate][0], fates[fate], _FATE_COLOURS[fate]) for fate in _FATES]),
            "sites": self._sites(),
            "ministries": self._ministries(),
            "savings": self._savings,
            "saving_rows": self._saving_rows(),
            "whole": self._savings.thousand_yen(Coverage.WHOLE),
            "part": self._savings.thousand_yen(Coverage.PART),
            "untouched": self._savings.thousand_yen(Coverage.NONE),
            "promised": self._savings.thousand_yen(),
            "running": self._running,
            "running_rows": [(self._ministry_name(each.ministry), each) for each in self._running.ministries],
            "names": {system.id: system.name for system in plan.systems},
        }

    def fiscal_years(self, schedule: Schedule) -> list[tuple[FiscalYear, list[tuple[str, MinistryYear]], int]]:
        """Each year with its ministries by name, and what Table 1 promises up to it."""
        return [
            (
                year,
                [(self._ministry_name(each.ministry), each) for each in year.ministries],
                sum(each.promised_thousand_yen or 0 for each in year.ministries),
            )
            for year in fiscal_years(self.plan, self.estate, schedule)
        ]

    def _ministry_name(self, ministry: str) -> str:
        return self.estate.ministries[ministry].name if ministry in self.estate.ministries else ministry

    def _sites(self) -> list[dict[str, object]]:
        """Sites with their racks with their hosts, each with its bars."""
        found: list[dict[str, object]] = []
        for site in sorted({host.site for host in self.plan.hosts}):
            hosts = [host for host in self.plan.hosts if host.site == site]
            racks = [
                (
                    self._filling(f"rack {rack}", [h for h in hosts if h.rack == rack]),
                    [self._host(h) for h in hosts if h.rack == rack],
                )
                for rack in sorted({host.rack for host in hosts})
            ]
            name = self.estate.sites[site].name if site in self.estate.sites else site
            found.append({"sum": self._filling(f"{name} ({site})", hosts), "racks": racks})
        return found

    def _host(self, host: PlannedHost) -> _Filling:
        declared = self.estate.hosts.get(host.id)
        grades = ", ".join(map(str, sorted(declared.confidentiality))) if declared is not None else "?"
        return self._filling(host.id, [host], note=f"grade {grades}")

    def _filling(self, name: str, hosts: Sequence[PlannedHost], note: str = "") -> _Filling:
        before, after, most = (
            total([getattr(host, what) for host in hosts])
            for what in ("allocated_before", "allocated_after", "promised_capacity")
        )
        return _Filling(
            name=name,
            note=note or f"{sum(1 for host in hosts if self._on[host.id])} of {len(hosts)} hosts in use",
            machines=sum(self._on[host.id] for host in hosts),
            bars=tuple(before_after(*(getattr(amount, d) for amount in (before, after, most))) for d in _DIMENSIONS),
            texts=tuple(_percents(before, after, most, dimension) for dimension in _DIMENSIONS),
        )

    def _ministries(self) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for ministry, name in self.plan.ministries.items():
            servers = [server for server in self.plan.servers if server.ministry == ministry]
            machines = [machine for machine in self.plan.machines if machine.ministry == ministry]
            saving = self._savings.thousand_yen(ministry=ministry)
            if not (servers or machines or saving):
                continue
            left = [server for server in servers if not server.machine and server.disposition is not Disposition.RETIRE]
            before = total([server.size for server in servers if server.size is not None])
            after = total([machine.size for machine in machines]) + total([s.size for s in left if s.size is not None])
            rows.append({
                "name": self.estate.ministries[ministry].name if ministry in self.estate.ministries else name,
                "name_en": name,
                "servers": len(servers),
                "left": len(left),
                "machines": len(machines),
                "unknown": sum(1 for server in servers if server.size is None),
                "before": before,
                "after": after,
                "saving": saving if any(each.ministry == ministry for each in self._savings.promised) else None,
            })  # fmt: skip
        most = [
            max((max(getattr(row[when], d) for when in ("before", "after")) for row in rows), default=0) for d in _DIMENSIONS[:2]
        ]
        for row in rows:
            row["vcpus"] = pair(row["before"].vcpus, row["after"].vcpus, most[0])  # type: ignore[attr-defined]
            row["memory"] = pair(row["before"].memory_mib, row["after"].memory_mib, most[1])  # type: ignore[attr-defined]
        return rows

    def _saving_rows(self) -> list[tuple[str, str, PromisedSaving]]:
        """Ministry, name of the system, its promise; the largest first."""
        names = {system.id: system.name for system in self.plan.systems}
        rows = [
            (self.estate.ministries[each.ministry].name, names.get(each.system, each.system), each)
            for each in self._savings.promised
        ]
        return sorted(rows, key=lambda row: (-row[2].thousand_yen, row[2].system))


def _percents(before: Resources, after: Resources, most: Resources, dimension: str) -> str:
    whole = getattr(most, dimension)
    return f"{100 * getattr(before, dimension) / whole:.0f} → {100 * getattr(after, dimension) / whole:.0f} %" if whole else "–"


def _schedule_context(schedule: Schedule | None, page: _Page) -> dict[str, object]:
    if schedule is None:
        return {"schedule": None, "fiscal_years": ()}
    waves = schedule.waves
    return {
        "schedule": schedule,
        "moves": sum(len(wave.moves) for wave in waves),
        "first": min((wave.window.starts_at.date() for wave in waves), default=None),
        "last": max((wave.window.ends_at.date() for wave in waves), default=None),
        "gantt": _gantt(schedule, page) if waves else "",
        "charts": [(wave, [_line(wave, index) for index in range(len(wave.moves))]) for wave in waves],
        "shown": _SHOWN,
        "hours": _hours,
        "likely": _likely,
        "unsafe": [wave for wave in waves if wave.unsafe],
        "fiscal_years": page.fiscal_years(schedule),
    }


def _gantt(schedule: Schedule, page: _Page) -> Markup:
    """Ministries against days; in each block how many of its servers move, coloured by wave."""
    first = min(wave.window.starts_at.date() for wave in schedule.waves)
    last = max(wave.window.ends_at.date() for wave in schedule.waves)
    last = max(last, first + timedelta(days=27))
    ministries = [m for m in page.plan.ministries if any(m in wave.ministries for wave in schedule.waves)]
    rows = [(m, page.estate.ministries[m].name if m in page.estate.ministries else m) for m in ministries]
    blocks = [
        Block(
            row=ministry,
            starts_at=wave.window.starts_at,
            ends_at=wave.window.ends_at,
            text=str(count),
            title=f"wave {wave.number}: {count} servers of {ministry}, {wave.window.starts_at:%a %Y-%m-%d %H:%M}",
        )
        for wave in schedule.waves
        for ministry, count in sorted(Counter(move.ministry for move in wave.moves).items())
    ]
    return calendar(rows, blocks, list(_closed(schedule)), first, last)


def _closed(schedule: Schedule) -> Iterable[tuple[date, date, str]]:
    return [(freeze.first, freeze.last, freeze.reason) for freeze in schedule.freezes]


def _line(wave: Wave, index: int) -> tuple[float, float]:
    """Begin and length of one move as per cent of the window."""
    move = wave.moves[index]
    start = 100 * (move.starts_at - wave.window.starts_at).total_seconds() / 60 / wave.window.minutes
    return round(start, 2), round(min(100 - start, 100 * move.minutes / wave.window.minutes), 2)


def _hours(minutes: float) -> str:
    return f"{int(minutes // 60)} h {int(minutes % 60):02d}"


def _likely(probability: float | None) -> str:
    return "not known" if probability is None else f"{100 * probability:.0f} %"
