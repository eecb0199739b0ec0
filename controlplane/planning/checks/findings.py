"""Findings of the check, and what makes one critical."""

from controlplane.model.finding import Finding, Severity


def critical(where: str, what: str, remedy: str) -> Finding:
    """It blocks."""
    return Finding(severity=Severity.CRITICAL, where=where, what=what, remedy=remedy)


def warning(where: str, what: str, remedy: str) -> Finding:
    """It does not block."""
    return Finding(severity=Severity.WARNING, where=where, what=what, remedy=remedy)
