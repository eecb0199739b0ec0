"""Running commands on a host: one small protocol, over ssh or on this very machine."""

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from controlplane.errors import KasumiError, UnreachableError


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a command ended: exit status, standard output and standard error as text."""

    status: int
    stdout: str
    stderr: str


class Shell(Protocol):
    """Where commands run. Raises UnreachableError when the place or the command does not answer in time."""

    @property
    def place(self) -> str:
        """The name of the host, for messages."""

    def run(self, command: Sequence[str], *, stdin: str = "", timeout_seconds: float = 60.0) -> Completed:
        """Run one command without a terminal; arguments are quoted, secrets go by `stdin`, never by arguments."""

    def close(self) -> None:
        """Drop the connection."""


def checked(shell: Shell, command: Sequence[str], *, stdin: str = "", timeout_seconds: float = 60.0) -> str:
    """Standard output of a command that must succeed. Raises KasumiError with its last words when it fails."""
    done = shell.run(command, stdin=stdin, timeout_seconds=timeout_seconds)
    if done.status != 0:
        raise failed(shell, command, done)
    return done.stdout


def failed(shell: Shell, command: Sequence[str], done: Completed) -> KasumiError:
    """The error of a command that did not succeed, with its last words."""
    words = (done.stderr or done.stdout).strip().splitlines()
    said = words[-1] if words else "nothing was said"
    return KasumiError(f"{shell.place}: `{shlex.join(command)[:200]}` ended with {done.status}: {said}")


class LocalShell:
    """This machine, for hosts with a local libvirt URI."""

    place = "this machine"

    def run(self, command: Sequence[str], *, stdin: str = "", timeout_seconds: float = 60.0) -> Completed:
        """Run a command here."""
        try:
            done = subprocess.run(
                list(command), input=stdin, capture_output=True, text=True, timeout=timeout_seconds, check=False
            )
        except FileNotFoundError:
            return Completed(status=127, stdout="", stderr=f"{command[0]}: not found")
        except subprocess.TimeoutExpired:
            raise UnreachableError(f"{self.place}: `{command[0]}` did not end within {timeout_seconds:g} s") from None
        return Completed(status=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def close(self) -> None:
        """Nothing to drop."""
