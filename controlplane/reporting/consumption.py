"""CPU time that guests used, added up so that it only grows: a guest's own counter starts anew with every boot. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.model.observed import HostObservation


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumption:
    """CPU seconds since the watch began, by host and by ministry.

    `last_seen` holds, by host and uuid, each guest's own counter.
    """

    by_host: Mapping[str, float] = field(default_factory=dict, hash=False)
    by_ministry: Mapping[str, float] = field(default_factory=dict, hash=False)
    last_seen: Mapping[str, Mapping[str, float]] = field(default_factory=dict, hash=False)

    def after(self, seen: HostObservation, ministries: Mapping[str, str]) -> "Consumption":
        """With one more look at one host; `ministries` names the ministry of a machine by its uuid.

        A guest never seen before counts from now on: what it used earlier was used when nobody watched.
        """
        by_host, by_ministry = dict(self.by_host), dict(self.by_ministry)
        before, now = self.last_seen.get(seen.host, {}), dict[str, float]()
        for machine in seen.machines:
            counter = machine.usage.cpu_seconds
            if counter is None:
                continue
            earlier = before.get(machine.uuid, counter)
            used = counter - earlier if counter >= earlier else counter
            now[machine.uuid] = counter
            by_host[seen.host] = by_host.get(seen.host, 0.0) + used
            ministry = ministries.get(machine.uuid)
            if ministry is not None:
                by_ministry[ministry] = by_ministry.get(ministry, 0.0) + used
        return Consumption(by_host=by_host, by_ministry=by_ministry, last_seen={**self.last_seen, seen.host: now})
