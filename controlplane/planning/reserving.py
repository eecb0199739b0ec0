"""Reservations end: room is held through their last day and for nobody afterwards. The day is an input, as planning has no clock."""

from dataclasses import replace
from datetime import date

from controlplane.model.estate import Estate, Reservation


def holding_on(estate: Estate, day: date) -> tuple[Estate, tuple[Reservation, ...]]:
    """The estate with what is still reserved on a day, and what has expired by then."""
    held = {name: each for name, each in estate.reservations.items() if each.until >= day}
    expired = tuple(each for name, each in sorted(estate.reservations.items()) if name not in held)
    return replace(estate, reservations=held), expired
