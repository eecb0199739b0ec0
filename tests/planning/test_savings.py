"""Promised savings are counted once and held against what a plan does."""

from dataclasses import replace

from controlplane.execution.inputs import believed_images
from controlplane.inventory import load
from controlplane.model.estate import Disposition, Saving
from controlplane.planning.believed import believed_observation
from controlplane.planning.build import build_plan
from controlplane.planning.savings import Coverage, promised_savings
from controlplane.settings import resource
from tests.planning.estates import estate, host, planned, server, small_estate, system


def test_the_seed_counts_shared_use_once():
    given = load(resource("inventories") / "kasumigaseki")
    plan = build_plan(given, believed_observation(given, None), None, images=believed_images(given), authorized_keys=())
    found = promised_savings(plan, given)
    assert found.totals == (("共同利用系統", 392959),)
    assert found.thousand_yen() == 20_118_298, "Table 1 added up without its row of totals"
    assert sum(system.promised_saving_thousand_yen or 0 for system in plan.systems) == 20_118_298
    assert sum(found.thousand_yen(coverage) for coverage in Coverage) == found.thousand_yen()
    assert sum(found.thousand_yen(ministry=ministry) for ministry in given.ministries) == found.thousand_yen()


def test_rows_of_shared_use_are_no_totals_when_they_do_not_add_up():
    rows = [Saving(label=str(n), cost_thousand_yen=n, shared_use=True) for n in (10, 20, 31)]
    given = estate((host("hv1"),), systems=[replace(system(f"s{n}"), savings=(row,)) for n, row in enumerate(rows)])
    found = promised_savings(planned(given), given)
    assert (found.totals, found.thousand_yen()) == ((), 61)


def test_coverage_is_whole_in_part_or_none():
    rows = (Saving(label="x", cost_thousand_yen=5, hours=3, cost_fiscal_year=2010), Saving(label="y", cost_thousand_yen=-2))
    given = estate(
        (host("hv1"),),
        systems=[replace(system(name), savings=rows) for name in ("whole", "part", "stays", "empty")],
        servers=(
            server("a", "whole", Disposition.RETIRE),
            server("b", "part", Disposition.RETIRE),
            server("c", "part", Disposition.RETAIN),
            server("d", "stays", Disposition.RETAIN),
        ),
    )
    found = {each.system: each for each in promised_savings(planned(given), given).promised}
    assert {name: each.coverage for name, each in found.items()} == {
        "whole": Coverage.WHOLE, "part": Coverage.PART, "stays": Coverage.NONE, "empty": Coverage.NONE,
    }  # fmt: skip
    assert (found["part"].thousand_yen, found["part"].hours, found["part"].fiscal_years) == (3, 3, (2010,))
    assert promised_savings(planned(small_estate()), small_estate()).thousand_yen() == 1_006_046
