"""Collects from one server, and from hundreds at once: each under its own deadline, each outcome a value.

Knows doors and probes; stores nothing and prints nothing.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime

from controlplane.connectors.host_keys import KnownHosts
from controlplane.connectors.server_ssh import Connection, Door, Keyring, NotIn
from controlplane.discovery.frames import frames
from controlplane.discovery.probe import Probe
from controlplane.discovery.probes.table import PROBES
from controlplane.discovery.script import COMMAND, compose
from controlplane.discovery.understanding import understand
from controlplane.model.facts import Answer, ServerFacts, Source

PARALLEL = 48
"""Servers at once; each is two threads that mostly wait."""
CONNECT_SECONDS = 20.0
"""To come in, jump hosts included."""
COLLECT_SECONDS = 120.0
"""For all probes together; a server of 2006 with 2,000 packages needs about 20."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What every collection needs: host keys on record, keys and passwords, deadlines, the probes."""

    known: KnownHosts
    keyring: Keyring
    sudo_password: str = ""
    connect_seconds: float = CONNECT_SECONDS
    collect_seconds: float = COLLECT_SECONDS
    probes: tuple[Probe, ...] = PROBES


def collect(server: str, door: Door, means: Means) -> ServerFacts:
    """Ask one server everything over one connection. Never raises; over by the sum of the two deadlines."""
    began, at = time.monotonic(), datetime.now(UTC)

    def ended(answer: Answer, message: str) -> ServerFacts:
        return ServerFacts(
            server=server, source=Source.SSH, collected_at=at, duration_seconds=round(time.monotonic() - began, 3), answer=answer,
            message=message,
        )  # fmt: skip

    mark = secrets.token_hex(12)
    try:
        with Connection(door, means.known, means.keyring, deadline=began + means.connect_seconds) as connection:
            script = compose(means.probes, mark=mark, sudo_password=means.sudo_password)
            deadline = time.monotonic() + means.collect_seconds
            said = connection.run(COMMAND, script, end=f"\n{mark}>end\n".encode(), deadline=deadline)
    except NotIn as error:
        return ended(error.answer, str(error))
    except Exception as error:  # whatever one host provokes, the others go on
        return ended(Answer.FAILED, f"{door.shown}: {type(error).__name__}: {error}")
    if said.answer is Answer.GARBLED:
        return ended(Answer.GARBLED, f"{door.shown}: {said.problem}")
    found = understand(
        frames(said.output, mark=mark),
        means.probes,
        observed_at=at,
        between=(said.sent_at, said.first_at),
        arrivals=said.arrivals,
        problem=said.problem,
    )
    if not found.facts:
        answer = said.answer if said.problem else found.answer
        return ended(answer, f"{door.shown}: {found.message}")
    return ServerFacts(
        server=server, source=Source.SSH, collected_at=at, duration_seconds=round(time.monotonic() - began, 3), answer=found.answer,
        message=found.message, facts=found.facts, probes=found.probes,
    )  # fmt: skip


def collect_all(
    doors: dict[str, Door], means: Means, *, parallel: int = PARALLEL, one: Callable[[str, Door, Means], ServerFacts] = collect
) -> Iterator[ServerFacts]:
    """Ask many, and give each result as it comes; a slow one delays nobody."""
    if not doors:
        return
    with ThreadPoolExecutor(max_workers=min(parallel, len(doors))) as pool:
        # No list of them: a future that is still named somewhere keeps its facts in memory to the end.
        for future in as_completed([pool.submit(one, server, door, means) for server, door in doors.items()]):
            yield future.result()
