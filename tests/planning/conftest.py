"""A controller for tests of verbs: the lab's inventory with its two hosts on libvirt's own test driver."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from controlplane.cli.app import main
from controlplane.settings import resource

TEST_HOST = Path(__file__).parents[1] / "providers" / "test_host.xml"


@pytest.fixture
def controller(tmp_path, monkeypatch):
    """A controller whose two hosts are libvirt's own test driver; returns a way to run a verb."""
    inventory = tmp_path / "inventory"
    shutil.copytree(resource("inventories") / "lab", inventory)
    image, key = tmp_path / "debian-12.qcow2", tmp_path / "id.pub"
    image.write_bytes(b"image")
    key.write_text("ssh-ed25519 AAAA test\n")
    estate_file, hosts_file = inventory / "group_vars" / "all" / "estate.yml", inventory / "10-hosts.yml"
    text = estate_file.read_text(encoding="utf-8")
    text = text.replace("/var/lib/kasumi-lab/images/debian-12.qcow2", str(image))
    estate_file.write_text(text.replace("/var/lib/kasumi-lab/ssh/id_ed25519.pub", str(key)), encoding="utf-8")
    hosts = hosts_file.read_text(encoding="utf-8")
    hosts_file.write_text(re.sub(r"uri: \S+", f"uri: test://{TEST_HOST}", hosts), encoding="utf-8")
    environment = os.environ | {"KASUMI_HOME": str(tmp_path / "home"), "KASUMI_INVENTORY": str(inventory), "NO_COLOR": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "controlplane", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=Path(__file__).parents[2], check=False
        )

    run.inventory = inventory
    run.home = tmp_path / "home"
    return run


@pytest.fixture
def verb(controller, monkeypatch, capsys):
    """Runs verbs on the same controller inside this process, which is quicker; returns the same kind of result."""
    monkeypatch.setenv("KASUMI_HOME", str(controller.home))
    monkeypatch.setenv("KASUMI_INVENTORY", str(controller.inventory))
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["kasumi", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(left.value.code or 0), said.out, said.err)

    run.inventory = controller.inventory
    run.home = controller.home
    return run
