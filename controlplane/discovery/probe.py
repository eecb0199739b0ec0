"""What a probe is: a read-only command for a POSIX sh, and a pure function that reads its output.

A command may use `has PROGRAM`, `say NAME` (begins a named part of the output) and `root COMMAND…` (as root, where that is
allowed); it ends with 127 when the probed thing is not there. It writes nothing, anywhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from controlplane.model.facts import Value

Reading = Mapping[str, Value]
"""Fields of the catalogue and their values. A field that could not be read is absent; nothing read at all is empty."""


class Family(StrEnum):
    """Systems whose commands a probe speaks."""

    LINUX = "Linux"
    FREEBSD = "FreeBSD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One row of the table.

    `seconds`: its deadline on the server; 0 for one that only reads small files of the kernel and so cannot block.
    `as_root`: the commands it runs through sudo, as they stand in sudoers; empty when it needs none.
    `confidence`: how surely its fields are true when it answers.
    """

    name: str
    command: str
    parse: Callable[[str], Reading]
    families: frozenset[Family] = frozenset({Family.LINUX})
    seconds: int = 0
    as_root: tuple[str, ...] = ()
    confidence: float = 0.95


EVERYWHERE = frozenset(Family)
BSD = frozenset({Family.FREEBSD})
