"""Which machines came to where they are only lately, as the accepted plans and the migrations on record tell."""

from datetime import datetime

from controlplane.model.migration import Phase
from controlplane.store import Store

_OVER = frozenset({Phase.FINALIZED, Phase.ROLLED_BACK})


def recently_placed(store: Store, estate: str, since: datetime) -> frozenset[str]:
    """Machines whose host in the accepted plan is not that of the plan accepted last before an instant, and those in migration."""
    now, then = store.accepted_plan(estate), store.plan_accepted_before(estate, since)
    before = {machine.id: machine.host for machine in then.machines} if then is not None else {}
    changed = {machine.id for machine in now.machines if before.get(machine.id) != machine.host} if now is not None else set()
    return frozenset(changed | {record.machine for record in store.migrations(estate) if record.phase not in _OVER})
