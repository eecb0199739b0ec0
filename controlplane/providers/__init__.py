"""The edge to hypervisors and clouds: one protocol, one module for each kind, the same contract tests for all."""
