"""What a named person decided about one server, with a reason: a contradiction accepted, a rule waived, a disposition chosen.

Written by `kasumi accept` and `kasumi decide`, kept in the store and in evidence, read by `assessment`. A decision about
something that was seen holds only while the same is seen: `seen` is the digest of it.
"""

from dataclasses import dataclass, field
from datetime import datetime

from controlplane.model.facts import Value

DISPOSITION = "disposition"
"""The subject of a decision about what becomes of a server; other subjects are fields of the catalogue or `rule:ID`."""
RULE_PREFIX = "rule:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision that stands. `value` is what the person holds to be true, or the disposition chosen."""

    server: str
    subject: str
    value: Value = field(hash=False)
    reason: str
    actor: str
    at: datetime
    seen: str = ""
