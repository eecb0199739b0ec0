"""What a series of utilisation says: typical and peak load, growth, and how surely. Missing samples are missing, never zero.

Arrays in, a few numbers out; what is the same for all series of one start, step and length is worked out once.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor, sqrt

import numpy as np
from numpy.typing import NDArray

from controlplane.model.assessment import Measured, SizingPolicy
from controlplane.model.series import Dimension, Series

MOST_STARS = 5
_DAY = 86_400
_MONDAY_OF_EPOCH = 3
"""1970-01-01 was a Thursday: this many days after a Monday."""
_WEEKDAYS = 5
_FEWEST_TREND_DAYS = 10
_SURE_TREND = 1.96
"""Mann-Kendall: 95 % sure that there is a trend at all."""
_MOST_GROWTH = 1.0
"""A trend is never carried further than to twice the level: a month says little about a year."""
_WORK = frozenset(
    {
        Dimension.CPU_CORES,
        Dimension.DISK_OPERATIONS_PER_SECOND,
        Dimension.DISK_BYTES_PER_SECOND,
        Dimension.NETWORK_BYTES_PER_SECOND,
    }
)
"""Dimensions of work done while people work; memory and disk are held at all hours."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Grid:
    """What is the same for all series of one start, step and length: which samples lie in the window, which day and hour each is of."""

    window: NDArray[np.bool_]
    weekday: NDArray[np.bool_]
    day_starts: NDArray[np.intp]
    hours: NDArray[np.intp]


def measure(series: Series, policy: SizingPolicy) -> Measured:
    """One dimension: typical, peak, growth, what that wants before rounding, and how surely."""
    values, step = series.values, series.step_seconds
    grid = _grid(int(series.started_at.timestamp()), step, len(values), policy)
    present = ~np.isnan(values)
    work = series.dimension in _WORK
    mask = grid.window & present if work else present
    notes: list[str] = []
    chosen = values[mask]
    if work and not len(chosen):
        mask, chosen = present, values[present]
        notes.append("no sample lies in the business window; all hours are used")
    outside = values[present & ~grid.window] if work else chosen
    count = int(np.count_nonzero(present))
    typical, peak = _percentile(chosen, policy.percentile), float(np.nanmax(values)) if count else 0.0
    typical_outside = _percentile(outside, policy.percentile)
    if work and typical_outside > typical * policy.comfort_factor:
        notes.append(
            f"busier outside the business window: {_round(typical_outside)} against {_round(typical)}; "
            "widen the window if that work must not slow down"
        )
    days_seen, growth = _trend(values, mask, grid)
    level = _last_level(values, present, grid) if series.dimension is Dimension.DISK_USED_MIB else typical
    added = min(max(growth, 0.0) * policy.growth_days, level * _MOST_GROWTH)
    wanted = (level + added) * policy.comfort_factor
    if not work:
        wanted = max(wanted, peak)
    share = min(1.0, count * step / (policy.days * _DAY))
    if days_seen < _FEWEST_TREND_DAYS:
        notes.append(f"days with samples: {days_seen}, too few for a trend, wanted {_FEWEST_TREND_DAYS}")
    return Measured(
        dimension=series.dimension.value,
        source=series.source.value,
        typical=_round(typical),
        typical_outside=_round(typical_outside),
        peak=_round(peak),
        growth_per_year=_round(growth * 365),
        wanted=_round(wanted),
        samples=count,
        days=round(count * step / _DAY, 2),
        share=round(share, 3),
        stars=stars_of(share) if count else 0,
        notes=tuple(notes),
    )


def stars_of(share: float) -> int:
    """One to five: each fifth of all samples that the policy's days would have is a star."""
    return min(MOST_STARS, 1 + floor(share * MOST_STARS))


def _percentile(values: NDArray[np.float32], percentile: float) -> float:
    """The nearest rank at or above: a sample that occurred, not a point between two."""
    if not len(values):
        return 0.0
    rank = min(len(values) - 1, max(0, ceil(round(percentile / 100 * len(values), 9)) - 1))
    return float(np.partition(values, rank)[rank])


def _trend(values: NDArray[np.float32], mask: NDArray[np.bool_], grid: _Grid) -> tuple[int, float]:
    """Days with samples, and the Theil-Sen slope a day of their means, 0 unless Mann-Kendall is sure of a trend."""
    if not len(values):
        return 0, 0.0
    counts = np.add.reduceat(mask, grid.day_starts, dtype=np.int64)
    sums = np.add.reduceat(np.where(mask, values, 0), grid.day_starts, dtype=np.float64)
    days = np.flatnonzero(counts)
    if len(days) < _FEWEST_TREND_DAYS:
        return len(days), 0.0
    means = sums[days] / counts[days]
    first, second = _pairs(len(days))
    rises = means[second] - means[first]
    number = len(days)
    sure = abs(float(np.sign(rises).sum())) / sqrt(number * (number - 1) * (2 * number + 5) / 18)
    return len(days), float(np.median(rises / (days[second] - days[first]))) if sure > _SURE_TREND else 0.0


def _last_level(values: NDArray[np.float32], present: NDArray[np.bool_], grid: _Grid) -> float:
    """The mean of the last day that has samples."""
    last = np.flatnonzero(present)
    if not len(last):
        return 0.0
    begin = grid.day_starts[np.searchsorted(grid.day_starts, last[-1], side="right") - 1]
    return float(np.nanmean(values[begin : last[-1] + 1]))


def busy_by_hour(series: Series | None, policy: SizingPolicy) -> tuple[float | None, ...]:
    """Mean by local hour of the working days, 24 values; of all days when no working day has samples; empty without series."""
    if series is None:
        return ()
    grid = _grid(int(series.started_at.timestamp()), series.step_seconds, len(series.values), policy)
    use = ~np.isnan(series.values) & grid.weekday
    if not use.any():
        use = ~np.isnan(series.values)
    counts = np.bincount(grid.hours[use], minlength=24)
    sums = np.bincount(grid.hours[use], weights=series.values[use], minlength=24)
    return tuple(_round(total / count) if count else None for total, count in zip(sums.tolist(), counts.tolist(), strict=True))


@lru_cache(maxsize=64)
def _pairs(number: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(number, k=1)


@lru_cache(maxsize=64)
def _grid(start: int, step: int, count: int, policy: SizingPolicy) -> _Grid:
    local = start + policy.utc_offset_minutes * 60 + np.arange(count, dtype=np.int64) * step
    day, hours = local // _DAY, local % _DAY // 3600
    weekday = (day + _MONDAY_OF_EPOCH) % 7 < _WEEKDAYS
    in_hours = (hours >= policy.window_start_hour) & (hours < policy.window_end_hour)
    if policy.window_start_hour > policy.window_end_hour:
        in_hours = (hours >= policy.window_start_hour) | (hours < policy.window_end_hour)
    return _Grid(
        window=weekday & in_hours,
        weekday=weekday,
        day_starts=np.flatnonzero(np.diff(day, prepend=day[:1] - 1)) if count else np.zeros(0, dtype=np.intp),
        hours=hours.astype(np.intp),
    )


def _round(value: float) -> float:
    """Four significant digits: what was measured is no more exact, and documents stay short."""
    return float(f"{value:.4g}")
