"""Every kind of mistake: the exact line it gives, at the exact place, and all of them in one run."""

import shutil
from pathlib import Path

import pytest

from controlplane.inventory import InventoryError, load, read, references
from tests.inventory.conftest import BASE
from tests.inventory.mistakes import ESTATE, HOSTS, MISTAKES, MOF


def test_the_base_is_valid(inventory):
    estate, findings = read(inventory)
    assert findings == ()
    assert (estate.id, sorted(estate.machines), sorted(estate.servers)) == (
        "small",
        ["ledger-1", "ledger-2"],
        ["ledger-fax", "ledger-old"],
    )


def test_needs_and_offers_are_read(change):
    change(ESTATE, "kasumi_sites:", f"kasumi_load_profiles: {{day: {{percent: {[*[5] * 12, *[90] * 12]}}}}}\nkasumi_sites:")
    change(ESTATE, "spread_over: rack}", "spread_over: rack, survives: rack}")
    change(HOSTS, "        rack: r1\n", "        rack: r1\n        offers: {iops: 900, cpu: {baseline: x86-64-v3}}\n")
    inventory = change(
        MOF, "ledger-2: *ledger", "ledger-2: {<<: *ledger, needs: {iops: 500, load: day, cpu: {features: [sse4, aes]}}}"
    )
    estate = load(inventory)
    needs, offers = estate.machines["ledger-2"].needs, estate.hosts["hv1"].offers
    assert (needs.iops, needs.load, needs.cpu.features) == (500, "day", ("aes", "sse4"))
    assert (offers.iops, offers.network_mbps, offers.cpu.baseline) == (900, 0, "x86-64-v3")
    assert estate.load_profiles["day"].percent[11:13] == (5, 90)
    assert estate.tiers["high"].survives == "rack"


def test_a_tier_that_survives_several_at_once_is_read_where_all_losses_can_be_proven(change, monkeypatch):
    inventory = change(ESTATE, "host_failures: 1,", "host_failures: 2,")
    assert load(inventory).tiers["high"].host_failures == 2
    monkeypatch.setattr(references, "_MOST_LOSSES", 0)
    _, findings = read(inventory)
    assert [str(each).partition(": ")[2] for each in findings] == [
        (
            "kasumi_tiers.high.host_failures: must survive any 2 of 2 hosts, which are 1 losses; at most 0 can be proven, "
            "let it survive fewer at once, or racks or sites (`survives`)"
        )
    ]


def test_a_plan_in_the_inventory_is_one_mistake(inventory):
    (inventory / "plan.json").write_text('{"schema_version": 1, "machines": [{"id": "a"}], "hosts": []}', encoding="utf-8")
    _, findings = read(inventory)
    assert [str(each) for each in findings] == [
        (
            "inventory/plan.json:1:1: (file): is a document that kasumi wrote and no part of the inventory, "
            "move it out of this directory"
        )
    ]


def test_licences_and_pools_are_read(change):
    change(ESTATE, "kasumi_sites:", "kasumi_licences: {db: {sockets: 4}}\nkasumi_sites:")
    change(
        HOSTS,
        "        rack: r1\n",
        "        rack: r1\n        offers: {sockets: 2}\n        pool: {storage: san}\n"
        "        pools: {ssd: {path: /ssd, capacity: 1TiB, storage: flash}}\n",
    )
    estate = load(change(MOF, "ledger-2: *ledger", "ledger-2: {<<: *ledger, needs: {licences: [db], disk_class: ssd}}"))
    host, needs = estate.hosts["hv1"], estate.machines["ledger-2"].needs
    assert (estate.licences["db"].sockets, host.offers.sockets) == (4, 2)
    assert (needs.licences, needs.disk_class) == (("db",), "ssd")
    assert (host.pool_gib("ssd"), host.pools[0].name, host.storage_of("ssd"), host.storage_of("")) == (
        1024,
        "kasumi-ssd",
        "flash",
        "san",
    )


def test_a_licence_needs_hosts_that_state_their_sockets(change):
    change(ESTATE, "kasumi_sites:", "kasumi_licences: {db: {sockets: 4}}\nkasumi_sites:")
    _, findings = read(change(MOF, "ledger-2: *ledger", "ledger-2: {<<: *ledger, needs: {licences: [db]}}"))
    assert [(each.what, each.where.rpartition(": ")[2]) for each in findings] == [
        (
            "needs a licence by the socket, and no host states its sockets",
            "ministry_mof.children.system_ledger.vars.kasumi_system.machines.ledger-2.needs.licences",
        )
    ]


def test_a_policy_is_read_and_what_it_leaves_out_is_known(change):
    change(ESTATE, "kasumi_sites:", "kasumi_policy: {objectives: [cost], yen_per_kwh: 31, host: {idle_watts: 90}}\nkasumi_sites:")
    inventory = change(HOSTS, "        rack: r1\n", "        rack: r1\n        running: {loaded_watts: 700, rack_units: 1}\n")
    estate = load(inventory)
    policy = estate.policy
    assert [each.value for each in policy.objectives] == ["cost", "hosts", "power", "balance"]
    assert (policy.yen_per_kwh, policy.host.idle_watts, policy.pue) == (31, 90, 1.6)
    assert "pue" in policy.assumed
    assert {"yen_per_kwh", "host.idle_watts"}.isdisjoint(policy.assumed)
    assert (estate.hosts["hv1"].running.loaded_watts, estate.hosts["hv1"].running.idle_watts) == (700, None)


