"""The words of the product as frozen values; arithmetic on resources; no I/O, no clock, no randomness."""
