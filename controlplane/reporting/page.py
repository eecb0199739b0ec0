"""The landing page: how things stand, on one plain page without scripts. Pure; every text from outside is escaped."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape

from controlplane.reporting.watched import Books, HostView, Watched

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.4rem;margin-bottom:0}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d8dee4;font-variant-numeric:tabular-nums;vertical-align:top}
th{font-weight:600;color:#57606a}.bad{color:#a40e26;font-weight:600}.good{color:#116329}.scroll{overflow-x:auto}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}th,td{border-color:#30363d}th{color:#8b949e}
.bad{color:#ff7b72}.good{color:#7ee787}a{color:#79c0ff}}
"""
_GOOD = frozenset({"up", "running", "ok"})
_BAD = frozenset({"not reached", "failed", "interrupted", "absent", "crashed", "unknown"})
_SHOWN_DRIFT = 100
_SHOWN_MACHINES = 200
_LINKS = "<a href='/metrics'>metrics</a> · <a href='/healthz'>health</a>"
_FINE = "<p class='good'>none</p>"


def landing_page(state: Watched) -> str:
    """The whole page as HTML."""
    books = state.books
    plan = "no plan accepted yet"
    if (accepted := books.acceptance) is not None:
        plan = f"plan <code>{accepted.digest[:12]}</code> accepted by {escape(accepted.actor)} at {_instant(accepted.at)}"
    parts = [
        f"<p>Estate <b>{escape(state.estate)}</b>, {plan}, seen at {_instant(state.at)}. {_LINKS}</p>",
        "<h2>Hosts</h2>",
        _table(
            ("host", "state", "last answer", "vCPU allocated", "memory MiB allocated", "machines", "problem"),
            [_host(state, host) for host in state.hosts],
        ),
        "<h2>Differences from the plan</h2>",
        _drift(state),
        "<h2>Machines by state</h2>",
        *_machines(state),
        "<h2>Migrations</h2>",
        _table(("machine", "phase", "problem"), [(m.machine, m.phase.value, m.problem) for m in books.migrations]),
        "<h2>Runs</h2>",
        _table(
            ("verb", "by", "began", "result"),
            [(run.verb, run.actor, _instant(run.started_at), run.result or "under way") for run in books.recent_runs],
        ),
        "<h2>Evidence</h2>",
        _evidence(books),
    ]
    head = (
        "<meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>kasumi: {escape(state.estate)}</title><style>{_STYLE}</style>"
    )
    body = f"<h1>Kasumigaseki control plane</h1>{''.join(parts)}"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{body}</body></html>\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
    if not body:
        return "<p>none</p>"
    head = "".join(f"<th scope='col'>{escape(column)}</th>" for column in columns)
    return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _cell(text: str) -> str:
    kind = "good" if text in _GOOD else "bad" if text in _BAD else ""
    return f"<td class='{kind}'>{escape(text)}</td>" if kind else f"<td>{escape(text)}</td>"


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _host(state: Watched, host: HostView) -> tuple[str, ...]:
    standing = "not looked at yet" if host.up is None else "up" if host.up else "not reached"
    if host.good is None:
        return (host.id, standing, "never", "", "", "", host.error)
    machines, capacity = host.good.machines, host.good.capacity
    vcpus, memory_mib = sum(machine.vcpus for machine in machines), sum(machine.memory_mib for machine in machines)
    return (
        host.id,
        standing,
        f"{(state.at - host.good.observed_at).total_seconds():.0f} s ago",
        f"{vcpus} of {capacity.total.vcpus}" if capacity is not None else str(vcpus),
        f"{memory_mib} of {capacity.total.memory_mib}" if capacity is not None else str(memory_mib),
        str(len(machines)),
        host.error,
    )


def _drift(state: Watched) -> str:
    record = state.books.drift
    if record is None:
        return "<p>not looked for yet</p>"
    if not record.standing:
        return _FINE
    rows = [
        (each.drift.host, each.drift.subject, each.drift.what, each.drift.wanted, each.drift.found, each.drift.action.value,
         _instant(each.since))
        for each in record.standing[:_SHOWN_DRIFT]
    ]  # fmt: skip
    more = len(record.standing) - len(rows)
    return _table(("host", "subject", "what", "wanted", "found", "action", "since"), rows) + (
        f"<p>and {more} more</p>" if more else ""
    )


def _machines(state: Watched) -> Iterable[str]:
    placed = state.planned_and_seen()
    counts = Counter((planned.ministry, standing) for planned, _, _, standing in placed)
    yield _table(("ministry", "state", "machines"), [(*key, str(count)) for key, count in sorted(counts.items())])
    if placed:
        rows = [
            (planned.id, planned.ministry, where, " ".join(nic.address for nic in planned.nics), standing)
            for planned, where, _, standing in placed[:_SHOWN_MACHINES]
        ]
        more = len(placed) - len(rows)
        yield "<h2>Machines</h2>" + _table(("machine", "ministry", "host", "address", "state"), rows)
        yield f"<p>and {more} more</p>" if more else ""


def _evidence(books: Books) -> str:
    if books.evidence_whole is None or books.evidence_verified_at is None:
        return "<p>not verified yet</p>"
    when = f"{books.evidence_records} records, verified at {_instant(books.evidence_verified_at)}"
    if books.evidence_whole:
        return f"<p class='good'>whole: {when}</p>"
    return f"<p class='bad'>broken: {when}; run <code>kasumi evidence --verify</code></p>"
