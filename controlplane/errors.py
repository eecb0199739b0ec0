"""The error vocabulary: few kinds, each with the exit code a script can rely on.

A message names the object, what was wanted, what was found, and the next move. Codes follow `docs/exit-codes.md`;
outcomes of single steps are values, never exceptions (see `controlplane.execution`).
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every verb."""

    DONE = 0
    FAILED = 1
    DIFFERENCES = 2
    """Differences exist; only with `--detailed-exitcode`."""
    PARTLY_FAILED = 3
    UNREACHABLE = 4
    REFUSED = 5
    """Stale plan, policy, or a missing approval."""
    USAGE = 64
    LOCKED = 75
    INTERRUPTED = 130


class KasumiError(Exception):
    """Something a person must read; `str(error)` is the whole message."""

    def __init__(self, message: str, exit_code: int = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class RefusedError(KasumiError):
    """We will not do this as asked: the plan is stale, policy forbids it, or an approval is missing."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.REFUSED)


class UnreachableError(KasumiError):
    """A host or server did not answer, or not within its deadline; trying later may help."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.UNREACHABLE)


class LockedError(KasumiError):
    """Another controller process holds the lock; trying later helps."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.LOCKED)
