"""HiGHS as this package uses it: one thread, one seed, not a word on standard output."""

from typing import Any

import highspy


class _Quiet(highspy.Highs):
    """Without callbacks: turning them on prints a banner to standard output before any option can forbid it."""

    def enableCallbacks(self) -> None:  # noqa: N802  the name is HiGHS's
        """None are used."""


def quiet_lp(**options: Any) -> highspy.Highs:
    """An empty model with these options of HiGHS set."""
    lp: highspy.Highs = _Quiet()  # type: ignore[no-untyped-call]
    for option, value in {"output_flag": False, "threads": 1, "random_seed": 1, **options}.items():
        lp.setOptionValue(option, value)
    return lp
