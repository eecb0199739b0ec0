"""An existing Ansible inventory, YAML or INI, a file or a directory: hosts are servers, variables say what is known of them.

Variables are looked up in the dictionary of headings. Nothing is executed: no inventory script, no plug-in, no template.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from controlplane.inventory.entries import IGNORED_BY_ANSIBLE, SYSTEM_GROUP, group_id
from controlplane.inventory.groups import Groups
from controlplane.inventory.nodes import Document, KeyPath, document_of
from controlplane.ledgers.cells import Cell, Said
from controlplane.ledgers.headings import Column, Headings
from controlplane.ledgers.rows import Ledger, LedgerRow, Remark
from controlplane.ledgers.values import is_blank, plain, refused
from controlplane.model.finding import Severity

MAX_HOSTS = 200_000
_MAX_FILES = 10_000
_YAML = frozenset((".yml", ".yaml", ".json"))
_TEMPLATE = re.compile(r"\{[{%#]")
_RANGE = re.compile(r"\[([0-9]{1,6}|[a-z]):([0-9]{1,6}|[a-z])(?::([0-9]{1,4}))?\]")
_SECTION = re.compile(r"\[([^\]:]+)(?::(vars|children|hosts))?\]")
_WITH_PORT = re.compile(r"((?:[^\[\]:]|\[[^\]]*\])+):[0-9]{1,5}")
"""Where Ansible finds the host, which says nothing of the server."""
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variable:
    """A variable's text and the place where it stands, `line:column`."""

    text: str
    cell: str


@dataclass(slots=True)
class _Found:
    """All hosts and variables of an inventory, before they are joined."""

    hosts: dict[str, str] = field(default_factory=dict)
    """Host to the place of its first mention."""
    of_host: dict[str, dict[str, _Variable]] = field(default_factory=dict)
    of_group: dict[str, dict[str, _Variable]] = field(default_factory=dict)
    groups: Groups = field(default_factory=Groups)
    full: bool = False

    def add(self, group: str, host: str, cell: str) -> bool:
        """Note a host; False when there are too many."""
        if len(self.hosts) >= MAX_HOSTS and host not in self.hosts:
            self.full = True
            return False
        self.hosts.setdefault(host, cell)
        self.groups.add_host(group, host)
        return True


def read_ansible(files: Mapping[str, bytes], name: str, headings: Headings) -> Ledger:
    """The hosts of an inventory: one file, or those of a directory by their paths in it; never raises for what is in them."""
    remarks: list[Remark] = []
    found = _Found()
    for path, raw in files.items():
        prefix = f"{path}:" if len(files) > 1 else ""
        top, _, inner = path.partition("/")
        if top in {"host_vars", "group_vars"} and inner:
            owner = inner.partition("/")[0] if "/" in inner else Path(inner).stem
            of = found.of_host if top == "host_vars" else found.of_group
            variables = _Yaml(_document(raw, name, prefix, remarks), found, prefix).variables()
            of.setdefault(owner, {}).update(variables)
        elif Path(path).suffix.lower() in _YAML:
            _Yaml(_document(raw, name, prefix, remarks), found, prefix).groups()
        elif raw.startswith(b"#!"):
            why = "is a program, which is never run"
            remarks.append(Remark(severity=Severity.WARNING, where=f"{name}:{path}", why=why, remedy="import what it prints"))
        else:
            _ini(raw, name, prefix, found, remarks)
    if found.full:
        why = f"only the first {MAX_HOSTS} hosts are read"
        remarks.append(Remark(severity=Severity.CRITICAL, where=name, why=why, remedy="split the inventory"))
    if not found.hosts and not any(remark.severity is Severity.CRITICAL for remark in remarks):
        why = "wanted hosts, found none"
        remarks.append(Remark(severity=Severity.CRITICAL, where=name, why=why, remedy="name an inventory of Ansible"))
    rows = tuple(_rows(found, name, headings, remarks))
    return Ledger(name=name, rows=rows, remarks=tuple(remarks))


def files_of_directory(directory: Path, most_bytes: int) -> dict[str, bytes]:
    """What Ansible would read of an inventory directory, in its order. Raises OSError, and ValueError when it is too much."""
    files: dict[str, bytes] = {}
    left = most_bytes
    for file in sorted(path for path in directory.rglob("*") if path.is_file()):
        relative = file.relative_to(directory)
        if any(part.startswith(".") for part in relative.parts) or file.name.endswith(IGNORED_BY_ANSIBLE):
            continue
        left -= file.stat().st_size
        if left < 0 or len(files) >= _MAX_FILES:
            raise ValueError(f"holds more than {_MAX_FILES} files or {most_bytes} bytes")
        files[relative.as_posix()] = file.read_bytes()
    return files


