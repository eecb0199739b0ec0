"""How long a move takes and how surely: from what earlier moves took, or from an assumed speed that is called assumed.

Model: a move of n MiB takes (overhead + n / speed) × X. X is lognormal with median 1: times are products of many small delays,
never negative and now and then much longer. One X for the whole wave, since what slows one copy (network, storage) slows all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import erf, exp, log, sqrt
from statistics import median, stdev

from controlplane.model.migration import Migration, Phase

LEAST_HISTORY = 5
"""Finished moves below which a spread would be an opinion."""
_DONE = frozenset({Phase.CUT_OVER, Phase.FINALIZED})
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """MiB a second for one move, verification included; minutes besides; the spread of ln(X), None when nothing tells."""

    mib_per_second: float
    overhead_minutes: float
    spread: float | None
    source: str

    def minutes(self, mib: float) -> float:
        """The expected (median) time of one move."""
        return self.overhead_minutes + mib / self.mib_per_second / 60

    def probability(self, expected_minutes: float, available_minutes: float) -> float | None:
        """That work expected to take so long is done in the time there is; None without history."""
        if self.spread is None:
            return None
        if expected_minutes <= 0:
            return 1.0
        if available_minutes <= 0:
            return 0.0
        if self.spread == 0:
            return 1.0 if expected_minutes <= available_minutes else 0.0
        return 0.5 * (1 + erf(log(available_minutes / expected_minutes) / self.spread / sqrt(2)))


def measured_speed(migrations: Iterable[Migration], overhead_minutes: float) -> Speed | None:
    """The speed of moves that reached their cutover, from start to cutover; None when there are fewer than five."""
    rates = [
        migration.disk.size_bytes / _MIB / (migration.cut_over_at - migration.started_at).total_seconds()
        for migration in migrations
        if migration.phase in _DONE and migration.cut_over_at is not None and migration.cut_over_at > migration.started_at
    ]
    if len(rates) < LEAST_HISTORY:
        return None
    logs = [log(rate) for rate in rates]
    return Speed(
        mib_per_second=exp(median(logs)),
        overhead_minutes=overhead_minutes,
        spread=stdev(logs),
        source=f"measured: {len(rates)} moves on record, from start to cutover",
    )
