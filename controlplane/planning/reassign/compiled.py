"""One decorator: compile a function with numba, cache the machine code, release the interpreter's lock while it runs."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """The compiled function, of the same type; not kept where there is no folder that its cache may be written to."""
    try:
        return cast("_Function", numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:
        return cast("_Function", numba.njit(nogil=True)(function))