def _document(raw: bytes, name: str, prefix: str, remarks: list[Remark]) -> Document:
    document = document_of(raw, f"{name}:{prefix}".rstrip(":"))
    severity = Severity.WARNING if isinstance(document.data, dict) else Severity.CRITICAL
    remarks += [Remark(severity=severity, where=one.where, why=one.what, remedy=one.remedy) for one in document.findings]
    return document


def _rows(found: _Found, name: str, headings: Headings, remarks: list[Remark]) -> Iterator[LedgerRow]:
    told: set[str] = set()
    columns: dict[str, Column] = {}
    for host, cell in found.hosts.items():
        if not plain(host):
            why = "a host without a name, not imported"
            remarks.append(Remark(severity=Severity.CRITICAL, where=f"{name}:{cell}", why=why, remedy="name it"))
            continue
        said = Said(file=name, units={}, remarks=remarks, told=told)
        cells = [Cell(text=plain(host), where=cell, column=Column(index=0, field="name", heading="host"), group="host")]
        systems = found.groups.around_host(host, SYSTEM_GROUP)
        if len(systems) == 1:
            column = Column(index=0, field="system", heading="group")
            cells.append(Cell(text=group_id(systems[0], SYSTEM_GROUP), where=cell, column=column, group="group"))
        if _is_address(plain(host)):
            cells.append(
                Cell(text=plain(host), where=cell, column=Column(index=0, field="address", heading="host"), group="host")
            )
        for variable, value in _variables(found, host).items():
            if variable not in columns:
                columns[variable] = _column(variable, value, name, headings, remarks)
            if columns[variable].field and (one := _cell(variable, value, columns[variable], name, remarks)) is not None:
                cells.append(one)
        said.add(cells)
        yield said.row()


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def _variables(found: _Found, host: str) -> Mapping[str, _Variable]:
    """Variables of a host, its own before those of its groups, nearer groups first."""
    joined: dict[str, _Variable] = dict(found.of_host.get(host, {}))
    seen: set[str] = set()
    level: Iterable[str] = found.groups.of_host.get(host, {})
    while level := [group for group in level if group not in seen]:
        for group in level:
            seen.add(group)
            for variable, value in found.of_group.get(group, {}).items():
                joined.setdefault(variable, value)
        level = [parent for group in level for parent in found.groups.parents.get(group, {})]
    for variable, value in found.of_group.get("all", {}).items():
        joined.setdefault(variable, value)
    return joined


def _column(variable: str, value: _Variable, name: str, headings: Headings, remarks: list[Remark]) -> Column:
    """What a variable is for; connection variables of Ansible say nothing of a server, others that are not known are told."""
    known = headings.find(variable)
    if known is None:
        if not variable.startswith("ansible_"):
            why = "is no known variable, not read"
            remedy = "add it to `headings` in a map"
            where = f"{name}:{value.cell}"
            remarks.append(Remark(severity=Severity.INFORMATION, where=where, text=variable, why=why, remedy=remedy))
        return Column(index=0, field="", heading=variable)
    # A host's own name is its name; a variable of that meaning is another one.
    meaning = "label" if known[0] == "name" else known[0]
    unit = "MB" if variable == "ansible_memtotal_mb" else known[1]
    return Column(index=0, field=meaning, heading=variable, unit=unit)


def _cell(variable: str, value: _Variable, column: Column, name: str, remarks: list[Remark]) -> Cell | None:
    text = plain(value.text)
    if is_blank(text):
        return None
    why = "is a template, which is never expanded" if _TEMPLATE.search(text) else refused(text)
    if not why and variable in {"ansible_host", "ansible_ssh_host"} and not re.fullmatch(r"[0-9a-fA-F.:]+", text):
        return None  # a name by which Ansible finds the host; it says no address
    if why:
        where = f"{name}:{value.cell}"
        remarks.append(Remark(severity=Severity.WARNING, where=where, text=text, why=why, column=f"{variable} {why}"))
        return None
    return Cell(text=text, where=value.cell, column=column, group=variable)


