"""`kasumi discover`: ask servers what really runs on them, and keep what they say."""

import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer

from controlplane.cli.discover_series import from_prometheus
from controlplane.cli.discover_series import sample as series
from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import FORMAT_OPTION, Format, emit, say
from controlplane.cli.passwords import password_of
from controlplane.cli.session import Session
from controlplane.cli.spans import seconds_of
from controlplane.connectors.server_ssh import Door, Keyring
from controlplane.discovery.access import door_of
from controlplane.discovery.collecting import COLLECT_SECONDS, CONNECT_SECONDS, PARALLEL, Means, collect_all
from controlplane.discovery.record import server_keys
from controlplane.discovery.sampling import Sampling
from controlplane.discovery.selection import selected, unasked
from controlplane.errors import ExitCode, KasumiError
from controlplane.model.estate import Server
from controlplane.model.facts import Answer, ProbeAnswer, ServerFacts

COLUMNS = ("server", "answer", "seconds", "fields", "message")
_BATCH = 20
"""Results written to the store at once: an interruption loses no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How asking one server went; its facts are in the store by then, since those of all would not fit into memory."""

    server: str
    answer: Answer
    message: str
    seconds: float
    fields: int
    probes: tuple[ProbeAnswer, ...]

    @classmethod
    def of(cls, one: ServerFacts) -> "Asked":
        """The same without the facts."""
        return cls(
            server=one.server, answer=one.answer, message=one.message, seconds=one.duration_seconds, fields=len(one.facts),
            probes=one.probes,
        )  # fmt: skip


