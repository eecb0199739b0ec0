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
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

from benchmarks.planner import packing_made, peer_ganeti, roadef
from benchmarks.planner.fleet import hosts_beside, read_fleet, write_fleet
from benchmarks.planner.roadef_made import made_problem
from benchmarks.planner.running import COLUMNS
from benchmarks.planner.vbp import write_vbp
from controlplane.planning.packing import Problem, Work
from controlplane.planning.reassign.consolidate import consolidate

_SEEDS = (1, 2, 3, 4, 5)
_WATCHER_SIZES = ((1_000, 100), (10_000, 1_000), (30_000, 3_000))
_GANETI_SIZES = ((200, 20), (500, 50), (1_000, 100))
_WATCHER_SECONDS = 1_200
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
        _watcher(folder)
        _ganeti(folder)
    return 1 if failed else 0


def _tell(kind: str, rows: list[list[str]]) -> None:
    if not rows:
        return
    above = [(int(row[3]) - int(row[4])) / max(1, int(row[4])) for row in rows]
    seconds = [float(row[5]) for row in rows]
    proved = sum(gap == 0 for gap in above)
    print(
        f"# {kind}: above the bound {min(above):.2%} to {max(above):.2%}, median {median(above):.2%}; at the bound {proved} of "
        f"{len(rows)}; seconds {min(seconds):.2f} to {max(seconds):.2f}, median {median(seconds):.2f}",
        file=sys.stderr,
        flush=True,
    )


def _watcher(folder: Path) -> None:
    """Consolidation beside Watcher's strategy: CPU seconds of each, hosts in use, migrations."""
    python = _watcher_python()
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


def _watcher_python() -> str | None:
    """The interpreter of a virtual environment with python-watcher, made beside the project's own on first use."""
    folder = Path(os.environ.get("KASUMI_BENCH_WATCHER", ".venv-watcher"))
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        done = subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "python-watcher>=17,<18"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            shutil.rmtree(folder)
            print(f"# watcher: cannot be installed, left out: {done.stderr[-300:]}", file=sys.stderr)
            return None
    return str(python)


def _ganeti(folder: Path) -> None:
    for machines, hosts in _GANETI_SIZES:
        fleet = packing_made.fleet(machines, hosts, 1)
        peer = peer_ganeti.hbal(fleet, folder)
        if peer is None:
            print("# hbal: not installed (ganeti-htools), left out", file=sys.stderr)
            return
        seconds, moves = peer_ganeti.ours(fleet)
        if not (peer[1] and moves):
            print(f"# rebalance of {machines} on {hosts}: {moves} moves of ours, {peer[1]} of hbal: no ratio", file=sys.stderr)
            continue
        each, theirs = seconds / moves, peer[0] / peer[1]
        print(
            f"# rebalance of {machines} on {hosts}: ours {each * 1000:.1f} ms CPU a move ({moves} moves); hbal {theirs * 1000:.1f} ms "
            f"({peer[1]} moves); {theirs / each:.1f} times as fast",
            file=sys.stderr,
            flush=True,
        )
