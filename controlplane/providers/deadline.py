"""Blocking calls with a deadline. libvirt calls cannot be cancelled, so the caller goes on and the thread is abandoned."""

import threading
from collections.abc import Callable
from typing import TypeVar

from controlplane.errors import UnreachableError

T = TypeVar("T")


def with_deadline(call: Callable[[], T], *, seconds: float, what: str) -> T:
    """Run `call` in a daemon thread and wait at most `seconds` for it.

    Raises what the call raises, or UnreachableError when time is up. The thread may live on until its call returns, but
    never keeps the process alive; a caller that repeats must not start a second one before (see `reporting.watch`).
    """
    result: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(call())
        except BaseException as error:  # handed to the waiting thread, which raises it
            failure.append(error)

    thread = threading.Thread(target=run, name=f"deadline {what}", daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if result:
        return result[0]
    raise UnreachableError(
        f"{what}: no answer within {seconds:g} s; look at the host's libvirtd (or the cloud's services) and network, then run again"
    )
