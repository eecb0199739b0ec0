"""Turns plans, observations and runs into metrics and pages."""
