"""Writes intents and outcomes of steps to the evidence chain, as the one who gave the command."""

from datetime import UTC, datetime

from controlplane.model.drift import Drift, Outcome
from controlplane.store import Store


class EvidenceJournal:
    """A Journal over the store for one estate, plan and actor."""

    def __init__(self, store: Store, *, estate: str, plan: str, actor: str) -> None:
        self._store = store
        self._estate = estate
        self._plan = plan
        self._actor = actor

    def intent(self, drift: Drift) -> None:
        """Record that we are about to act."""
        self._append("intent", drift, {})

    def outcome(self, outcome: Outcome) -> None:
        """Record how it ended."""
        self._append(outcome.result.value, outcome.drift, {"message": outcome.message})

    def _append(self, stage: str, drift: Drift, detail: dict[str, object]) -> None:
        self._store.append_evidence(
            self._estate,
            actor=self._actor,
            action=f"{drift.action.value}:{stage}",
            subject=drift.subject,
            detail={"plan": self._plan, "host": drift.host, "what": drift.what, "wanted": drift.wanted, "found": drift.found}
            | detail,
            at=datetime.now(UTC),
        )
