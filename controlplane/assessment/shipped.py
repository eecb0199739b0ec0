"""Rules and tables as data: validates documents that were read as YAML, and says file, line and column of every mistake.

Which files there are is not known here; the caller reads those shipped and those of the user.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from controlplane.assessment.expression import Expression, ExpressionError, read_expression
from controlplane.assessment.names import NAMES, is_name, keys_of
from controlplane.assessment.processors import Generation
from controlplane.inventory.complaints import complaints, suggestion, unknown_key
from controlplane.inventory.nodes import Document, KeyPath, Place
from controlplane.inventory.schema import Strict
from controlplane.inventory.values import Id, Text
from controlplane.model.assessment import RuleText
from controlplane.model.estate import Disposition
from controlplane.model.finding import Finding, Severity

MOVES = (Disposition.REHOST, Disposition.REPLATFORM, Disposition.MERGE)


class _Both(Strict):
    en: Text
    ja: Text


class _RuleEntry(Strict):
    id: Id
    severity: Annotated[Severity, Field(strict=False)]
    when: Text
    show: list[Text] = Field(default_factory=list)
    what: _Both
    remedy: _Both
    blocks: list[Literal["rehost", "replatform", "merge"]] = Field(default_factory=list)


class _ProcessorEntry(Strict):
    models: Annotated[list[Text], Field(min_length=1)]
    family: Text
    year: Annotated[int, Field(ge=1990, le=2100)]
    relative: Annotated[float, Field(ge=0.01, le=10, strict=False)]
    mhz: Annotated[int, Field(ge=1, le=10_000)]


class _SupportEntry(Strict):
    id: Text
    version: Text
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A readiness rule: its text, when it is met, and the dispositions that a critical one blocks."""

    text: RuleText
    when: Expression
    show: tuple[str, ...] = ()
    """Names whose values say most about it; empty: what was found, or what it asks for."""
    blocks: frozenset[Disposition]


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """The last day of general support of one version of an operating system."""

    id: str
    version: str
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """All rules and tables that an assessment uses."""

    rules: tuple[Rule, ...]
    processors: tuple[Generation, ...]
    support: tuple[Support, ...]


def knowledge_of(documents: Iterable[Document]) -> tuple[Knowledge, tuple[Finding, ...]]:
    """Rules and tables of all documents, later ones in front: a later rule or row replaces an earlier one of the same id.

    What is wrong is in the findings; then the knowledge is what is left and must not be used.
    """
    rules: dict[str, Rule] = {}
    processors: list[Generation] = []
    support: dict[tuple[str, str], Support] = {}
    findings: list[Finding] = []
    for document in documents:
        findings.extend(document.findings)
        here: set[str] = set()
        for key, path, value in _entries(document, findings):
            if key == "rules" and (rule := _rule(document, path, value, findings)) is not None:
                if rule.text.id in here:
                    findings.append(document.place(path).finding(path, f"a second rule {rule.text.id}", "rename one of them"))
                here.add(rule.text.id)
                rules[rule.text.id] = rule
            elif key == "processors" and (row := _checked(_ProcessorEntry, document, path, value, findings)) is not None:
                processors.insert(len(here), _generation(row))
                here.add(f"row {len(here)}")
            elif key == "support" and (entry := _checked(_SupportEntry, document, path, value, findings)) is not None:
                support[entry.id, entry.version] = Support(id=entry.id, version=entry.version, until=entry.until)
    whole = Knowledge(
        rules=tuple(rule for _, rule in sorted(rules.items())),
        processors=tuple(processors),
        support=tuple(row for _, row in sorted(support.items())),
    )
    return whole, tuple(findings)


_KINDS = ("rules", "processors", "support")


def _entries(document: Document, findings: list[Finding]) -> Iterable[tuple[str, KeyPath, object]]:
    if not isinstance(document.data, dict):
        if not document.findings:
            findings.append(document.place(()).finding((), "wanted a mapping", f"begin it with one of {', '.join(_KINDS)}"))
        return
    for key, value in document.data.items():
        if key not in _KINDS:
            findings.append(unknown_key(document, (key,), _KINDS))
        elif not isinstance(value, list):
            findings.append(document.place((key,)).finding((key,), "wanted a list", "write `- id: …` lines under it"))
        else:
            yield from ((key, (key, index), item) for index, item in enumerate(value))


def _checked(model: type[Any], document: Document, path: KeyPath, value: object, findings: list[Finding]) -> Any:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        findings.extend(complaints(error, model, document, path))
        return None


def _rule(document: Document, path: KeyPath, value: object, findings: list[Finding]) -> Rule | None:
    entry = _checked(_RuleEntry, document, path, value, findings)
    if entry is None:
        return None
    if entry.blocks and entry.severity is not Severity.CRITICAL:
        where = (*path, "blocks")
        findings.append(
            document.place(where).finding(where, f"a {entry.severity.value} blocks nothing", "make it critical, or drop it")
        )
        return None
    try:
        when = read_expression(entry.when, is_name, keys_of)
    except ExpressionError as error:
        where = (*path, "when")
        remedy = _meant(error.name, error.keys) if error.name else "correct the expression"
        findings.append(_within(document, where, entry.when, error.offset).finding(where, str(error), remedy))
        return None
    for index, name in enumerate(entry.show):
        if not is_name(name):
            where = (*path, "show", index)
            findings.append(document.place(where).finding(where, f"no fact {name!r}", _meant(name)))
            return None
    blocks = frozenset(Disposition(one) for one in entry.blocks) or frozenset(MOVES)
    text = RuleText(
        id=entry.id, severity=entry.severity, what=entry.what.en, what_ja=entry.what.ja, remedy=entry.remedy.en,
        remedy_ja=entry.remedy.ja,
    )  # fmt: skip
    return Rule(
        text=text, when=when, show=tuple(entry.show), blocks=blocks if entry.severity is Severity.CRITICAL else frozenset()
    )


def _meant(name: str, keys: Iterable[str] = ()) -> str:
    return suggestion(name, (*keys, *NAMES), "name facts that exist, as `kasumi facts SERVER` shows them")


def _within(document: Document, path: KeyPath, text: str, offset: int) -> Place:
    """The place of a character inside a value, where the value stands in one line as it is; else the value's own place."""
    place = document.place(path)
    lines = document.text.splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    begins = line.find(text, place.column - 1)
    return Place(file=place.file, line=place.line, column=begins + 1 + offset) if begins >= 0 else place


def _generation(row: Any) -> Generation:
    return Generation(models=tuple(row.models), family=row.family, year=row.year, relative=row.relative, mhz=row.mhz)


def support_of(os_id: object, version: object, table: Iterable[Support]) -> Support | None:
    """The row for a system and version: the longest version that is the beginning of it."""
    parts = re.split(r"[.\s-]", str(version))
    fitting = [
        row for row in table if row.id == str(os_id).lower() and parts[: len(row.version.split("."))] == row.version.split(".")
    ]
    return max(fitting, key=lambda row: len(row.version), default=None)
