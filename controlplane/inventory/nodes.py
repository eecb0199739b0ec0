"""YAML to plain data that can say where every key and value stands, without YAML 1.1's surprises.

PyYAML's own construction would drop duplicate keys silently, read `no` as false and `1:30` as ninety; here each is a
finding at its line and column. Files are untrusted: size, depth and what stands behind aliases are limited.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import yaml
from yaml._yaml import CParser

from controlplane.inventory.scalars import SUSPECT_FIRST, meaning, trap_in
from controlplane.model.finding import Finding, Severity

MAX_FILE_BYTES = 16 * 1024 * 1024
"""Some 40,000 servers; each ministry has a file of its own."""
MAX_DEPTH = 40
MAX_ALIASED = 100_000
"""Values reached again through aliases in one file. Ten lines of nested aliases can stand for a billion values."""

KeyPath = tuple[str | int, ...]

_SUSPICIOUS_DEPTH = 1_000
"""The C parser recurses without a limit and ends the process at some 20,000 levels, so depth is looked at before it runs."""
_PARSER_LIMIT = "exceeded maximum nesting depth"
"""What newer versions of the C parser say of themselves, before an event of the depth is given."""
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_MERGE = "<<"
_CORE_TAG = "tag:yaml.org,2002:"
_PLAIN_TAG = f"{_CORE_TAG}str"
_ENCRYPTED = frozenset({"!vault", "!vault-encrypted"})
_UNSAFE = "!unsafe"
_FREE = "variables"
"""Below this key stands what Ansible gets; vaulted values are passed on as they are."""


_DEFAULT_TAG = {
    yaml.ScalarNode: _PLAIN_TAG,
    yaml.SequenceNode: f"{_CORE_TAG}seq",
    yaml.MappingNode: f"{_CORE_TAG}map",
}


class _NodeLoader(CParser):
    """The C parser without PyYAML's guesses about plain words: what they mean is decided in `scalars`."""

    @staticmethod
    def resolve(kind: type[yaml.Node], _value: object, _implicit: object) -> str:
        """The tag of a node that states none."""
        return _DEFAULT_TAG[kind]

    def descend_resolver(self, node: yaml.Node, index: object) -> None:
        """Part of the parser's protocol; places of nodes change no tag here."""

    def ascend_resolver(self) -> None:
        """Part of the parser's protocol; places of nodes change no tag here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line and column of a file, counted from 1."""

    file: str
    line: int
    column: int

    def finding(self, path: KeyPath, what: str, remedy: str) -> Finding:
        """A critical finding here; `path` is shown dotted."""
        dotted = ".".join(_printable(str(part)) for part in path) or "(file)"
        where = f"{_printable(self.file)}:{self.line}:{self.column}: {dotted}"
        return Finding(severity=Severity.CRITICAL, where=where, what=_printable(what), remedy=_printable(remedy))


@dataclass(slots=True)
class Document:
    """One file as plain data. Places are looked up only when something is wrong, in nodes made anew from the text then:
    to keep the nodes of all files alive would double the time of reading."""

    file: str
    data: object = None
    findings: list[Finding] = field(default_factory=list)
    spoiled: set[KeyPath] = field(default_factory=set)
    """Paths with a finding already, of which nothing more is said."""
    text: str = ""
    """Empty when the file could not be read."""
    _root: yaml.Node | None = None
    _index: dict[int, dict[str | int, tuple[yaml.Node, yaml.Node]]] = field(default_factory=dict)

    def place(self, path: KeyPath) -> Place:
        """Where the value at `path` stands, or the nearest thing around it."""
        return self._found(path)[1]

    def key_place(self, path: KeyPath) -> Place:
        """Where the key at `path` stands."""
        return self._found(path)[0]

    def place_of(self, node: yaml.Node) -> Place:
        """Where a node of this file begins."""
        return Place(file=self.file, line=node.start_mark.line + 1, column=node.start_mark.column + 1)

    def _found(self, path: KeyPath) -> tuple[Place, Place]:
        if self._root is None:
            self._root = _compose(self.text) if self.text else None
        if self._root is None:
            start = Place(file=self.file, line=1, column=1)
            return start, start
        key = value = self._root
        for part in path:
            inner = self._inside(value).get(part)
            if inner is None:
                break
            key, value = inner
        return self.place_of(key), self.place_of(value)

    def _inside(self, node: yaml.Node) -> dict[str | int, tuple[yaml.Node, yaml.Node]]:
        known = self._index.get(id(node))
        if known is None:
            known = self._index[id(node)] = dict(_pairs(node))
        return known


