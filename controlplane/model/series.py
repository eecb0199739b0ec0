"""Utilisation over time: evenly spaced samples of one dimension of one server. Missing samples are NaN, never zero."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from controlplane.model.facts import Source


class Dimension(StrEnum):
    """What is measured; the unit is in the name."""

    CPU_CORES = "cpu_cores"
    """Processors kept busy, in the server's own cores."""
    MEMORY_USED_MIB = "memory_used_mib"
    """Without page cache and buffers."""
    DISK_USED_MIB = "disk_used_mib"
    """Sum over local file systems."""
    DISK_OPERATIONS_PER_SECOND = "disk_operations_per_second"
    DISK_BYTES_PER_SECOND = "disk_bytes_per_second"
    NETWORK_BYTES_PER_SECOND = "network_bytes_per_second"
    """Received and sent, without loopback."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """Sample i was taken at `started_at` + i × `step_seconds`."""

    server: str
    dimension: Dimension
    source: Source
    started_at: datetime
    step_seconds: int
    values: NDArray[np.float32]
