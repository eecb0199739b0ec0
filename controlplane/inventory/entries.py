"""Finds the `kasumi_*` variables in an Ansible inventory directory and validates each against its model.

Shared things (estate, tiers, sites, networks, images) stand in `group_vars/all`; ministries and systems are variables of
their groups, servers and hosts of theirs. Everything else in the inventory is Ansible's and is left alone.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from controlplane.inventory import schema
from controlplane.inventory.complaints import complaints, unknown_key
from controlplane.inventory.groups import Groups
from controlplane.inventory.ledger_lines import LedgerLineError, read_lines
from controlplane.inventory.nodes import Document, KeyPath, Place, read_document
from controlplane.inventory.values import is_id
from controlplane.model.estate import LedgerValue
from controlplane.model.finding import Finding

OURS = "kasumi_"
MINISTRY_GROUP = "ministry_"
SYSTEM_GROUP = "system_"

_SHARED: dict[str, type[schema.Strict]] = {
    "kasumi_tiers": schema.TierEntry,
    "kasumi_sites": schema.SiteEntry,
    "kasumi_networks": schema.NetworkEntry,
    "kasumi_images": schema.ImageEntry,
    "kasumi_load_profiles": schema.LoadProfileEntry,
    "kasumi_licences": schema.LicenceEntry,
    "kasumi_clouds": schema.CloudEntry,
}
_HOME = {
    **dict.fromkeys(("kasumi_estate", "kasumi_policy", *_SHARED), "group_vars/all"),
    "kasumi_ministry": "vars of a group ministry_ID",
    "kasumi_system": "vars of a group system_ID",
    "kasumi_server": "its host, in a group system_ID",
    "kasumi_ledger": "its host",
    "kasumi_host": "its host",
}
IGNORED_BY_ANSIBLE = ("~", ".pyc", ".pyo", ".swp", ".bak", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry")
_READ = frozenset({".yml", ".yaml", ".json"})
_GROUP_NAME = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One validated thing: its id, its model, where it stands, and the ids of the ministry and system around it."""

    id: str
    model: Any
    document: Document = field(hash=False)
    path: KeyPath
    group: str = ""
    ministry: str = ""
    system: str = ""
    broken: frozenset[str] = frozenset()
    """Fields that failed already and hold a stand-in; nothing more is said about them."""

    def finding(self, what: str, remedy: str, *inner: str | int) -> Finding:
        """A finding at a value inside this entry, or at its own key."""
        path = (*self.path, *inner)
        place = self.document.place(path) if inner else self.document.key_place(path)
        return place.finding(path, what, remedy)

    @property
    def shown_place(self) -> str:
        """`file:line` of its key, for a second entry to point at."""
        place = self.document.key_place(self.path)
        return f"{place.file}:{place.line}"


