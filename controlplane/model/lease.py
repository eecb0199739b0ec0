"""A lease: until when a machine was granted, and what is done at its end. Never is anything deleted by it."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

WARNED_DAYS = 30
"""So long before its end a lease is told of: a month is what a ministry needs to decide and to ask for more."""


class AtEnd(StrEnum):
    """What is done with a machine whose lease ended."""

    REPORT = "report"
    """It is told of, and runs on."""
    STOP = "stop"
    """Its guest is asked to shut down, and it is kept stopped with all its data."""


class LeaseState(StrEnum):
    """How a lease stands on a day."""

    CURRENT = "current"
    ENDING = "ending"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """`until` is its last day, in UTC."""

    until: date
    at_end: AtEnd = AtEnd.REPORT

    def state(self, today: date) -> LeaseState:
        """Ended on the day after its last one."""
        if today > self.until:
            return LeaseState.ENDED
        return LeaseState.ENDING if (self.until - today).days <= WARNED_DAYS else LeaseState.CURRENT
