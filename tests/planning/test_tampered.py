"""A plan file that was cut, edited or is something else is refused in one line that says what to do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controlplane.cli.apply import read_plan
from controlplane.errors import KasumiError
from controlplane.model.document import plan_to_json
from tests.execution.plans import machine, plan

TEXT = plan_to_json(plan(machine("web1")))


def edited(change: Callable[[dict[str, Any]], object]) -> str:
    document = json.loads(TEXT)
    change(document)
    return json.dumps(document)


NOT_ITS_DIGEST = "the content does not match its digest; a plan is never edited by hand: plan again"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "1:1: not a plan: Expecting value"),
        (TEXT[: len(TEXT) // 2], "not a plan: "),
        ("[]", "not a plan: no schema_version"),
        (edited(lambda d: d["machines"][0]["size"].update(vcpus=64)), NOT_ITS_DIGEST),
        (edited(lambda d: d["machines"][0]["size"].update(vcpus=str(d["machines"][0]["size"]["vcpus"]))), NOT_ITS_DIGEST),
        (edited(lambda d: d["machines"][0].update(note="approved by nobody")), NOT_ITS_DIGEST),
        (edited(lambda d: d.pop("digest")), NOT_ITS_DIGEST),
        (edited(lambda d: d.update(note=1)), "unknown key 'note'; it was written by another version"),
        (edited(lambda d: d.update(schema_version=True)), "plan schema version True, this kasumi reads 1"),
        (edited(lambda d: d.update(schema_version="1")), "plan schema version '1', this kasumi reads 1"),
        (edited(lambda d: d["machines"][0]["variables"].update(a="\ud800")), "not a plan: .*surrogates not allowed"),
        ('{"parent": "another",' + TEXT.lstrip()[1:], "the key 'parent' stands twice in one object"),
        ('{"schema_version":1,"a":' + "[" * 100_000 + "]" * 100_000 + "}", "not a plan: nested too deeply"),
        ('{"schema_version":1,"a":' + "9" * 5_000 + "}", "not a plan: Exceeds the limit"),
    ],
)
def test_a_text_that_is_not_the_plan_is_refused(tmp_path: Path, text: str, why: str):
    file = tmp_path / "plan.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(KasumiError, match=rf"^{file}:.*{why}") as refused:
        read_plan(file)
    assert int(refused.value.exit_code) == 1


def test_bytes_that_are_no_text_are_refused(tmp_path: Path):
    file = tmp_path / "plan.json"
    file.write_bytes(b"\x7fELF\xff\xfe")
    with pytest.raises(KasumiError, match="is not UTF-8; make a plan with `kasumi plan -o FILE`"):
        read_plan(file)


def test_the_plan_itself_is_read(tmp_path: Path):
    file = tmp_path / "plan.json"
    file.write_text(TEXT, encoding="utf-8")
    assert read_plan(file) == plan(machine("web1"))
