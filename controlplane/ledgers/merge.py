"""Rows of one ledger into the hosts of a ministry: a three-way merge, pure.

For each thing that a ledger states about a server: where the ledger says the same as at its last import, what stands in the
inventory stays, edited by a person or not; where it says something new, that is taken, as a change to be shown first. Nothing is
ever removed: servers that a new file does not name are reported.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from controlplane.inventory.entries import MINISTRY_GROUP, SYSTEM_GROUP, Entries
from controlplane.ledgers.generated import Host
from controlplane.ledgers.headings import fold
from controlplane.ledgers.identity import id_of
from controlplane.ledgers.mapping import LedgerMap
from controlplane.ledgers.rows import Ledger, LedgerRow, Remark
from controlplane.model.estate import Disposition, LedgerValue
from controlplane.model.finding import Severity

_STATED = ("kind", "os", "size", "address", "mac", "source")
"""Keys of a server that ledgers fill, in the order in which they are written."""
_UNIQUE = ("address", "mac")
_REASON = "imported from a ledger, not yet assessed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an import does to one server; `lines` say each value as `size.memory: 8GiB -> 16GiB (file:cell)`."""

    server: str
    system: str
    added: bool
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """The hosts after the import and what it changes. `moved` are servers of which only cells moved; `missing` those not named."""

    hosts: dict[str, Host] = field(hash=False)
    changes: tuple[Change, ...]
    unchanged: tuple[str, ...]
    moved: tuple[str, ...]
    missing: tuple[str, ...]
    remarks: tuple[Remark, ...]

    @property
    def changed(self) -> tuple[Change, ...]:
        """Changes to servers that are there already."""
        return tuple(change for change in self.changes if not change.added)

    @property
    def added(self) -> tuple[Change, ...]:
        """Servers that were not there."""
        return tuple(change for change in self.changes if change.added)