def discover(
    selection: list[str] = typer.Argument(
        None, metavar="[SELECTION]...", help="Ids of servers, systems or ministries; all servers when left out."
    ),
    once: bool = typer.Option(False, "--once", help="Ask once and be done; so it is without --sample."),
    sample: str | None = typer.Option(None, "--sample", metavar="SPAN", help="Then measure utilisation for so long, as 24h."),
    every: str = typer.Option("60s", "--every", metavar="SPAN", help="Time between two samples; with --prometheus its step."),
    prometheus: str | None = typer.Option(
        None, "--prometheus", metavar="URL", help="Ask no server; take utilisation that this Prometheus has kept."
    ),
    days: float = typer.Option(30.0, "--days", min=0.01, max=400, help="With --prometheus: how far back."),
    token_file: Path | None = typer.Option(
        None, "--prometheus-token-file", dir_okay=False, help="Holds the bearer token that it wants; mode 0600."
    ),
    parallel: int = typer.Option(PARALLEL, "--parallel", min=1, max=500, help="Servers asked at once."),
    connect_timeout: float = typer.Option(CONNECT_SECONDS, "--connect-timeout", min=1, help="Seconds to come in to a server."),
    timeout: float = typer.Option(COLLECT_SECONDS, "--timeout", min=5, help="Seconds for all probes of a server."),
    ask_password: bool = typer.Option(False, "--ask-password", help="Ask for the password of the servers' ssh user."),
    password_file: Path | None = typer.Option(
        None, "--password-file", dir_okay=False, help="Holds that password; mode 0600, or encrypted by ansible-vault."
    ),
    ask_sudo_password: bool = typer.Option(False, "--ask-sudo-password", help="Ask for the password that sudo wants there."),
    sudo_password_file: Path | None = typer.Option(
        None, "--sudo-password-file", dir_okay=False, help="Holds that password; mode 0600, or encrypted by ansible-vault."
    ),
    vault_password_file: Path | None = typer.Option(
        None,
        "--vault-password-file",
        envvar="ANSIBLE_VAULT_PASSWORD_FILE",
        dir_okay=False,
        help="Opens encrypted password files.",
    ),
    output: Format = FORMAT_OPTION,
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Ask servers over ssh what really runs on them; nothing is changed or left there. `kasumi trust` comes first.

    With --sample also measure how busy they are; with --prometheus take that from a Prometheus instead.

    Exit codes: 0 all answered (Windows servers are not asked), 3 some answered in part or garbage, 4 some were not reached,
    5 a host key or login was refused.
    """
    session = Session(home=home, inventory=inventory)
    servers = selected(session.estate, selection or [])
    if not servers:
        raise KasumiError("discover: the inventory has no servers; add some with `kasumi_server`", ExitCode.USAGE)
    step = seconds_of(every, "--every")
    span = seconds_of(sample, "--sample") if sample is not None else 0
    if (once or prometheus is not None) and span:
        raise KasumiError("discover: --sample goes with neither --once nor --prometheus; choose one", ExitCode.USAGE)
    if 0 < span < step:
        raise KasumiError(f"discover: --sample {sample} ends before the first --every {every}; sample longer", ExitCode.USAGE)
    if prometheus is not None:
        return int(from_prometheus(session, servers, prometheus, token_file=token_file, days=days, every=step, output=output))
    means = Means(
        known=server_keys(session.settings.home),
        keyring=Keyring(password=password_of("ssh password: ", ask=ask_password, file=password_file, vault=vault_password_file)),
        sudo_password=password_of("sudo password: ", ask=ask_sudo_password, file=sudo_password_file, vault=vault_password_file),
        connect_seconds=connect_timeout,
        collect_seconds=timeout,
    )
    results = _ask(session, servers, means, parallel)
    emit("servers", [record(one) for one in sorted(results, key=lambda one: one.server)], COLUMNS, output)
    code = exit_code(results)
    session.store.append_evidence(
        session.estate.id, actor=session.actor, action="discover:done", subject=session.estate.id,
        detail={"servers": len(results), "answers": dict(Counter(one.answer.value for one in results))}, at=datetime.now(UTC),
    )  # fmt: skip
    say(sentence(results))
    if span:
        heard = {one.server for one in results if one.fields}
        doors = {server.id: door_of(session.estate, server) for server in servers if server.id in heard}
        ended = series(session, doors, means, Sampling(seconds=span, every_seconds=step), output)
        code = max(code, ended)
    return int(code)


def _ask(session: Session, servers: tuple[Server, ...], means: Means, parallel: int) -> list[Asked]:
    estate, store = session.estate, session.store
    results: list[Asked] = []
    doors: dict[str, Door] = {}
    for server in servers:
        known = unasked(server, at=datetime.now(UTC))
        if known is not None:
            store.facts.record(estate.id, [known])
            results.append(Asked.of(known))
        else:
            doors[server.id] = door_of(estate, server)
    unsaved: list[ServerFacts] = []
    try:
        for done, one in enumerate(collect_all(doors, means, parallel=parallel), start=1):
            results.append(Asked.of(one))
            unsaved.append(one)
            if len(unsaved) >= _BATCH:
                store.facts.record(estate.id, unsaved)
                unsaved = []
            if sys.stderr.isatty():
                print(f"\r{done} of {len(doors)} servers", end="", file=sys.stderr, flush=True)
    finally:
        store.facts.record(estate.id, unsaved)
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
    return results


def record(one: Asked) -> dict[str, object]:
    """A result as it is printed."""
    return {
        "server": one.server, "answer": one.answer.value, "seconds": round(one.seconds, 1),
        "fields": one.fields, "message": one.message,
        "probes": [{"probe": p.probe, "answer": p.answer.value, "seconds": p.seconds, "message": p.message} for p in one.probes],
    }  # fmt: skip


def exit_code(results: list[Asked]) -> ExitCode:
    """Never better than the worst result."""
    answers = {one.answer for one in results}
    if answers & {Answer.HOST_KEY, Answer.REFUSED}:
        return ExitCode.REFUSED
    if answers & {Answer.UNREACHABLE, Answer.TIMED_OUT}:
        return ExitCode.UNREACHABLE
    return ExitCode.DONE if answers <= {Answer.ANSWERED, Answer.UNSUPPORTED} else ExitCode.PARTLY_FAILED


def sentence(results: list[Asked]) -> str:
    """What happened, in one line."""
    counts = Counter(one.answer for one in results)
    told = ", ".join(f"{counts[answer]} {answer.value}" for answer in Answer if counts[answer])
    strangers = sum(1 for one in results if one.answer is Answer.HOST_KEY and "on record" in one.message)
    move = "; `kasumi trust` records host keys" if strangers else ""
    return f"discover: {len(results)} servers: {told}{move}; `kasumi facts SERVER` shows what is known"
