"""The inventory files that imports write, one ministry's servers each: read into hosts, and written from them again.

`50-ledger-MINISTRY.yml`, and `-2`, `-3` … when one grows large. People may edit what a ledger does not say (disposition, network,
roles …) and their edits stay; what a ledger says changes when the ledger does. A server stays in the file where it stands, and each
file is replaced as a whole, so that an import that is cut off loses none and names none twice.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from controlplane.errors import KasumiError
from controlplane.inventory.entries import MINISTRY_GROUP, SYSTEM_GROUP, group_id
from controlplane.inventory.ledger_lines import LedgerLineError, read_lines, write_lines
from controlplane.inventory.nodes import read_document
from controlplane.model.estate import LedgerValue

MAX_FILE_CHARACTERS = 3_000_000
"""More goes to a next file: one is read up to 16 MiB, a character takes up to four bytes, and servers of a file may grow."""

_HEAD = """\
# Written by `kasumi inventory import` from the ledgers that kasumi_ledger names, with the cell of each value.
# Dispositions, networks, roles and the like may be edited here and stay; comments do not. What a ledger states changes with it.
"""
_QUOTED = json.JSONEncoder(ensure_ascii=False, default=str).encode
_TEMPLATE_SIGNS = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host of a generated file. `system` is empty and `server` None when the server itself stands in another file.

    `ledgers` are the values by ledger; `variables` are further variables that a person gave the host.
    """

    system: str
    server: dict[str, Any] | None = field(hash=False)
    ledgers: dict[str, tuple[LedgerValue, ...]] = field(hash=False)
    variables: dict[str, Any] = field(default_factory=dict, hash=False)
    file_number: int = field(default=0, compare=False)
    """The generated file where it stands, from 1; 0 for a host that stands in none yet."""


def files_of(directory: Path, ministry: str) -> tuple[Path, ...]:
    """The generated files of a ministry that exist, in the order in which they are written."""
    found = []
    for number in range(1, 1000):
        file = path_of(directory, ministry, number)
        if not file.exists():
            break
        found.append(file)
    return tuple(found)


def path_of(directory: Path, ministry: str, number: int) -> Path:
    """The n-th generated file of a ministry, from 1."""
    return directory / f"50-ledger-{ministry}{f'-{number}' if number > 1 else ''}.yml"


def read_hosts(files: tuple[Path, ...], ministry: str) -> dict[str, Host]:
    """The hosts of generated files. Raises KasumiError for what this module would not write and so would lose."""
    hosts: dict[str, Host] = {}
    for number, file in enumerate(files, start=1):
        document = read_document(file, file.name)
        if document.findings:
            raise KasumiError("\n".join(str(finding) for finding in document.findings))
        if "!vault" in document.text:
            raise KasumiError(f"{file.name}: holds encrypted values, which an import cannot keep; move that host to another file")
        reader = _Reader(file.name, number, ministry, hosts)
        reader.read(document.data)
    return hosts


class _Reader:
    """One file; every key that is not as written is refused by name."""

    def __init__(self, file: str, number: int, ministry: str, hosts: dict[str, Host]) -> None:
        self._file = file
        self._number = number
        self._ministry = ministry
        self._hosts = hosts

    def read(self, data: object) -> None:
        group = MINISTRY_GROUP + self._ministry.replace("-", "_")
        inner = self._mapping(self._mapping(data, (group,), "file").get(group), ("children", "hosts"), group)
        for host, variables in self._mapping(inner.get("hosts"), None, "hosts").items():
            self._host(host, "", variables)
        for name, system in self._mapping(inner.get("children"), None, "children").items():
            if not name.startswith(SYSTEM_GROUP):
                raise self._refusal(name)
            for host, variables in self._mapping(self._mapping(system, ("hosts",), name).get("hosts"), None, name).items():
                self._host(host, group_id(name, SYSTEM_GROUP), variables)

    def _mapping(self, value: object, known: tuple[str, ...] | None, where: str) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self._refusal(where)
        for key in value:
            if known is not None and key not in known:
                raise self._refusal(str(key))
        return value

    def _refusal(self, what: str) -> KasumiError:
        return KasumiError(
            f"{self._file}: {what!r} is nothing that an import writes, and would be lost; move it to another file of the inventory"
        )

    def _host(self, host: str, system: str, variables: object) -> None:
        given = dict(self._mapping(variables, None, host))
        server = given.pop("kasumi_server", None)
        if (server is None) != (system == "") or not (server is None or isinstance(server, dict)):
            raise self._refusal(host)
        try:
            ledgers = {
                file: read_lines(file, lines)
                for file, lines in self._mapping(given.pop("kasumi_ledger", None), None, host).items()
            }
        except LedgerLineError as error:
            raise KasumiError(f"{self._file}: {host}: kasumi_ledger: {error}; take it out and import the ledger again") from None
        self._hosts[host] = Host(system=system, server=server, ledgers=ledgers, variables=given, file_number=self._number)


