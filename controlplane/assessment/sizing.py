"""The size a server needs, from its utilisation: percentile in the business window, peak, growth, comfort, rounding.

Rules, in words, are in `docs/assessment.md`. A measurement with fewer than `SURE_STARS` stars never makes a server smaller
than what is known of it. Missing samples are counted as missing, never as zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor, sqrt

import numpy as np
from numpy.typing import NDArray

from controlplane.assessment.processors import CoreSpeed
from controlplane.model.assessment import Measured, SizeAdvice, SizingPolicy
from controlplane.model.resources import Resources
from controlplane.model.series import Dimension, Series

MOST_STARS = 5
SURE_STARS = 3
"""From three stars on (over 40 % of the policy's days) a measurement may make a server smaller."""
_DAY = 86_400
_MONDAY_OF_EPOCH = 3
"""1970-01-01 was a Thursday: this many days after a Monday."""
_WEEKDAYS = 5
_FEWEST_TREND_DAYS = 10
_SURE_TREND = 1.96
"""Mann-Kendall: 95 % sure that there is a trend at all."""
_MOST_GROWTH = 1.0
"""A trend is never carried further than to twice the level: a month says little about a year."""
_WORK = frozenset({Dimension.CPU_CORES, Dimension.DISK_OPERATIONS_PER_SECOND, Dimension.DISK_BYTES_PER_SECOND,
                   Dimension.NETWORK_BYTES_PER_SECOND})  # fmt: skip
"""Dimensions of work done while people work; memory and disk are held at all hours."""
_VCPU_STEPS = ((4, 1), (16, 2), (None, 4))
_MEMORY_STEPS = ((4_096, 512), (16_384, 1_024), (65_536, 4_096), (None, 8_192))
_DISK_STEPS = ((40, 4), (200, 10), (1_000, 50), (None, 100))
_Steps = Sequence[tuple[int | None, int]]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Grid:
    """What is the same for all series of one start, step and length: which samples lie in the window, which day and hour each is of."""

    window: NDArray[np.bool_]
    weekday: NDArray[np.bool_]
    day_starts: NDArray[np.intp]
    hours: NDArray[np.intp]


def size_server(
    series: Mapping[Dimension, Series],
    speed: CoreSpeed,
    policy: SizingPolicy,
    *,
    declared: Resources,
    known: Resources,
    target: Resources | None,
) -> SizeAdvice:
    """The size wanted. `declared` is the ledger's, `known` the one held to be true, `target` the one a person wished for.

    Sizes are in virtual CPUs of the reference generation, MiB and GiB.
    """
    measurements = tuple(measure(series[dimension], policy) for dimension in Dimension if dimension in series)
    by_name = {one.dimension: one for one in measurements}
    fallback = target or known
    reasons: list[str] = []
    cpu = _vcpus(by_name.get(Dimension.CPU_CORES), speed, policy, fallback.vcpus, reasons)
    memory = _memory(by_name.get(Dimension.MEMORY_USED_MIB), policy, fallback.memory_mib, reasons)
    disk = _disk(by_name.get(Dimension.DISK_USED_MIB), policy, fallback.disk_gib, reasons)
    sized = (cpu, memory, disk)
    stars = min(one.stars for one in sized)
    if not any(one.measured for one in sized):
        source = "the target stated in the inventory" if target is not None else "what is declared"
        reasons = [f"nothing was measured: the size is {source}; sample it with `kasumi discover --sample`"]
    measured = None
    if all(one.measured for one in sized):
        measured = Resources(vcpus=cpu.measured, memory_mib=memory.measured, disk_gib=disk.measured)
    return SizeAdvice(
        declared=declared,
        target=target,
        measured=measured,
        wanted=Resources(vcpus=cpu.wanted, memory_mib=memory.wanted, disk_gib=disk.wanted),
        stars=stars,
        measurements=measurements,
        cpu_factor=speed.factor,
        cpu_family=speed.family,
        busy_cores_by_hour=_by_hour(series.get(Dimension.CPU_CORES), policy),
        reasons=tuple(reasons),
    )


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
        chosen = values[present]
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
    days_seen, growth = _trend(values, mask if len(chosen) else present, grid)
    level = _last_level(values, present, grid) if series.dimension is Dimension.DISK_USED_MIB else typical
    added = min(max(growth, 0.0) * policy.growth_days, level * _MOST_GROWTH)
    wanted = (level + added) * policy.comfort_factor
    if not work:
        wanted = max(wanted, peak)
    share = min(1.0, count * step / (policy.days * _DAY))
    if days_seen < _FEWEST_TREND_DAYS:
        notes.append(f"{days_seen} days are too few for a trend, wanted {_FEWEST_TREND_DAYS}")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sized:
    wanted: int
    measured: int
    stars: int


def _vcpus(one: Measured | None, speed: CoreSpeed, policy: SizingPolicy, fallback: int, reasons: list[str]) -> _Sized:
    if one is None or not one.samples:
        return _unmeasured("vCPU", fallback, reasons)
    stars = one.stars
    text = (
        f"vCPU: p{policy.percentile:g} {one.typical:g} busy cores in the window, peak {one.peak:g}, {_grown(one)}"
        f"of {speed.family} at {speed.factor:g} of a reference core, comfort {policy.comfort_factor:g}"
    )
    if not speed.known:
        stars = max(1, stars - 1)
        text += "; the processor is not in the table, so its cores count as new ones and a star is taken off"
    return _settled(
        "vCPU",
        one.wanted * speed.factor,
        policy.floor.vcpus,
        policy.ceiling.vcpus,
        _VCPU_STEPS,
        stars,
        fallback,
        text,
        one.notes,
        reasons,
    )


def _memory(one: Measured | None, policy: SizingPolicy, fallback: int, reasons: list[str]) -> _Sized:
    if one is None or not one.samples:
        return _unmeasured("memory", fallback, reasons)
    text = (
        f"memory: p{policy.percentile:g} {one.typical:g} MiB without page cache, peak {one.peak:g} MiB which must fit, {_grown(one)}"
        f"comfort {policy.comfort_factor:g}"
    )
    return _settled(
        "memory",
        one.wanted,
        policy.floor.memory_mib,
        policy.ceiling.memory_mib,
        _MEMORY_STEPS,
        one.stars,
        fallback,
        text,
        one.notes,
        reasons,
    )


def _disk(one: Measured | None, policy: SizingPolicy, fallback: int, reasons: list[str]) -> _Sized:
    if one is None or not one.samples:
        return _unmeasured("disk", fallback, reasons)
    text = f"disk: {one.typical / 1024:.1f} GiB used, peak {one.peak / 1024:.1f} GiB which must fit, {_grown(one)}comfort {policy.comfort_factor:g}"
    return _settled(
        "disk",
        one.wanted / 1024,
        policy.floor.disk_gib,
        policy.ceiling.disk_gib,
        _DISK_STEPS,
        one.stars,
        fallback,
        text,
        one.notes,
        reasons,
    )


def _grown(one: Measured) -> str:
    return f"growing by {one.growth_per_year:g} a year, " if one.growth_per_year > 0 else ""


def _unmeasured(name: str, fallback: int, reasons: list[str]) -> _Sized:
    reasons.append(f"{name}: not measured; {fallback} as declared")
    return _Sized(wanted=fallback, measured=0, stars=0)


def _settled(
    name: str, wanted: float, least: int, most: int, steps: _Steps, stars: int, fallback: int, text: str,
    notes: tuple[str, ...], reasons: list[str],
) -> _Sized:  # fmt: skip
    measured = min(max(_stepped(wanted, steps), least), most)
    if wanted > most:
        text += f"; {wanted:.0f} are wanted and {most} is the ceiling: split the load or raise it"
    if stars < SURE_STARS and measured < fallback:
        reasons.append("; ".join((f"{text}: {measured}, but {stars} of 5 stars are too few to go below {fallback}", *notes)))
        return _Sized(wanted=fallback, measured=measured, stars=stars)
    reasons.append("; ".join((f"{text}: {measured} ({stars} of 5 stars)", *notes)))
    return _Sized(wanted=measured, measured=measured, stars=stars)


def _stepped(wanted: float, steps: _Steps) -> int:
    """Up to the next step; steps grow with the size."""
    step = next(step for limit, step in steps if limit is None or wanted <= limit)
    return ceil(round(wanted / step, 6)) * step


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


def _by_hour(series: Series | None, policy: SizingPolicy) -> tuple[float, ...]:
    if series is None:
        return ()
    grid = _grid(int(series.started_at.timestamp()), series.step_seconds, len(series.values), policy)
    use = ~np.isnan(series.values) & grid.weekday
    if not use.any():
        use = ~np.isnan(series.values)
    counts = np.bincount(grid.hours[use], minlength=24)
    sums = np.bincount(grid.hours[use], weights=series.values[use], minlength=24)
    return tuple(_round(total / count) if count else 0.0 for total, count in zip(sums.tolist(), counts.tolist(), strict=True))


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
