"""Planning without looking at a host: believed capacities, said so, and never applied."""

from dataclasses import replace

import pytest

from controlplane.errors import ExitCode, RefusedError
from controlplane.execution.apply import apply_plan
from controlplane.execution.converge import Permissions
from controlplane.planning.believed import believed_observation
from controlplane.planning.checks import check_plan
from controlplane.planning.difference import diff_plans
from controlplane.planning.facts import believed_hosts, input_facts, moved_facts
from controlplane.planning.rebase import rebased
from tests.planning.estates import IMAGES, KEYS, applied, observed, planned, small_estate
from tests.planning.test_headroom import inputs_of


def test_a_plan_made_offline_is_the_plan_of_empty_hosts_that_answer_as_declared():
    given = small_estate()
    offline = planned(given, believed_observation(given, None))
    assert diff_plans(planned(given), offline).is_empty
    assert believed_hosts(offline) == ("hv1", "hv2", "hv3")
    assert believed_hosts(planned(given)) == ()
    assert offline.warnings[0] == (
        "made offline: 3 hosts are believed as declared, machines that are not ours are not counted, "
        "and nobody looked at image files; `kasumi apply` refuses this plan"
    )
    assert check_plan(offline, given, believed_observation(given, None)) == ()


def test_accepted_machines_are_believed_where_the_accepted_plan_has_them():
    given = small_estate()
    first = planned(given)
    second = planned(given, believed_observation(given, first), first)
    assert diff_plans(first, second).is_empty
    assert diff_plans(planned(given, applied(given, first), first), second).is_empty


def test_a_plan_made_offline_is_refused_before_any_host_is_reached():
    plan = planned(small_estate(), believed_observation(small_estate(), None))
    with pytest.raises(RefusedError, match="nobody looked at 3 of its 3 hosts") as refused:
        apply_plan(plan, small_estate(), None, actor="x", watch=None, permissions=Permissions())
    assert refused.value.exit_code == ExitCode.REFUSED


def test_a_plan_made_offline_is_stale_where_hosts_were_seen():
    given = small_estate()
    plan = planned(given, believed_observation(given, None))
    moved = moved_facts(plan, input_facts(given, observed(given), IMAGES, KEYS))
    used = {f"host/{machine.host}" for machine in plan.machines}
    assert {(fact.entity, fact.planned, fact.now) for fact in moved} == {(host, "believed", True) for host in used}


def test_a_host_that_was_looked_at_beside_believed_ones_is_not_believed():
    given = small_estate()
    seen = believed_observation(given, None)
    seen.hosts["hv1"] = replace(observed(given).hosts["hv1"])
    assert believed_hosts(planned(given, seen)) == ("hv2", "hv3")
    seen.hosts["hv2"] = observed(given).hosts["hv2"]
    assert "host hv3 is believed as declared" in planned(given, seen).warnings[0]


def test_a_plan_made_offline_is_rebased_onto_hosts_that_were_seen():
    given = small_estate()
    offline = planned(given, believed_observation(given, None))
    seen = rebased(offline, inputs_of(given))
    assert believed_hosts(seen) == ()
    assert diff_plans(offline, seen).is_empty
    assert moved_facts(seen, input_facts(given, observed(given), IMAGES, KEYS)) == ()
