"""What it takes to run a physical machine for a year, and what is assumed where nobody states it; part of the estate."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Watts when idle and under full load, height in rack units, and the maintenance contract; None: not stated."""

    idle_watts: float | None = None
    loaded_watts: float | None = None
    rack_units: int | None = None
    maintenance_thousand_yen: float | None = None


class Objective(StrEnum):
    """What a plan is good at, once no rule is broken."""

    HOSTS = "hosts"
    """Few hosts in use."""
    POWER = "power"
    """Few watts."""
    COST = "cost"
    """Few yen for power and maintenance."""
    BALANCE = "balance"
    """The fullest host as little full as can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Objectives, the most important first, and what is assumed of power, prices and machines that state nothing."""

    objectives: tuple[Objective, ...] = (Objective.HOSTS, Objective.POWER, Objective.COST, Objective.BALANCE)
    pue: float = 1.6
    """Power drawn by the building over power drawn by machines."""
    yen_per_kwh: float = 25.0
    co2_kg_per_kwh: float = 0.43
    server_load: float = 0.2
    """Load at which servers of today run."""
    server: Running = Running(idle_watts=150, loaded_watts=300, rack_units=2, maintenance_thousand_yen=200)
    host: Running = Running(idle_watts=200, loaded_watts=600, rack_units=2, maintenance_thousand_yen=400)
    assumed: tuple[str, ...] = ()
    """Which of these numbers nobody stated, by name."""