def _pairs(node: yaml.Node) -> Iterator[tuple[str | int, tuple[yaml.Node, yaml.Node]]]:
    """Keys of a mapping or sequence, the winning one last: merged first, then its own in reverse, so the first stays."""
    if isinstance(node, yaml.SequenceNode):
        yield from ((index, (item, item)) for index, item in enumerate(node.value))
    elif isinstance(node, yaml.MappingNode):
        for key, value in reversed(node.value):
            if _is_merge(key):
                for source in reversed(_merged(value)):
                    yield from _pairs(source)
        yield from ((str(key.value), (key, value)) for key, value in reversed(node.value) if not _is_merge(key))


def _is_merge(key: yaml.Node) -> bool:
    return isinstance(key, yaml.ScalarNode) and key.value == _MERGE and not key.style


def _merged(value: yaml.Node) -> list[yaml.Node]:
    return list(value.value) if isinstance(value, yaml.SequenceNode) else [value]


def read_document(file: Path, shown: str) -> Document:
    """Read one file; `shown` names it in findings. What cannot be read is in the findings of the result."""
    try:
        if file.stat().st_size <= MAX_FILE_BYTES:
            return document_of(file.read_bytes(), shown)
        what, remedy = f"has {file.stat().st_size} bytes, at most {MAX_FILE_BYTES} are read", "split it by ministry"
    except OSError as error:
        what, remedy = f"cannot be read: {error.strerror}", "correct the file or its permissions"
    return Document(file=shown, findings=[Place(file=shown, line=1, column=1).finding((), what, remedy)])


def document_of(raw: bytes, shown: str) -> Document:
    """The same for a file's content."""
    document = Document(file=shown)

    def refuse(what: str, remedy: str, line: int = 1, column: int = 1) -> Document:
        document.findings.append(Place(file=shown, line=line, column=column).finding((), what, remedy))
        return document

    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        return refuse(f"byte 0x{raw[error.start]:02x} is not UTF-8", "save the file as UTF-8", line, column)
    if _looks_deep(raw) and _is_deep(text):
        return refuse(f"is nested deeper than {MAX_DEPTH}", "write it flat")
    try:
        root = _compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        return refuse(f"is not YAML: {error.problem or error.context}", _syntax_remedy(error.problem or ""), line, column)
    except yaml.reader.ReaderError as error:
        above = text.encode()[: error.position].decode(errors="ignore")  # the parser counts bytes
        line, column = above.count("\n") + 1, len(above) - above.rfind("\n")
        return refuse(f"is not YAML: control character {text[len(above)]!a}", "remove it", line, column)
    document.text = text
    if root is not None:
        _Reader(document).read(root)
    return document


def _compose(text: str) -> yaml.Node | None:
    loader = _NodeLoader(text)
    node: yaml.Node | None = loader.get_single_node()
    return node


def _looks_deep(raw: bytes) -> bool:
    """Cheap and never wrong when it says no: each block level takes a column of some line, each flow level a bracket."""
    if max(map(len, raw.splitlines()), default=0) > _SUSPICIOUS_DEPTH:
        return True
    return max(accumulate(map(_STEP.__getitem__, raw.translate(None, _NOT_BRACKETS))), default=0) > _SUSPICIOUS_DEPTH


def _is_deep(text: str) -> bool:
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                depth += 1
                if depth > MAX_DEPTH:
                    return True
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                depth -= 1
    except yaml.MarkedYAMLError as error:
        return error.problem == _PARSER_LIMIT
    except yaml.YAMLError:
        return False
    return False


def _syntax_remedy(problem: str) -> str:
    if "\\t" in problem or "'\t'" in problem or "tab" in problem:
        return "indent with spaces, never tabs"
    if "another document" in problem:
        return "one document a file: remove `---` inside it"
    return "correct the syntax there"


def _printable(text: str) -> str:
    """No file may send control sequences to the terminal of who checks it."""
    return text if text.isprintable() else "".join(part if part.isprintable() else ascii(part)[1:-1] for part in text)


