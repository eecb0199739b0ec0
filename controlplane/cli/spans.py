"""Spans of time as people write them: 90s, 5m, 24h, 7d."""

import re

from controlplane.errors import ExitCode, KasumiError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds_of(text: str, option: str) -> int:
    """Seconds of a span. Raises KasumiError naming the option."""
    hit = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", text.strip())
    if hit is None:
        raise KasumiError(f"{option} {text!r}: wanted a number and s, m, h or d, as in 60s or 24h", ExitCode.USAGE)
    return int(hit[1]) * _UNITS[hit[2]]
