"""Timing of pairs: several rounds, ours and the peer's in turn, least time of each, so that other load hits both."""

import time
from collections.abc import Callable


def least_seconds(*calls: Callable[[], object], rounds: int = 3) -> list[float]:
    """The least wall time of each call over the rounds."""
    best = [float("inf")] * len(calls)
    for _ in range(rounds):
        for number, call in enumerate(calls):
            began = time.perf_counter()
            call()
            best[number] = min(best[number], time.perf_counter() - began)
    return best


def report(what: str, ours: float, peer_name: str, peer: float, bar: str) -> None:
    """One line: both times, their ratio, and the bar."""
    print(f"{what}: {ours:.3f} s; {peer_name}: {peer:.3f} s; ratio {ours / peer:.2f} (bar: {bar})", flush=True)
