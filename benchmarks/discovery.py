"""Discovery of 500 servers over ssh against `ansible all -m setup` at the same parallelism, in the same run.

The servers are addresses and ports of sshds on loopback over this machine's own root, so that controller and servers share the same
processors and the network costs nothing: what is left is what each way of asking costs. Ansible is asked of fewer servers and
its time scaled up linearly, as the printed line says: each of its servers costs the same.
"""

import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import yaml

from benchmarks.timing import report
from controlplane.connectors.host_keys import KnownHosts
from controlplane.connectors.server_ssh import Door, Keyring
from controlplane.discovery.collecting import Means, collect_all
from controlplane.discovery.probes.table import PROBES
from controlplane.model.facts import Answer, ServerFacts
from controlplane.settings import load
from controlplane.store import open_store
from tests.connectors.sshd import running_sshd

SERVERS = int(os.environ.get("KASUMI_BENCH_SERVERS", "500"))
ASKED_BY_ANSIBLE = min(SERVERS, 100)
PARALLEL = 20
LISTENING = 16
"""Addresses of one sshd: the most it takes."""
_BATCH = 20
_AS_SETUP = {
    "os", "boot", "hardware", "cpu", "memory", "disks", "mounts", "addresses", "routes", "dns", "accounts", "filesystems",
}  # fmt: skip
"""Probes that ask what `setup` asks too. The others (packages, services, sockets with their processes, certificates, …) it has not."""

Place = tuple[str, str, int]
"""Name, address and port."""


def main() -> None:
    """Print the times, their ratio and our memory."""
    with tempfile.TemporaryDirectory(prefix="kasumi-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        places, known = _servers(folder, stack)
        seconds, memory_mib, answers = _apart(folder, places, "everything")
        same, _, _ = _apart(folder, places, "as setup")
        peer = _ansible(folder, places[:ASKED_BY_ANSIBLE], known)
    scaled = peer * SERVERS / ASKED_BY_ANSIBLE
    report(
        f"discovery of {SERVERS} servers, {PARALLEL} at once",
        seconds,
        f"ansible -m setup ({peer:.1f} s for {ASKED_BY_ANSIBLE}, scaled)",
        scaled,
        "at most 0.20",
    )
    report("the same, asking only what setup asks", same, "ansible -m setup, scaled", scaled, "none")
    faster = f"{scaled / seconds:.1f} x as fast (bar: 5), {scaled / same:.1f} x when asking only what setup asks"
    print(f"{faster}; memory {memory_mib:.0f} MiB (bar: 300); answers {answers}", flush=True)


def _apart(folder: Path, places: list[Place], what: str) -> tuple[float, float, dict[str, int]]:
    """In a process of its own, whose memory is ours alone."""
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as alone:
        return alone.submit(_ours, folder, places, what).result()


def _servers(folder: Path, stack: ExitStack) -> tuple[list[Place], Path]:
    places: list[Place] = []
    book, lines = KnownHosts(folder / "known"), []
    for number in range(-(-SERVERS // LISTENING)):
        addresses = [f"127.0.{number}.{last + 1}" for last in range(LISTENING)]
        addresses[0] = "127.0.0.1"
        server = stack.enter_context(running_sshd(folder / f"sshd{number}", addresses=addresses))
        if number == 0:
            (folder / "key").write_bytes((server.folder / "user_key").read_bytes())
            (folder / "key").chmod(0o600)
            public = (server.folder / "user_key.pub").read_text()
        (server.folder / "authorized_keys").write_text(public)
        host_key = " ".join((server.folder / "host_key.pub").read_text().split()[:2])
        for last, address in enumerate(addresses):
            name = f"s{number}-{last}"
            places.append((name, address, server.port))
            book.learn(f"bench/{name}", (host_key,), address=address, port=server.port)
            lines.append(f"[{address}]:{server.port} {host_key}\n")
    (folder / "known_hosts").write_text("".join(lines))
    # One sshd turns away a crowd (MaxStartups); neighbours in time are of different ones, as real servers are.
    places.sort(key=lambda place: int(place[0].partition("-")[2]))
    return places[:SERVERS], folder / "known_hosts"


def _ours(folder: Path, places: list[Place], what: str) -> tuple[float, float, dict[str, int]]:
    doors = {
        name: Door(owner=f"bench/{name}", address=address, port=port, identity_file=str(folder / "key"))
        for name, address, port in places
    }
    probes = tuple(probe for probe in PROBES if what == "everything" or probe.name in _AS_SETUP)
    means = Means(known=KnownHosts(folder / "known"), keyring=Keyring(use_agent=False), probes=probes)
    store = open_store(load(home=folder / what))
    answers: Counter[str] = Counter()
    unsaved: list[ServerFacts] = []
    began = time.perf_counter()
    for one in collect_all(doors, means, parallel=PARALLEL):
        answers[one.answer.value] += 1
        unsaved.append(one)
        if len(unsaved) >= _BATCH:
            store.facts.record("bench", unsaved)
            unsaved = []
    store.facts.record("bench", unsaved)
    seconds = time.perf_counter() - began
    heard = sum(store.facts.count("bench", name) for name in doors)
    store.close()
    if heard != len(places) or set(answers) - {Answer.ANSWERED.value, Answer.PARTLY.value}:
        raise AssertionError(f"wanted facts of {len(places)} servers, found {heard}: {answers}")
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, dict(answers)


def _ansible(folder: Path, places: list[Place], known: Path) -> float:
    hosts = {
        name: {
            "ansible_host": address,
            "ansible_port": port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(folder / "key"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={known}",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        for name, address, port in places
    }
    (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    (folder / "ansible.cfg").write_text("")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_HOME": str(folder / "ansible")}
    command = [str(Path(sys.executable).with_name("ansible")), "-i", "inventory.yml", "all", "-m", "setup", "-f", str(PARALLEL)]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    for socket in (folder / "ansible" / "cp").glob("*"):
        subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "none"], capture_output=True, check=False)
    if done.returncode != 0 or done.stdout.count("SUCCESS") != len(places):
        raise AssertionError(f"ansible did not ask them all: {done.stdout[-1000:]}{done.stderr[-500:]}")
    return seconds


if __name__ == "__main__":
    main()
