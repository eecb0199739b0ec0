"""Patterns with `*`, the only ones that rules and tables may use: matching takes time in proportion to the text."""


def like(text: str, pattern: str) -> bool:
    """True when the text, in any case, is the pattern with each `*` standing for anything."""
    text, parts = text.lower(), pattern.lower().split("*")
    if len(parts) == 1:
        return text == parts[0]
    first, *middle, last = parts
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
