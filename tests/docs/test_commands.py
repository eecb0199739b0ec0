"""Every kasumi command in README and docs exists, with every option it is shown with; every make target too."""

import io
import re
import subprocess
import sys
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

import pytest

from controlplane.cli.app import app
from tests.docs.pages import PAGES, ROOT, commands, options_of, verb_of, words_of

KASUMI = str(Path(sys.executable).with_name("kasumi"))


@cache
def help_of(*verb: str) -> str:
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert app([*verb, "--help"], prog_name="kasumi", standalone_mode=False) in {0, None}
    return printed.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_a_page_exists(page):
    for command in commands(page):
        words = words_of(command)
        text = help_of(*verb_of(words))
        for option in options_of(words):
            assert option in text, f"{page.name}: `{command}`: no {option}"


@cache
def files_of_tests() -> dict[str, str]:
    files = [file for file in (ROOT / "tests").rglob("*.py") if file.parent != Path(__file__).parent]
    return {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_a_page_is_run_by_a_test(page):
    for command in commands(page):
        words = words_of(command)
        wanted = [f'"{word}"' for word in (*verb_of(words), *options_of(words))]
        assert any(all(word in text for word in wanted) for text in files_of_tests().values()), (
            f"{page.name}: `{command}`: no test file has all of {' '.join(wanted)}"
        )


def test_every_make_target_in_a_page_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"`make ([a-z-]+)", page.read_text(encoding="utf-8")):
            assert target in targets, f"{page.name}: make {target}"


@pytest.mark.parametrize("verb", [(), ("inventory",), ("migrate",), ("lab",), ("report",)])
def test_without_arguments_the_help_is_shown_as_a_usage_error(verb):
    done = subprocess.run([KASUMI, *verb], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.strip() == help_of(*verb).strip()


def test_every_verb_has_help_that_says_what_it_does():
    listed = re.findall(r"^  ([a-z]+) {2,}(\S.*)$", help_of(), re.MULTILINE)
    assert {"plan", "apply", "configure", "migrate", "reconcile", "status", "serve", "inventory", "evidence", "lab"} <= {
        verb for verb, _ in listed
    }
