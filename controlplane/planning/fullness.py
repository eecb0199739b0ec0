"""How full hosts are: the share of the tightest dimension that is taken. A host that may promise nothing is full."""

import numpy as np
from numpy.typing import NDArray

from controlplane.planning.company import Ints

Floats = NDArray[np.float64]


def fullness(free: Ints, capacity: Ints) -> Floats:
    """From what is free of what may be promised, dimensions last. What is taken where nothing may be promised counts as all."""
    taken = capacity - free
    shares: Floats = np.where(capacity > 0, taken / np.maximum(capacity, 1), taken > 0)
    return np.where(capacity.any(axis=-1), shares.max(axis=-1, initial=0.0), 1.0)
