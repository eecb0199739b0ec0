"""Runs the benchmarks one after the other and prints their ratios."""

import runpy
import sys

ALL = (
    "inventory_load",
    "ledger_import",
    "planning_scale",
    "assessment",
    "observe",
    "scrape",
    "apply_rate",
    "cloud_apply",
    "ansible_push",
    "discovery",
)


def main() -> None:
    """Run those named on the command line, or all."""
    for name in sys.argv[1:] or ALL:
        print(f"== {name}", flush=True)
        sys.argv = [name]
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")


if __name__ == "__main__":
    main()