class _Reader:
    """Walks the nodes of one file."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._path: list[str | int] = []
        self._seen: set[int] = set()
        self._merging = 0
        self._aliased = 0

    def read(self, node: yaml.Node) -> None:
        """Fill the document from its root node."""
        try:
            self._document.data = self._value(node, again=False)
        except _TooMuchError as error:
            self._document.findings.append(error.place.finding((), str(error), "write it flat and without nested aliases"))
            self._document.data = None

    def _value(self, node: yaml.Node, *, again: bool) -> object:
        if isinstance(node, yaml.ScalarNode):
            if again:
                self._count(node)
            return self._scalar(node)
        if len(self._path) + self._merging > MAX_DEPTH:
            raise _TooMuchError(f"is nested deeper than {MAX_DEPTH}", self._document.place_of(node))
        if again or id(node) in self._seen:
            again = True
            self._count(node)
        self._seen.add(id(node))
        self._known_tag(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, again=again)
        return self._sequence(node, again=again)

    def _count(self, node: yaml.Node) -> None:
        self._aliased += 1
        if self._aliased > MAX_ALIASED:
            raise _TooMuchError(f"stands for more than {MAX_ALIASED} values behind aliases", self._document.place_of(node))

    def _sequence(self, node: yaml.Node, *, again: bool) -> list[object]:
        result = []
        for index, item in enumerate(node.value):
            self._path.append(index)
            result.append(self._value(item, again=again))
            self._path.pop()
        return result

    def _mapping(self, node: yaml.MappingNode, *, again: bool) -> dict[str, object]:
        result: dict[str, object] = {}
        first: dict[str, int] = {}
        merges: list[yaml.Node] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._find(key_node, "a key must be a word", "write `word: value`")
                continue
            if _is_merge(key_node):
                merges += _merged(value_node)
                continue
            key = str(key_node.value)
            self._path.append(key)
            if key in result:
                self._find(key_node, f"duplicate key, first at line {first[key]}", "keep one of them")
            else:
                if key[:1] in SUSPECT_FIRST:
                    self._trap(key_node)
                first[key] = key_node.start_mark.line + 1
                result[key] = self._value(value_node, again=again)
            self._path.pop()
        for source in merges:
            self._merging += 1
            merged = self._value(source, again=True)
            self._merging -= 1
            if isinstance(merged, dict):
                result = merged | result
            else:
                self._find(source, f"{_MERGE} wants a mapping", "merge an anchor of a mapping, or remove it")
        return result

    def _scalar(self, node: yaml.ScalarNode) -> object:
        text = str(node.value)
        if node.tag != _PLAIN_TAG:
            return self._tagged(node, text)
        if node.style or text[:1] not in SUSPECT_FIRST:
            return text
        value = meaning(text)
        if value is text:
            self._trap(node)
        return value

    def _tagged(self, node: yaml.ScalarNode, text: str) -> object:
        if node.tag in _ENCRYPTED:
            if self._ours and _FREE not in self._path:
                self._find(node, "is encrypted, which only Ansible can read", f"write it in clear, or keep it under {_FREE}")
            return {"__ansible_vault": text} if _FREE in self._path else text
        if node.tag == _UNSAFE:
            return {"__ansible_unsafe": text} if _FREE in self._path else text
        self._known_tag(node)
        return text

    def _known_tag(self, node: yaml.Node) -> None:
        core = node.tag in {"!", _UNSAFE} or (node.tag.startswith(_CORE_TAG) and ":python/" not in node.tag)
        if not core:
            self._find(node, f"unknown tag {node.tag}", "remove it; !vault and !unsafe are known")

    @property
    def _ours(self) -> bool:
        return any(isinstance(part, str) and part.startswith("kasumi_") for part in self._path)

    def _trap(self, node: yaml.ScalarNode) -> None:
        trap = None if node.style else trap_in(str(node.value))
        if trap is not None and self._ours:
            self._find(node, *trap)

    def _find(self, node: yaml.Node, what: str, remedy: str) -> None:
        self._document.spoiled.add(tuple(self._path))
        self._document.findings.append(self._document.place_of(node).finding(tuple(self._path), what, remedy))


class _TooMuchError(Exception):
    """The file would cost more than any honest one."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.place = place
