"""The landing page: how things stand, on one plain page without scripts; pure."""

from html import escape

from controlplane.model.document import digest
from controlplane.reporting.state import State

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d8dee4;font-variant-numeric:tabular-nums}
th{font-weight:600;color:#57606a}.bad{color:#a40e26;font-weight:600}.good{color:#116329}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}th,td{border-color:#30363d}th{color:#8b949e}
.bad{color:#ff7b72}.good{color:#7ee787}a{color:#79c0ff}}
"""


def landing_page(state: State) -> str:
    """The whole page as HTML."""
    plan = f"plan {digest(state.plan)[:12]}" if state.plan is not None else "no plan accepted yet"
    drift = [[d.host, d.subject, d.what, d.wanted, d.found, d.action.value] for d in state.drift.drift] if state.drift else []
    parts = [
        f"<p>Estate <b>{escape(state.estate)}</b>, {plan}, at {state.at:%Y-%m-%d %H:%M:%S} UTC. <a href='/metrics'>/metrics</a></p>",
        "<h2>Hosts</h2>",
        _table(
            ("host", "state", "last answer", "machines", "problem"), [_host(state, host) for host in sorted(state.latest.hosts)]
        ),
        "<h2>Differences from the plan</h2>",
        _table(("host", "subject", "what", "wanted", "found", "action"), drift) if drift else "<p class='good'>none</p>",
        "<h2>Machines</h2>",
        _table(("machine", "ministry", "host", "address", "state"), _machines(state)),
        "<h2>Migrations</h2>",
        _table(("machine", "phase", "problem"), [[m.machine, m.phase.value, m.problem] for m in state.migrations]),
        "<h2>Runs</h2>",
        _table(
            ("verb", "by", "began", "result"),
            [[r.verb, r.actor, f"{r.started_at:%Y-%m-%d %H:%M:%S}", r.result or "running"] for r in state.runs[:10]],
        ),
    ]
    head = (
        f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>kasumi</title><style>{_STYLE}</style>"
    )
    return f"<!doctype html><html lang='en'><head>{head}</head><body><h1>Kasumigaseki control plane</h1>{''.join(parts)}</body></html>"


def _table(columns: tuple[str, ...], rows: list[list[str]]) -> str:
    head = "".join(f"<th scope='col'>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    kind = {"up": "good", "running": "good", "ok": "good", "not reached": "bad", "failed": "bad", "absent": "bad"}.get(text, "")
    return f"<td class='{kind}'>{escape(text)}</td>" if kind else f"<td>{escape(text)}</td>"


def _host(state: State, host: str) -> list[str]:
    seen, good = state.latest.hosts[host], state.good.hosts.get(host)
    age = f"{(state.at - good.observed_at).total_seconds():.0f} s ago" if good is not None else "never"
    return [
        host,
        "up" if seen.reachable else "not reached",
        age,
        str(len(seen.machines)) if seen.reachable else "unknown",
        seen.error,
    ]


def _machines(state: State) -> list[list[str]]:
    if state.plan is None:
        return []
    found = {machine.uuid: machine for host in state.latest.hosts.values() for machine in host.machines}
    up = {host.host for host in state.latest.hosts.values() if host.reachable}
    return [
        [
            machine.id,
            machine.ministry,
            machine.host,
            " ".join(nic.address for nic in machine.nics),
            found[machine.uuid].state.value if machine.uuid in found else "absent" if machine.host in up else "unknown",
        ]
        for machine in state.plan.machines
    ]
