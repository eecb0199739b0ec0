"""Says in a person's words what a model objects to: what was wanted, what was found, what to do."""

from collections.abc import Iterator
from datetime import date
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from controlplane.inventory.nodes import Document, KeyPath
from controlplane.inventory.schema import Strict, keys_at
from controlplane.model.finding import Finding

_SHOWN = 60
"""Characters of a wrong value that are worth repeating."""


def complaints(error: ValidationError, model: type[Strict], document: Document, path: KeyPath) -> Iterator[Finding]:
    """One finding for each problem of the entry at `path`, at the very key or value."""
    for problem in error.errors(include_url=False):
        inner = (*path, *problem["loc"])
        missing = problem["type"] == "missing"
        if inner in document.spoiled or (missing and inner[:-1] in document.spoiled):
            continue
        if problem["type"] == "extra_forbidden":
            yield unknown_key(document, inner, keys_at(model, problem["loc"][:-1]))
        elif missing:
            yield document.key_place(inner[:-1]).finding(inner, "is missing", "add it")
        else:
            what, remedy = _words(problem["type"], problem.get("ctx", {}), problem["input"])
            yield document.place(inner).finding(inner, f"{what}, found {_shown(problem['input'])}", remedy)


def unknown_key(document: Document, path: KeyPath, known: tuple[str, ...]) -> Finding:
    """A finding at a key that nobody knows here."""
    return document.key_place(path).finding(
        path, "unknown key", suggestion(str(path[-1]), known, f"known here: {', '.join(known)}")
    )


def suggestion(value: str, known: tuple[str, ...], otherwise: str) -> str:
    """`did you mean …?` when something known is near, else what else to do."""
    near = get_close_matches(value, known, n=1)
    return f"did you mean {near[0]}?" if near else otherwise


_PLAIN = {
    "float_type": ("wanted a number", "write it as 1.5"),
    "float_parsing": ("wanted a number", "write it as 1.5"),
    "bool_type": ("wanted true or false", "write one of them without quotes"),
    "date_type": ("wanted a date", "write it as 2027-03-31, without quotes"),
    "string_too_short": ("is empty", "fill it in"),
    "too_short": ("is empty", "fill it in"),
    "list_type": ("wanted a list", "write it as [a, b]"),
    "dict_type": ("wanted a mapping", "write `key: value` lines under it"),
    "model_type": ("wanted a mapping", "write `key: value` lines under it"),
}


def _words(kind: str, context: dict[str, Any], found: object) -> tuple[str, str]:
    match kind:
        case "kasumi":
            return context["what"], context["remedy"]
        case "string_type":
            return "wanted text", "put it in quotes" if isinstance(found, (bool, int, float, date)) else "write a word"
        case "int_type":
            digits = isinstance(found, str) and found.lstrip("+-").isdecimal()
            return "wanted a whole number", f"write {found} without quotes" if digits else "write digits only"
        case "greater_than_equal":
            return f"wanted at least {context['ge']:g}", "correct the number"
        case "less_than_equal":
            return f"wanted at most {context['le']:g}", "correct the number"
        case "literal_error" | "enum":
            choices = tuple(str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", "))
            return f"wanted one of {', '.join(choices)}", suggestion(str(found), choices, "choose one of them")
        case "string_too_long":
            return f"wanted at most {context['max_length']} characters", "shorten it"
    return _PLAIN.get(kind, (f"is not accepted ({kind})", "correct it"))


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None:
        return "nothing"
    text = value.isoformat() if isinstance(value, date) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
