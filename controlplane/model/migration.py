"""One machine's move from its old host, as a record that survives every crash. Written by `execution.migrate`."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Phase(StrEnum):
    """Named states of a migration; each is entered only after the world was seen to be so."""

    PREPARED = "prepared"
    """Pre-flight passed; the source still runs."""
    SOURCE_STOPPED = "source-stopped"
    COPIED = "copied"
    VERIFIED = "verified"
    """SHA-256 of source and copy are equal."""
    READY = "ready"
    """Target defined, stopped, on an overlay of the copy; in a cloud, whose servers boot when they are made, everything but the server."""
    CUT_OVER = "cut-over"
    """Target runs and its services answer; the source is still startable."""
    FINALIZED = "finalized"
    """The way back is closed; the source is still there, untouched and stopped."""
    ROLLED_BACK = "rolled-back"
    """Target stopped, source runs again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDisk:
    """A disk of the source: file or device path on its host, image format, size in bytes as the guest sees it."""

    path: str
    format: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """Record of one move. `copied_bytes` is the resume point; `problem` explains why it stands still, or is empty.

    `cut_over_at`: since when the target may hold writes that the source does not know.
    """

    estate: str
    machine: str
    plan: str
    phase: Phase
    source_uri: str
    source_domain: str
    source_uuid: str
    disk: SourceDisk
    copied_bytes: int = 0
    source_sha256: str = ""
    target_sha256: str = ""
    source_was_autostart: bool = False
    problem: str = ""
    started_at: datetime
    updated_at: datetime
    cut_over_at: datetime | None = None
