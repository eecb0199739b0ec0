"""Values to JSON documents and back: canonical bytes, digest, and strict reading of a plan written earlier.

Canonical means sorted keys, no insignificant blanks, UTF-8, `\\n` at the end; a document's digest is the SHA-256 of
these bytes. Unknown keys and unknown schema versions are refused, never dropped.
"""

import dataclasses
import hashlib
import json
from enum import Enum
from typing import Any

from pydantic import TypeAdapter, ValidationError

from controlplane.errors import KasumiError
from controlplane.model.plan import PLAN_SCHEMA_VERSION, Plan

_PLAN = TypeAdapter(Plan)


def to_data(value: object) -> Any:
    """Turn frozen values into plain dicts, lists and scalars (tuples to lists, enums to their value)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_data(getattr(value, f.name)) for f in dataclasses.fields(value)}
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
    return (json.dumps(to_data(value), ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n").encode()


def digest(value: object) -> str:
    """SHA-256 (hex) of the canonical bytes."""
    return hashlib.sha256(canonical(value)).hexdigest()


def plan_to_json(plan: Plan) -> str:
    """The plan as a readable file: indented, sorted, with its own digest as first key."""
    document = {"digest": digest(plan), **to_data(plan)}
    return json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n"


def plan_from_json(text: str, where: str) -> Plan:
    """Read a plan file; `where` names it in errors.

    Raises KasumiError when it is not JSON, of another schema version, changed by hand (digest differs), or malformed.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise KasumiError(
            f"{where}:{error.lineno}:{error.colno}: not a plan: {error.msg}; make one with `kasumi plan -o FILE`"
        ) from None
    if not isinstance(document, dict) or "schema_version" not in document:
        raise KasumiError(f"{where}: not a plan: no schema_version; make one with `kasumi plan -o FILE`")
    version = document["schema_version"]
    if version != PLAN_SCHEMA_VERSION:
        raise KasumiError(
            f"{where}: plan schema version {version}, this kasumi reads {PLAN_SCHEMA_VERSION}; plan again with this version"
        )
    stated = document.pop("digest", None)
    try:
        plan = _PLAN.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise KasumiError(f"{where}: {place}: {first['msg']}; a plan is never edited by hand: plan again") from None
    unknown = sorted(set(document) - {f.name for f in dataclasses.fields(Plan)})
    if unknown:
        raise KasumiError(f"{where}: unknown key {unknown[0]!r}; it was written by another version: plan again")
    if stated != digest(plan):
        raise KasumiError(f"{where}: the content does not match its digest; a plan is never edited by hand: plan again")
    return plan
