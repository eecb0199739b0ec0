"""The size a server needs: what was measured, with comfort and rounding, held against what is known of it.

Rules, in words, are in `docs/assessment.md`. A measurement with fewer than `SURE_STARS` stars never makes a server smaller
than what is known of it, and a size that nobody stated or measured stays unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from controlplane.assessment.measuring import busy_by_hour, measure
from controlplane.assessment.processors import CoreSpeed
from controlplane.model.assessment import Measured, SizeAdvice, SizingPolicy
from controlplane.model.resources import Resources
from controlplane.model.series import Dimension, Series

SURE_STARS = 3
"""From three stars on (over 40 % of the policy's days) a measurement may make a server smaller."""
_MIB_OF_GIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSize:
    """What is held to be true of a server's size; None where nobody said anything."""

    vcpus: int | None = None
    memory_mib: int | None = None
    disk_gib: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """How one part of a size is bounded and rounded: steps grow with the size, each valid up to its limit."""

    name: str
    least: int
    most: int
    steps: Sequence[tuple[float, int]]

    def rounded(self, wanted: float) -> int:
        """Up to the next step, within floor and ceiling."""
        step = next(step for limit, step in self.steps if wanted <= limit)
        return min(max(ceil(round(wanted / step, 6)) * step, self.least), self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One part of a size: what is wanted, what measurement alone gives (None: not measured), how surely, and why."""

    wanted: int | None
    measured: int | None
    stars: int
    reason: str


_ANY = float("inf")


def size_server(
    series: Mapping[Dimension, Series],
    speed: CoreSpeed,
    policy: SizingPolicy,
    *,
    declared: Resources | None,
    known: KnownSize,
    target: Resources | None,
) -> SizeAdvice:
    """The size wanted. `declared` is the ledger's, `known` the one held to be true, `target` the one a person wished for.

    Sizes are in virtual CPUs of the reference generation, MiB and GiB.
    """
    measurements = tuple(measure(series[dimension], policy) for dimension in Dimension if dimension in series)
    by_name = {one.dimension: one for one in measurements if one.samples}
    wished = (
        KnownSize(vcpus=target.vcpus, memory_mib=target.memory_mib, disk_gib=target.disk_gib) if target is not None else known
    )
    parts = (
        _vcpus(by_name.get(Dimension.CPU_CORES), speed, policy, wished.vcpus),
        _memory(by_name.get(Dimension.MEMORY_USED_MIB), policy, wished.memory_mib),
        _disk(by_name.get(Dimension.DISK_USED_MIB), policy, wished.disk_gib),
    )
    reasons = tuple(part.reason for part in parts)
    if not any(part.measured is not None for part in parts):
        source = "the target stated in the inventory" if target is not None else "what is declared"
        if any(part.wanted is None for part in parts):
            source = "not known, since nobody declares all of it"
        reasons = (f"nothing was measured: the size is {source}; sample it with `kasumi discover --sample`",)
    return SizeAdvice(
        declared=declared,
        target=target,
        measured=_whole(*(part.measured for part in parts)),
        wanted=_whole(*(part.wanted for part in parts)),
        stars=min(part.stars for part in parts),
        measurements=measurements,
        cpu_factor=speed.factor,
        cpu_family=speed.family,
        busy_cores_by_hour=busy_by_hour(series.get(Dimension.CPU_CORES), policy),
        reasons=reasons,
    )


def _whole(vcpus: int | None, memory_mib: int | None, disk_gib: int | None) -> Resources | None:
    """A size only when every part of it is known."""
    if vcpus is None or memory_mib is None or disk_gib is None:
        return None
    return Resources(vcpus=vcpus, memory_mib=memory_mib, disk_gib=disk_gib)


def _vcpus(one: Measured | None, speed: CoreSpeed, policy: SizingPolicy, known: int | None) -> _Part:
    scale = _Scale(name="vCPU", least=policy.floor.vcpus, most=policy.ceiling.vcpus, steps=((4, 1), (16, 2), (_ANY, 4)))
    if one is None:
        return _unmeasured(scale, known)
    text = f"{one.typical:g} busy cores at p{policy.percentile:g} of the window, peak {one.peak:g}, {_grown(one)}"
    text += f"{speed.family} at {speed.factor:g} of a reference core"
    stars = one.stars
    if not speed.known:
        stars = max(1, stars - 1)
        text += " since its model is not in the table (a star less)"
    return _settled(scale, one, one.wanted * speed.factor, stars, known, text, policy)


def _memory(one: Measured | None, policy: SizingPolicy, known: int | None) -> _Part:
    steps = ((4_096, 512), (16_384, 1_024), (65_536, 4_096), (_ANY, 8_192))
    scale = _Scale(name="memory", least=policy.floor.memory_mib, most=policy.ceiling.memory_mib, steps=steps)
    if one is None:
        return _unmeasured(scale, known)
    text = (
        f"{one.typical:g} MiB without page cache at p{policy.percentile:g}, peak {one.peak:g} MiB which must fit, {_grown(one)}"
    )
    return _settled(scale, one, one.wanted, one.stars, known, text.rstrip(", "), policy)


def _disk(one: Measured | None, policy: SizingPolicy, known: int | None) -> _Part:
    steps = ((40, 4), (200, 10), (1_000, 50), (_ANY, 100))
    scale = _Scale(name="disk", least=policy.floor.disk_gib, most=policy.ceiling.disk_gib, steps=steps)
    if one is None:
        return _unmeasured(scale, known)
    text = f"{one.typical / _MIB_OF_GIB:.1f} GiB used, peak {one.peak / _MIB_OF_GIB:.1f} GiB which must fit, {_grown(one)}"
    return _settled(scale, one, one.wanted / _MIB_OF_GIB, one.stars, known, text.rstrip(", "), policy)


def _grown(one: Measured) -> str:
    return f"growing by {one.growth_per_year:g} a year, " if one.growth_per_year > 0 else ""


def _unmeasured(scale: _Scale, known: int | None) -> _Part:
    said = f"{known} as declared" if known is not None else "and nobody declares it"
    return _Part(wanted=known, measured=None, stars=0, reason=f"{scale.name}: not measured, {said}")


def _settled(
    scale: _Scale, one: Measured, wanted: float, stars: int, known: int | None, text: str, policy: SizingPolicy
) -> _Part:  # fmt: skip
    measured = scale.rounded(wanted)
    sayings = [f"{scale.name}: {text}, comfort {policy.comfort_factor:g}: {measured} ({stars} of 5 stars)", *one.notes]
    if wanted > scale.most:
        sayings.append(f"{wanted:.0f} are wanted and {scale.most} is the ceiling: split the load or raise it")
    kept = stars < SURE_STARS and known is not None and measured < known
    if kept:
        sayings.append(f"too few stars to go below {known}")
    return _Part(wanted=known if kept else measured, measured=measured, stars=stars, reason="; ".join(sayings))
