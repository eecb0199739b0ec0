"""Values to JSON documents and back: canonical bytes, digest, and strict reading of a plan or an assessment written earlier.

Canonical means sorted keys, no insignificant blanks, UTF-8, `\\n` at the end; a document's digest is the SHA-256 of
these bytes. Unknown keys and unknown schema versions are refused, never dropped.
"""

import dataclasses
import hashlib
import json
from enum import Enum
from typing import Any, NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from controlplane.errors import KasumiError
from controlplane.model.assessment import ASSESSMENT_SCHEMA_VERSION, Assessment
from controlplane.model.plan import PLAN_SCHEMA_VERSION, Plan

_Document = TypeVar("_Document", Plan, Assessment)
_PLAN = TypeAdapter(Plan)
_ASSESSMENT = TypeAdapter(Assessment)


def to_data(value: object) -> Any:
    """Turn frozen values into plain dicts, lists and scalars (tuples to lists, enums to their value)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((f, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {f.name: to_data(part) for f, part in pairs if part or not f.metadata.get("left_out_when_empty")}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): to_data(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_data(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)


def canonical(value: object) -> bytes:
    """The canonical bytes of a value."""
    return _canonical(to_data(value))


def _canonical(data: Any) -> bytes:
    return (json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n").encode()


def digest(value: object) -> str:
    """SHA-256 (hex) of the canonical bytes."""
    return _digest(to_data(value))


def _digest(data: Any) -> str:
    return hashlib.sha256(_canonical(data)).hexdigest()


def plan_to_json(plan: Plan) -> str:
    """The plan as a readable file: indented, sorted, with its own digest as first key."""
    return _to_json(plan)


def plan_from_json(text: str, where: str) -> Plan:
    """Read a plan file; `where` names it in errors.

    Raises KasumiError when it is not JSON, of another schema version, changed by hand (digest differs), or malformed.
    """
    return _from_json(
        text, where, _PLAN, PLAN_SCHEMA_VERSION, _Words("a plan", "make one with `kasumi plan -o FILE`", "plan again")
    )


def assessment_to_json(assessment: Assessment) -> str:
    """The assessment as a file with its own digest as a key, and each item of its lists, such as a server, on one line.

    Ten thousand servers are written in a few seconds so, and a text tool can compare two files.
    """
    data = to_data(assessment)
    lines = [f" {json.dumps(key)}: {_item_lines(value)}" for key, value in sorted({"digest": _digest(data), **data}.items())]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def assessment_from_json(text: str, where: str) -> Assessment:
    """Read an assessment file; `where` names it in errors. Raises KasumiError as `plan_from_json` does."""
    words = _Words("an assessment", "make one with `kasumi assess -o FILE`", "assess again")
    return _from_json(text, where, _ASSESSMENT, ASSESSMENT_SCHEMA_VERSION, words)


def assessment_schema() -> dict[str, Any]:
    """The JSON Schema of an assessment's file, made of the types that read it, so that it says nothing else than they do."""
    schema = _ASSESSMENT.json_schema()
    digest_of_rest = {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256 of the rest in canonical form."}
    schema["properties"] |= {"digest": digest_of_rest, "schema_version": {"const": ASSESSMENT_SCHEMA_VERSION}}
    schema["required"] = sorted({*schema["required"], "digest", "schema_version"})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "additionalProperties": False}


class _Words(NamedTuple):
    """How errors name a kind of document, how it is made, and made anew."""

    kind: str
    make: str
    again: str


def _item_lines(value: Any) -> str:
    def compact(part: Any) -> str:
        return json.dumps(part, ensure_ascii=False, sort_keys=True)

    return "[\n  " + ",\n  ".join(map(compact, value)) + "\n ]" if isinstance(value, list) and value else compact(value)


def _to_json(value: object) -> str:
    data = to_data(value)
    document = {"digest": _digest(data), **data}
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n"


def _from_json(text: str, where: str, adapter: TypeAdapter[_Document], version: int, words: _Words) -> _Document:
    kind, make, again = words
    try:
        document = json.loads(text, object_pairs_hook=_unique)
        if not isinstance(document, dict) or "schema_version" not in document:
            raise KasumiError(f"{where}: not {kind}: no schema_version; {make}")
        found = document["schema_version"]
        if found is True or found != version:
            raise KasumiError(
                f"{where}: {kind.partition(' ')[2]} schema version {found!r}, this kasumi reads {version}; {again} with this version"
            )
        return _checked(document, where, adapter, words)
    except json.JSONDecodeError as error:
        raise KasumiError(f"{where}:{error.lineno}:{error.colno}: not {kind}: {error.msg}; {make}") from None
    except RecursionError:
        raise KasumiError(f"{where}: not {kind}: nested too deeply; {make}") from None
    except ValueError as error:
        raise KasumiError(f"{where}: not {kind}: {error}; {make}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of a document; one that has a key twice says two things."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def _checked(document: dict[str, Any], where: str, adapter: TypeAdapter[_Document], words: _Words) -> _Document:
    """The value of a document, which says all that the document says. The digest is of every byte that is meant."""
    kind, _, again = words
    stated = document.pop("digest", None)
    try:
        value = adapter.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise KasumiError(f"{where}: {place}: {first['msg']}; {kind} is never edited by hand: {again}") from None
    unknown = sorted(set(document) - {f.name for f in dataclasses.fields(value)})
    if unknown:
        raise KasumiError(f"{where}: unknown key {unknown[0]!r}; it was written by another version: {again}")
    if stated != digest(value) or stated != _digest(document):
        raise KasumiError(f"{where}: the content does not match its digest; {kind} is never edited by hand: {again}")
    return value
