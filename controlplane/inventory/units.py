"""Sizes as people write them (`8GiB`, `512MiB`) to whole MiB or GiB; binary units only, nothing guessed."""

import re
from fractions import Fraction

MIB_OF = {"MiB": 1, "GiB": 1024, "TiB": 1024 * 1024}
ACCEPTED = "MiB, GiB or TiB"
MAX_MIB = 1024 * MIB_OF["TiB"]
"""One PiB: beyond any host or machine, so a larger figure is a slip of the hand."""

_SIZE = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,6}))? ?([A-Za-z]+)")
_INTENDED = {"k": "MiB", "m": "MiB", "g": "GiB", "t": "TiB"}


class SizeError(ValueError):
    """Not a size; `str(error)` says what was wanted, `remedy` what to write."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def size_mib(value: object) -> int:
    """MiB of a size such as `8GiB` or `1.5 TiB`; only whole MiB above zero. Raises SizeError."""
    wanted = f"wanted a size with its unit, {ACCEPTED}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value <= 0:
            raise SizeError("wanted a size above zero", "write a size such as 8GiB")
        raise SizeError(wanted, f"write {value}GiB or {value}MiB")
    if not isinstance(value, str):
        raise SizeError(wanted, "write a size such as 8GiB")
    if value.startswith("-"):
        raise SizeError("wanted a size above zero", "write a size such as 8GiB")
    found = _SIZE.fullmatch(value)
    if found is None:
        raise SizeError(wanted, "write a size such as 8GiB")
    whole, decimals, unit = found.groups()
    if unit not in MIB_OF:
        intended = _INTENDED.get(unit[0].lower())
        number = value[: found.start(3)].strip()
        raise SizeError(
            f"unknown unit {unit}, {wanted}", f"did you mean {number}{intended}?" if intended else "write a size such as 8GiB"
        )
    mib = Fraction(f"{whole}.{decimals}") * MIB_OF[unit] if decimals else int(whole) * MIB_OF[unit]
    if mib == 0:
        raise SizeError("wanted a size above zero", "write a size such as 8GiB")
    if mib.denominator != 1:
        raise SizeError("wanted a whole number of MiB", "use a smaller unit")
    if mib > MAX_MIB:
        raise SizeError("wanted at most 1024TiB", "check the unit")
    return int(mib)


def size_gib(value: object) -> int:
    """GiB of a size; only whole GiB above zero. Raises SizeError."""
    mib = size_mib(value)
    if mib % MIB_OF["GiB"]:
        lower, upper = mib // MIB_OF["GiB"], mib // MIB_OF["GiB"] + 1
        raise SizeError("wanted a whole number of GiB", f"write {lower}GiB or {upper}GiB" if lower else f"write {upper}GiB")
    return mib // MIB_OF["GiB"]