def render(hosts: Mapping[str, Host], ministry: str) -> tuple[str, ...]:
    """The texts of the files, in order; no file when there is no host. New hosts go to the last file while it has room."""
    parts: dict[int, dict[str, tuple[Host, str]]] = {}
    sizes: dict[int, int] = {}
    last = max((host.file_number for host in hosts.values()), default=0) or 1
    # Those that have their place come first, so that the room that is left is known.
    for name, host in sorted(hosts.items(), key=lambda item: (item[1].file_number == 0, item[0])):
        lines = "".join(_host_lines(name, host, "        " if host.system else "    "))
        if host.file_number == 0 and sizes.get(last, 0) > MAX_FILE_CHARACTERS:
            last += 1
        number = host.file_number or last
        parts.setdefault(number, {})[name] = host, lines
        sizes[number] = sizes.get(number, 0) + len(lines)
    return tuple(_text(parts.get(number, {}), ministry) for number in range(1, last + 1)) if hosts else ()


def _text(hosts: Mapping[str, tuple[Host, str]], ministry: str) -> str:
    """One file: hosts of other files' servers first, then those of each system."""
    parts = [_HEAD, f"{MINISTRY_GROUP}{ministry.replace('-', '_')}:\n"]
    system: str | None = None
    for _, (host, lines) in sorted(hosts.items(), key=lambda item: (item[1][0].system, item[0])):
        if host.system != system:
            if system in {None, ""} and host.system:
                parts.append("  children:\n")
            system = host.system
            parts.append(f"    {SYSTEM_GROUP}{system.replace('-', '_')}:\n      hosts:\n" if system else "  hosts:\n")
        parts.append(lines)
    return "".join(parts)


def write(directory: Path, ministry: str, texts: tuple[str, ...]) -> None:
    """Replace each file whose text differs, as a whole or not at all."""
    for number, text in enumerate(texts, start=1):
        file = path_of(directory, ministry, number)
        raw = text.encode("utf-8")
        if file.exists() and file.read_bytes() == raw:
            continue
        mode = file.stat().st_mode & 0o777 if file.exists() else 0o644
        with tempfile.NamedTemporaryFile(dir=directory, prefix=f".{file.name}.", delete=False) as new:
            try:
                new.write(raw)
                new.flush()
                os.fsync(new.fileno())
                Path(new.name).chmod(mode)
                Path(new.name).replace(file)
            except OSError:
                Path(new.name).unlink(missing_ok=True)
                raise


def _host_lines(name: str, host: Host, indent: str) -> Iterator[str]:
    yield f"{indent}{_key(name)}:\n"
    for key, value in host.variables.items():
        yield f"{indent}  {_key(key)}: {_flow(value)}\n"
    if host.server is not None:
        yield f"{indent}  kasumi_server:\n"
        for key, value in host.server.items():
            yield f"{indent}    {_key(key)}: {_ledger_text(value) if key == 'os' else _flow(value)}\n"
    if host.ledgers:
        yield f"{indent}  kasumi_ledger:\n"
    for file, said in sorted(host.ledgers.items()):
        # Ansible would expand templates that a hostile cell holds; `!unsafe` makes them mere text.
        yield f"{indent}    {_QUOTED(file)}: !unsafe |\n"
        for line in write_lines(said):
            yield f"{indent}      {line}\n"


@lru_cache(maxsize=1024)
def _key(name: str) -> str:
    plain = name.isascii() and name.replace("_", "a").replace("-", "a").isalnum() and name[0].isalpha()
    return name if plain and name.lower() not in _WORDS else _QUOTED(name)


def _ledger_text(value: object) -> str:
    text = str(value)
    return ("!unsafe " if any(sign in text for sign in _TEMPLATE_SIGNS) else "") + _QUOTED(text)


def _flow(value: object) -> str:
    """A value on one line of YAML; plain words for what is one, JSON for the rest."""
    if isinstance(value, dict):
        if set(value) == {"__ansible_unsafe"}:
            return f"!unsafe {_QUOTED(value['__ansible_unsafe'])}"
        return "{" + ", ".join(f"{_key(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and value.isascii() and value.isalpha() and value.lower() not in _WORDS:
        return value
    return _QUOTED(value)


_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
