"""What ledgers say of each server, as facts beside those that discovery observes: pure, from the estate alone.

Two things count as a ledger: cells of imported files, which the estate keeps with file and cell, and what the inventory
itself declares. A declaration that only repeats a cell is left out.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from controlplane.model.estate import Estate, LedgerValue, Server
from controlplane.model.facts import Fact, Source, Value

DECLARED = "inventory"
"""`by` of facts that the inventory declares without an imported ledger behind them."""

_CONFIDENCE = 0.5
"""Somebody wrote it down once; nobody knows whether it still holds."""
_CONFIDENCE_INTERPRETED = 0.4
"""So, and its text left room for another reading."""

_WITH_VERSION = re.compile(r"(.+?)-([0-9].*)")
_LINUX = frozenset(
    (
        "alma",
        "almalinux",
        "alpine",
        "amazon",
        "centos",
        "debian",
        "fedora",
        "opensuse",
        "oracle",
        "rhel",
        "rocky",
        "sles",
        "ubuntu",
    )
)


def ledger_facts(estate: Estate, *, at: datetime) -> dict[str, tuple[Fact, ...]]:
    """Facts of every server by its id, in the order of ids; a server of which nothing is stated has an empty tuple.

    `at` becomes `observed_at` of each: ledgers do not say when they were true.
    """
    return {server_id: tuple(_facts(server, at)) for server_id, server in sorted(estate.servers.items())}


def _facts(server: Server, at: datetime) -> Iterator[Fact]:
    said: dict[str, list[Value]] = {}
    for cell in server.ledger:
        said.setdefault(cell.field, []).append(cell.value)
        yield _of_cell(cell, at)
    for name, value in _declared(server).items():
        if not any(_repeats(name, value, other) for other in said.get(name, ())):
            yield Fact(field=name, value=value, source=Source.LEDGER, observed_at=at, confidence=_CONFIDENCE, by=DECLARED)


def _of_cell(cell: LedgerValue, at: datetime) -> Fact:
    return Fact(
        field=cell.field,
        value=cell.value,
        source=Source.LEDGER,
        observed_at=at,
        confidence=_CONFIDENCE_INTERPRETED if cell.text else _CONFIDENCE,
        by=f"{cell.file}:{cell.cell}",
    )


def _declared(server: Server) -> dict[str, Value]:
    """What the server's own entry says, in the words of the catalogue."""
    facts: dict[str, Value] = {}
    if server.size is not None:
        facts["cpu.count"] = server.size.vcpus
        facts["memory.total_mib"] = server.size.memory_mib
        facts["disks.total_gib"] = server.size.disk_gib
    facts |= os_facts(server.os)
    stated: dict[str, Value] = {key: value for key, value in (("address", server.address), ("mac", server.mac)) if value}
    if stated:
        facts["addresses"] = [stated]
    return facts


def os_facts(os: str) -> dict[str, Value]:
    """`os.family`, `os.id` and `os.version` of the inventory's short form, `debian-10`; what it does not say is absent."""
    found = _WITH_VERSION.fullmatch(os)
    name, version = found.groups() if found else (os, "")
    facts: dict[str, Value] = {"os.id": name, "os.version": version}
    facts["os.family"] = name if name in {"windows", "freebsd"} else "linux" if name in _LINUX else ""
    return {key: value for key, value in facts.items() if value}


def _repeats(name: str, value: Value, other: Value) -> bool:
    """True when a cell says what is declared, or more: an address among several."""
    if name == "addresses" and isinstance(value, list) and isinstance(other, list):
        return all(
            any(isinstance(theirs, dict) and isinstance(ours, dict) and ours.items() <= theirs.items() for theirs in other)
            for ours in value
        )
    if name == "disks.total_gib" and isinstance(value, int) and isinstance(other, (int, float)):
        return value - 1 < other <= value
    return value == other
