"""The planner's benchmarks: published instance formats and generated ones, peers, bounds, one line for each instance."""