@dataclass(slots=True)
class Entries:
    """All entries of an inventory by kind of thing, and everything that was wrong so far."""

    estate: list[Entry] = field(default_factory=list)
    policy: list[Entry] = field(default_factory=list)
    tiers: list[Entry] = field(default_factory=list)
    sites: list[Entry] = field(default_factory=list)
    networks: list[Entry] = field(default_factory=list)
    images: list[Entry] = field(default_factory=list)
    load_profiles: list[Entry] = field(default_factory=list)
    licences: list[Entry] = field(default_factory=list)
    clouds: list[Entry] = field(default_factory=list)
    ministries: list[Entry] = field(default_factory=list)
    systems: list[Entry] = field(default_factory=list)
    machines: list[Entry] = field(default_factory=list)
    reservations: list[Entry] = field(default_factory=list)
    servers: list[Entry] = field(default_factory=list)
    hosts: list[Entry] = field(default_factory=list)
    groups: Groups = field(default_factory=Groups)
    group_keys: dict[str, tuple[Document, KeyPath]] = field(default_factory=dict)
    host_keys: dict[str, tuple[Document, KeyPath]] = field(default_factory=dict)
    ledgers: dict[str, tuple[LedgerValue, ...]] = field(default_factory=dict)
    """What imported ledgers say of each host."""
    ledger_keys: dict[str, tuple[Document, KeyPath]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    whole: bool = True
    """False when a file could not be read: what seems to be missing may stand there."""


def read_entries(directory: Path, shown: Path, *, without: frozenset[Path] = frozenset()) -> Entries:
    """Read every file of the inventory but those `without`; never raises for what is in them.

    `shown` is the directory's name in findings.
    """
    entries = Entries()
    for file in sorted(directory.rglob("*")):
        relative = file.relative_to(directory)
        hidden = any(part.startswith((".", "__")) for part in relative.parts)
        if file in without or hidden or file.name.endswith(IGNORED_BY_ANSIBLE):
            continue
        name = str(shown / relative)
        unread = _unread(file)
        if unread is not None:
            entries.findings.append(Place(file=name, line=1, column=1).finding((), *unread))
            entries.whole = False
            continue
        if file.is_dir():
            continue
        if file.suffix not in _READ:
            _refuse_hidden(file, name, entries)
            continue
        document = read_document(file, name)
        if isinstance(document.data, dict) and "schema_version" in document.data:
            what = "is a document that kasumi wrote and no part of the inventory"
            entries.findings.append(Place(file=name, line=1, column=1).finding((), what, "move it out of this directory"))
            continue
        entries.findings.extend(document.findings)
        entries.whole &= document.data is not None or not document.findings
        if relative.parts[0] == "group_vars" and Path(relative.parts[1]).stem == "all":
            _read_shared(document, entries)
        elif relative.parts[0] in {"group_vars", "host_vars"}:
            _refuse_misplaced(document, document.data, (), entries, known=())
        else:
            _Walk(document, entries).groups()
    return _settled(entries)


def _unread(path: Path) -> tuple[str, str] | None:
    """Why what stands behind a path would be passed over, and what to do: a ministry must not be lost in silence."""
    try:
        if path.is_symlink() and not path.exists():
            return "is a link to nothing", "correct the link or remove it"
        if path.is_dir():
            if path.is_symlink():
                return "is a link to a directory, which is not followed", "place the files themselves here"
            return (
                None if os.access(path, os.R_OK | os.X_OK) else ("cannot be read: Permission denied", "correct its permissions")
            )
        return None if path.is_file() else ("is no file", "remove it")
    except OSError as error:
        return f"cannot be read: {error.strerror}", "correct its permissions"


def _refuse_hidden(file: Path, name: str, entries: Entries) -> None:
    """Ansible would read such a file and we would not: nobody may believe that it counts."""
    if OURS.encode() in file.read_bytes()[:1_000_000]:
        place = Place(file=name, line=1, column=1)
        entries.findings.append(place.finding((), "holds kasumi_ variables, but is not read", "rename it to end in .yml"))


def _read_shared(document: Document, entries: Entries) -> None:
    for key, value in _items(document, (), document.data, entries):
        if key == "kasumi_estate":
            entries.estate.append(_entry(schema.EstateEntry, document, (key,), value, entries, name="estate"))
        elif key == "kasumi_policy":
            entries.policy.append(_entry(schema.PolicyEntry, document, (key,), value, entries, name="policy"))
        elif key in _SHARED:
            into = getattr(entries, key.removeprefix(OURS))
            for name, inner in _items(document, (key,), value, entries):
                into.append(_entry(_SHARED[key], document, (key, name), inner, entries, name=name))
    _refuse_misplaced(document, document.data, (), entries, known=("kasumi_estate", "kasumi_policy", *_SHARED))


def _refuse_misplaced(document: Document, variables: object, path: KeyPath, entries: Entries, *, known: tuple[str, ...]) -> None:
    if not isinstance(variables, dict):
        return
    for key in variables:
        inner = (*path, key)
        if key.startswith(OURS) and key not in known:
            if key in _HOME:
                finding = document.key_place(inner).finding(inner, "is not read from here", f"put it into {_HOME[key]}")
            else:
                finding = unknown_key(document, inner, known or tuple(_HOME))
            entries.findings.append(finding)


class _Walk:
    """One file of groups and hosts."""

    def __init__(self, document: Document, entries: Entries) -> None:
        self._document = document
        self._entries = entries

    def groups(self) -> None:
        """Read all groups of the file."""
        for name, group in _items(self._document, (), self._document.data, self._entries):
            self._group((name,), group)

    def _group(self, path: KeyPath, group: object) -> None:
        document, entries, name = self._document, self._entries, str(path[-1])
        entries.group_keys.setdefault(name, (document, path))
        if not _GROUP_NAME.fullmatch(name):
            place = document.key_place(path)
            entries.findings.append(
                place.finding(path, f"group name {name!r} is not of a-z, 0-9 and _", "rename it; Ansible warns too")
            )
        for key, value in _items(document, path, group, entries):
            inner = (*path, key)
            if key == "vars":
                self._group_variables(inner, value, name)
            elif key == "hosts":
                for host, variables in _items(document, inner, value, entries):
                    entries.groups.add_host(name, host)
                    entries.host_keys.setdefault(host, (document, (*inner, host)))
                    self._host((*inner, host), variables)
            elif key == "children":
                for child, below in _items(document, inner, value, entries):
                    entries.groups.add_child(name, child)
                    self._group((*inner, child), below)
            else:
                entries.findings.append(unknown_key(document, inner, ("hosts", "vars", "children")))

    def _group_variables(self, path: KeyPath, variables: object, group: str) -> None:
        document, entries = self._document, self._entries
        for key, value in _items(document, path, variables, entries):
            where = (*path, key)
            if key == "kasumi_ministry":
                name = self._id_of(group, MINISTRY_GROUP, where)
                entries.ministries.append(_entry(schema.MinistryEntry, document, where, value, entries, name=name, group=group))
            elif key == "kasumi_system":
                name = self._id_of(group, SYSTEM_GROUP, where)
                entries.systems.append(_entry(schema.SystemEntry, document, where, value, entries, name=name, group=group))
                for what, model, into in (
                    ("machines", schema.MachineEntry, entries.machines),
                    ("reservations", schema.ReservationEntry, entries.reservations),
                ):
                    asked = value.get(what) if isinstance(value, dict) else None
                    for asked_id, inner in asked.items() if isinstance(asked, dict) else ():
                        place = (*where, what, asked_id)
                        found = _entry(model, document, place, inner, entries, name=asked_id, group=group)
                        into.append(replace(found, system=name))
        _refuse_misplaced(document, variables, path, entries, known=("kasumi_ministry", "kasumi_system"))

    def _host(self, path: KeyPath, variables: object) -> None:
        document, entries, name = self._document, self._entries, str(path[-1])
        for key, value in _items(document, path, variables, entries):
            where = (*path, key)
            if key == "kasumi_server":
                entries.servers.append(_entry(schema.ServerEntry, document, where, value, entries, name=name))
            elif key == "kasumi_host":
                entries.hosts.append(_entry(schema.HostEntry, document, where, value, entries, name=name))
            elif key == "kasumi_ledger":
                self._ledger(where, value, name)
        _refuse_misplaced(document, variables, path, entries, known=("kasumi_server", "kasumi_host", "kasumi_ledger"))

    def _ledger(self, path: KeyPath, value: object, host: str) -> None:
        document, entries = self._document, self._entries
        entries.ledger_keys.setdefault(host, (document, path))
        for file, lines in _items(document, path, value, entries):
            try:
                said = read_lines(file, lines)
            except LedgerLineError as error:
                inner = (*path, file)
                entries.findings.append(document.place(inner).finding(inner, str(error), "import the ledger again"))
            else:
                entries.ledgers[host] = entries.ledgers.get(host, ()) + said

    def _id_of(self, group: str, prefix: str, path: KeyPath) -> str:
        if not group.startswith(prefix) or group == prefix:
            place = self._document.key_place(path)
            finding = place.finding(path, f"group {group} cannot hold it", f"name the group {prefix}ID, its id with underscores")
            self._entries.findings.append(finding)
        return group_id(group, prefix)


def group_id(group: str, prefix: str) -> str:
    """The id that a group's name stands for."""
    return group.removeprefix(prefix).replace("_", "-")


def _items(document: Document, path: KeyPath, value: object, entries: Entries) -> Iterator[tuple[str, object]]:
    if value is None:
        return
    if not isinstance(value, dict):
        entries.findings.append(document.place(path).finding(path, "wanted a mapping", "write `name: …` lines under it"))
        return
    yield from value.items()


def _entry(
    model: type[schema.Strict], document: Document, path: KeyPath, value: object, entries: Entries, *, name: str, group: str = ""
) -> Entry:
    if not is_id(name):
        what = f"{name!r} is not an id: wanted a-z, 0-9 and inner dashes, at most 63 characters"
        entries.findings.append(document.key_place(path).finding(path, what, "choose another name"))
    broken = frozenset(str(one[len(path)]) for one in document.spoiled if len(one) > len(path) and one[: len(path)] == path)
    try:
        checked = model.model_validate({} if value is None else value)
    except ValidationError as error:
        entries.findings.extend(complaints(error, model, document, path))
        broken |= {str(problem["loc"][0]) for problem in error.errors(include_url=False) if problem["loc"]}
        given = value if isinstance(value, dict) else {}
        sound = {key: inner for key, inner in given.items() if key not in broken and key in model.model_fields}
        broken |= {key for key in model.model_fields if not isinstance(value, dict)}
        checked = model.with_stand_ins(sound)
    return Entry(id=name, model=checked, document=document, path=path, group=group, broken=broken)


def _settled(entries: Entries) -> Entries:
    """Give each system its ministry and each server its system, from the groups of all files."""
    groups = entries.groups
    for index, entry in enumerate(entries.systems):
        found = groups.around_group(entry.group, MINISTRY_GROUP)
        entries.systems[index] = replace(entry, ministry=_only(entry, found, MINISTRY_GROUP, "ministry", entries))
    ministries = {entry.id: entry.ministry for entry in entries.systems}
    for index, entry in enumerate(entries.servers):
        system = _only(entry, groups.around_host(entry.id, SYSTEM_GROUP), SYSTEM_GROUP, "system", entries)
        entries.servers[index] = replace(entry, system=system, ministry=ministries.get(system, ""))
    for asked in (entries.machines, entries.reservations):
        asked[:] = [replace(entry, ministry=ministries.get(entry.system, "")) for entry in asked]
    return entries


def _only(entry: Entry, groups: tuple[str, ...], prefix: str, kind: str, entries: Entries) -> str:
    if len(groups) != 1:
        held = "no group" if not groups else f"{len(groups)} groups ({', '.join(groups)})"
        entries.findings.append(entry.finding(f"stands in {held} of a {kind}", f"put it into one group {prefix}ID"))
    return group_id(groups[0], prefix) if groups else ""
