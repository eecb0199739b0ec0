"""The standard set: instances of the project's own, written as files and run like any other, five seeds of each kind, and peers.

After each kind a line on stderr tells how far the answers are above their bounds. Peers are run on the same fleets, in the same
run; what is not installed is said and left out.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.planner import packing_made, peer_ganeti, roadef
from benchmarks.planner.adding import added_to_made
from benchmarks.planner.fleet import Fleet, hosts_beside, read_fleet, write_fleet
from benchmarks.planner.roadef_made import made_problem
from benchmarks.planner.running import COLUMNS
from benchmarks.planner.vbp import write_vbp
from controlplane.planning.packing import Problem, Work
from controlplane.planning.reassign.consolidate import consolidate

_SEEDS = (1, 2, 3, 4, 5)
_WATCHER_SIZES = ((1_000, 100), (10_000, 1_000), (30_000, 3_000))
_GANETI_SIZES = ((200, 20, 3), (500, 50, 3), (1_000, 100, 1))
"""Machines, hosts, and moves that hbal is asked for, as each takes it longer by the cube of the hosts."""
_WATCHER_SECONDS = 1_200
_MACHINES_ADDED = 50
Writer = Callable[[Path, int], Path]


def _vbp(make: Callable[[int], Problem]) -> Writer:
    def write(stem: Path, seed: int) -> Path:
        file = stem.with_suffix(".vbp")
        write_vbp(make(seed), file)
        return file

    return write


def _reassignment(hosts: int, items: int, resources: int) -> Writer:
    def write(stem: Path, seed: int) -> Path:
        file = stem.with_name(f"model_{stem.name}.txt")
        problem = made_problem(hosts=hosts, items=items, resources=resources, transients=resources // 3, locations=10, seed=seed)
        roadef.write_problem(problem, file)
        return file

    return write


def _fleet(machines: int, hosts: int) -> Writer:
    def write(stem: Path, seed: int) -> Path:
        file = stem.with_suffix(".csv")
        write_fleet(packing_made.fleet(machines, hosts, seed), file)
        return file

    return write


KINDS: Mapping[str, Writer] = {
    "uniform-200-2": _vbp(lambda seed: packing_made.uniform(200, 2, seed)),
    "uniform-200-10": _vbp(lambda seed: packing_made.uniform(200, 10, seed)),
    "correlated-200-5": _vbp(lambda seed: packing_made.correlated(200, 5, seed)),
    "anticorrelated-200-4": _vbp(lambda seed: packing_made.anticorrelated(200, 4, seed)),
    "triplets-249-2": _vbp(lambda seed: packing_made.triplets(83, 2, seed)),
    "triplets-501-3": _vbp(lambda seed: packing_made.triplets(167, 3, seed)),
    "triplets-60-5": _vbp(lambda seed: packing_made.triplets(20, 5, seed)),
    "flavours-20": _vbp(lambda seed: packing_made.flavours(20, seed)),
    "flavours-50000": _vbp(lambda seed: packing_made.flavours(50_000, seed)),
    "fleet-1000": _fleet(1_000, 100),
    "fleet-10000": _fleet(10_000, 1_000),
    "reassign-100-1000": _reassignment(100, 1_000, 4),
    "reassign-500-10000": _reassignment(500, 10_000, 12),
}


def standard_set(*, budget_seconds: float, one: Callable[[Path, float, int], str | None]) -> int:
    """Run everything; 1 when an instance failed."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="kasumi-bench-") as name:
        folder = Path(name)
        print("\t".join(COLUMNS), file=sys.stderr, flush=True)
        for kind, write in KINDS.items():
            lines = [one(write(folder / f"{kind}-{seed}", seed), budget_seconds, 1) for seed in _SEEDS]
            failed += lines.count(None)
            _tell(kind, [line.split("\t") for line in lines if line is not None])
        _vpsolver(folder, budget_seconds)
        _adding()
        _watcher(folder)
        _ganeti(folder)
    return 1 if failed else 0


def _tell(kind: str, rows: list[list[str]]) -> None:
    if not rows:
        return
    found = [(int(row[3]), int(row[4])) for row in rows]
    above = [(value - bound) / bound for value, bound in found if bound]
    seconds = [float(row[5]) for row in rows]
    proved = sum(value == bound for value, bound in found)
    gaps = f"above the bound {min(above):.2%} to {max(above):.2%}, median {median(above):.2%}" if above else "no bound above 0"
    without = f" ({len(found) - len(above)} with a bound of 0 left out)" if above and len(above) < len(found) else ""
    print(
        f"# {kind}: {gaps}{without}; at the bound {proved} of {len(rows)}; seconds {min(seconds):.2f} to {max(seconds):.2f}, "
        f"median {median(seconds):.2f}",
        file=sys.stderr,
        flush=True,
    )


