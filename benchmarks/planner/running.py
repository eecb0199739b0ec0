"""Runs one instance and gives its line. Each runs in a process of its own, so that time and memory are its own.

The clock is here and not in the planner: a search is told how much of its budget is gone, or how many steps it has.
"""

import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.planner import fleet, packing_made, roadef, roadef_check, vbp
from benchmarks.planner.roadef_made import made_problem
from benchmarks.planner.tokens import InstanceError
from controlplane.planning.packing import Work, solve
from controlplane.planning.reassign.bounds import cost_bound
from controlplane.planning.reassign.consolidate import consolidate
from controlplane.planning.reassign.problem import Problem
from controlplane.planning.reassign.search import Found, Search, reassign

COLUMNS = ("name", "items", "dimensions", "bins_or_cost", "lower_bound", "seconds", "memory_mib", "note")
_THREADS = 2
_DESCENT_SHARE = 0.05
"""Part of the budget kept for the descent at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What is printed of one instance.

    `seconds` of wall time, without reading, checking, and compiling: a tiny problem of the kind is solved before. Memory is
    the peak of the process until there was an answer.
    """

    name: str
    items: int
    dimensions: int
    result: int
    lower_bound: int
    seconds: float
    memory_mib: int
    note: str

    def tsv(self) -> str:
        """Tab-separated, in the order of COLUMNS."""
        words = (
            self.name,
            self.items,
            self.dimensions,
            self.result,
            self.lower_bound,
            f"{self.seconds:.2f}",
            self.memory_mib,
            self.note,
        )
        return "\t".join(map(str, words))


def is_instance(file: Path) -> bool:
    """False for files that belong to another: assignments and hosts."""
    return not (file.name.startswith("assignment_") or file.name.endswith(".hosts.csv"))


def run(file: Path, *, budget_seconds: float, seed: int) -> Line:
    """Read, solve, check and tell. Raises InstanceError."""
    if file.suffix == ".vbp":
        return _pack(file, budget_seconds, seed)
    if roadef.is_model(file):
        return _reassign(file, budget_seconds, seed)
    if file.suffix == ".csv":
        return _consolidate(file, budget_seconds, seed)
    raise InstanceError(f"{file}: wanted NAME.vbp, model_NAME.txt (with assignment_NAME.txt beside it) or NAME.csv")


def _pack(file: Path, budget_seconds: float, seed: int) -> Line:
    problem = vbp.read_vbp(file)
    solve(packing_made.uniform(20, 2, 1), work=Work(budget=0.1))
    began = time.perf_counter()
    packing = solve(problem, work=Work(budget=budget_seconds, seed=seed))
    seconds = time.perf_counter() - began
    _refuse(file, vbp.faults(problem, packing.assignment.tolist()))
    return _line(
        file, problem.items, problem.sizes.shape[1], packing.bins_used, packing.lower_bound, seconds,
        f"{packing.method}; bound by {packing.proof}",
    )  # fmt: skip


def _reassign(file: Path, budget_seconds: float, seed: int) -> Line:
    beside = roadef.assignment_beside(file)
    problem = roadef.read_problem(file, beside)
    bound = cost_bound(problem).total
    first = problem.initial.tolist()
    if len(set(zip(problem.group.tolist(), first, strict=True))) < len(first):
        _refuse_first(file, beside, first)
    reassign(made_problem(hosts=3, items=6), rounds=1)
    began = time.perf_counter()
    with ThreadPoolExecutor(_THREADS) as pool:
        tries = [pool.submit(search_for, problem, budget_seconds, seed * _THREADS + number) for number in range(_THREADS)]
        best = min((found.result() for found in tries), key=lambda found: found.cost)
    seconds = time.perf_counter() - began
    peak_mib = _peak_mib()
    verdict = roadef_check.check(file, beside, best.hosts.tolist())
    if verdict.violations:
        _refuse_first(file, beside, first)
    _refuse(file, verdict.violations)
    if verdict.cost != best.cost:
        raise InstanceError(f"{file}: the search reckons cost {best.cost}, the checker {verdict.cost}; one of them is wrong")
    note = f"cost at first {Search(problem).cost}"
    return replace(_line(file, problem.items, problem.size.shape[1], best.cost, bound, seconds, note), memory_mib=peak_mib)


def search_for(problem: Problem, seconds: float, seed: int) -> Found:
    """Anneal for most of the time, then descend from the best; the first rounds tell how many there will be."""
    began = time.perf_counter()
    search = Search(problem, seed=seed)
    annealing = seconds * (1 - _DESCENT_SHARE)
    started = time.perf_counter()
    rounds = 0
    while (gone := time.perf_counter() - began) < annealing:
        rate = rounds / max(1e-3, time.perf_counter() - started)
        search.anneal(gone / annealing, rounds=round(rate * annealing))
        rounds += 1
    search.settle()
    while time.perf_counter() - began < seconds and search.descend():
        pass
    return search.best


def _consolidate(file: Path, budget_seconds: float, seed: int) -> Line:
    read = fleet.read_fleet(file)
    small = packing_made.fleet(20, 4, 1)
    consolidate(small.sizes, small.capacities, small.where, work=Work(budget=0.1))
    began = time.perf_counter()
    found = consolidate(read.sizes, read.capacities, read.where, work=Work(budget=budget_seconds, seed=seed))
    seconds = time.perf_counter() - began
    stands = np.zeros_like(read.capacities)
    np.add.at(stands, read.where, read.sizes)
    over = [read.hosts[host] for host in np.flatnonzero((stands > read.capacities).any(axis=1))]
    used = [[0] * len(read.dimensions) for _ in read.hosts]
    for machine, host in enumerate(found.hosts.tolist()):
        for dimension, amount in enumerate(read.sizes[machine].tolist()):
            used[host][dimension] += amount
    moved_to = set(found.hosts[found.hosts != read.where].tolist())
    _refuse(
        file,
        tuple(
            f"host {read.hosts[host]} holds {used[host]} of {capacity}"
            for host, capacity in enumerate(read.capacities.tolist())
            if host in moved_to and any(a > b for a, b in zip(used[host], capacity, strict=True))
        ),
    )
    note = f"{found.hosts_before} hosts before; {found.migrations} migrations, {found.necessary} necessary"
    if over:
        note += f"; {len(over)} hold more than they have as they stand, first {over[0]}"
    return _line(file, len(read.sizes), len(read.dimensions), found.hosts_used, found.bound, seconds, note)


def _refuse_first(file: Path, beside: Path, first: list[int]) -> None:
    """The challenge's first assignments keep every rule; one that does not has, as a rule, no answer near it."""
    broken = roadef_check.check(file, beside, first).violations
    if broken:
        raise InstanceError(f"{beside}: wanted a first assignment that keeps every rule, found {'; '.join(broken[:3])}")


def _refuse(file: Path, faults: tuple[str, ...]) -> None:
    if faults:
        raise InstanceError(f"{file}: the answer does not pass its check: {'; '.join(faults[:3])}")


def _line(file: Path, items: int, dimensions: int, result: int, bound: int, seconds: float, note: str) -> Line:
    return Line(
        name=file.stem, items=items, dimensions=dimensions, result=result, lower_bound=bound, seconds=seconds,
        memory_mib=_peak_mib(), note=note,
    )  # fmt: skip


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """One file on the command line, its line on stdout: the process that measures itself."""
    file, budget_seconds, seed = sys.argv[1:4]
    try:
        print(run(Path(file), budget_seconds=float(budget_seconds), seed=int(seed)).tsv())
    except InstanceError as error:
        raise SystemExit(f"{error}") from None


if __name__ == "__main__":
    main()
