"""Differences between the accepted plan and what is observed, and what was done about them: wanted, found, action."""

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What converging would do about one difference."""

    DEFINE_NETWORK = "define-network"
    START_NETWORK = "start-network"
    CREATE = "create"
    START = "start"
    RESUME = "resume"
    STOP = "stop"
    """Its lease ended, and the inventory says that it is stopped then; its guest is asked, nothing is forced."""
    RESIZE = "resize"
    RECONNECT = "reconnect"
    SET_AUTOSTART = "set-autostart"
    REMOVE = "remove"
    RELEASE = "release"
    """Take our mark off an adopted machine that left the plan; it runs on as it is."""
    WAIT = "wait"
    """The machine is between two states; look again at the next run."""
    MIGRATE = "migrate"
    """Only `kasumi migrate` makes this machine; converging reports it and leaves it."""
    RESTART_NEEDED = "restart-needed"
    """Configured as wanted; the running instance follows at its next restart, which a person times."""
    REFUSE = "refuse"
    """Something foreign stands in the way; a person must decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One difference on one host. `subject` is a machine id or a provider-side network name."""

    host: str
    subject: str
    what: str
    wanted: str
    found: str
    action: Action


class Result(StrEnum):
    """How one step ended."""

    DONE = "done"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    LEFT = "left"
    """Not ours to do now (WAIT, MIGRATE, RESTART_NEEDED, REFUSE), or only checking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one difference; `message` explains anything but DONE."""

    drift: Drift
    result: Result
    message: str = ""
    duration_seconds: float = 0.0
