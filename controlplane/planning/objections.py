"""Why a machine may not stand on a host: the rule that objects, and its words."""

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """Which constraint objects."""

    CLOSED = "closed"
    ZONE = "zone"
    NETWORK = "network"
    PIN = "pin"
    CPU = "cpu"
    NAME = "name"
    CAPACITY = "capacity"
    SPREAD = "spread"
    TOGETHER = "together"
    APART = "apart"
    LICENCE = "licence"
    LOSS = "loss"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Why a machine may not stand on a host."""

    rule: Rule
    text: str
