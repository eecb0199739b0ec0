"""One result of a check. Critical blocks, the others do not; each says what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """One scale that means the same everywhere."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFORMATION = "information"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Where it is (`file:line:column: path` or an entity), what is wrong, what to do about it."""

    severity: Severity
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}, {self.remedy}" if self.remedy else f"{self.where}: {self.what}"
