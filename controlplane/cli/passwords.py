"""Passwords that a verb needs: asked for at the terminal or read from a file, never taken from the command line."""

import getpass
from pathlib import Path

from controlplane.connectors.secret_files import read_secret


def password_of(prompt: str, *, ask: bool, file: Path | None, vault: Path | None) -> str:
    """The password; empty when neither way was asked for."""
    if ask:
        return getpass.getpass(prompt)
    return read_secret(file, vault_password_file=vault) if file is not None else ""
