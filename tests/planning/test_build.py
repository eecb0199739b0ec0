"""What the planner decides for a small estate, and that it decides it again the same way."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.cli.plan_view import show_difference, show_plan
from controlplane.errors import KasumiError
from controlplane.model.document import plan_from_json, plan_to_json
from controlplane.model.estate import Disposition, LibvirtSource, Tier
from controlplane.model.observed import ObservedMachine, PowerState
from controlplane.model.plan import Method
from controlplane.model.resources import Overcommit
from controlplane.planning.build import InfeasiblePlan, build_plan
from controlplane.planning.checks import check_plan
from controlplane.planning.difference import diff_plans
from controlplane.planning.facts import input_facts, moved_facts
from tests.planning.estates import (
    IMAGES,
    applied,
    estate,
    host,
    machine,
    observed,
    planned,
    server,
    silent,
    size,
    small_estate,
    system,
)


def by_id(plan):
    return {each.id: each for each in plan.machines}


def foreign(name, **changes):
    seen = ObservedMachine(
        name=name, uuid="99999999-0000-4000-8000-000000000000", mark=None, state=PowerState.RUNNING, vcpus=1, memory_mib=512,
        live_vcpus=1, live_memory_mib=512, autostart=True, nics=(),
    )  # fmt: skip
    return replace(seen, **changes)


def test_the_small_estate_is_planned_as_agreed(golden):
    golden("small.json", plan_to_json(planned(small_estate())))


def test_the_view_reads_as_agreed(golden, capsys, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    plan = planned(small_estate())
    show_plan(plan, diff_plans(None, plan))
    text = capsys.readouterr().out
    assert max(_columns(line) for line in text.splitlines()) <= 100
    assert "\x1b" not in text
    golden("small.txt", text)


def test_the_view_of_a_change_reads_as_agreed(golden, capsys):
    first = planned(small_estate())
    given = small_estate()
    del given.machines["portal-2"]
    given.machines["portal-3"] = machine("portal-3", replica_group="portal")
    given.machines["files"] = replace(given.machines["files"], size=size(2, 3072, 40))
    given.servers["pension-hsm"] = replace(given.servers["pension-hsm"], disposition=Disposition.RETIRE)
    show_difference(diff_plans(first, planned(given, applied(given, first), first)))
    golden("change.txt", capsys.readouterr().out)


def test_a_plan_survives_its_file():
    plan = planned(small_estate())
    assert plan_from_json(plan_to_json(plan), "x") == plan


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_other_processes_write_the_same_bytes(seed):
    code = (
        "from tests.planning.estates import *; from controlplane.model.document import plan_to_json; import sys;"
        "sys.stdout.write(plan_to_json(planned(small_estate())))"
    )
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=root, env=environment)
    assert done.stdout.decode() == plan_to_json(planned(small_estate()))


def test_the_order_of_the_inventory_does_not_matter():
    given = small_estate()
    turned = replace(
        given,
        **{
            name: dict(reversed(getattr(given, name).items())) for name in ("hosts", "machines", "servers", "systems", "networks")
        },
    )
    assert plan_to_json(planned(turned)) == plan_to_json(planned(given))


def test_dispositions_become_machines():
    plan = planned(small_estate())
    machines = by_id(plan)
    fates = {each.id: each.machine for each in plan.servers}
    assert fates == {
        "pension-db": "pension-db", "pension-ap": "pension-ap", "pension-fs": "files", "pension-fax": "", "pension-hsm": "",
        "pension-print": "", "mailbox-1": "",
    }  # fmt: skip
    moved = machines["pension-db"]
    assert (moved.method, moved.nics[0].mac, moved.nics[0].address) == (Method.COLD, "52:54:00:aa:bb:cc", "203.0.113.2")
    assert moved.size == size(1, 4096, 20), "a disk that moves as it is does not shrink to its target"
    made = machines["pension-ap"]
    assert (made.method, made.image, made.source) == (Method.IMAGE, "debian-12", None)
    assert made.nics[0].address == "203.0.113.5", "the old server runs beside it, so it gets an address of its own"
    assert any("pension-print" in text and "no known method" in text for text in plan.warnings)
    assert any("mailbox-1" in text and "still planned" in text for text in plan.warnings)


def test_addresses_avoid_reserved_gateway_dns_servers_and_hosts():
    given = estate(
        (host("hv1", 1, uri="qemu+ssh://root@192.0.2.7/system"),),
        machines=(machine("a"), machine("b"), machine("c", address="192.0.2.8")),
        servers=(server("old", "portal", Disposition.RETAIN, network="shared", address="192.0.2.6"),),
    )
    plan = planned(given)
    assert {each.id: each.nics[0].address for each in plan.machines} == {"a": "192.0.2.9", "b": "192.0.2.10", "c": "192.0.2.8"}


def test_a_full_network_is_named():
    given = estate((host("hv1"),), machines=(machine("a"), machine("b")))
    given.networks["shared"] = replace(given.networks["shared"], cidr="192.0.2.0/29", reserved=(("192.0.2.2", "192.0.2.4"),))
    with pytest.raises(InfeasiblePlan, match=r"machine b: network shared has no free address; widen"):
        planned(given)


def test_promised_capacity_is_physical_less_reservation_times_overcommit_less_foreign():
    given = estate((host("hv1", overcommit=Overcommit(vcpus=3.0, memory=1.5)),), machines=(machine("a"),))
    seen = observed(given, hv1={"used": size(2, 2048, 0)})
    smaller = replace(seen.hosts["hv1"].capacity, total=size(3, 8192, 50))
    seen.hosts["hv1"] = replace(seen.hosts["hv1"], capacity=smaller)
    [made] = planned(given, seen).hosts
    assert made.physical == size(3, 8192, 50)
    assert made.promised_capacity == size(9, 10752, 40)
    assert made.allocated_before == size(2, 2048, 0)
    assert made.allocated_after == size(3, 3072, 10)


def test_a_disk_that_cannot_be_seen_yet_is_believed_as_declared_and_no_fact_moves_once_it_is():
    given = estate((host("hv1"),), machines=(machine("a"),))
    fresh = observed(given, hv1={"disk_free_gib": None})
    fresh.hosts["hv1"] = replace(fresh.hosts["hv1"], capacity=replace(fresh.hosts["hv1"].capacity, total=size(4, 9216, 0)))
    plan = planned(given, fresh)
    assert plan.hosts[0].physical.disk_gib == 100
    assert any("pool kasumi does not exist yet; 100 GiB are believed as declared" in text for text in plan.warnings)
    assert check_plan(plan, given, fresh) == ()
    assert moved_facts(plan, input_facts(given, applied(given, plan), IMAGES, plan.access.authorized_keys)) == ()


def test_foreign_machines_are_named_where_they_hold_the_room():
    given = estate((host("hv1"),), machines=(machine("a"),))
    with pytest.raises(InfeasiblePlan, match=r"memory: wants 1024 MiB, 192 left of 8192 \(foreign machines hold 8000\)"):
        planned(given, observed(given, hv1={"used": size(1, 8000, 0)}))


def test_few_hosts_are_used_and_load_is_even_among_them():
    given = estate(
        [host(f"hv{n}", n) for n in range(1, 5)], machines=[machine(f"m{n}", size=size(1, 2048, 10)) for n in range(6)]
    )
    loads = [each.allocated_after.memory_mib for each in planned(given).hosts]
    assert sorted(loads) == [0, 0, 6144, 6144]


def test_nothing_new_goes_to_hosts_that_are_silent_or_in_maintenance():
    given = estate((host("hv1", 1), host("hv2", 2, maintenance=True), host("hv3", 3)), machines=(machine("a"),))
    plan = planned(given, observed(given, **silent("hv1")))
    assert by_id(plan)["a"].host == "hv3"
    assert any("hv1" in text and "no answer within 20 s" in text for text in plan.warnings)


def test_planning_again_after_apply_changes_nothing():
    given = small_estate()
    first = planned(given)
    second = planned(given, applied(given, first), first)
    assert diff_plans(first, second).is_empty
    assert all("never moves" in each.reasons[2] for each in second.machines)
    third = planned(given, applied(given, second), second)
    assert replace(third, parent="") == replace(second, parent="")


def test_planning_again_before_apply_changes_nothing():
    given = small_estate()
    first = planned(given)
    assert diff_plans(first, planned(given, observed(given), first)).is_empty


def test_existing_machines_stay_when_others_come_and_go():
    given = small_estate()
    first = planned(given)
    seen = applied(given, first)
    del given.machines["portal-1"]
    for number in range(5):
        given.machines[f"a{number}"] = machine(f"a{number}")
    second = planned(given, seen, first)
    difference = diff_plans(first, second)
    assert [each.id for each in difference.removed] == ["portal-1"]
    assert len(difference.added) == 5
    assert difference.changed == ()
    assert {"192.0.2.6"}.isdisjoint(each.nics[0].address for each in difference.added), "portal-1 still answers at its address"
    assert not [finding for finding in check_plan(second, given, seen) if finding.severity == "critical"]


def test_existing_machines_stay_on_hosts_that_closed_with_a_warning():
    given = small_estate()
    first = planned(given)
    host_id = by_id(first)["files"].host
    seen = applied(given, first)
    given.hosts[host_id] = replace(given.hosts[host_id], maintenance=True)
    second = planned(given, seen, first)
    assert by_id(second)["files"].host == host_id
    assert any("files" in text and "is in maintenance" in text for text in second.warnings)
    unreached = applied(given, first, **silent(host_id))
    third = planned(given, unreached, first)
    assert by_id(third)["files"].host == host_id
    assert any("files" in text and "does not answer" in text for text in third.warnings)
    for plan, look in ((second, seen), (third, unreached)):
        assert not [finding for finding in check_plan(plan, given, look) if finding.severity == "critical"]


def test_a_machine_found_on_another_host_stays_there():
    given = estate((host("hv1", 1), host("hv2", 2)), machines=(machine("a"),))
    first = planned(given)
    elsewhere = "hv2" if by_id(first)["a"].host == "hv1" else "hv1"
    moved = replace(first, machines=tuple(replace(each, host=elsewhere) for each in first.machines))
    assert by_id(planned(given, applied(given, moved), first))["a"].host == elsewhere


def test_a_machine_known_to_no_accepted_plan_is_kept_and_told():
    given = estate((host("hv1", 1), host("hv2", 2)), machines=(machine("a"),))
    plan = planned(given, applied(given, planned(given)))
    assert any("in no accepted plan" in text for text in plan.warnings)


def test_growing_beyond_the_host_is_refused_not_moved():
    given = estate(
        (host("hv1", 1), host("hv2", 2)), machines=(machine("a", size=size(1, 4096, 10)), machine("b", size=size(1, 4096, 10)))
    )
    first = planned(given)
    seen = applied(given, first)
    given.machines["a"] = machine("a", size=size(1, 6144, 10))
    with pytest.raises(InfeasiblePlan, match=r"machine a: grows on hv1, .*memory: wants 6144 MiB, 4096 left of 8192"):
        planned(given, seen, first)


def test_a_leaving_machine_keeps_its_room_until_it_is_gone():
    given = estate((host("hv1"),), machines=(machine("a", size=size(1, 6144, 10)),))
    first = planned(given)
    seen = applied(given, first)
    del given.machines["a"]
    given.machines["b"] = machine("b", size=size(1, 6144, 10))
    with pytest.raises(InfeasiblePlan, match=r"memory: wants 6144 MiB, 2048 left of 8192 \(until a is removed\)"):
        planned(given, seen, first)


def test_another_machine_of_the_same_name_keeps_a_host_free_of_it():
    given = estate((host("hv1", 1), host("hv2", 2)), machines=(machine("a"),))
    assert by_id(planned(given, observed(given, hv1={"machines": (foreign("a"),)})))["a"].host == "hv2"


def test_a_host_that_left_the_inventory_with_machines_is_an_error():
    given = estate((host("hv1", 1), host("hv2", 2)), machines=(machine("a"),))
    first = planned(given)
    del given.hosts[by_id(first)["a"].host]
    with pytest.raises(
        InfeasiblePlan, match=r"machine a: stands on host hv\d in the accepted plan, which the inventory no longer has"
    ):
        planned(given, None, first)


def test_disks_are_raised_to_what_the_image_needs():
    given = estate((host("hv1"),), machines=(machine("a", size=size(1, 512, 1)),))
    [made] = planned(given).machines
    assert made.size.disk_gib == 3
    assert "disk raised from 1 to 3 GiB" in made.reasons[1]


def test_every_choice_has_a_reason():
    for each in planned(small_estate()).machines:
        assert [reason.split(":")[0] for reason in each.reasons] == ["machine", "size", "host", "address", "order"]


def test_macs_are_ours_and_differ():
    given = estate((host("hv1"),), machines=[machine(f"m{n}", size=size(0, 1, 3)) for n in range(25)])
    macs = [each.nics[0].mac for each in planned(given).machines]
    assert len(set(macs)) == len(macs)
    assert all(mac.startswith("52:54:00:") for mac in macs)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"network": ""}, "server s: wanted a machine (takes the place of server s (rehost)), found no `network`"),
        ({"address": ""}, "found no `address`; add it to the server"),
        ({"disposition": Disposition.REPLATFORM, "image": ""}, "found no `image`"),
        ({"disposition": Disposition.MERGE, "into": "gone"}, "server s: merged into machine gone, which is not wanted"),
        ({"id": "a"}, "machine a: asked for twice, by server a and as a wanted machine; rename one"),
    ],
)
def test_what_cannot_be_planned_is_said(changes, text):
    source = LibvirtSource(uri="qemu+ssh://old/system", domain="s")
    given = server("s", "portal", Disposition.REHOST, network="shared", address="192.0.2.77", source=source)
    with pytest.raises(InfeasiblePlan) as caught:
        planned(estate((host("hv1"),), machines=(machine("a"),), servers=(replace(given, **changes),)))
    assert text in str(caught.value)


def test_infeasible_says_why_on_each_host(golden):
    given = estate(
        (
            host("hv1", 1, confidentiality=(1,)),
            host("hv2", 2, rack="r2", site="west"),
            host("hv3", 3, rack="r2", site="west", networks={"shared": ""}),
            host("hv4", 4, maintenance=True),
            host("hv5", 5),
        ),
        systems=(system("portal", tier="high"), system("pension", "mhlw", confidentiality=2), system("vault", confidentiality=3)),
        machines=(
            machine("portal-1", replica_group="portal"),
            machine("portal-2", replica_group="portal"),
            machine("portal-3", replica_group="portal"),
            machine("db", "pension", network="mhlw", size=size(1, 16384, 20)),
            machine("keys", "vault"),
            machine("lan", "portal", network="mhlw"),
        ),
    )
    with pytest.raises(InfeasiblePlan) as caught:
        planned(given, observed(given, **silent("hv5")))
    assert caught.value.exit_code == 1
    golden("infeasible.txt", str(caught.value) + "\n")


def test_one_host_cannot_survive_its_own_loss(golden):
    given = estate((host("hv1"),), systems=(system("portal", tier="high"),), machines=(machine("a"),))
    with pytest.raises(InfeasiblePlan) as caught:
        planned(given)
    golden("no-second-host.txt", str(caught.value) + "\n")


def test_failures_of_two_hosts_are_survived_where_asked():
    tiers = (Tier(id="vital", host_failures=2, spread_over="site"),)
    systems = (system("portal", tier="vital"),)
    machines = (machine("a", replica_group="g"), machine("b", replica_group="g"))
    two = estate([host(f"hv{n}", n) for n in (1, 2)], systems=systems, machines=machines, tiers=tiers)
    with pytest.raises(InfeasiblePlan, match="after the loss of hv1 and hv2"):
        planned(two)
    three = estate([host(f"hv{n}", n) for n in (1, 2, 3)], systems=systems, machines=machines, tiers=tiers)
    assert len({each.host for each in planned(three).machines}) == 2


def test_an_unknown_image_is_an_error():
    with pytest.raises(KasumiError, match="machine a: wants image debian-12, which is not among the images at hand"):
        given = estate((host("hv1"),), machines=(machine("a"),))
        build_plan(given, observed(given), None, images={}, authorized_keys=())


def test_images_nobody_uses_are_left_out():
    given = estate((host("hv1"),), machines=(machine("a"),))
    given.images["spare"] = replace(given.images["debian-12"], id="spare")
    images = IMAGES | {"spare": replace(IMAGES["debian-12"], id="spare")}
    assert [each.id for each in build_plan(given, observed(given), None, images=images, authorized_keys=()).images] == [
        "debian-12"
    ]


def _columns(line):
    from rich.cells import cell_len

    return cell_len(line)
