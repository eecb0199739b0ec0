"""Surviving losses: proofs that are kept are those that would be found anew, by whatever way hosts are looked through."""

from collections.abc import Mapping
from unittest.mock import patch

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from controlplane.model.estate import Estate
from controlplane.planning import proving
from controlplane.planning.capacity import rooms_of
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import demand_of
from tests.planning.estates import estate, host, machine, observed, system
from tests.planning.made import estates, needy_estates, sharing_estates

ALL = st.one_of(estates(), needy_estates(), sharing_estates())


def nothing_placed(given: Estate) -> tuple[PlanSoFar, list]:
    drafts = list(demand_of(given).drafts)
    rooms = rooms_of(given, observed(given), None, frozenset(draft.id for draft in drafts))
    return PlanSoFar(rooms, given.networks, drafts), drafts


def proofs(so_far: PlanSoFar) -> list[tuple[str, bool, dict, dict]]:
    """Every loss with where its machines would go."""
    losses = so_far._losses._losses
    return [(loss.text, loss.broken, loss.proof.target, loss.proof.taken) for loss in losses]


def reckoned_anew(given: Estate, where: Mapping[str, str]) -> list[tuple[str, bool, dict, dict]]:
    so_far, drafts = nothing_placed(given)
    for draft in drafts:
        if draft.id in where:
            so_far.force(draft, where[draft.id])
    so_far.settle()
    return proofs(so_far)


def change_something(so_far: PlanSoFar, drafts: list, random) -> None:
    """A machine comes, by force or where nothing objects, or leaves, or both and back again."""
    draft, to, saved = random.choice(drafts), random.choice(so_far.hosts), so_far.save()
    if so_far.where(draft.id) is not None:
        so_far.take_off(draft)
    kind = random.randrange(4)
    if kind == 1:
        so_far.force(draft, to)
    elif kind > 1:
        so_far.try_place(draft, to)
    if kind == 3:
        so_far.settle()
        so_far.restore(saved)


@settings(max_examples=150, deadline=None)
@for_all(ALL, st.randoms(use_true_random=False))
def test_losses_settled_again_and_again_are_as_if_reckoned_anew(given, random):
    so_far, drafts = nothing_placed(given)
    if not drafts:
        return
    for _ in range(12):
        for _ in range(random.randrange(3)):
            change_something(so_far, drafts, random)
        so_far.settle()
        assert proofs(so_far) == reckoned_anew(given, so_far.placed())


@settings(max_examples=100, deadline=None)
@for_all(ALL, st.randoms(use_true_random=False), st.integers(-1, 2))
def test_where_machines_would_go_does_not_depend_on_how_many_hosts_are_looked_at_one_by_one(given, random, roomiest):
    so_far, drafts = nothing_placed(given)
    where = {draft.id: random.choice(so_far.hosts) for draft in drafts}
    usual = reckoned_anew(given, where)
    with patch.object(proving, "_ROOMIEST", roomiest):
        assert reckoned_anew(given, where) == usual


def test_only_proofs_that_a_move_may_change_are_looked_for_again():
    """Both hosts of the move stay fuller than those that take the machines of any lost host."""
    hosts = [host(f"hv{n:02}", n) for n in range(1, 13)]
    given = estate(hosts, systems=(system("portal", tier="high"),), machines=[machine(f"m{n:02}") for n in range(24)])
    so_far, drafts = nothing_placed(given)
    for number, draft in enumerate(drafts):
        so_far.force(draft, f"hv{number // 4 + 1:02}")
    so_far.settle()
    moved = drafts[0]
    so_far.take_off(moved)
    assert so_far.try_place(moved, "hv02")
    with patch.object(proving.Proving, "prove", autospec=True, side_effect=proving.Proving.prove) as prove:
        so_far.settle()
    assert sorted(sorted(call.args[2]) for call in prove.call_args_list) == [[0], [1]]
    assert proofs(so_far) == reckoned_anew(given, so_far.placed())
