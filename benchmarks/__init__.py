"""Ratios against peers and physical limits, each pair in the same run: `python -m benchmarks [NAME…]`."""