class _Yaml:
    """A document of groups, or of variables; `prefix` names its file in a directory."""

    def __init__(self, document: Document, found: _Found, prefix: str) -> None:
        self._document = document
        self._prefix = prefix
        self._found = found

    def groups(self) -> None:
        """Read all groups."""
        for name, group in _mapping(self._document.data).items():
            self._group((name,), group)

    def variables(self) -> dict[str, _Variable]:
        """The variables of a file of host_vars or group_vars."""
        return self._variables((), self._document.data)

    def _group(self, path: KeyPath, group: object) -> None:
        name, inner = str(path[-1]), _mapping(group)
        for host, variables in _mapping(inner.get("hosts")).items():
            where = (*path, "hosts", host)
            for one in expanded(str(host)):
                if not self._found.add(name, one, self._place(where)):
                    return
                self._found.of_host.setdefault(one, {}).update(self._variables(where, variables))
        self._found.of_group.setdefault(name, {}).update(self._variables((*path, "vars"), inner.get("vars")))
        for child, below in _mapping(inner.get("children")).items():
            self._found.groups.add_child(name, str(child))
            self._group((*path, "children", child), below)

    def _variables(self, path: KeyPath, variables: object) -> dict[str, _Variable]:
        return {
            key: _Variable(text=text, cell=self._place((*path, key)))
            for key, value in _mapping(variables).items()
            if (text := _text(value))
        }

    def _place(self, path: KeyPath) -> str:
        place = self._document.place(path) if len(path) > 3 else self._document.key_place(path)
        return f"{self._prefix}{place.line}:{place.column}"


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """A scalar, or a list of them, as the text a cell would have."""
    if isinstance(value, list):
        return ", ".join(map(_text, value[:100])) if not any(isinstance(one, (dict, list)) for one in value) else ""
    return "" if value is None or isinstance(value, (dict, bool)) else str(value)


def _ini(raw: bytes, name: str, prefix: str, found: _Found, remarks: list[Remark]) -> None:
    group, part = "ungrouped", "hosts"
    if b"\0" in raw:
        where, why = f"{name}:{prefix}".rstrip(":"), "is no text, not read"
        remarks.append(Remark(severity=Severity.CRITICAL, where=where, why=why, remedy="take it out of the inventory"))
        return
    for number, line in enumerate(raw.decode("utf-8-sig", errors="replace").split("\n"), start=1):
        text = line.strip()
        if not text or text.startswith(("#", ";")):
            continue
        if section := _SECTION.fullmatch(text.partition("#")[0].strip()):
            group, part = section[1], section[2] or "hosts"
        elif text.startswith("[") or part == "unknown":
            # What stands below a heading that cannot be read may be hosts, groups or variables.
            part = "unknown"
            _unread(remarks, f"{name}:{prefix}{number}:1", text)
        elif part == "children":
            found.groups.add_child(group, text.split()[0])
        elif part == "vars":
            if (variable := _VARIABLE.fullmatch(text)) is not None:
                value = _Variable(text=variable[2].strip().strip("'\""), cell=f"{prefix}{number}:1")
                found.of_group.setdefault(group, {})[variable[1]] = value
            else:
                _unread(remarks, f"{name}:{prefix}{number}:1", text)
        else:
            _ini_host(group, text, prefix, number, name, found, remarks)


def _ini_host(group: str, text: str, prefix: str, number: int, name: str, found: _Found, remarks: list[Remark]) -> None:
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        _unread(remarks, f"{name}:{prefix}{number}:1", text)
        return
    variables = [_VARIABLE.fullmatch(word) for word in words[1:]]
    if not words or any(variable is None for variable in variables):
        _unread(remarks, f"{name}:{prefix}{number}:1", text)
        return
    pattern = found_port[1] if (found_port := _WITH_PORT.fullmatch(words[0])) else words[0]
    for host in expanded(pattern):
        if not found.add(group, host, f"{prefix}{number}:1"):
            return
        own = found.of_host.setdefault(host, {})
        own.update(
            {
                one[1]: _Variable(text=one[2], cell=f"{prefix}{number}:{place}")
                for place, one in enumerate(variables, start=2)
                if one
            }
        )


def _unread(remarks: list[Remark], where: str, text: str) -> None:
    why = "is no line of an inventory, not imported"
    file = where.rsplit(":", 2)[0]
    remarks.append(
        Remark(severity=Severity.CRITICAL, where=where, text=text, why=why, remedy="correct the line", column=f"{file} {why}")
    )


def expanded(host: str) -> Iterator[str]:
    """Hosts of a pattern such as `web[01:20]`, at most as many as an inventory may have."""
    found = _RANGE.search(host)
    if found is None:
        yield host
        return
    first, last, step = found[1], found[2], int(found[3] or 1) or 1
    if first.isdecimal() and last.isdecimal():
        width = len(first) if first.startswith("0") else 0
        inner = [str(number).zfill(width) for number in range(int(first), min(int(last), int(first) + MAX_HOSTS) + 1, step)]
    elif first.isalpha() and last.isalpha():
        inner = [chr(code) for code in range(ord(first), ord(last) + 1, step)]
    else:
        inner = []
    budget = MAX_HOSTS
    for middle in inner:
        for one in expanded(host[: found.start()] + middle + host[found.end() :]):
            yield one
            budget -= 1
            if budget <= 0:
                return
