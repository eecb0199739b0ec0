"""Asks the person at the terminal before something is changed; what would be changed is told by whoever asks."""

import sys

import typer

from controlplane.errors import RefusedError


def go_on(untouched: str) -> None:
    """Return when the person agrees. Raises RefusedError, which says that nothing was `untouched`, else or with nobody there to ask."""
    if not (sys.stdin.isatty() and typer.confirm("go on?", err=True)):
        raise RefusedError(f"not confirmed, nothing was {untouched}; --yes answers this")
