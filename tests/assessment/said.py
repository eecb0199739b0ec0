"""What sources said of made servers."""

from collections.abc import Mapping
from datetime import UTC, datetime

from controlplane.model.facts import Answer, Fact, ServerFacts, Source, Value

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def said(
    server: str,
    facts: Mapping[str, Value],
    source: Source = Source.SSH,
    *,
    at: datetime = NOON,
    confidence: float = 0.95,
    answer: Answer = Answer.ANSWERED,
    message: str = "",
) -> ServerFacts:
    return ServerFacts(
        server=server,
        source=source,
        collected_at=at,
        duration_seconds=1.0,
        answer=answer,
        message=message,
        facts=tuple(
            Fact(field=name, value=value, source=source, observed_at=at, confidence=confidence, by=f"{source.value}:{name}")
            for name, value in facts.items()
        ),
    )


def ledger(server: str, facts: Mapping[str, Value], **more: object) -> ServerFacts:
    return said(server, facts, Source.LEDGER, confidence=0.6, **more)  # type: ignore[arg-type]


def addresses(*given: str, prefix_length: int = 24) -> list[Value]:
    return [{"interface": "eth0", "address": address, "prefix_length": prefix_length, "mac": ""} for address in given]
