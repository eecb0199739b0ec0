"""The contract on a real cloud: Keystone, Glance, Placement, Neutron and Nova over hypervisors that are made up."""

import secrets
import subprocess
import time
from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.cloud import cloud_pool
from controlplane.model.estate import Service, StoragePool
from controlplane.model.plan import PlannedImage, PlannedNetwork, PlannedNic
from controlplane.model.resources import Resources
from controlplane.providers.opening import open_provider
from controlplane.providers.openstack_cloud import Cloud
from controlplane.providers.openstack_flavor import asked_of, choose_flavor
from controlplane.providers.openstack_network import ensure_network, ensure_subnet
from lab.openstack import layout
from tests.openstack.openstack_hand import HOST, OpenStackHand
from tests.providers.contract import AdoptContract, CardContract, ImageContract, MachineContract, NetworkContract
from tests.providers.place import Place

pytestmark = [pytest.mark.lab, pytest.mark.slow]

POOL = StoragePool(name="none", path="/none")


@pytest.fixture(scope="module")
def place(running_cloud, tmp_path_factory):
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OS_CLIENT_CONFIG_FILE", str(running_cloud.clouds_yaml))
        yield from places(f"openstack://{running_cloud.admin}?flavors=make", OpenStackHand, tmp_path_factory)


def places(uri, hand_of, tmp_path_factory):
    """One place on the cloud of this URI."""
    estate = f"contract-{secrets.token_hex(3)}"
    file = tmp_path_factory.mktemp("image") / "empty.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(file), "64M"], check=True)
    image = PlannedImage(id="empty", file=str(file), format="qcow2", sha256=sha256(file.read_bytes()).hexdigest(), os="none")
    networks = tuple(PlannedNetwork(host="cloud1", network=name, name=f"{estate}-{name}", bridge="") for name in ("a", "b"))
    hand = hand_of(Cloud(cloud_pool(uri)), estate, tuple(network.name for network in networks))

    def again():
        return open_provider("cloud1", uri, POOL, estate=estate)

    provider = again()
    provider.ensure_storage()
    place = CloudPlace(
        provider=provider,
        again=again,
        hand=hand,
        estate=estate,
        image=image,
        place_disk=_none,
        networks=networks,
        keeps_apart=False,
    )
    try:
        provider.ensure_image(image)
        for network in networks:
            provider.ensure_network(network)
            body = {"network_id": hand.network(network.name)["id"], "cidr": "192.0.2.0/24", "ip_version": 4, "enable_dhcp": False}
            hand.cloud.post("network", "/subnets", {"subnet": body})
        yield place
    finally:
        place.clear()
        for network in networks:
            hand.remove_network(network.name)
        hand.remove_groups()
        hand.remove_image(image)
        provider.close()


class CloudPlace(Place):
    """A place whose hand must know the plan to leave behind what a failed boot of the machine leaves."""

    def machine(self, **changes):
        machine = super().machine(**changes)
        self.hand.planned[machine.id] = machine
        return machine


def _none(_machine):
    raise AssertionError("a cloud takes images")


class TestMachines(MachineContract):
    pass


class TestAdopting(AdoptContract):
    pass


class TestCards(CardContract):
    pass


class TestNetworks(NetworkContract):
    pass


class TestImages(ImageContract):
    pass


@pytest.fixture
def clean(place):
    yield place
    place.clear()


def test_a_look_costs_the_same_whatever_there_is(clean):
    def requests():
        return {use.service: use.requests for use in clean.provider.observe().api_use}

    clean.provider.observe()
    empty = requests()
    for _ in range(2):
        clean.hand.boot(clean.machine().id, Resources(vcpus=1, memory_mib=64, disk_gib=0))
    assert requests() == empty == {"compute": 2, "network": 3, "placement": 1}


def test_security_groups_are_repaired_and_otherwise_left_alone(clean):
    machine = clean.machine(services=(Service(name="web", port=443),))
    clean.ensure(machine)
    before = clean.hand.rules()
    its_own = {f"kasumi-{clean.estate}-zone-a", f"kasumi-{clean.estate}-tcp-443"}
    assert its_own <= {name for name, _ in before}
    other = clean.again()
    clean.provider, first = other, clean.provider
    clean.ensure(machine)
    assert clean.hand.rules() == before
    for name, rule in before:
        if name in its_own:
            clean.hand.cloud.delete("network", f"/security-group-rules/{rule}")
    third = clean.again()
    clean.provider = third
    clean.ensure(machine)
    assert len(clean.hand.rules()) == len(before)
    clean.provider = first
    for provider in (other, third):
        provider.close()


