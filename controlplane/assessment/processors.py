"""How fast one core of each processor generation is, so that a core of 2006 is not counted as one of today.

The table is data (`data/processors.yml`), given as plain values; factors are relative to the reference generation there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.assessment.patterns import like

_NOISE = re.compile(r"\((?:r|tm)\)|\bcpu\b|\s+")
_SLOWEST_CLOCK, _FASTEST_CLOCK = 0.6, 1.5
"""Of a family's nominal clock: beyond this a stated clock is a power-saving reading or a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One row: models it stands for, family in words, year, speed of a core, and the clock at which it has that speed."""

    models: tuple[str, ...]
    family: str
    year: int
    relative: float
    mhz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSpeed:
    """How one core compares with a reference core; `known` false: the factor is 1 because nothing is known."""

    factor: float
    family: str
    known: bool


def core_speed(model: object, mhz: object, table: Sequence[Generation]) -> CoreSpeed:
    """The speed of one core of a processor model, scaled by its clock where both clocks are known."""
    name = _NOISE.sub(" ", str(model or "").lower()).strip()
    name = re.sub(r"\s+", " ", name)
    for row in table:
        if any(like(name, pattern) for pattern in row.models):
            clock = float(mhz) / row.mhz if isinstance(mhz, int | float) and mhz > 0 else 1.0
            factor = row.relative * min(max(clock, _SLOWEST_CLOCK), _FASTEST_CLOCK)
            return CoreSpeed(factor=round(factor, 3), family=f"{row.family} ({row.year})", known=True)
    return CoreSpeed(factor=1.0, family=str(model or "unknown processor"), known=False)