def merge(
    ledger: Ledger, *, ministry: str, default_system: str, mapping: LedgerMap, around: Entries, present: Mapping[str, Host]
) -> Merge:
    """Merge a ledger's rows into the hosts `present` in the generated files; `around` is the rest of the inventory."""
    return _Merging(ledger, ministry, default_system, mapping, around, present).merged()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A row that can be imported: its system, what ledgers say with it and said before it."""

    row: LedgerRow
    system: str
    told: dict[str, Any]
    before: dict[str, Any]
    known: bool


class _Merging:
    """One merge at work."""

    def __init__(
        self,
        ledger: Ledger,
        ministry: str,
        default_system: str,
        mapping: LedgerMap,
        around: Entries,
        present: Mapping[str, Host],
    ) -> None:
        self._ledger = ledger
        self._ministry = ministry
        self._default_system = default_system
        self._mapping = mapping
        self._present = present
        self._hosts = dict(present)
        self._remarks: list[Remark] = []
        self._rows: dict[str, _Wanted] = {}
        self._told: set[str] = set()
        self._systems = _names_of(around, ministry)
        self._system_ids = frozenset(entry.id for entry in around.systems if entry.ministry == ministry)
        self._ministries = {
            fold(name): entry.id for entry in around.ministries for name in (entry.id, entry.model.name, entry.model.name_en)
        }
        self._kept = {entry.id: entry.ministry for entry in around.servers}
        self._others = around.host_keys.keys() | {entry.id for entry in around.machines}
        own = {SYSTEM_GROUP + system.replace("-", "_") for system in self._system_ids}
        self._groups = (
            around.group_keys.keys() | own | {MINISTRY_GROUP + ministry.replace("-", "_"), "all", "ungrouped", "localhost"}
        )
        self._taken: dict[str, str] = {}
        for entry in [*around.servers, *around.machines]:
            for value in (entry.model.address, getattr(entry.model, "mac", None)):
                if value:
                    self._taken[value] = entry.id

    def merged(self) -> Merge:
        """All rows, in two passes: an address that one server gives up in this file may be taken by another."""
        for row in self._ledger.rows:
            server = self._server_id(row)
            system = self._system_of(row, server) if server is not None else None
            if server is not None and system is not None:
                self._rows[server] = self._wanted(server, system, row)
        self._claim()
        changes: list[Change] = []
        unchanged: list[str] = []
        moved: list[str] = []
        for server, wanted in self._rows.items():
            before = self._present.get(server)
            after = self._hosts[server] = self._host(server, wanted, before)
            lines = tuple(_lines(before, after, wanted.row))
            if before is None or lines:
                changes.append(Change(server=server, system=wanted.system, added=before is None, lines=lines))
            elif before != after:
                moved.append(server)
            else:
                unchanged.append(server)
        return Merge(
            hosts=self._hosts,
            changes=tuple(changes),
            unchanged=tuple(unchanged),
            moved=tuple(moved),
            missing=tuple(self._missing()),
            remarks=tuple(self._remarks),
        )

    def _wanted(self, server: str, system: str, row: LedgerRow) -> "_Wanted":
        ledgers = self._present[server].ledgers if server in self._present else {}
        others = [value for file, said in sorted(ledgers.items()) if file != self._ledger.name for value in said]
        earlier = ledgers.get(self._ledger.name)
        told = stated([*row.values, *others])
        before = stated([*(earlier or ()), *others])
        return _Wanted(row=row, system=system, told=told, before=before, known=earlier is not None)

    def _claim(self) -> None:
        """Whose each address is: first those of other files, then what stays as it is, then what rows say, in their order."""
        for name, host in self._present.items():
            wanted = self._rows.get(name)
            for key in _UNIQUE:
                stays = wanted is None or wanted.told.get(key) == wanted.before.get(key)
                if stays and host.server and host.server.get(key):
                    self._taken.setdefault(str(host.server[key]), name)
        for name, wanted in self._rows.items():
            for key in _UNIQUE:
                if (value := wanted.told.get(key)) is None or not wanted.system:
                    continue
                owner = self._taken.setdefault(value, name)
                if owner != name:
                    del wanted.told[key]
                    other = self._rows.get(owner)
                    where = f" ({_cell_of(other.row, value)})" if other is not None else ""
                    why = f"is that of {owner}{where} already, kept as a fact of {name} only"
                    remedy = "correct one of the ledgers"
                    self._say(Severity.WARNING, _cell_of(wanted.row, value), value, why, remedy, column=f"taken {key}")
                    if wanted.before.get(key) == value:
                        del wanted.before[key]

    def _missing(self) -> Iterator[str]:
        """Servers of which this ledger spoke at an earlier import and speaks no more."""
        yield from (
            name for name, host in sorted(self._present.items()) if self._ledger.name in host.ledgers and name not in self._rows
        )

    def _refuse(self, row: LedgerRow, why: str, remedy: str, text: str = "", *, cell: str = "", alike: str = "") -> None:
        """A row that is not imported, for what stands in `cell`. Rows with the same remedy, or `alike`, are shown together."""
        self._remarks.append(
            Remark(
                severity=Severity.CRITICAL,
                where=row.at(cell),
                text=text or row.name,
                why=f"{why}; not imported",
                remedy=remedy,
                column=alike or remedy,
            )
        )

    def _say(self, severity: Severity, where: str, text: str, why: str, remedy: str = "", column: str = "") -> None:
        self._remarks.append(Remark(severity=severity, where=where, text=text, why=why, remedy=remedy, column=column))

    def _server_id(self, row: LedgerRow) -> str | None:
        """The id of a row's server, or None when the row cannot be imported."""
        found = id_of(row, self._mapping)
        if found.id is None:
            self._refuse(row, "no name of it makes an id of a-z, 0-9 and dashes", "give it one under `ids` in a map")
            return None
        server = found.id
        if server in self._rows:
            self._refuse(
                row, f"server {server} stands at {self._rows[server].row.where} already", "give one of them another id in a map"
            )
            return None
        if server in self._groups:
            self._refuse(row, f"{server} is the name of a group", "give it another id under `ids` in a map")
            return None
        if server in self._kept and self._kept[server] != self._ministry:
            why = f"{server} is a server of ministry {self._kept[server]}"
            self._refuse(row, why, f"say `id_prefix: {self._ministry}-` in a map, or give it another id")
            return None
        if server in self._others and server not in self._kept:
            self._refuse(
                row, f"{server} is a host or machine of the inventory already", "give it another id under `ids` in a map"
            )
            return None
        if found.note:
            self._say(Severity.INFORMATION, row.where, row.name, found.note, column="id")
        return server

    def _system_of(self, row: LedgerRow, server: str) -> str | None:
        """The id of a row's system; empty for a server that another file declares; None when it cannot be imported."""
        named = self._ministries.get(fold(row.ministry), "") if row.ministry else self._ministry
        if named and named != self._ministry:
            self._refuse(
                row, f"it belongs to ministry {named}", f"import it with --ministry {named}", row.ministry, cell=row.ministry_cell
            )
            return None
        if not named and row.ministry not in self._told:
            self._told.add(row.ministry)
            self._say(
                Severity.INFORMATION,
                row.at(row.ministry_cell),
                row.ministry,
                f"is no ministry of the inventory; taken to be {self._ministry}",
            )
        if server in self._kept:
            return ""
        before = self._present.get(server)
        if not row.system:
            if before is not None and before.system:
                return before.system
            if self._default_system:
                return self._default_system
            self._refuse(row, "it names no system", "name one for all such rows with --system")
            return None
        found = self._mapping.systems.get(row.system) or self._systems.get(fold(row.system))
        if found:
            return found
        if self._default_system:
            if row.system not in self._told:
                self._told.add(row.system)
                why = f"is no system of ministry {self._ministry}; its servers go to {self._default_system}"
                self._say(Severity.INFORMATION, row.at(row.system_cell), row.system, why)
            return self._default_system
        remedy = "declare the system, name it under `systems` in a map, or give --system"
        why = f"{row.system} is no system of ministry {self._ministry}"
        self._refuse(row, why, remedy, cell=row.system_cell, alike=row.system)
        return None

    def _host(self, server: str, wanted: "_Wanted", before: Host | None) -> Host:
        variables = dict(before.variables) if before is not None else {}
        ledgers = (dict(before.ledgers) if before is not None else {}) | {self._ledger.name: wanted.row.values}
        number = before.file_number if before is not None else 0
        if not wanted.system:
            return Host(system="", server=None, ledgers=ledgers, variables=variables, file_number=number)
        present = dict(before.server) if before is not None and before.server is not None else {}
        for key in _STATED:
            if wanted.told.get(key) != wanted.before.get(key):
                self._take(server, wanted, key, present)
        if present.get("kind", "unknown") == "unknown" and self._mapping.kind:
            present["kind"] = self._mapping.kind
        present.setdefault("kind", "unknown")
        present.setdefault("disposition", Disposition.RETAIN.value)
        if before is None:
            present["reason"] = _REASON
        ordered = {key: present[key] for key in _STATED if key in present}
        return Host(
            system=wanted.system,
            server=ordered | {key: value for key, value in present.items() if key not in ordered},
            ledgers=ledgers,
            variables=variables,
            file_number=number,
        )

    def _take(self, server: str, wanted: "_Wanted", key: str, present: dict[str, Any]) -> None:
        """Take what the ledger says now. A ledger that speaks of a server for the first time does not overrule others."""
        value = wanted.told.get(key)
        if value is None:
            present.pop(key, None)
        elif wanted.known or present.get(key, "unknown") == "unknown":
            present[key] = value
        elif present[key] != value:
            why = f"says another {key} of {server} than stands in the inventory, which stays; both are kept as facts"
            self._say(Severity.INFORMATION, wanted.row.where, _shown(value), why)