def test_a_size_that_no_flavor_has_takes_the_nearest_or_is_refused(clean):
    machine = clean.machine(size=Resources(vcpus=1, memory_mib=333, disk_gib=1))
    made, uri = clean.provider, clean.hand.cloud.pool.uri
    try:
        clean.provider = open_provider("cloud1", uri.replace("make", "exact"), POOL, estate=clean.estate)
        with pytest.raises(RefusedError, match="wanted a flavor of 1 vCPU, 333 MiB, 1 GiB, found none"):
            clean.ensure(machine)
        clean.provider = open_provider("cloud1", uri.replace("make", "nearest"), POOL, estate=clean.estate)
        clean.ensure(machine)
        seen = clean.seen(machine)
        assert seen.made_for == machine.size
        assert seen.memory_mib >= 333
        clean.ensure(machine)
        assert clean.seen(machine) == seen
    finally:
        clean.provider = made


def test_new_servers_have_the_keypair_of_their_pool(clean):
    made, name, machine = clean.provider, f"{clean.estate}-key", clean.machine()
    key = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    try:
        clean.provider = open_provider("cloud1", f"{clean.hand.cloud.pool.uri}&keypair={name}", POOL, estate=clean.estate)
        before = clean.hand.disks()
        with pytest.raises(KasumiError, match=f"keypair {name} .*found none .*keypair create --public-key FILE {name}"):
            clean.ensure(machine)
        assert clean.hand.disks() == before
        clean.hand.cloud.post("compute", "/os-keypairs", {"keypair": {"name": name, "public_key": key}})
        clean.ensure(machine)
        seen, had = clean.seen(machine), clean.hand.server(machine.id)["key_name"]
        clean.provider, keyed = made, clean.provider
        clean.ensure(machine)
        assert (clean.seen(machine), had, clean.hand.server(machine.id)["key_name"]) == (seen, name, name)
        keyed.close()
    finally:
        clean.provider = made
        clean.hand.cloud.delete("compute", f"/os-keypairs/{name}")


def test_a_zone_has_the_room_of_its_own_hypervisors(clean):
    cloud = clean.hand.cloud.pool.cloud
    found = {}
    for zone in ("", "/az1", "/az2"):
        provider = open_provider("cloud1", f"openstack://{cloud}{zone}", POOL, estate=clean.estate)
        found[zone] = provider.observe()
        provider.close()
    assert {look.capacity.basis for look in found.values()} == {"quota and placement"}
    assert found["/az1"].disk_free_gib <= len(layout.ZONES["az1"]) * layout.COMPUTE_DISK_GIB
    assert found["/az1"].disk_free_gib + found["/az2"].disk_free_gib == found[""].disk_free_gib


@pytest.fixture
def aggregate(clean):
    """The property of an aggregate with one host of each zone."""
    admin, (key, value) = clean.hand.cloud, ("disk", clean.estate)
    made = admin.post("compute", "/os-aggregates", {"aggregate": {"name": f"{clean.estate}-ssd"}})["aggregate"]["id"]
    hosts = [names[1] for names in layout.ZONES.values()]
    for action in ({"set_metadata": {"metadata": {key: value}}}, *({"add_host": {"host": host}} for host in hosts)):
        admin.post("compute", f"/os-aggregates/{made}/action", action)
    yield f"{key}={value}"
    clean.clear()
    for host in hosts:
        admin.post("compute", f"/os-aggregates/{made}/action", {"remove_host": {"host": host}})
    admin.delete("compute", f"/os-aggregates/{made}")


