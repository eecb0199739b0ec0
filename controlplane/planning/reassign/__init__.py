"""Moving things that already stand somewhere: the machine reassignment model and a search over it, on arrays alone."""
