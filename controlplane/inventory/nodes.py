"""YAML to plain data that remembers where every key and value stands, without YAML 1.1's surprises.

PyYAML's own construction would drop duplicate keys silently, read `no` as false and `1:30` as ninety; here each is a
finding at its line and column. Files are untrusted: size, depth and the total behind aliases are limited.
"""

import datetime
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from controlplane.model.finding import Finding, Severity

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 40
MAX_NODES = 5_000_000
"""All nodes of one file, aliases counted each time they are used; an estate of 50,000 servers has about a million."""

KeyPath = tuple[str | int, ...]

_TRAP_BOOLEAN = re.compile(r"^(?:yes|no|on|off)$", re.IGNORECASE)
_INTEGER = re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$")
_FLOAT = re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$")
_ODD_NUMBER = re.compile(
    r"^[-+]?(?:0[0-9_]+|0[xXbBoO][0-9a-fA-F_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|[0-9][0-9,_]*_[0-9_,]*)$"
)
_DATE = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
_QUOTED = frozenset({"'", '"', "|", ">"})
_SPECIAL = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line and column of a file, counted from 1."""

    file: str
    line: int
    column: int

    def finding(self, path: KeyPath, what: str, remedy: str) -> Finding:
        """A critical finding here; `path` is shown dotted."""
        dotted = ".".join(str(part) for part in path) or "(document)"
        return Finding(
            severity=Severity.CRITICAL, where=f"{self.file}:{self.line}:{self.column}: {dotted}", what=what, remedy=remedy
        )


@dataclass(slots=True)
class Document:
    """One file as plain data; `places` has a place for the value at each path, `key_places` for each key."""

    file: str
    data: object = None
    places: dict[KeyPath, Place] = field(default_factory=dict)
    key_places: dict[KeyPath, Place] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def place(self, path: KeyPath) -> Place:
        """Where the value at `path` stands, or the nearest thing around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path) or Place(file=self.file, line=1, column=1)

    def key_place(self, path: KeyPath) -> Place:
        """Where the key at `path` stands."""
        return self.key_places.get(path) or self.place(path)


def read_document(file: Path, shown: str) -> Document:
    """Read one file; what cannot be read is in the findings of the result."""
    document = Document(file=shown)
    start = Place(file=shown, line=1, column=1)
    try:
        raw = file.read_bytes()
    except OSError as error:
        document.findings.append(start.finding((), f"cannot be read: {error.strerror}", "correct its permissions"))
        return document
    if len(raw) > MAX_FILE_BYTES:
        document.findings.append(
            start.finding((), f"has {len(raw)} bytes, at most {MAX_FILE_BYTES} are read", "split it by ministry")
        )
        return document
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        document.findings.append(Place(file=shown, line=line, column=1).finding((), "is not UTF-8", "save it as UTF-8"))
        return document
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        what = f"is not YAML: {error.problem or error.context}"
        document.findings.append(Place(file=shown, line=line, column=column).finding((), what, "correct the syntax there"))
        return document
    except (yaml.YAMLError, RecursionError) as error:
        what = f"is not YAML: {str(error).splitlines()[0]}"
        document.findings.append(start.finding((), what, "save it as plain UTF-8 text without control characters"))
        return document
    if node is not None:
        _Reader(document).read(node)
    return document


class _Reader:
    """Walks the nodes of one file."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._left = MAX_NODES

    def read(self, node: yaml.Node) -> None:
        """Fill the document from its root node."""
        try:
            self._document.data = self._value(node, ())
        except _TooMuchError as error:
            place = self._place(node)
            self._document.findings.append(place.finding((), str(error), "write it flat and without nested aliases"))
            self._document.data = None

    def _value(self, node: yaml.Node, path: KeyPath) -> object:
        self._left -= 1
        if self._left < 0:
            raise _TooMuchError(f"has more than {MAX_NODES} values behind its aliases")
        if len(path) > MAX_DEPTH:
            raise _TooMuchError(f"is nested deeper than {MAX_DEPTH}")
        self._document.places[path] = self._place(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(str(node.value), node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, object]:
        result: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._find(key_node, path, "a key must be a word", "write `word: value`")
                continue
            key = str(key_node.value)
            inner = (*path, key)
            if key in result:
                first = self._document.key_place(inner)
                self._find(key_node, inner, f"duplicate key, first at line {first.line}", "keep one of them")
                continue
            self._document.key_places[inner] = self._place(key_node)
            result[key] = self._value(value_node, inner)
        return result

    def _scalar(self, text: str, node: yaml.Node, path: KeyPath) -> object:
        if getattr(node, "style", None) in _QUOTED or node.tag.startswith("!"):
            return text
        if text in _SPECIAL:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if _TRAP_BOOLEAN.match(text):
            return self._trap(
                node, path, f"{text} means {'true' if text.lower() in {'yes', 'on'} else 'false'} to Ansible and text to others"
            )
        if _INTEGER.match(text):
            return int(text) if len(text) < 20 else text
        if _ODD_NUMBER.match(text):
            return self._trap(node, path, f"{text} is read as another number by YAML 1.1")
        if _FLOAT.match(text):
            return float(text)
        if _DATE.match(text):
            try:
                return datetime.date.fromisoformat(text)
            except ValueError:
                return text
        return text

    def _trap(self, node: yaml.Node, path: KeyPath, what: str) -> str:
        if any(str(part).startswith("kasumi_") for part in path):
            self._find(node, path, what, "put it in quotes, or write true, false or a plain decimal number")
        return str(node.value)

    def _find(self, node: yaml.Node, path: KeyPath, what: str, remedy: str) -> None:
        self._document.findings.append(self._place(node).finding(path, what, remedy))

    def _place(self, node: yaml.Node) -> Place:
        return Place(file=self._document.file, line=node.start_mark.line + 1, column=node.start_mark.column + 1)


class _TooMuchError(Exception):
    """The file would cost more than any honest one."""
