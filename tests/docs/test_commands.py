"""Every kasumi command in README and docs exists, with every option it is shown with; every make target too."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")])
KASUMI = str(Path(sys.executable).with_name("kasumi"))
GROUPS = {"inventory", "migrate", "lab"}
_INLINE = re.compile(r"`(kasumi [a-z][^`\n]*)`|^\$? ?(kasumi [a-z][^#\n]*)", re.MULTILINE)


@cache
def help_of(*verb: str) -> str:
    done = subprocess.run([KASUMI, *verb, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"kasumi {' '.join(verb)}: {done.stderr}"
    return done.stdout


def commands(page: Path) -> list[str]:
    return [first or second for first, second in _INLINE.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_a_page_exists(page):
    for command in commands(page):
        words = re.split(r"[\s|]+", command.strip())[1:]
        verb = words[:2] if words[0] in GROUPS and len(words) > 1 and words[1].isalpha() and words[1].islower() else words[:1]
        text = help_of(*verb)
        for option in re.findall(r"(?<=\s)--[a-z-]+", command.partition(" -- ")[0]):
            assert option in text, f"{page.name}: `{command}`: no {option}"


def test_every_make_target_in_a_page_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8")):
            assert target in targets, f"{page.name}: make {target}"


def test_every_verb_has_help_that_says_what_it_does():
    listed = re.findall(r"^  ([a-z]+) {2,}(\S.*)$", help_of(), re.MULTILINE)
    assert {"plan", "apply", "configure", "migrate", "reconcile", "status", "serve", "inventory", "evidence", "lab"} <= {
        verb for verb, _ in listed
    }
