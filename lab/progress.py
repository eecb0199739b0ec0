"""One line for each step on standard error, with the seconds it took; several hosts may report at once."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_one_line_at_a_time = threading.Lock()


def say(text: str) -> None:
    """Talk to the person at the terminal."""
    with _one_line_at_a_time:
        print(text, file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[Callable[[str], None]]:
    """Report one step when it has ended; the value takes what was found or done, else "as wanted"."""
    began = time.monotonic()
    outcome = ["as wanted"]

    def note(text: str) -> None:
        outcome[0] = text

    try:
        yield note
    except BaseException:
        say(f"lab {what}: failed after {time.monotonic() - began:.1f} s")
        raise
    say(f"lab {what}: {outcome[0]} ({time.monotonic() - began:.1f} s)")
