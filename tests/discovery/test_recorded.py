"""Each probe's parser against recorded outputs: `<probe>/<case>/output` and the `facts.json` it means. A new case is a file.

`pytest --regenerate` writes facts.json anew; read the difference. Cases whose name begins with freebsd are of that system.
"""

import json
from pathlib import Path

import pytest

from controlplane.discovery.probe import Family
from controlplane.discovery.probes.table import PROBES, by_name
from controlplane.model.facts import CATALOGUE

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/*/output"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_recorded_output(case, request):
    family = Family.FREEBSD if case.name.startswith("freebsd") else Family.LINUX
    found = dict(by_name(case.parent.name, family).parse((case / "output").read_text(encoding="utf-8")))
    assert set(found) <= set(CATALOGUE)
    expected = case / "facts.json"
    if request.config.getoption("--regenerate"):
        expected.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(expected.read_text(encoding="utf-8"))


def test_every_probe_has_a_recorded_case():
    recorded = {(case.parent.name, case.name.startswith("freebsd")) for case in CASES}
    for probe in PROBES:
        bsd = probe.families == {Family.FREEBSD}
        assert (probe.name, bsd) in recorded, f"no tests/discovery/{probe.name}/{'freebsd-…' if bsd else '…'}/output"


def test_names_are_unique_within_a_family():
    for family in Family:
        names = [probe.name for probe in PROBES if family in probe.families]
        assert len(names) == len(set(names))


def test_every_command_as_root_has_its_line_for_sudoers_in_the_docs():
    page = (HERE.parents[1] / "docs" / "discovery.md").read_text(encoding="utf-8")
    for command in sorted({command for probe in PROBES for command in probe.as_root}):
        assert f"/{command}" in page, f"docs/discovery.md: no sudoers line with {command!r}"


def test_what_may_ask_for_root_may_wait_and_so_has_a_deadline():
    assert not [probe.name for probe in PROBES if probe.as_root and not probe.seconds]
