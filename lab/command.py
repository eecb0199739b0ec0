"""Runs a system tool and says what went wrong in one sentence when it fails."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from controlplane.errors import KasumiError

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The tools of the system, not those of a virtual environment; daemons of the lab get no more than this."""


def environment() -> dict[str, str]:
    """What tools and daemons of the lab see: fixed language and path, nothing of the caller's."""
    return {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", "HOME": os.environ.get("HOME", "/root")}


def attempt(argv: Sequence[str], *, timeout_seconds: float = 60) -> tuple[bool, str]:
    """Whether the command succeeded, and what it printed (stdout on success, stderr otherwise)."""
    try:
        done = subprocess.run(
            argv,
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            env=environment(),
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer in {timeout_seconds:g} s"
    except FileNotFoundError:
        return False, f"{argv[0]}: command not found"
    return (True, done.stdout) if done.returncode == 0 else (False, (done.stderr or done.stdout).strip())


def run(argv: Sequence[str], *, feed: str | None = None, timeout_seconds: float = 120) -> str:
    """Standard output of a command that must succeed; `feed` goes to its standard input.

    Raises KasumiError with the command and the end of what it complained about.
    """
    try:
        done = subprocess.run(
            argv, check=False, capture_output=True, text=True, input=feed or "", timeout=timeout_seconds, env=environment()
        )
    except subprocess.TimeoutExpired as error:
        raise KasumiError(
            f"lab: `{' '.join(argv)}` gave no answer in {timeout_seconds:g} s; `kasumi lab up` tries again"
        ) from error
    if done.returncode != 0:
        complaint = (done.stderr or done.stdout).strip()[-600:]
        raise KasumiError(f"lab: `{' '.join(argv)}` failed with code {done.returncode}: {complaint}")
    return done.stdout


def start(argv: Sequence[str], *, log: Path) -> None:
    """Start a daemon that outlives us, in a session of its own, its words appended to `log`."""
    with log.open("ab") as words:
        subprocess.run(
            ["setsid", "--fork", *argv],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            env=environment(),
            cwd="/",
        )
