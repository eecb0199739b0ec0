"""Which machines of a system may share what: replicas apart, groups together in a failure domain."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from controlplane.model.estate import Host
from controlplane.planning.capacity import HostRoom
from controlplane.planning.demand import Draft
from controlplane.planning.objections import Objection, Rule

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Group = tuple[str, str]
"""System and name: two systems may use the same name."""


class Company:
    """Who stands with whom in the plan so far. Owned and changed by `constraints.PlanSoFar`."""

    def __init__(self, rooms: Sequence[HostRoom], drafts: Sequence[Draft]) -> None:
        self._hosts = [room.host for room in rooms]
        over = {draft.tier.spread_over for draft in drafts} | {domain for draft in drafts for domain, _ in draft.needs.together}
        self._domains = {name: _codes(self._hosts, name) for name in sorted(over)}
        self.replicas: dict[Group, dict[str, int]] = {}
        """Replica group to its machines and their hosts."""
        self._together: dict[tuple[str, str, str], dict[str, int]] = {}

    def add(self, draft: Draft, host: int) -> None:
        """The machine now stands on the host."""
        group = group_of(draft)
        if group is not None:
            self.replicas.setdefault(group, {})[draft.id] = host
        for key in _circles(draft):
            self._together.setdefault(key, {})[draft.id] = host

    def subtract(self, draft: Draft, host: int) -> None:
        """The machine no longer stands there."""
        group = group_of(draft)
        if group is not None:
            del self.replicas[group][draft.id]
        for key in _circles(draft):
            del self._together[key][draft.id]

    def open_to(self, draft: Draft, hosts: Ints) -> Ints:
        """Those of the hosts where the company of the machine is right."""
        group = group_of(draft)
        codes = self._domains[draft.tier.spread_over]
        for other, host in self.replicas.get(group, {}).items() if group is not None else ():
            if other != draft.id:
                hosts = hosts[(codes[hosts] != codes[host]) & (hosts != host)]
        for key in _circles(draft):
            companions = [host for other, host in self._together.get(key, {}).items() if other != draft.id]
            if companions:
                codes = self._domains[key[0]]
                hosts = hosts[codes[hosts] == codes[companions[0]]]
        return hosts

    def objections(self, draft: Draft, host: int) -> Iterator[Objection]:
        """Whom the machine may not join on a host, and whom it would leave."""
        group = group_of(draft)
        if group is not None:
            yield from self._replicas(draft, group, self._hosts[host])
        for key in _circles(draft):
            domain, _, name = key
            for other, there in sorted(self._together.get(key, {}).items()):
                if other != draft.id and self._domains[domain][there] != self._domains[domain][host]:
                    text = f"{name} is kept together in one {domain}, and {other} of it is on {self._hosts[there].id}"
                    yield Objection(rule=Rule.TOGETHER, text=text)
                    break

    def _replicas(self, draft: Draft, group: Group, host: Host) -> Iterator[Objection]:
        over = draft.tier.spread_over
        for machine, number in sorted(self.replicas.get(group, {}).items()):
            if machine == draft.id:
                continue
            other = self._hosts[number]
            if other.id == host.id:
                yield Objection(rule=Rule.SPREAD, text=f"holds replica {machine} of group {draft.replica_group}")
            elif domain_of(other, over) == domain_of(host, over):
                name = domain_of(host, over)[-1]
                text = f"{over} {name} holds replica {machine} of group {draft.replica_group} (on {other.id})"
                yield Objection(rule=Rule.SPREAD, text=text)


def domain_of(host: Host, over: str) -> tuple[str, ...]:
    """The failure domain of a host; racks and power feeds are named within their site."""
    if over == "site":
        return (host.site,)
    if over == "rack":
        return (host.site, host.rack)
    if over == "power_feed":
        return (host.site, host.power_feed)
    return (host.id,)


def group_of(draft: Draft) -> Group | None:
    """The replica group of a machine."""
    return (draft.system, draft.replica_group) if draft.replica_group else None


def keeps_company(draft: Draft) -> bool:
    """True when what others do may put the machine in the wrong where it stands."""
    return bool(draft.replica_group or draft.needs.together or draft.apart_from or draft.licences)


def cohorts(drafts: Sequence[Draft]) -> dict[str, tuple[Draft, ...]]:
    """For each machine that is kept together with others: all that are kept together with it, directly or not."""
    by_key: dict[tuple[str, str, str], list[Draft]] = {}
    for draft in drafts:
        for key in _circles(draft):
            by_key.setdefault(key, []).append(draft)
    found: dict[str, tuple[Draft, ...]] = {}
    for draft in drafts:
        if not draft.needs.together or draft.id in found:
            continue
        members, todo = {draft.id: draft}, [draft]
        while todo:
            for key in _circles(todo.pop()):
                todo += [other for other in by_key[key] if other.id not in members]
                members |= {other.id: other for other in by_key[key]}
        cohort = tuple(member for _, member in sorted(members.items()))
        found |= dict.fromkeys(members, cohort)
    return found


def _circles(draft: Draft) -> Iterator[tuple[str, str, str]]:
    for domain, name in draft.needs.together:
        yield (domain, draft.system, name)


def _codes(hosts: Sequence[Host], over: str) -> Ints:
    """A number for the failure domain of each host."""
    found: dict[tuple[str, ...], int] = {}
    return np.array([found.setdefault(domain_of(host, over), len(found)) for host in hosts], dtype=np.int64)
