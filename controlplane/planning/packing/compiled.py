"""Inner loops as machine code: compiled when first called, kept on disk where that can be written.

Importing the compiler takes most of a second, so problems that need none of these loops never import it.
"""

from collections.abc import Callable
from functools import update_wrapper
from typing import Generic, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


class Compiled(Generic[P, R]):
    """A function that is compiled at its first call."""

    def __init__(self, function: Callable[P, R]) -> None:
        self._function = function
        self._compiled: Callable[P, R] | None = None
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the machine code."""
        if self._compiled is None:
            self._compiled = _compile(self._function)
        return self._compiled(*args, **kwargs)


def _compile(function: Callable[P, R]) -> Callable[P, R]:
    import numba  # noqa: PLC0415  only problems that need it pay for it

    try:
        return cast("Callable[P, R]", numba.njit(function, cache=True))
    except RuntimeError:  # no folder that it may write its cache to
        return cast("Callable[P, R]", numba.njit(function))
