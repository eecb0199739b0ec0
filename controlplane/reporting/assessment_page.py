"""The assessment as one self-contained page: no network, no scripts, for the screen and for A4, in English, Japanese or both.

Everything that comes from ledgers or servers is hostile and escaped by the template; pictures escape for themselves.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from controlplane.assessment.shipped import MOVES
from controlplane.model.assessment import AssessedServer, Assessment, Contradiction, Outcome, Reading, RuleText
from controlplane.model.document import digest
from controlplane.model.estate import Disposition
from controlplane.model.finding import Severity
from controlplane.model.resources import Resources, total
from controlplane.model.series import Dimension
from controlplane.reporting.charts import Edge, Node, bar, curves, histogram, meter, ring
from controlplane.reporting.words import WORDS
from controlplane.settings import resource

SHOWN_SERVERS = 400
"""On one page; the document has all."""
SHOWN_ROWS = 60
_RING_NODES = 28
_EXAMPLES = 4
_FATE_COLOURS = {
    Disposition.REHOST: "#1f4e79",
    Disposition.REPLATFORM: "#2b7a9b",
    Disposition.MERGE: "#3c8d5a",
    Disposition.RETIRE: "#8a5a9e",
    Disposition.RETAIN: "#7b8794",
}
_GROUPS = ("#1f4e79", "#b7791f", "#2f855a", "#8a5a9e", "#b23b3b", "#2b7a9b", "#a0522d", "#4a5568", "#c05690", "#6b8e23")
_SEVERITY_COLOURS = {Severity.CRITICAL: "#b23b3b", Severity.WARNING: "#b7791f", Severity.INFORMATION: "#4a7fb0"}
_TENTHS = ("0", "10", "20", "30", "40", "50", "60", "70", "80", "90 %")


def assessment_page(made: Assessment, language: str, ministry: str = "") -> str:
    """The whole page. `language` is en, ja or both; with `ministry` only its servers, findings and dependencies."""
    environment = Environment(
        loader=FileSystemLoader(resource("templates") / "reports"), undefined=StrictUndefined, autoescape=True, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("assessment.html.j2").render(_Page(made, language, ministry).context())


@dataclass(slots=True, kw_only=True)
class RuleRow:
    """A rule on the page: how many servers of each ministry meet it, or are not known, and a few of them by name."""

    rule: RuleText
    severity: Severity | None = None
    """The worst it has for any server; None: met nowhere."""
    met: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    waived: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def more(self) -> int:
        """Servers beyond the examples."""
        return self.met.total() - len(self.examples)

    def add(self, server: AssessedServer, one: Outcome) -> None:
        """Count the outcome of one server."""
        if one.reading is Reading.UNKNOWN:
            self.unknown[server.ministry] += 1
            return
        self.met[server.ministry] += 1
        self.waived += one.reading is Reading.WAIVED
        self.severity = min(self.severity, one.severity, key=_rank)
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{server.id}: {', '.join(one.details)}" if one.details else server.id)


def _rank(severity: Severity | None) -> int:
    return list(Severity).index(severity) if severity is not None else len(Severity)


class _Page:
    """What the template shows, worked out beforehand."""

    def __init__(self, made: Assessment, language: str, ministry: str) -> None:
        self._made = made
        self._language = language
        self._servers = [server for server in made.servers if ministry in {"", server.ministry}]
        self._ministries = [one for one in made.ministries if one.servers and ministry in {"", one.id}]
        self._ids = {server.id for server in self._servers}
        self._colours = {one.id: _GROUPS[index % len(_GROUPS)] for index, one in enumerate(made.ministries)}

    def context(self) -> dict[str, object]:
        """Names of the template."""
        made, servers = self._made, self._servers
        moving = [server for server in servers if server.fate.decided in MOVES]
        return {
            "t": self._word,
            "both": self._both,
            "lang": "ja" if self._language == "ja" else "en",
            "made": made,
            "digest": digest(made),
            "servers": servers[:SHOWN_SERVERS],
            "more_servers": max(0, len(servers) - SHOWN_SERVERS),
            "server_count": len(servers),
            "seen_count": sum(1 for server in servers if server.answer in {"answered", "partly"}),
            "truth": round(sum(server.truth_score for server in servers) / len(servers)) if servers else 0,
            "open_count": sum(1 for server in servers for one in server.contradictions if one.is_open),
            "waiting": [server for server in servers if server.waits_for],
            "declared": _sum([server.size.declared for server in moving]),
            "wanted": _sum([server.size.wanted for server in moving]),
            "moving": len(moving),
            "fates": [
                (fate, sum(1 for server in servers if server.fate.decided is fate), _FATE_COLOURS[fate]) for fate in Disposition
            ],
            "fates_bar": self._fates_bar(servers, 690),
            "ministries": [
                (one, meter(one.truth_score / 100), self._fates_bar(self._of(one.id), 120), *self._sums(one.id))
                for one in self._ministries
            ],
            "systems": [one for one in made.systems if any(server.system == one.id for server in servers)],
            "cpu": histogram(_TENTHS, _shares(servers, Dimension.CPU_CORES)),
            "memory": histogram(_TENTHS, _shares(servers, Dimension.MEMORY_USED_MIB), colour="#2b7a9b"),
            "measured_cpu": sum(_shares(servers, Dimension.CPU_CORES)),
            "day": self._day(),
            "stars": histogram(("–", "★", "★★", "★★★", "★★★★", "★★★★★"), self._stars(), colour="#b7791f"),
            "readiness": self._readiness(),
            "severity_colours": {severity.value: colour for severity, colour in _SEVERITY_COLOURS.items()},
            "cannot_say": self._cannot_say(),
            "contradictions": self._contradictions(),
            "graph": self._graph(),
            "cohorts": [one for one in made.graph.cohorts if self._ids & set(one.servers)][:SHOWN_ROWS],
            "shared": [one for one in made.graph.shared if one.server in self._ids][:SHOWN_ROWS],
            "strangers": [one for one in made.graph.strangers if self._ids & set(one.servers)][:SHOWN_ROWS],
            "ghosts": [server for server in servers if server.ghost][:SHOWN_ROWS],
            "idle": [server for server in servers if server.idle][:SHOWN_ROWS],
            "amount": _amount,
            "star": lambda count: "★" * count + "☆" * (5 - count) if count else "–",
            "fate_colour": lambda fate: _FATE_COLOURS[fate],
            "colours": [(one.name, one.name_en, self._colours[one.id]) for one in self._ministries],
        }

    def _sums(self, ministry: str) -> tuple[str, str]:
        """Declared and wanted, of the servers that move."""
        sizes = [server.size for server in self._of(ministry) if server.fate.decided in MOVES]
        return _sum([size.declared for size in sizes]), _sum([size.wanted for size in sizes])

    def _word(self, key: str) -> Markup:
        """A word of the page in the language asked for; in both, Japanese below the English."""
        english, japanese = WORDS[key]
        return self._both(english, japanese)

    def _both(self, english: str, japanese: str) -> Markup:
        if self._language == "en":
            return escape(english)
        if self._language == "ja":
            return escape(japanese)
        return Markup('{}<span class="ja" lang="ja">{}</span>').format(english, japanese)

    def _of(self, ministry: str) -> list[AssessedServer]:
        return [server for server in self._servers if server.ministry == ministry]

    def _fates_bar(self, servers: Sequence[AssessedServer], width: int) -> Markup:
        counts = Counter(server.fate.decided for server in servers)
        return bar([(fate.value, counts[fate], _FATE_COLOURS[fate]) for fate in Disposition], width=width)

    def _stars(self) -> list[int]:
        counts = Counter(server.size.stars for server in self._servers)
        return [counts[stars] for stars in range(6)]

    def _day(self) -> dict[str, object] | None:
        """Busy cores of each ministry by hour of the day, the largest ten."""
        sums: dict[str, list[float | None]] = {}
        for server in self._servers:
            if server.size.busy_cores_by_hour:
                known = sums.setdefault(server.ministry, [None] * 24)
                for hour, value in enumerate(server.size.busy_cores_by_hour):
                    if value is not None:
                        known[hour] = (known[hour] or 0.0) + value
        peaks = {ministry: max(value or 0.0 for value in values) for ministry, values in sums.items()}
        largest = sorted(sums, key=lambda ministry: (-peaks[ministry], ministry))[: len(_GROUPS)]
        if not largest:
            return None
        names = {one.id: (one.name, one.name_en) for one in self._made.ministries}
        return {
            "picture": curves({names[one][1]: sums[one] for one in largest}, [self._colours[one] for one in largest]),
            "lines": [(*names[one], self._colours[one], _busiest(sums[one])) for one in largest],
        }

    def _readiness(self) -> list["RuleRow"]:
        """One row for each rule that is met or unknown somewhere, worst first."""
        rows = {rule.id: RuleRow(rule=rule) for rule in self._made.rules}
        for server in self._servers:
            for one in server.readiness:
                rows[one.rule].add(server, one)
        found = [row for row in rows.values() if row.met]
        return sorted(found, key=lambda row: (_rank(row.severity), -row.met.total(), row.rule.id))

    def _cannot_say(self) -> list[tuple[RuleText, int]]:
        """Rules that are not known for some servers, with the number of these."""
        counts = Counter(one.rule for server in self._servers for one in server.readiness if one.reading is Reading.UNKNOWN)
        return [(rule, counts[rule.id]) for rule in self._made.rules if counts[rule.id]]

    def _contradictions(self) -> list[tuple[AssessedServer, Contradiction]]:
        found = [(server, one) for server in self._servers for one in server.contradictions]
        return sorted(found, key=lambda pair: (not pair[1].is_open, not pair[1].critical, pair[0].id, pair[1].field))[:SHOWN_ROWS]

    def _graph(self) -> Markup | None:
        """Servers where they fit on a ring, else systems; the busiest first."""
        edges = [one for one in self._made.graph.dependencies if self._ids & {one.client, one.server}]
        if not edges:
            return None
        by_id = {server.id: server for server in self._made.servers}
        ends = {end for one in edges for end in (one.client, one.server)} | {
            server.id for server in self._servers if server.ghost or server.idle
        }
        if len(ends) <= _RING_NODES:
            nodes = [
                Node(
                    id=end,
                    label=end,
                    group=by_id[end].ministry if end in by_id else "",
                    dashed=end in by_id and bool(by_id[end].ghost or by_id[end].idle),
                )
                for end in sorted(ends, key=lambda end: (by_id[end].ministry if end in by_id else "~", end))
            ]
            arrows = _merged((one.client, one.server, f"{one.port} {one.process}", one.strong) for one in edges)
            return ring(nodes, arrows, self._colours)
        systems = {system.id: system for system in self._made.systems}

        def home(end: str) -> str:
            return by_id[end].system if end in by_id else "(outside)"

        pairs = [(home(one.client), home(one.server), f"{one.port} {one.process}", one.strong) for one in edges]
        busy = Counter(end for start, stop, _, _ in pairs if start != stop for end in (start, stop))
        chosen = {system for system, _ in busy.most_common(_RING_NODES)}
        nodes = [
            Node(
                id=one, label=systems[one].name if one in systems else one, group=systems[one].ministry if one in systems else ""
            )
            for one in sorted(chosen, key=lambda one: (systems[one].ministry if one in systems else "~", one))
        ]
        return ring(nodes, _merged(pair for pair in pairs if pair[0] != pair[1]), self._colours)


def _busiest(hours: Sequence[float | None]) -> int:
    """The first hour of the largest value."""
    known = [value or 0.0 for value in hours]
    return known.index(max(known))


def _merged(pairs: Iterable[tuple[str, str, str, bool]]) -> list[Edge]:
    """One arrow for each pair, with all its labels."""
    found: dict[tuple[str, str], tuple[set[str], bool]] = {}
    for start, end, label, strong in pairs:
        labels, before = found.get((start, end), (set(), False))
        found[start, end] = (labels | {label.strip()}, before or strong)
    return [
        Edge(start=start, end=end, label=f"{start} → {end}: {', '.join(sorted(labels))}", strong=strong)
        for (start, end), (labels, strong) in sorted(found.items())
    ]


def _shares(servers: Iterable[AssessedServer], dimension: Dimension) -> list[int]:
    """Servers by tenths of what they use, typical in the business window, of what is declared."""
    counts = [0] * 10
    for server in servers:
        declared = server.size.declared
        if declared is None:
            continue
        whole = declared.vcpus if dimension is Dimension.CPU_CORES else declared.memory_mib
        for one in server.size.measurements:
            if one.dimension == dimension.value and one.samples and whole > 0:
                counts[min(9, int(one.typical / whole * 10))] += 1
    return counts


def _sum(sizes: Sequence[Resources | None]) -> str:
    """A sum; a server whose size is not known is no zero in it, but counted beside it as elsewhere on the page."""
    unknown = sizes.count(None)
    if unknown and unknown == len(sizes):
        return f"?{unknown}"
    known = _amount(total([size for size in sizes if size is not None]))
    return f"{known} + ?{unknown}" if unknown else known


def _amount(size: Resources | None) -> str:
    if size is None:
        return "?"
    if size == Resources():
        return "–"
    return f"{size.vcpus} vCPU · {size.memory_mib / 1024:.3g} GiB · {size.disk_gib} GiB"
