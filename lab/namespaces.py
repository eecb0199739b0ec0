"""Network namespaces with our mark on them, and the refusal to touch any other.

The mark is the alias of the namespace's `lo`: it lies in the kernel object itself, so it cannot outlive it or point at
another. A namespace gets its name only after its mark, in one process, so there is no moment in which ours looks foreign.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controlplane.errors import RefusedError
from lab import layout
from lab.command import attempt, run
from lab.processes import living, namespace_id

NAMED = Path("/run/netns")


@contextmanager
def naming() -> Iterator[None]:
    """Hold the lock of the folder of names, which comes and goes with the first and the last; the parts of the lab share it."""
    folder = os.open(NAMED.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def mark(home: Path | None = None) -> str:
    """What marks everything of the lab with this home (default: the one in use)."""
    return f"kasumi-lab {home or layout.home()}"


def alias(interface: str, *, namespace: str | None = None) -> str | None:
    """The alias of an interface: None when there is no such interface, "" when it has none."""
    inside = ["-netns", namespace] if namespace else []
    good, text = attempt(["ip", *inside, "-json", "link", "show", "dev", interface])
    if not good:
        return None
    found = json.loads(text)
    return str(found[0].get("ifalias", "")) if found else None


def whose(name: str) -> str | None:
    """The mark of a named namespace: None when there is no such namespace, "" when it has no mark."""
    if not (NAMED / name).exists():
        return None
    return alias("lo", namespace=name) or ""


def refuse_foreign(what: str, found: str | None, *, home: Path | None = None) -> None:
    """Raise RefusedError unless `found` is our mark, or None: there is nothing there.

    The message tells a lab with another home from a thing of somebody else's.
    """
    if found is None or found == mark(home):
        return
    if found.startswith("kasumi-lab "):
        other = found.removeprefix("kasumi-lab ")
        raise RefusedError(
            f"lab: wanted {what} of the lab at {home or layout.home()}, found that of the lab at {other}; there is one lab on a "
            f"machine: use that one, or end it with `KASUMI_LAB_HOME={other.removesuffix(layout.CLOUD_SUFFIX)} kasumi lab down`"
        )
    raise RefusedError(
        f"lab: wanted {what} to be free or ours, found one that the lab did not make; it is left alone: remove or rename it first"
    )


def ensure(name: str, *, home: Path | None = None) -> bool:
    """Make sure that a network namespace of ours has this name; says whether it had to be made. May be repeated.

    Raises RefusedError when a foreign one has the name.
    """
    found = whose(name)
    refuse_foreign(f"network namespace {name}", found, home=home)
    if found is not None:
        return False
    script = 'ip link set dev lo alias "$1" up && sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && ip netns attach "$2" $$'
    with naming():
        run(["unshare", "--net", "sh", "-ec", script, "sh", mark(home), name])
    return True


def ours(home: Path | None = None) -> dict[str, int]:
    """Names and inode numbers of the namespaces that carry our mark."""
    if not NAMED.is_dir():
        return {}
    names = sorted(entry.name for entry in NAMED.iterdir() if entry.name.startswith(layout.NAMESPACE_PREFIX))
    return {name: namespace_id(NAMED / name) for name in names if whose(name) == mark(home)}


def nameless(home: Path | None = None) -> set[int]:
    """Namespaces of ours that lost their name (`ip netns delete`) while processes still live in them."""
    named = set(ours(home).values())
    own = namespace_id(Path("/proc/self/ns/net"))
    found: set[int] = set()
    asked: set[int] = set()
    for process in living():
        if process.network in named | found | asked | {own}:
            continue
        asked.add(process.network)
        good, text = attempt(["nsenter", f"--target={process.pid}", "--net", "ip", "-json", "link", "show", "dev", "lo"])
        if good and json.loads(text)[0].get("ifalias") == mark(home):
            found.add(process.network)
    return found


def remove(name: str, *, home: Path | None = None) -> None:
    """Remove the name of one of our namespaces; the kernel frees the rest when its last process has gone."""
    refuse_foreign(f"network namespace {name}", whose(name), home=home)
    run(["ip", "netns", "delete", name])
