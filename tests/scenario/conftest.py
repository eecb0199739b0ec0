"""The real lab, an estate of the tests' own in it, and the real command; everything the estate made is removed at the end."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controlplane.settings import resource
from lab import hosts, layout
from tests.lab.occupants import machines_of_others

KASUMI = str(Path(sys.executable).with_name("kasumi"))
ESTATE = "scenario"


@dataclass(frozen=True, slots=True)
class World:
    """One controller and its inventory."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"KASUMI_HOME": str(self.folder / "home"), "KASUMI_INVENTORY": str(self.folder / "inventory")}

    @property
    def plan(self) -> str:
        return str(self.folder / "plan.json")

    def kasumi(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run the command and insist on its exit code."""
        done = subprocess.run([KASUMI, *arguments], env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"kasumi {arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def edit(self, file: str, old: str, new: str) -> None:
        """Change the inventory."""
        path = self.folder / "inventory" / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


def virsh(host: str, *arguments: str) -> str:
    """virsh on a lab host, by its own socket."""
    found = next(each for each in layout.hosts(2) if each.name == host)
    return hosts.virsh(found, *arguments)


@pytest.fixture(scope="session")
def world(running_lab, tmp_path_factory) -> Iterator[World]:
    busy = machines_of_others()
    assert not busy, f"the lab holds machines of somebody: {', '.join(busy)}; `make demo-down` first"
    folder = tmp_path_factory.mktemp("scenario")
    shutil.copytree(resource("inventories") / "lab", folder / "inventory")
    made = World(folder=folder)
    made.edit("group_vars/all/estate.yml", "id: lab", f"id: {ESTATE}")
    try:
        yield made
    finally:
        remove_everything()


def remove_everything() -> None:
    """All machines, networks and disks of ours on the shared hosts."""
    for host in ("hv1", "hv2"):
        for name in virsh(host, "list", "--all", "--name").split():
            if name in virsh(host, "list", "--name").split():
                virsh(host, "destroy", name)
            virsh(host, "undefine", name)
        for network in virsh(host, "net-list", "--all", "--name").split():
            if network.startswith("kasumi-"):
                virsh(host, "net-destroy", network)
                virsh(host, "net-undefine", network)
        if "kasumi" in virsh(host, "pool-list", "--name").split():
            for volume in virsh(host, "vol-list", "kasumi").splitlines():
                virsh(host, "vol-delete", "--pool", "kasumi", volume.split()[0])
            virsh(host, "pool-destroy", "kasumi")
            virsh(host, "pool-undefine", "kasumi")
