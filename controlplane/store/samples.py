"""Samples to compact bytes and back: a pure codec, one chunk of evenly spaced samples at a time.

A sample becomes one of 65,536 levels, 0.2 % apart, so that it comes back within 0.1 % whatever its size; zero stays zero and
missing stays missing. Levels are stored as differences, high and low bytes apart, deflated. What was decoded encodes to the
same levels again, so that adding to a chunk loses nothing of what was there.
"""

import math
import zlib

import numpy as np
from numpy.typing import NDArray

_SMALLEST = 1e-3
"""Below this a sample is zero: a thousandth of a core, of a MiB, of a byte a second."""
_RATIO = 1.002
_MISSING = 65_535
_LAST = _MISSING - 1
_FORMAT = b"1"
_LEVEL = 3
"""Of deflate; 9 takes four times as long for 1 % fewer bytes."""

_exponents = np.minimum(np.arange(_MISSING + 1, dtype=np.float64) - 1, math.log(3e38 / _SMALLEST) / math.log(_RATIO))
_VALUES = (_SMALLEST * np.exp(_exponents * math.log(_RATIO))).astype(np.float32)
_VALUES[0] = 0.0
_VALUES[_MISSING] = np.nan


class DamagedSamplesError(ValueError):
    """The bytes were not written by `encode`."""


def encode(values: NDArray[np.float32]) -> bytes:
    """Compact bytes; not-a-number is missing, infinite and negative samples are no measurements and become missing too."""
    exact = np.asarray(values, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        levels = np.rint(np.log(exact / _SMALLEST) / math.log(_RATIO)) + 1
        levels = np.where(exact < _SMALLEST, 0, np.minimum(levels, _LAST))
    codes = np.where(np.isfinite(exact) & (exact >= 0), levels, _MISSING).astype(np.uint16)
    steps = np.diff(codes, prepend=np.uint16(0)).astype("<u2")
    halves = steps.view(np.uint8).reshape(-1, 2)
    return _FORMAT + zlib.compress(halves[:, 1].tobytes() + halves[:, 0].tobytes(), _LEVEL)


def decode(data: bytes, count: int) -> NDArray[np.float32]:
    """The samples, `count` of them. Raises DamagedSamplesError."""
    if data[:1] != _FORMAT:
        raise DamagedSamplesError(f"samples of an unknown form {data[:1]!r}")
    reader = zlib.decompressobj()
    try:
        plain = reader.decompress(data[1:], count * 2 + 1)
    except zlib.error as error:
        raise DamagedSamplesError(str(error)) from None
    if len(plain) != count * 2:
        raise DamagedSamplesError(f"wanted {count} samples, found {len(plain) // 2}")
    raw = np.frombuffer(plain, dtype=np.uint8)
    steps = raw[:count].astype(np.uint16) << np.uint16(8) | raw[count:]
    decoded: NDArray[np.float32] = _VALUES[np.cumsum(steps, dtype=np.uint16)]
    return decoded
