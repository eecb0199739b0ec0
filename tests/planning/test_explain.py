"""Why a machine is where it is, and that what is called possible is possible."""

from dataclasses import replace

import pytest
from hypothesis import given as for_all
from hypothesis import settings

from controlplane.cli.explain_view import show_explanation
from controlplane.errors import KasumiError
from controlplane.planning.build import InfeasiblePlan
from controlplane.planning.explain import explain
from tests.planning.estates import estate, host, machine, observed, planned, small_estate
from tests.planning.made import estates
from tests.planning.test_headroom import inputs_of


def test_a_machine_a_merged_server_and_a_retained_one_read_as_agreed(golden, capsys):
    given = small_estate()
    plan = planned(given)
    for subject in ("portal-1", "pension-fs", "pension-hsm"):
        show_explanation(explain(subject, plan, inputs_of(given)), plan)
    golden("explain.txt", capsys.readouterr().out)


def test_an_unknown_name_is_answered_with_those_near_it():
    given = small_estate()
    with pytest.raises(KasumiError, match=r"no machine and no server portal in this plan; did you mean portal-2 or portal-1\?"):
        explain("portal", planned(given), inputs_of(given))


def test_a_machine_nobody_asks_for_any_more_has_reasons_but_no_hosts():
    given = estate((host("hv1", 1), host("hv2", 2)), machines=(machine("a"), machine("b")))
    plan = planned(given)
    later = replace(given, machines={"b": given.machines["b"]})
    found = explain("a", plan, inputs_of(later))
    assert (found.hosts, found.stale) == ((), "the inventory no longer asks for a; plan again")
    gone = replace(given, hosts={key: value for key, value in given.hosts.items() if key != plan.machines[0].host})
    assert "no longer has host" in explain(plan.machines[0].id, plan, inputs_of(gone)).stale


@settings(max_examples=30, deadline=None)
@for_all(estates())
def test_the_chosen_host_has_no_objection_and_possible_hosts_would_keep_the_machine(given):
    try:
        plan = planned(given)
    except InfeasiblePlan:
        return
    for each in plan.machines[:3]:
        found = explain(each.id, plan, inputs_of(given))
        [chosen] = [answer for answer in found.hosts if answer.chosen]
        assert (chosen.host, chosen.objections) == (each.host, ())
        assert {answer.host for answer in found.hosts} == set(given.hosts)
        for answer in found.possible_elsewhere[:2]:
            moved = replace(each, host=answer.host)
            parent = replace(plan, machines=tuple(moved if other.id == each.id else other for other in plan.machines))
            again = planned(given, observed(given), parent)
            assert {other.id: other.host for other in again.machines} == {other.id: other.host for other in parent.machines}
