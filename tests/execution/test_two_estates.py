"""Two estates on one host that call a machine by the same name: what is asked of the host is asked of ours."""

from types import SimpleNamespace

from controlplane.execution.converge import Permissions, converge
from controlplane.execution.drift import Memory
from controlplane.model.observed import Mark
from controlplane.providers.protocol import MachineRef
from tests.execution.plans import host, look, machine, plan, seen

OURS, THEIRS = machine("web1"), machine("other")


def test_the_machine_that_left_our_plan_is_removed_and_not_its_namesake():
    removed = []
    theirs = seen(THEIRS, mark=Mark(estate="another", machine="web1", plan=""))
    before = host("hv1", theirs, seen(OURS))
    provider = SimpleNamespace(
        stop=lambda ref, **_: None, remove=removed.append, observe=lambda: host("hv1", theirs), close=lambda: None
    )
    journal = SimpleNamespace(intent=lambda _: None, outcome=lambda _: None)
    done = converge(
        plan(hosts=("hv1",)),
        "a" * 64,
        [SimpleNamespace(id="hv1", open=lambda: provider)],
        look(before),
        Memory(recorded_uuids=frozenset({OURS.uuid})),
        journal=journal,
        watch=lambda _: None,
        permissions=Permissions(remove=True),
    )
    assert removed == [MachineRef(estate="test", machine="web1", uuid=OURS.uuid)]
    assert done.changed == 1