def _cell_of(row: LedgerRow, value: str) -> str:
    """`file:cell` in which a row states an address or MAC; where its name stands when another ledger states it."""
    for said in row.values:
        if said.field == "addresses" and any(value in card.values() for card in _cards(said.value)):
            return f"{said.file}:{said.cell}"
    return row.where


def stated(values: Sequence[LedgerValue]) -> dict[str, Any]:
    """The keys of a server that values of ledgers give, the first of several; a size only when all of it is stated."""
    first: dict[str, Any] = {}
    for said in values:
        first.setdefault(said.field, said.value)
    told: dict[str, Any] = {}
    if kind := first.get("kind"):
        told["kind"] = str(kind)
    if os := _os(first):
        told["os"] = os
    vcpus, memory_mib, disk_gib = (first.get(name) for name in ("cpu.count", "memory.total_mib", "disks.total_gib"))
    if isinstance(vcpus, int) and isinstance(memory_mib, int) and isinstance(disk_gib, int):
        memory = f"{memory_mib // 1024}GiB" if memory_mib % 1024 == 0 else f"{memory_mib}MiB"
        told["size"] = {"vcpus": vcpus, "memory": memory, "disk": f"{disk_gib}GiB"}
    told |= _card(first.get("addresses"))
    if source := _source(first.get("hypervisor")):
        told["source"] = source
    return told


