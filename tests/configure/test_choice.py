"""Which machines are configured, what Ansible is told of them, and how a push ends."""

from dataclasses import replace

import pytest

from controlplane.cli.configure import sentence
from controlplane.connectors.ansible import Engine
from controlplane.errors import ExitCode, KasumiError
from controlplane.execution.configure import (
    ConfigureResult,
    MachineResult,
    Options,
    Status,
    configure,
    refuse_unknown_roles,
    selected,
    target_of,
)
from controlplane.model.estate import Service
from controlplane.model.plan import Method
from controlplane.store import open_store
from tests.configure.guest import settings
from tests.execution.plans import machine, plan


def test_a_migrated_machine_is_left_alone_until_it_is_named():
    whole = plan(machine("web-1"), machine("legacy", method=Method.COLD))
    assert [m.id for m in selected(whole, ())] == ["web-1"]
    assert [m.id for m in selected(whole, ["legacy"])] == ["legacy"]


def test_an_adopted_machine_is_left_alone_until_it_is_named():
    whole = plan(machine("web-1"), machine("before", method=Method.ADOPT))
    assert [m.id for m in selected(whole, ())] == ["web-1"]
    assert [m.id for m in selected(whole, ["web-1", "before"])] == ["web-1", "before"]


def test_an_unknown_machine_is_refused_with_near_names():
    with pytest.raises(KasumiError, match=r"machine web1: not in the accepted plan; did you mean web-1\?"):
        selected(plan(machine("web-1"), machine("staff-db")), ["web1"])
    with pytest.raises(KasumiError, match="machine zzz: not in the accepted plan; `kasumi show accepted` lists all"):
        selected(plan(machine("web-1")), ["zzz"])


def test_an_unknown_role_is_refused_before_anything_is_touched():
    with pytest.raises(KasumiError, match="machine web-1: no role 'apache'; known: baseline, nginx, postgresql; correct"):
        refuse_unknown_roles([replace(machine("web-1"), roles=("nginx", "apache"))])


def test_ansible_sees_groups_services_and_variables():
    wanted = replace(
        machine("web-1"),
        system="staff-db",
        roles=("nginx",),
        services=(Service(name="page", port=80),),
        variables={"nginx_sites": []},
    )
    target = target_of(wanted)
    assert target.groups == ("role_nginx", "ministry_mic", "system_staff_db")
    assert target.variables["nginx_sites"] == []
    assert target.variables["kasumi_services"] == [{"name": "page", "port": 80, "protocol": "tcp", "path": "/", "expect": ""}]


def test_without_a_plan_it_says_how_to_get_one(tmp_path):
    with pytest.raises(KasumiError, match="no plan was accepted yet"):
        configure(open_store(settings(tmp_path)), "test", home=tmp_path, options=Options(), actor="me", watch=print)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ("ok ok", ExitCode.DONE),
        ("", ExitCode.DONE),
        ("failed failed", ExitCode.FAILED),
        ("ok failed", ExitCode.PARTLY_FAILED),
        ("failed unreachable", ExitCode.PARTLY_FAILED),
        ("ok unreachable", ExitCode.UNREACHABLE),
        ("refused unreachable", ExitCode.REFUSED),
    ],
)
def test_the_exit_code_is_never_better_than_the_worst_machine(statuses, code):
    machines = tuple(MachineResult(machine=f"m{n}", status=Status(word)) for n, word in enumerate(statuses.split()))
    result = ConfigureResult(machines=machines, check=False, engine=Engine.PLAIN, policy="a" * 64, seconds=1.0)
    assert result.exit_code is code


def test_one_sentence_sums_up():
    machines = (
        MachineResult(machine="a", status=Status.OK, ok=9, changed=3),
        MachineResult(machine="b", status=Status.UNREACHABLE, message="gone"),
    )
    result = ConfigureResult(machines=machines, check=True, engine=Engine.MITOGEN, policy="a" * 64, seconds=2.0)
    assert (
        sentence(result)
        == "configure: 2 machines: 1 ok, 1 unreachable; 3 changes would be made; by Mitogen; policy aaaaaaaaaaaa; 2.0 s"
    )
