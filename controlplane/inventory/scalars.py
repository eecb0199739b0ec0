"""What one plain YAML word means, decided here so that no reader of the file can take it for something else.

YAML 1.1 (Ansible, PyYAML) and YAML 1.2 disagree about `no`, `1:30`, `010` and `1_000`. Such a word is a trap: it stays text
and the caller reports it. Only what every reader understands alike becomes a number, a truth value, a date or nothing.
"""

import re
from datetime import date

import yaml

MAX_DIGITS = 18
"""Longer runs of digits are identifiers, not amounts."""

SUSPECT_FIRST = frozenset(("", *"0123456789+-.~nNtTfFyYoO"))
"""First characters of words that may mean something else than themselves; all other words are text."""
_TRAP_BOOLEAN = re.compile(r"(?:yes|no|on|off)", re.IGNORECASE)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_ODD_NUMBER = re.compile(
    r"[-+]?(?:0[0-9_]+|0[xXbBoO][0-9a-fA-F_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|[0-9][0-9]*_[0-9_]*)"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    r"|(?=.*_)(?:[-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?"
    r"|[-+]\.[0-9]+(?:[eE][-+]?[0-9]+)?|[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][0-9]+|[-+]?[0-9]+[eE][-+][0-9]+"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

Scalar = str | int | float | bool | date | None


def meaning(text: str) -> Scalar:
    """The value of a plain (unquoted) word; a trap stays text."""
    if not text:
        return None
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= MAX_DIGITS else text
    if _ODD_NUMBER.fullmatch(text):
        return text
    if _FLOAT.fullmatch(text):
        return float(text)
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return text
    return text


def trap_in(text: str) -> tuple[str, str] | None:
    """Why a plain word is a trap and what to write instead, or None."""
    if _TRAP_BOOLEAN.fullmatch(text):
        truth = "true" if text.lower() in {"yes", "on"} else "false"
        return f"{text} is {truth} to Ansible and text to YAML 1.2", f'write {truth}, or "{text}" for text'
    if _ODD_NUMBER.fullmatch(text):
        read = yaml.safe_load(text)
        number = isinstance(read, int)
        what = f"{text} is {read if number else 'another value'} to some readers of YAML and text to others"
        return what, f'write {read}, or "{text}" for text' if number else f'write a plain decimal number, or "{text}" for text'
    return None
