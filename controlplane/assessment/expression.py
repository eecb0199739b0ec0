"""The language of readiness rules: small, safe, and honest about what is not known.

An expression is read once and evaluated against names (facts). There are literals, names, comparisons, `and`/`or`/`not`, and
`any`/`all`/`count LIST where CONDITION`; no calls, no attributes, no arithmetic, no patterns but `*`. A name without value is
unknown, and unknown stays unknown through every operator that depends on it (Kleene's logic): it never passes for true or false.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from controlplane.assessment.patterns import like
from controlplane.model.facts import Value

MAX_LENGTH = 2_000
MAX_DEPTH = 50
_MAX_ITEMS = 10_000
"""Of one list a rule looks at; what comes after them is unknown, so that it does not pass for well."""
_MAX_LOOKS = 1_000_000
"""Of items one evaluation looks at in all: lists within lists within lists would take for ever. The rest is unknown too."""
_REMEMBERED = 20_000
"""Texts of each list of choices: ten thousand servers have the same few thousand packages."""

_TOKEN = re.compile(
    r"""(?P<blank>\s+)|(?P<number>\d+(?:\.\d+)?)|(?P<string>"[^"\\\n]*")|(?P<sign><=|>=|==|!=|<|>|\(|\)|\[|\]|,)|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)"""
)
_WORDS = frozenset({"and", "or", "not", "in", "like", "any", "all", "count", "where", "true", "false", "missing"})


