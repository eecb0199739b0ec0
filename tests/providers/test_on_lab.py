"""The contract on a real libvirtd with real QEMU, reached by ssh, and what only a real host can show."""

import os
import pickle
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from controlplane.errors import RefusedError, UnreachableError
from controlplane.execution.seed_text import render_seed
from controlplane.model.estate import StoragePool
from controlplane.model.observed import PowerState
from controlplane.model.plan import PlannedAccess, PlannedImage, PlannedNetwork
from controlplane.model.resources import Resources
from controlplane.providers.deadline import with_deadline
from controlplane.providers.libvirt_connection import Connection
from controlplane.providers.opening import open_provider
from lab import layout
from tests.providers.contract import (
    AdoptContract,
    CardContract,
    ImageContract,
    KeptDiskContract,
    MachineContract,
    NetworkContract,
)
from tests.providers.libvirt_hand import LibvirtHand
from tests.providers.place import SEED, Place

pytestmark = [pytest.mark.lab, pytest.mark.slow]

HOST = layout.shared_host(1)
URI = f"qemu+ssh://root@{HOST.address}/system"


@pytest.fixture(scope="module")
def place(running_lab, tmp_path_factory):
    estate = f"contract-{secrets.token_hex(3)}"
    pool = StoragePool(name=estate, path=f"/var/lib/libvirt/{estate}")
    config = str(layout.ssh_home() / "config")
    file = tmp_path_factory.mktemp("image") / "empty.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(file), "64M"], check=True)
    image = PlannedImage(id="empty", file=str(file), format="qcow2", sha256=sha256(file.read_bytes()).hexdigest(), os="none")
    networks = (
        PlannedNetwork(host="hv1", network="a", name=f"{estate}-a", bridge=""),
        PlannedNetwork(host="hv1", network="b", name=f"{estate}-b", bridge="br-shared"),
    )
    hand_connection = Connection(URI, ssh_config=config)
    hand = LibvirtHand(hand_connection, pool.name)

    def again():
        return open_provider("hv1", URI, pool, estate=estate, ssh_config=config)

    provider = again()
    provider.ensure_storage()
    place = Place(
        provider=provider, again=again, hand=hand, estate=estate, image=image, place_disk=hand.place_disk, networks=networks
    )
    try:
        provider.ensure_image(image)
        for network in networks:
            provider.ensure_network(network)
        yield place
    finally:
        place.clear()
        provider.close()
        for network in networks:
            hand.remove_network(network.name)
        hand.remove_pool()
        hand_connection.close()


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


class TestKeptDisks(KeptDiskContract):
    pass


@pytest.fixture
def clean(place):
    yield place
    place.clear()


def test_a_machine_whose_qemu_hangs_delays_and_hides_nothing(clean):
    hung, well = clean.machine(), clean.machine()
    for machine in (hung, well):
        clean.ensure(machine)
        clean.provider.start(clean.ref(machine))
    pid = int((layout.host_home(HOST) / "run" / "libvirt" / "qemu" / f"{hung.id}.pid").read_text())
    watcher = clean.again()
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(2):
            seen = {each.name: each for each in with_deadline(watcher.observe, seconds=15, what="observe").machines}
            assert seen[hung.id].state is PowerState.RUNNING
            assert seen[well.id].state is PowerState.RUNNING
        assert seen[well.id].usage.cpu_seconds is not None
    finally:
        os.kill(pid, signal.SIGCONT)
        watcher.close()


def test_a_lost_connection_is_named_and_then_opened_again(place):
    others = _ssh_processes()
    provider = place.again()
    provider.observe()
    mine = _ssh_processes() - others
    assert mine
    for pid in mine:
        os.kill(pid, signal.SIGKILL)
    try:
        provider.observe()
    except UnreachableError as error:
        assert "see that the host is up" in str(error)
    assert provider.observe().reachable
    provider.close()


@pytest.mark.parametrize("changes", range(1, 14))
def test_killed_after_any_change_the_next_one_finishes(clean, changes, tmp_path):
    image = replace(clean.image, id=f"killed-{changes}")
    machine = clean.machine(image=image.id, autostart=True)
    names = {network.network: network.name for network in clean.networks}
    work = tmp_path / "work.pickle"
    work.write_bytes(pickle.dumps((URI, clean.estate, str(layout.ssh_home() / "config"), image, machine, names)))
    victim = subprocess.run(
        [sys.executable, "-m", "tests.providers.make_one", str(work), str(changes)], cwd=Path(__file__).parents[2], check=False
    )
    assert victim.returncode == -signal.SIGKILL
    provider = clean.again()
    provider.ensure_image(image)
    provider.ensure_machine(machine, plan="a" * 64, network_names=names, image=image, seed=SEED)
    seen = clean.seen(machine)
    assert (seen.state, seen.autostart) == (PowerState.STOPPED, True)
    provider.start(clean.ref(machine))
    assert clean.seen(machine).state is PowerState.RUNNING
    assert clean.hand.disk_size_bytes(machine.id) == 2**30
    provider.close()
    clean.clear()
    clean.hand.remove_image(image)


def test_a_guest_boots_tells_its_keys_and_shuts_down_when_asked(clean):
    file = layout.guest_image()
    digest = Path(f"{file}.sha256").read_text().split()[0]
    image = PlannedImage(id="debian-12", file=str(file), format="qcow2", sha256=digest, os="debian-12")
    machine = clean.machine(image="debian-12", size=Resources(vcpus=1, memory_mib=512, disk_gib=3))
    access = PlannedAccess(user="kasumi", authorized_keys=(), identity_file="", ssh_config="")
    clean.provider.ensure_image(image)
    clean.provider.ensure_machine(
        machine,
        plan="a" * 64,
        network_names={network.network: network.name for network in clean.networks},
        image=image,
        seed=render_seed(machine, access),
    )
    clean.provider.start(clean.ref(machine))
    deadline = time.monotonic() + 900
    while not (keys := clean.provider.ssh_host_keys(clean.ref(machine))) and time.monotonic() < deadline:
        time.sleep(2)
    assert [key.split()[0] for key in keys] == ["ssh-ed25519"]
    clean.provider.stop(clean.ref(machine), force_after_seconds=None)
    assert clean.seen(machine).state is PowerState.STOPPED


def _ssh_processes():
    """The ssh processes that this process started."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = status.read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue  # it has just ended
        if name == "ssh" and int(rest.split()[1]) == os.getpid():
            found.add(int(status.parent.name))
    return found


def test_nothing_answers_there(place):
    provider = open_provider(
        "none", "qemu+ssh://root@192.0.2.1/system", StoragePool(name="x", path="/x"), estate="x", ssh_config=os.devnull
    )
    with pytest.raises(UnreachableError, match=r"host none on qemu\+ssh://root@192.0.2.1/system"):
        provider.observe()


def test_pool_elsewhere_is_refused(place):
    other = StoragePool(name=place.estate, path="/var/lib/libvirt/elsewhere")
    provider = open_provider("hv1", URI, other, estate=place.estate, ssh_config=str(layout.ssh_home() / "config"))
    with pytest.raises(RefusedError, match="wanted a directory pool at /var/lib/libvirt/elsewhere, found a dir pool at"):
        provider.ensure_storage()
    provider.close()