def _source(hypervisor: object) -> dict[str, str]:
    """Where a guest can be fetched from: a host that is named by its libvirt URI."""
    if not isinstance(hypervisor, dict) or "://" not in str(hypervisor.get("host", "")) or not hypervisor.get("name"):
        return {}
    return {"uri": str(hypervisor["host"]), "domain": str(hypervisor["name"])}


def _os(first: Mapping[str, Any]) -> str:
    name, version = str(first.get("os.id") or ""), str(first.get("os.version") or "")
    return f"{name}-{version}" if name and version else name or str(first.get("os.name") or "")


def _cards(addresses: object) -> list[dict[str, Any]]:
    return [card for card in addresses if isinstance(card, dict)] if isinstance(addresses, list) else []


def _card(addresses: object) -> dict[str, str]:
    """The first IPv4 address and its card; a card without address counts when it is the only one."""
    cards = _cards(addresses)
    first = next((card for card in cards if _is_ipv4(card.get("address"))), None)
    macs = [str(card["mac"]) for card in cards if card.get("mac")]
    found: dict[str, str] = {}
    if first is not None:
        found["address"] = str(first["address"])
        if first.get("mac"):
            found["mac"] = str(first["mac"])
    if "mac" not in found and len(macs) == 1:
        found["mac"] = macs[0]
    return found


def _is_ipv4(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(IPv4Address(text))
    except ValueError:
        return False


def _names_of(around: Entries, ministry: str) -> dict[str, str]:
    """Folded ids and names of a ministry's systems to their ids; a name of two systems names none."""
    found: dict[str, str] = {}
    for entry in around.systems:
        if entry.ministry == ministry:
            for name in {fold(entry.id), fold(entry.model.name), fold(entry.model.name_en)}:
                found[name] = "" if found.get(name, entry.id) != entry.id else entry.id
    return found


def _lines(before: Host | None, after: Host, row: LedgerRow) -> Iterator[str]:
    """What changes for a reader of the inventory; cells that moved and values that stay are no change."""
    old = before.server or {} if before is not None else {}
    new = after.server or {}
    if before is not None and before.system != after.system:
        yield f"system: {before.system or '(another file)'} -> {after.system or '(another file)'}"
    for key in {**old, **new}:
        if old.get(key) != new.get(key) and (before is not None or key not in {"disposition", "reason"}):
            yield (
                f"{key}: {_shown(old.get(key))} -> {_shown(new.get(key))}" if before is not None else f"{key}: {_shown(new[key])}"
            )
    if before is None and after.server is None:
        yield f"{len(row.values)} values as facts"
    said = _facts_of(before, row.file) if before is not None else {}
    now = {value.field: value for value in row.values}
    if before is not None:
        for name in {**said, **now}:
            was, is_ = said.get(name), now.get(name)
            if (was.value if was else None) != (is_.value if is_ else None):
                cell = is_.cell if is_ else was.cell if was else ""
                yield f"{name}: {_shown(was.value if was else None)} -> {_shown(is_.value if is_ else None)} ({row.file}:{cell})"


def _facts_of(host: Host, file: str) -> dict[str, LedgerValue]:
    return {value.field: value for value in host.ledgers.get(file, ())}


def _shown(value: object) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, dict):
        return " ".join(f"{key} {item}" for key, item in value.items())
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