def test_machines_of_an_aggregate_stand_on_its_hypervisors_and_no_other_pool_takes_its_flavors(clean, aggregate):
    size = Resources(vcpus=1, memory_mib=77, disk_gib=1)
    made, cloud, machines = clean.provider, clean.hand.cloud.pool.cloud, [clean.machine(size=size) for _ in range(2)]
    uri = f"openstack://{cloud}/az1?flavors=make&aggregate={aggregate}"
    of_aggregate = open_provider("cloud1", uri, POOL, estate=clean.estate)
    anywhere = open_provider("cloud1", f"openstack://{cloud}/az1?flavors=exact", POOL, estate=clean.estate)
    flavor = f"kasumi-1c-77m-1g-{aggregate.replace('=', '-')}"
    try:
        clean.provider = of_aggregate
        for machine in machines:
            until_made(clean, machine)
        assert {clean.hand.server(machine.id)[HOST] for machine in machines} == {layout.ZONES["az1"][1]}
        assert {clean.hand.server(machine.id)["flavor"]["original_name"] for machine in machines} == {flavor}
        look = of_aggregate.observe()
        assert look.capacity.basis == "quota and placement"
        assert look.disk_free_gib <= layout.COMPUTE_DISK_GIB
        clean.provider = anywhere
        assert not {machine.id for machine in machines} & {seen.name for seen in anywhere.observe().machines}
        with pytest.raises(RefusedError, match=f"for any hypervisor, found server .* made for an aggregate with {aggregate}"):
            clean.ensure(machines[0])
        with pytest.raises(RefusedError, match="wanted a flavor of 1 vCPU, 77 MiB, 1 GiB, found none"):
            clean.ensure(clean.machine(size=size))

        cut = Cloud(cloud_pool(uri))
        (asked,) = asked_of(cut.pool)
        cut.post("compute", f"/flavors/{flavor}/action", {"removeTenantAccess": {"tenant": cut.project_id}})
        cut.delete("compute", f"/flavors/{flavor}/os-extra_specs/{asked}")
        assert choose_flavor(cut, size, on_volume=False) == choose_flavor(cut, size, on_volume=False)
        cut.post("compute", f"/flavors/{flavor}/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "dedicated"}})
        with pytest.raises(RefusedError, match=f"flavor {flavor} .*found one of this name that is otherwise"):
            choose_flavor(cut, size, on_volume=False)
    finally:
        clean.provider = of_aggregate
        clean.clear()
        clean.provider = made
        clean.hand.cloud.delete("compute", f"/flavors/{flavor}")
        of_aggregate.close()
        anywhere.close()


def until_made(place, machine):
    """Nova tells its scheduler of a new aggregate in passing, so the first order may come before the news."""
    deadline = time.monotonic() + 300
    while True:
        try:
            return place.ensure(machine)
        except KasumiError as error:
            if "No valid host" not in str(error) or time.monotonic() > deadline:
                raise


def test_what_is_kept_together_is_on_one_hypervisor(clean):
    cloud, name = clean.hand.cloud, f"kasumi-{clean.estate}-contract-pair-together"
    machines = [clean.machine(together="pair") for _ in range(3)]
    try:
        for machine in machines:
            clean.ensure(machine)
        (group,) = [each for each in cloud.every("compute", "/os-server-groups", "server_groups") if each["name"] == name]
        servers = [clean.hand.server(machine.id) for machine in machines]
        assert (group["policy"], set(group["members"])) == ("affinity", {server["id"] for server in servers})
        assert len({server[HOST] for server in servers}) == 1
        before = clean.hand.disks()
        with pytest.raises(RefusedError, match=r"apart from replicas of web and on one hypervisor with pair; .*one server group"):
            clean.ensure(clean.machine(together="pair", replica_group="web"))
        assert clean.hand.disks() == before
    finally:
        for each in cloud.every("compute", "/os-server-groups", "server_groups"):
            if each["name"] == name:
                cloud.delete("compute", f"/os-server-groups/{each['id']}")


def test_a_network_that_the_inventory_names_is_used_as_it_is(clean):
    name = f"{clean.estate}-theirs"
    clean.hand.make_other_network(name)
    wanted = PlannedNetwork(host="cloud1", network="theirs", name=name, bridge=name)
    own = clean.networks
    try:
        clean.provider.ensure_network(wanted)
        machine = clean.machine()
        machine = replace(machine, nics=(replace(machine.nics[0], network="theirs"),))
        clean.networks = (wanted,)
        with pytest.raises(KasumiError, match=f"network {name} .*wanted a subnet with 192.0.2..*, found none; correct the cidr"):
            clean.ensure(machine)
        body = {"network_id": clean.hand.network(name)["id"], "cidr": "192.0.2.0/24", "ip_version": 4}
        clean.hand.cloud.post("network", "/subnets", {"subnet": body})
        clean.ensure(machine)
        assert [(nic.network, nic.mac) for nic in clean.seen(machine).nics] == [(name, machine.nics[0].mac)]
        (seen,) = [network for network in clean.provider.observe().networks if network.name == name]
        assert seen.bridge == name
        clean.clear()
    finally:
        clean.networks = own
        clean.hand.remove_network(name)
    with pytest.raises(KasumiError, match=f"wanted one network named {name}, found 0"):
        clean.provider.ensure_network(wanted)


def test_a_token_that_ended_in_the_middle_of_a_run_is_renewed(place):
    cloud = Cloud(place.hand.cloud.pool)
    session = cloud._open().session
    ended = session.get_token()
    place.hand.cloud.call("identity", "DELETE", "/auth/tokens", headers={"X-Subject-Token": ended})
    assert cloud.get("identity", "/auth/projects")["projects"]
    assert session.get_token() != ended


def test_a_subnet_of_ours_has_its_gateway_on_the_router_asked_for(place):
    name = f"{place.estate}-r"
    cloud = Cloud(cloud_pool(f"{place.hand.cloud.pool.uri}&router={name}"))
    network = ensure_network(cloud, PlannedNetwork(host="cloud1", network="r", name=name, bridge=""), estate=place.estate)
    nic = PlannedNic(network="r", mac="", address="198.51.100.20", prefix_length=24, gateway="198.51.100.1")
    routers = []
    try:
        subnets = {ensure_subnet(cloud, network, nic, estate=place.estate) for _ in range(2)}
        routers = cloud.every("network", "/routers", "routers", name=name)
        (router,), (subnet,) = routers, subnets
        ports = cloud.every("network", "/ports", "ports", device_id=router["id"])
        assert [port["fixed_ips"] for port in ports] == [[{"subnet_id": subnet, "ip_address": "198.51.100.1"}]]
    finally:
        for router in routers:
            cloud.put("network", f"/routers/{router['id']}/remove_router_interface", {"subnet_id": next(iter(subnets))})
            cloud.delete("network", f"/routers/{router['id']}")
        cloud.delete("network", f"/networks/{network['id']}")
