"""Finds the `kasumi_*` variables in an Ansible inventory directory and validates each against its model.

Shared things (estate, tiers, sites, networks, images) stand in `group_vars/all`; ministries and systems are variables of
their groups, servers and hosts of theirs. Everything else in the inventory is Ansible's and is left alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from controlplane.inventory import schema
from controlplane.inventory.nodes import Document, KeyPath, Place, read_document
from controlplane.model.finding import Finding

M = TypeVar("M", bound=schema.Strict)

_SHARED: dict[str, type[schema.Strict]] = {
    "kasumi_tiers": schema.TierEntry,
    "kasumi_sites": schema.SiteEntry,
    "kasumi_networks": schema.NetworkEntry,
    "kasumi_images": schema.ImageEntry,
}
_GROUP_KEYS: dict[str, type[schema.Strict]] = {"kasumi_ministry": schema.MinistryEntry, "kasumi_system": schema.SystemEntry}
_HOST_KEYS: dict[str, type[schema.Strict]] = {"kasumi_server": schema.ServerEntry, "kasumi_host": schema.HostEntry}
_SUFFIXES = frozenset({".yml", ".yaml"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One validated thing: its id, its model, where it stands, and the ids of the ministry and system around it."""

    id: str
    model: Any
    document: Document = field(hash=False)
    path: KeyPath
    ministry: str = ""
    system: str = ""
    broken: frozenset[str] = frozenset()
    """Fields that failed already and hold a stand-in; nothing more is said about them."""

    def finding(self, what: str, remedy: str, *inner: str | int) -> Finding:
        """A finding at a value inside this entry."""
        path = (*self.path, *inner)
        return self.document.place(path).finding(path, what, remedy)


@dataclass(slots=True)
class Entries:
    """All entries of an inventory by kind of thing, and everything that was wrong so far."""

    estate: list[Entry] = field(default_factory=list)
    tiers: list[Entry] = field(default_factory=list)
    sites: list[Entry] = field(default_factory=list)
    networks: list[Entry] = field(default_factory=list)
    images: list[Entry] = field(default_factory=list)
    ministries: list[Entry] = field(default_factory=list)
    systems: list[Entry] = field(default_factory=list)
    servers: list[Entry] = field(default_factory=list)
    hosts: list[Entry] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_entries(directory: Path) -> Entries:
    """Read every YAML file of the inventory; never raises for what is in them."""
    entries = Entries()
    if not directory.is_dir():
        place = Place(file=str(directory), line=1, column=1)
        entries.findings.append(place.finding((), "is not a directory", "name an inventory directory with --inventory"))
        return entries
    for file in sorted(path for path in directory.rglob("*") if path.suffix in _SUFFIXES and path.is_file()):
        relative = file.relative_to(directory).parts
        document = read_document(file, str(Path(directory.name, *relative)))
        entries.findings.extend(document.findings)
        if relative[0] == "group_vars" and Path(relative[1]).stem == "all":
            _read_shared(document, entries)
        elif relative[0] in {"group_vars", "host_vars"}:
            _refuse_entries(document, entries)
        else:
            _read_groups(document, entries)
    return entries


def _read_shared(document: Document, entries: Entries) -> None:
    if not isinstance(document.data, dict):
        return
    for key, value in document.data.items():
        if key == "kasumi_estate":
            entry = _entry(schema.EstateEntry, document, (key,), value, entries, name="estate")
            entries.estate.extend(entry)
        elif key in _SHARED:
            into = getattr(entries, key.removeprefix("kasumi_"))
            for name, inner in _items(document, (key,), value, entries):
                into.extend(_entry(_SHARED[key], document, (key, name), inner, entries, name=name))
        elif key.startswith("kasumi_"):
            entries.findings.append(_unknown(document, (key,), ("kasumi_estate", *_SHARED)))


def _refuse_entries(document: Document, entries: Entries) -> None:
    if isinstance(document.data, dict):
        for key in document.data:
            if key.startswith("kasumi_"):
                remedy = "put it in the group or host itself; shared things go to group_vars/all"
                entries.findings.append(document.key_place((key,)).finding((key,), "is not read from here", remedy))


def _read_groups(document: Document, entries: Entries) -> None:
    for name, group in _items(document, (), document.data, entries):
        _read_group(document, (name,), group, entries, ministry="", system="")


