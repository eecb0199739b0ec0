"""Runs the benchmarks one after the other and prints their ratios."""

import sys
from importlib import import_module

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
        import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
