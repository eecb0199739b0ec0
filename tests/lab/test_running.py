"""The running lab keeps the contract that its inventory and everybody's tests rely on."""

import subprocess
import time

import pytest

from controlplane.errors import RefusedError
from lab import hosts, layout, legacy, lifecycle, namespaces, ownership, pension, status
from lab.command import attempt, run

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.usefixtures("running_lab")]


def on(name: str, command: str) -> str:
    return run([str(layout.ssh_home() / "ssh"), name, command])


def test_every_piece_is_up():
    assert {piece.name: piece.state for piece in status.pieces()} | {"debian-12": "ready"} == {
        "debian-12": "ready",
        "fabric": "up",
        **{host.name: "up" for host in layout.hosts(ownership.shared_hosts())},
        **{server.name: "up" for server in layout.LEGACY_SERVERS},
        "mhlw-pension": "up",
    }


def test_a_second_up_does_nothing_and_is_quick(capsys):
    began = time.monotonic()
    lifecycle.up()
    # Three seconds on an idle machine; the machine of a test is seldom idle, and the first `up` takes a minute.
    assert time.monotonic() - began < 30
    assert "made" not in capsys.readouterr().err


def test_hosts_are_hosts_of_their_own():
    everybody = layout.hosts(ownership.shared_hosts())
    assert [on(host.name, "hostname").strip() for host in everybody] == [host.name for host in everybody]
    uuids = [on(host.name, "virsh --connect qemu:///system capabilities | grep -m1 '<uuid>'") for host in everybody]
    assert [host.uuid in found for host, found in zip(everybody, uuids, strict=True)] == [True] * len(everybody)


def test_every_host_has_every_bridge_and_its_address():
    links = on("hv1", "ip -brief address")
    for network in layout.NETWORKS:
        assert network.bridge in links
    assert "10.77.0.11/24" in links


def test_hosts_offer_kvm_only_where_it_works():
    good, _ = attempt([str(layout.ssh_home() / "ssh"), "hv1", "virsh --connect qemu:///system domcapabilities --virttype kvm"])
    assert good == (status.acceleration() == "kvm")


def test_a_host_reaches_its_own_files_with_the_tools_of_migration():
    on("hv1", "qemu-img create -q -f qcow2 /var/lib/libvirt/images/probe.qcow2 1M && which qemu-nbd nbdcopy virt-ssh-helper")
    probe = layout.host_home(layout.shared_host(1)) / "lib/images/probe.qcow2"
    assert probe.exists()
    probe.unlink()


def test_the_image_is_what_its_sidecar_says():
    image = layout.guest_image()
    digest = run(["sha256sum", str(image)]).split()[0]
    assert image.with_name(f"{image.name}.sha256").read_text().strip() == digest
    assert '"virtual-size": 2147483648' in run(["qemu-img", "info", "--output=json", str(image)])


def test_the_file_server_serves():
    page = run(["curl", "--silent", f"http://{layout.MOF_FILES.address}/files/"])
    assert "README" in page
    listing = run(["curl", "--silent", f"ftp://{layout.MOF_FILES.address}/"])
    assert "README" in listing
    assert on("mof-files", "cut -d: -f1 /etc/passwd | grep -xE 'tanaka|suzuki'").split() == ["tanaka", "suzuki"]
    assert "nightly-index" in on("mof-files", "cat /etc/cron.d/nightly-index")
    assert on("mof-files", "cat /proc/1/comm").strip() == "mof-init"


def test_the_pension_page_is_read_from_its_database():
    good, text = pension.answers()
    assert good
    assert text.startswith("records=1000 ")
    assert on("mhlw-pension", "runuser -u postgres -- psql -At pension -c 'SELECT count(*) FROM records'").strip() == "1000"


def test_the_guest_lets_the_control_plane_in():
    assert run([str(layout.ssh_home() / "ssh"), "-l", "kasumi", layout.PENSION.address, "sudo id -u"]).strip() == "0"


def test_its_agent_answers():
    assert "return" in hosts.virsh(layout.OLD_HOST, "qemu-agent-command", layout.PENSION.name, '{"execute":"guest-ping"}')


def test_a_lab_with_another_home_is_refused(tmp_path, monkeypatch):
    home = layout.home()
    monkeypatch.setenv("KASUMI_LAB_HOME", str(tmp_path / "other"))
    for verb in (lifecycle.up, lifecycle.down):
        with pytest.raises(RefusedError, match=f"found that of the lab at {home};"):
            verb()


def test_a_foreign_namespace_is_refused_before_anything_is_made():
    name = f"kl-hv{ownership.shared_hosts() + 1}"
    run(["ip", "netns", "add", name])
    try:
        with pytest.raises(RefusedError, match=f"wanted network namespace {name} to be free or ours"):
            lifecycle.up(shared=ownership.shared_hosts() + 1)
        assert name not in namespaces.ours()
    finally:
        run(["ip", "netns", "delete", name])
    assert not layout.host_home(layout.shared_host(ownership.shared_hosts() + 1)).exists()


def test_services_of_the_file_server_are_the_ones_seen():
    assert legacy.MOF_FILES.missing_services() == []
    assert subprocess.run(["ssh", "-F", str(layout.ssh_home() / "config"), "mof-files", "true"], check=False).returncode == 0
