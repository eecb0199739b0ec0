"""Runs the benchmarks one after the other and prints their ratios."""

import importlib
import sys

ALL = ("inventory_load", "observe", "scrape", "apply_rate", "ansible_push")


def main() -> None:
    """Run those named on the command line, or all."""
    for name in sys.argv[1:] or ALL:
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
