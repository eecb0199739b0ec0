"""Which processes are the lab's, and ending them. The proof is the kernel's: a process is ours if it lives in a network
namespace that carries our mark. No pid files: a pid may be reused, a namespace tells the truth.
"""

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One living process; `network` and `mount` are the inode numbers of its namespaces."""

    pid: int
    command: str
    arguments: str
    network: int
    mount: int


def namespace_id(path: Path) -> int:
    """The inode number by which the kernel names a namespace; raises OSError when the path is no longer there."""
    return path.stat().st_ino


def living() -> Iterator[Process]:
    """Every process whose namespaces we may see, zombies left out."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                arguments = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                yield Process(
                    pid=int(entry.name),
                    command=(entry / "comm").read_text().strip(),
                    arguments=arguments,
                    network=namespace_id(entry / "ns" / "net"),
                    mount=namespace_id(entry / "ns" / "mnt"),
                )


def inside(networks: Collection[int]) -> list[Process]:
    """Processes in these network namespaces, by pid; never one in our own namespace, whatever was asked."""
    ours = namespace_id(Path("/proc/self/ns/net"))
    wanted = set(networks) - {ours}
    return sorted((process for process in living() if process.network in wanted), key=lambda process: process.pid)


def inhabitants(path: Path) -> list[Process]:
    """Processes in the network namespace of this name, none when it is not there, also when it goes while we look."""
    try:
        return inside({namespace_id(path)})
    except FileNotFoundError:
        return []


def end(networks: Collection[int]) -> int:
    """End every process in these network namespaces at once and say how many there were.

    No grace: their files are thrown away or repaired. Looks again until nothing is left, since a process may have children.
    May be repeated.
    """
    seen: set[int] = set()
    while found := inside(networks):
        for process in found:
            seen.add(process.pid)
            # By pid right after looking: the window for reuse is microseconds wide.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
    return len(seen)
