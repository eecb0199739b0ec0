"""What pages show: kasumi commands and make targets."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")])
_GROUPS = {"inventory", "migrate", "lab", "report", "cloud"}
_INLINE = re.compile(r"`(kasumi [a-z][^`\n]*)`|^\$? ?(kasumi [a-z][^#\n]*)", re.MULTILINE)


def commands(page: Path) -> list[str]:
    """Every kasumi command line in a page, in backticks or in a transcript."""
    return [first or second for first, second in _INLINE.findall(page.read_text(encoding="utf-8"))]


def verb_of(words: list[str]) -> tuple[str, ...]:
    """The verb of the words after `kasumi`, with its second word in a group."""
    grouped = words[0] in _GROUPS and len(words) > 1 and words[1].isalpha() and words[1].islower()
    return tuple(words[:2] if grouped else words[:1])


def words_of(command: str) -> list[str]:
    """The words after `kasumi`, without what is handed on after ` -- `."""
    return re.split(r"[\s|]+", command.partition(" -- ")[0].strip())[1:]


def options_of(words: list[str]) -> set[str]:
    """The long options among the words."""
    return {word for word in words if re.fullmatch(r"--[a-z][a-z-]*", word)}