def _vpsolver(folder: Path, budget_seconds: float) -> None:
    """VPSolver on the first instance of each kind, with as many seconds as ours has."""
    python = _peer_python("vpsolver", "pyvpsolver>=3.1.4,<4", "--no-deps")
    if python is None:
        return
    for kind, write in KINDS.items():
        file = write(folder / f"vpsolver-{kind}", 1)
        if file.suffix == ".vbp":
            command = [sys.executable, "-m", "benchmarks.planner.peer_vpsolver", python, str(file), str(budget_seconds)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            last = (done.stdout.splitlines() or [f"- - - exit {done.returncode}"])[-1]
            bins, bound, seconds, how = last.split(maxsplit=3)
            print(f"# vpsolver {kind}: {bins} bins, bound {bound}, {seconds} s of wall time, {how}", file=sys.stderr, flush=True)


def _adding() -> None:
    """One machine more on a fleet of 50,000 that stands."""
    for plain, which in ((True, "without side constraints"), (False, "with losses, replicas and grades")):
        runs = [added_to_made(50_000, 5_000, 2_000, plain=plain) for _ in _SEEDS]
        p99 = [run.p99_ms for run in runs]
        rate = [run.a_second for run in runs]
        print(
            f"# one more on 50000 on 5000, {which}: p99 {median(p99):.2f} ms CPU ({min(p99):.2f} to {max(p99):.2f}), median "
            f"{median(run.median_ms for run in runs):.3f} ms, {median(rate):.0f} a second ({min(rate):.0f} to {max(rate):.0f})",
            file=sys.stderr,
            flush=True,
        )


def _watcher(folder: Path) -> None:
    """Consolidation beside Watcher's strategy: CPU seconds of each, hosts in use, migrations."""
    python = _peer_python("watcher", "python-watcher>=17,<18")
    if python is None:
        return
    script = Path(__file__).with_name("peer_watcher.py")
    for machines, hosts in _WATCHER_SIZES:
        file = _fleet(machines, hosts)(folder / f"watcher-{machines}", 1)
        read = read_fleet(file)
        ours = []
        for _ in _SEEDS:
            began = time.process_time()
            found = consolidate(read.sizes, read.capacities, read.where, work=Work(budget=1.0))
            ours.append(time.process_time() - began)
        done = subprocess.run(
            [python, "-W", "ignore", str(script), str(file), str(hosts_beside(file))],
            capture_output=True, text=True, check=False, timeout=_WATCHER_SECONDS,
        )  # fmt: skip
        if done.returncode != 0:
            print(f"# watcher: failed: {done.stderr[-300:]}", file=sys.stderr)
            return
        seconds, used, migrations = done.stdout.split()
        print(
            f"# consolidation of {machines} on {hosts}: ours {median(ours):.3f} s CPU ({min(ours):.3f} to {max(ours):.3f}), "
            f"{found.hosts_used} hosts (bound {found.bound}), {found.migrations} migrations ({found.necessary} necessary); watcher "
            f"{seconds} s CPU, {used} hosts, {migrations} migrations; {float(seconds) / median(ours):.0f} times as fast",
            file=sys.stderr,
            flush=True,
        )


def _peer_python(peer: str, package: str, *options: str) -> str | None:
    """The interpreter of a virtual environment with the peer's package, made beside the project's own on first use."""
    folder = Path(os.environ.get(f"KASUMI_BENCH_{peer.upper()}", f".venv-{peer}")).absolute()
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *options, package]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(folder)
            print(f"# {peer}: cannot be installed, left out: {done.stderr[-300:]}", file=sys.stderr)
            return None
    return str(python)


def _ganeti(folder: Path) -> None:
    for machines, hosts, moves in _GANETI_SIZES:
        fleet = packing_made.fleet(machines, hosts, 1)
        peer = peer_ganeti.hbal(fleet, folder, moves)
        if peer is None:
            print("# hbal and hail: not installed (ganeti-htools), left out", file=sys.stderr)
            return
        _hail(fleet, folder)
        runs = [peer_ganeti.ours(fleet) for _ in _SEEDS]
        _tell_rebalance(f"rebalance of {machines} on {hosts}", [seconds / made for seconds, made in runs if made], peer)


def _tell_rebalance(what: str, ours: Sequence[float], peer: peer_ganeti.Moved) -> None:
    if not ours or (peer.done and not peer.moves):
        print(f"# {what}: no move of {'hbal' if ours else 'ours'}, so no ratio", file=sys.stderr)
        return
    each, theirs = median(ours), peer.cpu_seconds / max(1, peer.moves)
    told = (
        f"hbal {theirs * 1000:.0f} ms ({peer.moves} moves)" if peer.done else f"hbal not done with one after {theirs:.0f} s CPU"
    )
    print(
        f"# {what}: ours {each * 1000:.2f} ms CPU a move ({min(ours) * 1000:.2f} to {max(ours) * 1000:.2f}); {told}; "
        f"{'' if peer.done else 'more than '}{theirs / each:.0f} times as fast",
        file=sys.stderr,
        flush=True,
    )


def _hail(fleet: Fleet, folder: Path) -> None:
    added = [peer_ganeti.ours_added(fleet, _MACHINES_ADDED) for _ in _SEEDS]
    each = [1 / run.a_second for run in added]
    theirs = [seconds for seconds in (peer_ganeti.hail(fleet, folder) for _ in _SEEDS) if seconds is not None]
    if theirs:
        print(
            f"# one more on {len(fleet.machines)} on {len(fleet.hosts)}: ours {median(each) * 1000:.3f} ms CPU ({min(each) * 1000:.3f} to "
            f"{max(each) * 1000:.3f}); hail {median(theirs) * 1000:.0f} ms ({min(theirs) * 1000:.0f} to {max(theirs) * 1000:.0f}); "
            f"{median(theirs) / median(each):.0f} times as fast",
            file=sys.stderr,
            flush=True,
        )