class ExpressionError(ValueError):
    """A mistake in an expression; `offset` counts characters from its start.

    `name` is one that nobody knows, `keys` those that could stand there beside the facts.
    """

    def __init__(self, message: str, offset: int, *, name: str = "", keys: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.offset = offset
        self.name = name
        self.keys = tuple(sorted(keys))


@dataclass(frozen=True, slots=True)
class Unknown:
    """What cannot be said, and the names whose values are missing."""

    names: frozenset[str]


Result = Value | Unknown
Names = Mapping[str, Value]


@dataclass(slots=True)
class Look:
    """One evaluation: the names it may see, the list items that made a condition true, and how many were looked at so far."""

    names: Names
    found: list[Value] = field(default_factory=list)
    item: Mapping[str, Value] | None = None
    looks: list[int] = field(default_factory=lambda: [0])


Node = Callable[[Look], Result]


@dataclass(frozen=True, slots=True)
class Expression:
    """A read expression. `names` are all facts it may ask for."""

    text: str
    names: frozenset[str]
    _node: Node

    def of(self, names: Names) -> tuple[bool | Unknown, tuple[Value, ...]]:
        """True, false or unknown for these facts, and the list items that `any` found."""
        look = Look(names)
        result = self._node(look)
        return result if isinstance(result, Unknown) else bool(result), tuple(look.found)


def read_expression(text: str, known: Callable[[str], bool], keys: Callable[[str], frozenset[str]]) -> Expression:
    """Read an expression; `known` says which names there are, `keys` what items of a list have.

    Raises ExpressionError with the place of the mistake.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression of {len(text)} characters, at most {MAX_LENGTH} are read", 0)
    reader = _Reader(text, known, keys)
    node = reader.whole()
    return Expression(text, frozenset(reader.names), node)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    offset: int


class _Reader:
    """Recursive descent, one method for each rule of the grammar in `docs/assessment.md`."""

    def __init__(self, text: str, known: Callable[[str], bool], keys: Callable[[str], frozenset[str]]) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0
        self._known = known
        self._keys_of = keys
        self._inside: list[frozenset[str]] = []
        self.names: set[str] = set()

    def whole(self) -> Node:
        node = self._or()
        if self._next.kind != "end":
            raise self._wrong("wanted the end, `and` or `or`")
        return node

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *texts: str) -> _Token | None:
        token = self._next
        if token.kind in {"sign", "word"} and token.text in texts:
            self._at += 1
            return token
        return None

    def _must(self, text: str) -> None:
        if self._take(text) is None:
            raise self._wrong(f"wanted `{text}`")

    def _wrong(self, wanted: str) -> ExpressionError:
        found = f"found `{self._next.text}`" if self._next.kind != "end" else "found the end"
        return ExpressionError(f"{wanted}, {found}", self._next.offset)

    def _or(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH}", self._next.offset)
        node = self._and()
        while self._take("or"):
            node = _either(node, self._and())
        self._depth -= 1
        return node

    def _and(self) -> Node:
        node = self._not()
        while self._take("and"):
            node = _both(node, self._not())
        return node

    def _not(self) -> Node:
        if self._take("not"):
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise ExpressionError(f"nested deeper than {MAX_DEPTH}", self._next.offset)
            node = _negated(self._not())
            self._depth -= 1
            return node
        return self._comparison()

    def _comparison(self) -> Node:
        left = self._term()
        if sign := self._take("==", "!=", "<", "<=", ">", ">="):
            return _compared(sign.text, left, self._term())
        if self._take("in"):
            return _among(left, self._literals(), lambda value, one: value == one)
        if self._take("like"):
            patterns = self._literals() if self._next.text == "[" else [self._literal()]
            return _among(left, patterns, lambda value, one: like(str(value), str(one)))
        if self._next.text == "not" and self._tokens[self._at + 1].text in {"in", "like"}:
            self._at += 1
            kind = self._next.text
            self._at += 1
            patterns = self._literals() if kind == "in" or self._next.text == "[" else [self._literal()]
            same = (lambda value, one: value == one) if kind == "in" else (lambda value, one: like(str(value), str(one)))
            return _negated(_among(left, patterns, same))
        return left

    def _term(self) -> Node:
        if self._take("("):
            node = self._or()
            self._must(")")
            return node
        if kind := self._take("any", "all", "count"):
            return self._quantified(kind.text)
        if self._take("missing"):
            return _is_missing(self._name())
        if self._next.kind in {"number", "string"} or self._next.text in {"true", "false"}:
            value = self._literal()
            return lambda look: value
        return _named(self._name())

    def _quantified(self, kind: str) -> Node:
        name = self._name()
        condition: Node = lambda look: True  # noqa: E731
        if self._take("where"):
            self._inside.append(self._keys_of(name))
            self._must("(")
            condition = self._or()
            self._must(")")
            self._inside.pop()
        return {"any": _any, "all": _all, "count": _count}[kind](name, condition)

    def _name(self) -> str:
        token = self._next
        if token.kind != "word" or token.text in _WORDS:
            raise self._wrong("wanted a fact or a value")
        self._at += 1
        if self._inside and token.text in self._inside[-1]:
            return token.text
        if not self._known(token.text):
            keys = sorted(self._inside[-1]) if self._inside else []
            items = f"; items have {', '.join(keys)}" if keys else ""
            raise ExpressionError(f"no fact {token.text!r}{items}", token.offset, name=token.text, keys=keys)
        self.names.add(token.text)
        return token.text

    def _literals(self) -> list[Value]:
        self._must("[")
        found = [self._literal()]
        while self._take(","):
            found.append(self._literal())
        self._must("]")
        return found

    def _literal(self) -> Value:
        token = self._next
        if token.kind == "string":
            self._at += 1
            return token.text[1:-1]
        if token.kind == "number":
            self._at += 1
            return float(token.text) if "." in token.text else int(token.text)
        if token.kind == "word" and token.text in {"true", "false"}:
            self._at += 1
            return token.text == "true"
        raise self._wrong('wanted a value: a number, "text", true or false')


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"cannot read {text[at]!r}", at)
        if match.lastgroup != "blank":
            tokens.append(_Token(str(match.lastgroup), match.group(), at))
        at = match.end()
    return [*tokens, _Token("end", "", len(text)), _Token("end", "", len(text))]


def _named(name: str) -> Node:
    def look_up(look: Look) -> Result:
        if look.item is not None and name in look.item:
            value = look.item[name]
        elif name in look.names:
            value = look.names[name]
        else:
            return Unknown(frozenset({name}))
        return Unknown(frozenset({name})) if value is None else value

    return look_up


def _is_missing(name: str) -> Node:
    return lambda look: isinstance(_named(name)(look), Unknown)


def _either(left: Node, right: Node) -> Node:
    def node(look: Look) -> Result:
        one = left(look)
        if not isinstance(one, Unknown) and one:
            return True
        other = right(look)
        if not isinstance(other, Unknown) and other:
            return True
        return _joined(one, other) or False

    return node


def _both(left: Node, right: Node) -> Node:
    def node(look: Look) -> Result:
        one = left(look)
        if not isinstance(one, Unknown) and not one:
            return False
        other = right(look)
        if not isinstance(other, Unknown) and not other:
            return False
        return _joined(one, other) or True

    return node


def _joined(*results: Result) -> Unknown | None:
    unknown = [result.names for result in results if isinstance(result, Unknown)]
    return Unknown(frozenset().union(*unknown)) if unknown else None


def _negated(inner: Node) -> Node:
    def node(look: Look) -> Result:
        result = inner(look)
        return result if isinstance(result, Unknown) else not result

    return node


def _compared(sign: str, left: Node, right: Node) -> Node:
    compare = _SIGNS[sign]

    def node(look: Look) -> Result:
        one, other = left(look), right(look)
        if isinstance(one, Unknown) or isinstance(other, Unknown):
            return _joined(one, other) or False
        if sign in {"==", "!="}:
            # 4 and "four" are neither the same nor different: the rule, or a source, means something else.
            return compare(one, other) if _kind(one) == _kind(other) else Unknown(frozenset({f"({_kind(other)})"}))
        if not _is_number(one) or not _is_number(other):
            # A fact that should be a number and is not says nothing about being large or small.
            return Unknown(frozenset({"(a number)"}))
        return compare(one, other)

    return node


_SIGNS: dict[str, Callable[[Value, Value], bool]] = {
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: _number(one) < _number(other),
    "<=": lambda one, other: _number(one) <= _number(other),
    ">": lambda one, other: _number(one) > _number(other),
    ">=": lambda one, other: _number(one) >= _number(other),
}


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: Value) -> str:
    return "a number" if _is_number(value) else next((word for kind, word in _KINDS if isinstance(value, kind)), "nothing")


_KINDS: tuple[tuple[type, str], ...] = ((bool, "true or false"), (str, "text"), (list, "a list"), (dict, "a mapping"))


def _number(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _among(left: Node, choices: list[Value], same: Callable[[Value, Value], bool]) -> Node:
    @lru_cache(maxsize=_REMEMBERED)
    def text_is_among(text: str) -> bool:
        return any(same(text, one) for one in choices)

    def node(look: Look) -> Result:
        value = left(look)
        if isinstance(value, str):
            return text_is_among(value)
        return value if isinstance(value, Unknown) else any(same(value, one) for one in choices)

    return node


def _items(name: str, look: Look) -> list[Value] | Unknown:
    value = _named(name)(look)
    if isinstance(value, Unknown):
        return value
    return value if isinstance(value, list) else Unknown(frozenset({name}))


def _each(name: str, condition: Node, look: Look) -> Unknown | list[tuple[Value, Result]]:
    items = _items(name, look)
    if isinstance(items, Unknown):
        return items
    tried: list[tuple[Value, Result]] = []
    for item in items[:_MAX_ITEMS]:
        look.looks[0] += 1
        if look.looks[0] > _MAX_LOOKS:
            return [*tried, (None, Unknown(frozenset({f"(beyond {_MAX_LOOKS} looks)"})))]
        # An item may lack a key (a disk without transport): that is unknown, as a missing fact is.
        inside = Look(look.names, item=item if isinstance(item, dict) else {"value": item}, looks=look.looks)
        tried.append((item, condition(inside)))
    if len(items) > _MAX_ITEMS:
        tried.append((None, Unknown(frozenset({f"(beyond the first {_MAX_ITEMS})"}))))
    return tried


def _any(name: str, condition: Node) -> Node:
    def node(look: Look) -> Result:
        tried = _each(name, condition, look)
        if isinstance(tried, Unknown):
            return tried
        met = [item for item, result in tried if not isinstance(result, Unknown) and result]
        look.found.extend(met)
        return True if met else _unknown_in(name, tried) or False

    return node


def _all(name: str, condition: Node) -> Node:
    def node(look: Look) -> Result:
        tried = _each(name, condition, look)
        if isinstance(tried, Unknown):
            return tried
        if any(not isinstance(result, Unknown) and not result for _, result in tried):
            return False
        return _unknown_in(name, tried) or True

    return node


def _count(name: str, condition: Node) -> Node:
    def node(look: Look) -> Result:
        tried = _each(name, condition, look)
        if isinstance(tried, Unknown):
            return tried
        return _unknown_in(name, tried) or sum(1 for _, result in tried if result)

    return node


def _unknown_in(name: str, tried: list[tuple[Value, Result]]) -> Unknown | None:
    missing = [result.names for _, result in tried if isinstance(result, Unknown)]
    return Unknown(frozenset(f"{name}.{inner}" for names in missing for inner in names)) if missing else None
