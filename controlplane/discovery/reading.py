"""How the output of commands is taken apart: named parts, numbers within bounds, key and value. Hosts lie; nothing here raises."""

import re
from collections.abc import Iterator

_PART = re.compile(r"== ([a-z0-9_]+)")
_WHOLE = re.compile(r"[0-9]{1,19}")
_NUMBER = re.compile(r"[-+]?[0-9]{1,19}(?:\.[0-9]{1,12})?")
MOST_ROWS = 20_000
"""Rows kept of one list: more than any honest server has packages or connections."""
MOST_TEXT = 500
"""Characters kept of one value."""


def parts(text: str) -> dict[str, list[str]]:
    """Lines of each part that `say` began; what stands before the first is under the empty name."""
    found: dict[str, list[str]] = {}
    current = found.setdefault("", [])
    for line in text.splitlines():
        mark = _PART.fullmatch(line) if line.startswith("== ") else None
        if mark:
            current = found.setdefault(mark[1], [])
        else:
            current.append(line)
    return found


def whole(text: str, *, least: int = 0, most: int = 2**62) -> int | None:
    """A whole number within bounds, else None."""
    clean = text.strip()
    if not _WHOLE.fullmatch(clean):
        return None
    value = int(clean)
    return value if least <= value <= most else None


def number(text: str, *, least: float = 0.0, most: float = 1e18) -> float | None:
    """A number within bounds, else None."""
    clean = text.strip()
    if not _NUMBER.fullmatch(clean):
        return None
    value = float(clean)
    return value if least <= value <= most else None


def pairs(lines: list[str], separator: str = "=") -> dict[str, str]:
    """`key=value` lines; the first of several lines with one key counts, quotes around values go."""
    found: dict[str, str] = {}
    for line in lines:
        key, mark, value = line.partition(separator)
        if mark:
            found.setdefault(key.strip(), text(value.strip().strip("\"'")))
    return found


def text(value: str) -> str:
    """A value fit to be kept: printable, on one line, of bounded length."""
    clean = value.strip()[:MOST_TEXT]
    return clean if clean.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in clean)


def first(lines: list[str]) -> str:
    """The first line that is not blank, as text; empty when there is none."""
    return next((text(line) for line in lines if line.strip()), "")


def columns(lines: list[str], least: int, most: int = -1) -> Iterator[list[str]]:
    """Words of each line that has at least so many; with `most`, the last word takes the rest of the line."""
    for line in lines[:MOST_ROWS]:
        words = line.split(None, most - 1) if most > 0 else line.split()
        if len(words) >= least:
            yield [text(word) for word in words]