def test_each_mistake_has_its_lines(tmp_path, monkeypatch, golden):
    monkeypatch.chdir(tmp_path)
    transcript = []
    for name, (file, there, instead) in MISTAKES.items():
        shutil.rmtree("inventory", ignore_errors=True)
        shutil.copytree(BASE, "inventory")
        path = Path("inventory") / file
        text = path.read_text(encoding="utf-8")
        assert there in text, f"{name}: {file} has no {there!r}"
        path.write_text(text.replace(there, instead, 1), encoding="utf-8")
        estate, findings = read(Path("inventory"))
        assert estate is None, f"{name} was not seen"
        transcript += [f"## {name}", *map(str, findings), ""]
    golden("mistakes.txt", "\n".join(transcript))


def test_all_mistakes_in_one_run_in_the_order_of_the_files(change):
    change(MOF, "memory: 1GiB", "memory: 8GB")
    change(MOF, "into: ledger-1", "into: ledger-3")
    change(HOSTS, "        rack: r1\n", "        rackk: r1\n")
    inventory = change(ESTATE, "gateway: 10.0.20.1", "gateway: 10.0.30.1")
    with pytest.raises(InventoryError) as error:
        load(inventory)
    places = [finding.where.rsplit(": ", 1)[0] for finding in error.value.findings]
    assert places == [
        "inventory/10-hosts.yml:5:7",
        "inventory/10-hosts.yml:8:9",
        "inventory/20-mof.yml:39:38",
        "inventory/20-mof.yml:41:19",
        "inventory/group_vars/all/estate.yml:18:14",
    ]
    assert error.value.exit_code == 1
    assert str(error.value).splitlines()[0].startswith(f"inventory inventory: {len(places)} mistakes")


def test_a_mistake_behind_an_anchor_is_told_once(change):
    inventory = change(MOF, "size: {vcpus: 1, memory: 512MiB", "size: {vcpus: 1, memory: 512MB")
    _, findings = read(inventory)
    assert len(findings) == 1


def test_places_point_at_the_very_word(change):
    inventory = change(MOF, "disposition: merge", "disposition: mrege")
    _, findings = read(inventory)
    file, line, column = findings[0].where.split(":")[:3]
    text = Path(file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
    assert text[int(column) - 1 :].startswith("mrege")


@pytest.mark.parametrize("typed", ["inventory", "./inventory", "../inventory-link/inventory"])
def test_files_are_named_as_the_user_typed(change, typed, tmp_path):
    change(MOF, "disposition: merge", "disposition: mrege")
    Path("../inventory-link").unlink(missing_ok=True)
    Path("../inventory-link").symlink_to(tmp_path)
    try:
        _, findings = read(Path(typed))
        assert Path(findings[0].where.split(":")[0]).is_file()
        assert findings[0].where.startswith(str(Path(typed)))
        _, absolute = read(Path("inventory").absolute())
        assert absolute[0].where.startswith("inventory/20-mof.yml:")
    finally:
        Path("../inventory-link").unlink()


def test_no_directory_and_no_inventory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, absent = read(Path("absent"))
    assert str(absent[0]) == "absent:1:1: (file): does not exist, name an inventory directory with --inventory"
    (tmp_path / "empty").mkdir()
    _, empty = read(Path("empty"))
    assert [str(finding) for finding in empty] == [
        "empty/group_vars/all:1:1: kasumi_estate: is missing, say id, name and access there"
    ]


def test_variables_of_ansible_are_left_alone(change):
    inventory = change(
        MOF, "ansible_user: root", "ansible_user: root\n          ntp: [no, 010, 1:30]\n          token: !vault abc"
    )
    (inventory / "host_vars").mkdir()
    (inventory / "host_vars" / "ledger-old.yml").write_text("ntp_server: yes\n")
    (inventory / "group_vars" / "ministry_mof.yml").write_text("pw: !vault abc\ncidr: 8GB\n")
    assert read(inventory)[1] == ()


@pytest.mark.parametrize("file", ["host_vars/ledger-old.yml", "group_vars/ministry_mof.yml"])
def test_our_variables_elsewhere_are_not_lost_silently(inventory, file):
    (inventory / file).parent.mkdir(exist_ok=True)
    (inventory / file).write_text("kasumi_server: {kind: physical}\n")
    _, findings = read(inventory)
    assert [str(finding) for finding in findings] == [
        f"inventory/{file}:1:1: kasumi_server: is not read from here, put it into its host, in a group system_ID"
    ]


def test_a_file_that_ansible_reads_and_we_do_not(inventory):
    (inventory / "more").write_text("x:\n  hosts:\n    y:\n      kasumi_server: {}\n")
    _, findings = read(inventory)
    assert [str(f) for f in findings] == [
        "inventory/more:1:1: (file): holds kasumi_ variables, but is not read, rename it to end in .yml"
    ]


def test_groups_may_be_spread_over_files(inventory):
    text = (inventory / MOF).read_text(encoding="utf-8")
    hosts = text[text.index("      hosts:") :]
    (inventory / MOF).write_text(text.replace(hosts, ""), encoding="utf-8")
    lines = [line[4:] for line in hosts.splitlines()]
    (inventory / "30-servers.yml").write_text("\n".join(["system_ledger:", *lines]) + "\n", encoding="utf-8")
    estate, findings = read(inventory)
    assert findings == ()
    assert {server.system for server in estate.servers.values()} == {"ledger"}


def test_what_ansible_gets_stays_encrypted(inventory):
    estate = load(inventory)
    assert estate.machines["ledger-1"].variables["secret"] == {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256"}
