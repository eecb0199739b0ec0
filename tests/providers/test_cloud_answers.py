"""What the services of a cloud answer, in our words: recorded shapes of Nova, Neutron, Placement and the console."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from requests import Response

from controlplane.errors import ExitCode, KasumiError
from controlplane.model.cloud import cloud_pool
from controlplane.model.observed import UNLIMITED, Mark, ObservedGroup, PowerState, Quota
from controlplane.model.resources import Resources
from controlplane.model.security import Opening, SecurityGroup, rules_of
from controlplane.providers.openstack_console import ssh_host_keys
from controlplane.providers.openstack_faults import ApiError, error_of, fault_text, quota_text
from controlplane.providers.openstack_flavor import Flavor, asked_of, exact, flavor_of, nearest
from controlplane.providers.openstack_mark import made_for
from controlplane.providers.openstack_network import rule_of, usable_networks
from controlplane.providers.openstack_observe import (
    Listing,
    groups_of,
    hosts_with,
    in_pool,
    machines_of,
    networks_of,
    quotas_of,
    room_of,
    see_zone,
    state_of,
    volume_room,
)

NOTED = {
    "kasumi_estate": "lab",
    "kasumi_machine": "web1",
    "kasumi_uuid": "11111111-1111-1111-1111-111111111111",
    "kasumi_plan": "a" * 64,
    "kasumi_autostart": "on",
    "kasumi_made_for": "1/700/5/m1.tiny",
    "note": "of somebody",
}


def server(**changes):
    return {
        "id": "6e3f",
        "name": "web1",
        "status": "ACTIVE",
        "metadata": NOTED,
        "image": {"id": "i1"},
        "flavor": {"vcpus": 1, "ram": 1024, "disk": 10, "original_name": "m1.tiny"},
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:power_state": 1,
        "OS-EXT-AZ:availability_zone": "az1",
        "OS-SRV-USG:launched_at": "2026-01-01T00:00:00",
    } | changes


def listing(*servers):
    return Listing(
        servers=servers,
        ports=[
            {
                "device_id": "6e3f", "mac_address": "52:54:00:AA:BB:CC", "network_id": "n1", "security_groups": ["g2", "g1"],
                "fixed_ips": [{"ip_address": "10.0.0.5"}],
            }
        ],
        networks=[
            {"id": "n1", "name": "kasumi-lan", "admin_state_up": True, "description": "kasumi estate lab"},
            {"id": "n2", "name": "public", "admin_state_up": False, "description": ""},
        ],
        groups=[{"id": "g1", "name": "zone"}, {"id": "g2", "name": "tcp-80"}],
    )  # fmt: skip


def test_a_server_of_ours():
    (machine,) = machines_of(listing(server()))
    assert machine.mark == Mark(estate="lab", machine="web1", plan="a" * 64)
    assert (machine.uuid, machine.native_id) == (NOTED["kasumi_uuid"], "6e3f")
    assert (machine.vcpus, machine.memory_mib, machine.disk_gib, machine.live_memory_mib) == (1, 1024, 10, 1024)
    assert machine.made_for == Resources(vcpus=1, memory_mib=700, disk_gib=5)
    (card,) = machine.nics
    assert (card.network, card.mac, card.address) == ("kasumi-lan", "52:54:00:aa:bb:cc", "10.0.0.5")
    assert card.security_groups == ("tcp-80", "zone")
    assert machine.live_nics == machine.nics
    assert machine.autostart


def test_a_server_of_somebody_else_goes_by_the_id_of_nova():
    (machine,) = machines_of(listing(server(metadata={}, status="SHUTOFF")))
    assert (machine.mark, machine.uuid, machine.made_for, machine.autostart) == (None, "6e3f", None, False)
    assert (machine.state, machine.live_vcpus, machine.live_nics) == (PowerState.STOPPED, None, None)


def volume(size_gib, device, server="6e3f", **changes):
    attachments = [{"server_id": server, "device": device}]
    return {"id": device, "size": size_gib, "bootable": "true", "attachments": attachments} | changes


def test_the_disk_of_a_server_on_a_volume_is_its_first_bootable_volume():
    data, other, root = (
        volume(50, "/dev/vda", bootable="false"), volume(9, "/dev/vda", server="another"), volume(7, "/dev/vdb")
    )  # fmt: skip
    (machine,) = machines_of(replace(listing(server(image="")), volumes=[data, other, volume(90, "/dev/vdc"), root]))
    assert (machine.disk_gib, machine.made_for.disk_gib) == (7, 7)
    (unknown,) = machines_of(listing(server(image="")))
    assert unknown.disk_gib is None
    (local,) = machines_of(replace(listing(server()), volumes=[volume(90, "/dev/vdb")]))
    assert (local.disk_gib, local.made_for.disk_gib) == (10, 5)


def test_room_for_volumes_is_their_quota_without_what_others_hold():
    limits = {"limits": {"absolute": {"maxTotalVolumeGigabytes": 1000, "totalGigabytesUsed": 300}}}
    assert volume_room(quotas_of({"limits": {"absolute": {}}}, limits), ours_gib=120) == (1000, 180, 700)
    limits["limits"]["absolute"]["maxTotalVolumeGigabytes"] = -1
    assert volume_room(quotas_of(limits), ours_gib=120) == (UNLIMITED, 0, None)
    assert volume_room((), ours_gib=0) == (UNLIMITED, 0, None)


def test_an_administrator_uses_no_network_of_another_project():
    def network(name, project, **said):
        return {"name": name, "project_id": project, "shared": False, "router:external": False} | said

    shown = [
        network("ours", "p1"), network("theirs", "p2"), network("provider", "p2", shared=True),
        network("way-out", "p2", **{"router:external": True}),
    ]  # fmt: skip
    cloud = SimpleNamespace(project_id="p1", every=lambda *_, **__: shown)
    assert [each["name"] for each in usable_networks(cloud)] == ["ours", "provider", "way-out"]


def test_half_a_mark_is_none():
    (machine,) = machines_of(listing(server(metadata={"kasumi_uuid": "x", "kasumi_estate": "lab"})))
    assert (machine.mark, machine.uuid) == (None, "x")


def test_the_size_asked_for_counts_only_with_the_flavor_taken_for_it():
    assert made_for(NOTED, "m1.tiny") == Resources(vcpus=1, memory_mib=700, disk_gib=5)
    assert made_for(NOTED, "m1.small") is None
    assert made_for({"kasumi_made_for": "1/x/5/m1.tiny"}, "m1.tiny") is None
    assert made_for({"kasumi_made_for": "1/2/3/a/b"}, "a/b") == Resources(vcpus=1, memory_mib=2, disk_gib=3)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, PowerState.RUNNING),
        ({"OS-EXT-STS:task_state": "powering-off"}, PowerState.CHANGING),
        ({"status": "BUILD"}, PowerState.CHANGING),
        ({"status": "SHUTOFF"}, PowerState.STOPPED),
        ({"status": "SHELVED_OFFLOADED"}, PowerState.STOPPED),
        ({"status": "SUSPENDED"}, PowerState.PAUSED),
        ({"status": "ERROR"}, PowerState.CRASHED),
        ({"status": "ERROR", "OS-SRV-USG:launched_at": None}, PowerState.FAILED),
        ({"status": "VERIFY_RESIZE"}, PowerState.RUNNING),
        ({"status": "VERIFY_RESIZE", "OS-EXT-STS:power_state": 4}, PowerState.STOPPED),
        ({"status": "RESCUE"}, PowerState.CHANGING),
    ],
)
def test_states(changes, state):
    assert state_of(server(**changes)) is state


@pytest.mark.parametrize(
    ("minutes", "changes", "state"),
    [
        (4, {}, PowerState.CHANGING),
        (6, {}, PowerState.FAILED),
        (6, {"hostId": "0f3a"}, PowerState.CHANGING),
        (6, {"OS-EXT-STS:task_state": "spawning"}, PowerState.CHANGING),
        (6, {"OS-SRV-USG:launched_at": "2026-01-01T00:00:00Z"}, PowerState.CHANGING),
    ],
)
def test_an_order_that_nova_lost_before_it_chose_a_hypervisor_has_failed(minutes, changes, state):
    asked = (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    waiting = {"status": "BUILD", "OS-EXT-STS:task_state": "scheduling", "OS-SRV-USG:launched_at": None, "hostId": ""}
    assert state_of(server(created=asked, **waiting | changes)) is state


def test_a_server_of_which_the_cloud_does_not_say_whether_it_ran_is_not_taken_for_one_without_data():
    silent = server(status="ERROR")
    del silent["OS-SRV-USG:launched_at"]
    assert state_of(silent) is PowerState.CRASHED


def test_a_pool_is_a_zone_and_what_has_no_host_yet():
    anywhere, az1, az2 = pools("", "/az1", "/az2")
    assert in_pool(server(), anywhere)
    assert in_pool(server(), az1)
    assert not in_pool(server(), az2)
    nowhere = server(**{"OS-EXT-AZ:availability_zone": ""}, metadata=NOTED | {"kasumi_zone": "az2"})
    assert in_pool(nowhere, az2)
    assert not in_pool(nowhere, az1)
    assert in_pool(server(**{"OS-EXT-AZ:availability_zone": None}, metadata={}), az2)
    assert not in_pool(server(status="SOFT_DELETED"), anywhere)


def test_a_server_of_ours_is_of_the_aggregate_it_was_made_for_and_a_foreign_one_of_that_its_flavor_asks_for():
    anywhere, ssd, gold = pools("", "?aggregate=ssd=true", "?aggregate=ssd=true,tier=gold")
    made = server(metadata=NOTED | {"kasumi_aggregate": "ssd=true"})
    assert [in_pool(made, pool) for pool in (anywhere, ssd, gold)] == [False, True, False]
    specs = {"aggregate_instance_extra_specs:ssd": "true", "hw:cpu_policy": "dedicated"}
    asking = {"vcpus": 1, "ram": 1024, "disk": 10, "original_name": "fast", "extra_specs": specs}
    assert [in_pool(server(flavor=asking), pool) for pool in (anywhere, ssd, gold)] == [True, False, False], "adopted before"
    foreign = server(flavor=asking, metadata={})
    assert [in_pool(foreign, pool) for pool in (anywhere, ssd, gold)] == [True, True, False]
    assert [in_pool(server(metadata={}), pool) for pool in (anywhere, ssd)] == [True, False]


def pools(*parts):
    return [cloud_pool(f"openstack://west{part}") for part in parts]


def test_networks_of_others_are_their_own_bridge():
    ours, public = networks_of(listing(), "lab")
    assert (ours.name, ours.active, ours.bridge) == ("kasumi-lan", True, "")
    assert (public.name, public.active, public.bridge) == ("public", False, "public")
    assert networks_of(listing(), "another")[0].bridge == "kasumi-lan"


def test_quotas_without_a_limit_have_none():
    absolute = {"maxTotalCores": 20, "totalCoresUsed": 3, "maxTotalRAMSize": -1, "totalRAMUsed": 512, "maxServerMeta": 128}
    assert quotas_of({"limits": {"absolute": absolute}}) == (
        Quota(name="cores", limit=20, used=3),
        Quota(name="ram_mib", limit=None, used=512),
    )


def test_room_is_what_placement_has_left_after_its_own_overcommit():
    def summary(vcpus, memory, disk):
        amounts = {"VCPU": vcpus, "MEMORY_MB": memory, "DISK_GB": disk}
        return {"resources": {kind: {"capacity": most, "used": used} for kind, (most, used) in amounts.items()}}

    found = {"provider_summaries": {"h1": summary((64, 4), (1000, 200), (100, 10)), "h2": summary((64, 70), (1000, 0), (50, 0))}}
    assert room_of(found, None) == Resources(vcpus=60, memory_mib=1800, disk_gib=140)
    assert room_of(found, frozenset({"h2"})) == Resources(vcpus=0, memory_mib=1000, disk_gib=50)


def flavor(name, vcpus, memory_mib, disk_gib, *, special=False):
    return Flavor(id=name, name=name, size=Resources(vcpus=vcpus, memory_mib=memory_mib, disk_gib=disk_gib), special=special)


def test_flavors_exact_and_nearest():
    known = [
        flavor("big", 4, 8192, 80), flavor("odd", 2, 2048, 20, special=True), flavor("wide", 8, 2048, 40), flavor("fit", 2, 4096, 20)
    ]  # fmt: skip
    wanted = Resources(vcpus=2, memory_mib=2048, disk_gib=20)
    assert exact(known, wanted) is None
    assert exact(known, Resources(vcpus=2, memory_mib=4096, disk_gib=20)).name == "fit"
    assert nearest(known, wanted).name == "wide"
    assert nearest(known, Resources(vcpus=2, memory_mib=2048, disk_gib=100)) is None
    listed = {"id": "1", "name": "gpu", "vcpus": 2, "ram": 2048, "disk": 20, "extra_specs": {"resources:VGPU": "1"}}
    assert flavor_of(listed).special
    assert not flavor_of(listed | {"extra_specs": {}}).special


def test_flavors_of_an_aggregate_are_those_that_ask_for_it_and_nothing_else():
    anywhere, ssd = map(asked_of, pools("", "?aggregate=ssd=true"))
    listed = {"id": "1", "name": "fast", "vcpus": 2, "ram": 2048, "disk": 20, "extra_specs": dict(ssd)}
    assert ssd == {"aggregate_instance_extra_specs:ssd": "true"}
    assert (flavor_of(listed, anywhere).special, flavor_of(listed, ssd).special) == (True, False)
    assert flavor_of(listed | {"extra_specs": ssd | {"hw:cpu_policy": "dedicated"}}, ssd).special
    assert flavor_of(listed | {"extra_specs": {}}, ssd).special


def test_hosts_of_an_aggregate_have_all_its_properties_between_their_aggregates():
    aggregates = [
        {"hosts": ["h1", "h2"], "metadata": {"availability_zone": "az1"}},
        {"hosts": ["h2", "h3"], "metadata": {"ssd": "true"}},
        {"hosts": ["h3"], "metadata": {"tier": "silver, gold"}},
    ]
    assert hosts_with(("ssd=true",), aggregates) == {"h2", "h3"}
    assert hosts_with(("ssd=true", "tier=gold"), aggregates) == {"h3"}
    assert hosts_with(("ssd=false",), aggregates) == set()


def test_quota_of_nova_names_each_wanted_used_and_limit():
    said = "Quota exceeded for cores, ram: Requested 4, 8192, but already used 18, 40960 of 20, 51200 cores, ram"
    assert quota_text(said, {}) == (
        "quota of cores: wanted 4 more, 18 of 20 used; quota of ram: wanted 8192 more, 40960 of 51200 used; "
        "ask for more quota, or plan less there"
    )


def test_quota_of_neutron_is_named():
    said = "Quota exceeded for resources: ['port']."
    assert quota_text(said, {"port": {"used": 500, "limit": 500, "reserved": 0}}).startswith(
        "quota of port: wanted 1 more, 500 of 500 used; "
    )
    assert "quota of port: wanted 1 more, none left" in quota_text(said, {})


def answer(status, body, service="compute"):
    response = Response()
    response.status_code = status
    response._content = body.encode()
    response.headers["x-openstack-request-id"] = "req-1"
    return error_of(ApiError(service, "POST", "/x", response), "machine web1 on openstack://west", {})


@pytest.mark.parametrize(
    ("status", "body", "code", "text"),
    [
        (403, '{"forbidden": {"message": "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances"}}',
         ExitCode.FAILED, "quota of instances: wanted 1 more, 10 of 10 used"),
        (403, '{"forbidden": {"message": "Policy does not allow this"}}', ExitCode.REFUSED, "Policy does not allow this (req-1)"),
        (401, '{"error": {"message": "expired"}}', ExitCode.REFUSED, "expired"),
        (404, '{"itemNotFound": {"message": "Instance 1 could not be found."}}', ExitCode.FAILED, "it went away meanwhile"),
        (409, '{"conflictingRequest": {"message": "task_state deleting"}}', ExitCode.FAILED, "somebody else is changing it"),
        (429, "{}", ExitCode.UNREACHABLE, "limits our rate"),
        (503, "<html><h1>503 Service Unavailable</h1></html>", ExitCode.UNREACHABLE, "503 Service Unavailable"),
        (500, '{"computeFault": {"message": "Unexpected API Error."}}', ExitCode.FAILED, "give its log of this request"),
        (400, '{"badRequest": {"message": "Invalid\\n input"}}', ExitCode.FAILED, "Nova says 400: Invalid input"),
    ],
)  # fmt: skip
def test_a_no_in_our_words(status, body, code, text):
    error = answer(status, body)
    assert error.exit_code == code
    assert text in str(error)
    assert str(error).startswith("machine web1 on openstack://west: ")


def test_no_valid_host_says_what_to_do():
    assert "no hypervisor of the cloud has room" in fault_text({"message": "No valid host was found. There are not enough hosts"})
    assert fault_text({}) == "no fault message"


def test_host_keys_are_those_of_the_last_first_boot():
    def block(key):
        return f"-----BEGIN SSH HOST KEY KEYS-----\r\nssh-ed25519 {key} root@web1\r\n-----END SSH HOST KEY KEYS-----\r\n"

    old, new = "A" * 68, "B" * 66 + "=="
    console = f"[    0.0] Linux\r\n{block(old)}login:\r\n[    0.0] Linux\r\n{block(new)}"
    assert ssh_host_keys(console) == (f"ssh-ed25519 {new}",)
    assert ssh_host_keys("-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 " + old) == ()
    assert ssh_host_keys("FAKE CONSOLE OUTPUT") == ()


RULE = {
    "id": "r1", "security_group_id": "g1", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 443,
    "port_range_max": 443, "remote_group_id": None, "remote_ip_prefix": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "in IPv4 tcp 443 from anywhere"),
        ({"remote_ip_prefix": "0.0.0.0/0"}, "in IPv4 tcp 443 from anywhere"),
        ({"remote_ip_prefix": "192.0.2.0/24"}, "in IPv4 tcp 443 from 192.0.2.0/24"),
        ({"port_range_max": 500}, "in IPv4 tcp 443-500 from anywhere"),
        (
            {"ethertype": "IPv6", "protocol": "ipv6-icmp", "port_range_min": None, "port_range_max": None},
            "in IPv6 icmp from anywhere",
        ),
        ({"remote_group_id": "g1"}, "in IPv4 tcp 443 from members"),
        ({"remote_group_id": "g2"}, "in IPv4 tcp 443 from group g2"),
        ({"remote_address_group_id": "a1"}, "in IPv4 tcp 443 from address group a1"),
        ({"direction": "egress", "protocol": None, "port_range_min": None, "port_range_max": None}, "out IPv4 any to anywhere"),
    ],
)
def test_a_rule_in_words(changes, words):
    assert str(rule_of(RULE | changes)) == words


def test_groups_of_ours_tell_their_rules_and_those_of_others_do_not():
    ours = {"id": "g1", "name": "kasumi-lab-tcp-443", "description": "kasumi estate lab", "security_group_rules": [RULE]}
    theirs = ours | {"id": "g2", "name": "default", "description": "Default security group"}
    (group,) = groups_of(replace(listing(), groups=[theirs, ours]), "lab")
    assert group == ObservedGroup(name="kasumi-lab-tcp-443", rules=("in IPv4 tcp 443 from anywhere",))
    wanted = rules_of(SecurityGroup(name=group.name, openings=(Opening(protocol="tcp", port=443),)))
    assert set(group.rules) < {str(rule) for rule in wanted}


def test_a_zone_that_the_cloud_does_not_have_is_named_with_those_it_has():
    def cloud(zone, *names):
        answer = {"availabilityZoneInfo": [{"zoneName": name} for name in names]}
        return SimpleNamespace(pool=SimpleNamespace(uri=f"openstack://west/{zone}", zone=zone), get=lambda *_: answer)

    see_zone(cloud("az1", "az2", "az1"))
    see_zone(cloud("az1"))  # a cloud that tells none
    with pytest.raises(
        KasumiError, match="openstack://west/az9: wanted availability zone az9, found az1, az2; correct the host's uri"
    ):
        see_zone(cloud("az9", "az2", "az1"))