def _read_group(document: Document, path: KeyPath, group: object, entries: Entries, *, ministry: str, system: str) -> None:
    if group is None:
        return
    if not isinstance(group, dict):
        entries.findings.append(document.place(path).finding(path, "is not a group", "write hosts:, vars: or children: under it"))
        return
    for key in group:
        if key not in {"hosts", "vars", "children"}:
            entries.findings.append(_unknown(document, (*path, key), ("hosts", "vars", "children")))
    name = str(path[-1])
    for key, value in _items(document, (*path, "vars"), group.get("vars"), entries):
        where = (*path, "vars", key)
        if key == "kasumi_ministry":
            ministry = _id_of(name, "ministry_", document, where, entries)
            entries.ministries.extend(_entry(schema.MinistryEntry, document, where, value, entries, name=ministry))
        elif key == "kasumi_system":
            system = _id_of(name, "system_", document, where, entries)
            entries.systems.extend(_entry(schema.SystemEntry, document, where, value, entries, name=system, ministry=ministry))
        elif key.startswith("kasumi_"):
            entries.findings.append(_unknown(document, where, tuple(_GROUP_KEYS)))
    for host, variables in _items(document, (*path, "hosts"), group.get("hosts"), entries):
        _read_host(document, (*path, "hosts", host), variables, entries, ministry=ministry, system=system)
    for child, inner in _items(document, (*path, "children"), group.get("children"), entries):
        _read_group(document, (*path, "children", child), inner, entries, ministry=ministry, system=system)


def _read_host(document: Document, path: KeyPath, variables: object, entries: Entries, *, ministry: str, system: str) -> None:
    name = str(path[-1])
    for key, value in _items(document, path, variables, entries):
        where = (*path, key)
        if key == "kasumi_server":
            found = _entry(schema.ServerEntry, document, where, value, entries, name=name, ministry=ministry, system=system)
            if not system:
                place = document.key_place(where)
                entries.findings.append(
                    place.finding(where, "stands in no system", "put the server into a group with kasumi_system")
                )
            entries.servers.extend(found)
        elif key == "kasumi_host":
            entries.hosts.extend(_entry(schema.HostEntry, document, where, value, entries, name=name))
        elif key.startswith("kasumi_"):
            entries.findings.append(_unknown(document, where, tuple(_HOST_KEYS)))


def _items(document: Document, path: KeyPath, value: object, entries: Entries) -> Iterator[tuple[str, object]]:
    if value is None:
        return
    if not isinstance(value, dict):
        entries.findings.append(document.place(path).finding(path, "wanted a mapping", "write `name: …` under it"))
        return
    yield from value.items()


def _id_of(group: str, prefix: str, document: Document, path: KeyPath, entries: Entries) -> str:
    if not group.startswith(prefix) or group == prefix:
        remedy = f"name the group {prefix}ID, its id with underscores"
        entries.findings.append(document.key_place(path).finding(path, f"group {group} has no id of this kind", remedy))
    return group.removeprefix(prefix).replace("_", "-")


def _entry(
    model: type[M],
    document: Document,
    path: KeyPath,
    value: object,
    entries: Entries,
    *,
    name: str,
    ministry: str = "",
    system: str = "",
) -> list[Entry]:
    try:
        schema.valid_id(name)
    except ValueError as error:
        entries.findings.append(document.key_place(path).finding(path, f"{name!r}: {error}", "choose another name"))
    broken: frozenset[str] = frozenset()
    try:
        checked = model.model_validate({} if value is None else value)
    except ValidationError as error:
        entries.findings.extend(_findings(error, model, document, path))
        broken = frozenset(str(problem["loc"][0]) for problem in error.errors(include_url=False) if problem["loc"])
        sound = (
            {key: inner for key, inner in value.items() if key not in broken and key in model.model_fields}
            if isinstance(value, dict)
            else {}
        )
        checked = model.with_stand_ins(sound)
    return [Entry(id=name, model=checked, document=document, path=path, ministry=ministry, system=system, broken=broken)]


def _findings(error: ValidationError, model: type[schema.Strict], document: Document, path: KeyPath) -> Iterator[Finding]:
    for problem in error.errors(include_url=False):
        inner = (*path, *problem["loc"])
        if problem["type"] == "extra_forbidden":
            yield _unknown(document, inner, schema.keys_at(model, problem["loc"][:-1]))
        elif problem["type"] == "missing":
            yield document.place(inner[:-1]).finding(inner, "is missing", "add it")
        else:
            found = problem["input"]
            shown = f"found {found!r}" if isinstance(found, (str, int, float, bool)) else f"found {_kind(found)}"
            message = problem["msg"].removeprefix("Value error, ")
            yield document.place(inner).finding(inner, f"{message[0].lower()}{message[1:]}, {shown}", "correct it")


def _unknown(document: Document, path: KeyPath, known: tuple[str, ...]) -> Finding:
    near = get_close_matches(str(path[-1]), known, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return document.key_place(path).finding(path, "unknown key", remedy)


def _kind(value: object) -> str:
    return {dict: "a mapping", list: "a list", type(None): "nothing"}.get(type(value), type(value).__name__)
