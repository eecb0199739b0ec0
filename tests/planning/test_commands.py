"""The shipped inventories are planned in full, with hosts that answer as declared, and the plan passes its check."""

from pathlib import Path

import pytest

from controlplane.cli.plan import write_whole
from controlplane.errors import KasumiError
from controlplane.inventory import load
from controlplane.model.finding import Severity
from controlplane.model.plan import PlannedImage
from controlplane.planning.build import build_plan
from controlplane.planning.checks import check_plan
from controlplane.planning.difference import diff_plans
from controlplane.settings import resource
from tests.planning.estates import applied, observed


@pytest.mark.parametrize("name", ["lab", "kasumigaseki"])
def test_a_shipped_inventory_has_a_plan(name):
    made = load(resource("inventories") / name)
    images = {
        each.id: PlannedImage(id=each.id, file=each.file, format=each.format, sha256="ab" * 32, os=each.os)
        for each in made.images.values()
    }
    seen = observed(made)
    plan = build_plan(made, seen, None, images=images, authorized_keys=())
    assert plan.machines
    assert [str(f) for f in check_plan(plan, made, seen) if f.severity is Severity.CRITICAL] == []
    again = build_plan(made, applied(made, plan), plan, images=images, authorized_keys=())
    assert diff_plans(plan, again).is_empty


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path):
    file = tmp_path / "plan.json"
    write_whole(file, "計画\n")
    assert file.read_text(encoding="utf-8") == "計画\n"
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(KasumiError, match="choose another file with -o"):
        write_whole(tmp_path / "absent" / "plan.json", "x")
