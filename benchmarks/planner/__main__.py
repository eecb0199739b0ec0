"""`make bench-planner`: published instances by name, or a standard set of the project's own beside peers.

With files: one tab-separated line each on stdout, the names of its columns on stderr. A file that cannot be read or solved is
told on stderr, the others are run, and the exit code is 1.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.planner.running import COLUMNS, is_instance
from benchmarks.planner.standard import standard_set

_MOST_SECONDS = 1_000_000


def main() -> int:
    """0, or 1 when an instance failed."""
    parser = argparse.ArgumentParser(prog="make bench-planner", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="NAME.vbp, model_NAME.txt or NAME.csv; none: the standard set")
    parser.add_argument("--budget", type=float, default=10.0, help="seconds an instance may take (default 10)")
    parser.add_argument("--seed", type=int, default=1, help="start of the pseudo-random numbers (default 1)")
    asked = parser.parse_args()
    if not 0 < asked.budget < _MOST_SECONDS:
        parser.error(f"--budget: wanted more than 0 and less than {_MOST_SECONDS} seconds, found {asked.budget:g}")
    if not asked.files:
        return standard_set(budget_seconds=asked.budget, one=one)
    files = [file for file in asked.files if is_instance(file)]
    print("\t".join(COLUMNS), file=sys.stderr, flush=True)
    failed = [file for file in files if one(file, asked.budget, asked.seed) is None]
    return 1 if failed else 0


def one(file: Path, budget_seconds: float, seed: int) -> str | None:
    """Run an instance in a process of its own and print its line; None when it failed."""
    command = [sys.executable, "-m", "benchmarks.planner.running", str(file), str(budget_seconds), str(seed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, end="", flush=True)
    return done.stdout.strip() if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
