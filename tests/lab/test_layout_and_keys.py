"""Names, addresses and keys, without root and without a running lab."""

import subprocess

import pytest

from controlplane.errors import ExitCode, KasumiError
from lab import keys, layout


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("KASUMI_LAB_HOME", str(tmp_path / "lab"))


def test_addresses_of_hosts_are_the_contract():
    addresses = {host.name: host.address for host in layout.hosts(2)}
    assert addresses == {"hv1": "10.77.0.11", "hv2": "10.77.0.12", "old1": "10.77.0.61"}


def test_as_many_hosts_as_there_are_addresses_all_different():
    everybody = layout.hosts(layout.MOST_HOSTS)
    assert len({host.address for host in everybody}) == len({host.uuid for host in everybody}) == layout.MOST_HOSTS + 1


@pytest.mark.parametrize("count", [0, layout.MOST_HOSTS + 1])
def test_more_hosts_than_addresses_are_refused(count):
    with pytest.raises(KasumiError, match=rf"wanted {count} shared hosts, found addresses for 1 to 50") as caught:
        layout.hosts(count)
    assert caught.value.exit_code == ExitCode.USAGE


def test_interface_names_fit_the_kernel():
    names = [network.bridge for network in layout.NETWORKS] + [f"up-{network.name}" for network in layout.NETWORKS]
    names += [f"{host.name}.{network.tag}" for host in layout.hosts(50) for network in layout.NETWORKS]
    names += [f"{server.name}.{server.network.tag}" for server in layout.LEGACY_SERVERS]
    assert max(len(name) for name in names) <= 15


def test_sockets_fit_the_kernel():
    assert len("/var/lib/kasumi-lab/hosts/hv50/run/libvirt/libvirt-admin-sock") < 100


def test_keys_are_made_once():
    assert keys.ensure(layout.hosts(2))
    first = (layout.ssh_home() / "id_ed25519").read_bytes()
    assert not keys.ensure(layout.hosts(2))
    assert (layout.ssh_home() / "id_ed25519").read_bytes() == first


def test_a_half_made_key_is_made_again():
    keys.ensure(layout.hosts(1))
    (layout.ssh_home() / "id_ed25519.pub").unlink()
    assert keys.ensure(layout.hosts(1))
    assert (layout.ssh_home() / "id_ed25519.pub").exists()


def test_every_server_has_a_known_host_key():
    keys.ensure(layout.hosts(2))
    known = (layout.ssh_home() / "known_hosts").read_text().splitlines()
    names = [line.split()[0] for line in known]
    assert names == [
        "hv1,10.77.0.11",
        "hv2,10.77.0.12",
        "old1,10.77.0.61",
        "mof-files,10.77.30.21",
        "moj-db,10.77.40.22",
        "moj-web,10.77.40.21",
        "moj-archive,10.77.41.21",
        "moj-kiosk,10.77.40.23",
        "mhlw-pension,10.77.20.21",
    ]


@pytest.mark.parametrize(("target", "user"), [("hv2", "root"), ("10.77.0.99", "root"), ("10.77.30.21", "root")])
def test_ssh_reads_the_configuration(target, user):
    keys.ensure(layout.hosts(2))
    shown = subprocess.run(
        ["ssh", "-G", "-F", str(layout.ssh_home() / "config"), target], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert f"user {user}" in shown
    assert "stricthostkeychecking true" in shown
    assert "batchmode yes" in shown
    assert f"identityfile {layout.ssh_home()}/id_ed25519" in shown


def test_other_guests_get_the_key_but_no_user():
    keys.ensure(layout.hosts(1))
    shown = subprocess.run(
        ["ssh", "-G", "-F", str(layout.ssh_home() / "config"), "kasumi@10.77.10.50"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "user kasumi" in shown
    assert f"identityfile {layout.ssh_home()}/id_ed25519" in shown
