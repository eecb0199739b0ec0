"""Can these machines be placed at all? Yes by placing them, no by a bound or by trying everything, else not known.

The planner is heuristic: that it finds no place proves nothing. Here the rules are taken exactly, losses included, and the
answer says when it is none. Work is bounded by steps, never by a clock.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from operator import add, le, sub

from controlplane.model.estate import Network
from controlplane.planning.capacity import HostRoom
from controlplane.planning.company import domain_of, group_of
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft
from controlplane.planning.dimensions import Amount
from controlplane.planning.placement import place

_ROUNDING = 1e-6
"""Less than any machine takes, and more than sums of parts are wrong by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Machines to be placed (`drafts`) beside those that stand (`standing`: draft and host), on these hosts."""

    rooms: tuple[HostRoom, ...]
    networks: Mapping[str, Network] = field(hash=False)
    drafts: tuple[Draft, ...]
    standing: tuple[tuple[Draft, str], ...]


def feasible(case: Case, *, steps: int) -> bool | None:
    """True: a placement was found. False: there is none. None: not known after so many steps."""
    search = _Search(case, steps)
    if search.impossible():
        return False
    if not place(case.drafts, search.fresh).unplaced:
        return True
    return search.exhaust()


class _Search:
    def __init__(self, case: Case, steps: int) -> None:
        self._case = case
        self._steps = steps
        self._unknown = False
        so_far = self.fresh()
        self._hosts = so_far.hosts
        self._counted = len(so_far.dimensions.all)
        self._rooms = {room.host.id: room for room in case.rooms}
        self._free = {host: so_far.free(host) for host in self._hosts}
        self._size = {draft.id: so_far.size(draft) for draft in self._all()}
        self._open = {draft.id: so_far.eligible(draft) for draft in self._all()}
        self._allowed = {
            draft.id: tuple(host for host in self._open[draft.id] if draft.id not in self._rooms[host].others_by_name)
            for draft in case.drafts
        }
        self._where = {draft.id: host for draft, host in case.standing}

    def fresh(self) -> PlanSoFar:
        """A plan that holds what stands."""
        case = self._case
        so_far = PlanSoFar(case.rooms, case.networks, (*case.drafts, *(draft for draft, _ in case.standing)))
        for draft, host in case.standing:
            so_far.force(draft, host)
        so_far.settle()
        return so_far

    def impossible(self) -> bool:
        """A bound that no placement can meet: a machine without host, more than there is room or licensed, more replicas than domains."""
        for draft in self._case.drafts:
            if not any(_fits(self._size[draft.id], self._free[host]) for host in self._allowed[draft.id]):
                return True
        return self._overfull() or self._too_many_replicas() or self._too_few_sockets()

    def _overfull(self) -> bool:
        for hosts in {self._allowed[draft.id] for draft in self._case.drafts}:
            inside = [draft for draft in self._case.drafts if set(self._allowed[draft.id]) <= set(hosts)]
            if self._exceeds(inside, hosts):
                return True
            for loss, lost in self._losses():
                protected = [draft for draft in inside if self._concerned(draft, loss)]
                if protected and self._exceeds(protected, [host for host in hosts if host not in lost]):
                    return True
        return False

    def _exceeds(self, drafts: Sequence[Draft], hosts: Sequence[str]) -> bool:
        return any(
            sum(self._size[draft.id][i] for draft in drafts) > sum(max(0, self._free[host][i]) for host in hosts)
            for i in range(self._counted)
        )

    def _too_many_replicas(self) -> bool:
        groups: dict[tuple[str, str], list[Draft]] = {}
        for draft in self._case.drafts:
            if draft.replica_group:
                groups.setdefault((draft.system, draft.replica_group), []).append(draft)
        for group, members in groups.items():
            for over in ("host", members[0].tier.spread_over):
                taken = {self._domain(host, over) for draft, host in self._case.standing if group_of(draft) == group}
                left = {self._domain(host, over) for draft in members for host in self._allowed[draft.id]} - taken
                if len(members) > len(left):
                    return True
        return False

    def _too_few_sockets(self) -> bool:
        """What needs a licence is more than the best hosts of so many sockets hold, were parts of hosts to be had."""
        for product, owned in sorted({pair for draft in self._case.drafts for pair in draft.licences}):
            needing = [draft for draft in self._case.drafts if (product, owned) in draft.licences]
            hosts = sorted({host for draft in needing for host in self._allowed[draft.id] if self._sockets(host)})
            counting = {host for draft, host in self._case.standing if (product, owned) in draft.licences}
            standing = sum(map(self._sockets, counting))
            for i in range(self._counted):
                wanted, left = float(sum(self._size[draft.id][i] for draft in needing)), float(max(owned, standing))
                for host in sorted(hosts, key=lambda host: -max(0, self._free[host][i]) / self._sockets(host)):
                    part = min(1.0, left / self._sockets(host))
                    wanted, left = wanted - part * max(0, self._free[host][i]), left - part * self._sockets(host)
                if wanted > _ROUNDING:
                    return True
        return False

    def _sockets(self, host: str) -> int:
        return self._rooms[host].host.offers.sockets

    def exhaust(self) -> bool | None:
        """Try every placement, most constrained and largest machines first."""
        drafts = sorted(self._case.drafts, key=lambda d: (len(self._allowed[d.id]), [-part for part in self._size[d.id]], d.id))
        if self._try(drafts, dict(self._free)):
            return True
        return None if self._unknown else False

    def _try(self, drafts: Sequence[Draft], free: dict[str, Amount]) -> bool:
        if not drafts:
            return all(self._survives(loss, lost, free) for loss, lost in self._losses())
        draft, rest = drafts[0], drafts[1:]
        for host in sorted(self._allowed[draft.id], key=lambda host: (free[host], host)):
            if not self._spend():
                return False
            if not _fits(self._size[draft.id], free[host]) or self._crowded(draft, host) or self._unlicensed(draft, host):
                continue
            self._where[draft.id] = host
            free[host] = _minus(free[host], self._size[draft.id])
            if self._try(rest, free):
                return True
            free[host] = _plus(free[host], self._size[draft.id])
            del self._where[draft.id]
        return False

    def _crowded(self, draft: Draft, host: str) -> bool:
        """True when the company there is wrong: replicas too near, companions elsewhere, ministries that share no host."""
        placed = [(each, self._where[each.id]) for each in self._all() if each.id in self._where and each.id != draft.id]
        return any(self._disagree(draft, host, each, there) for each, there in placed)

    def _disagree(self, one: Draft, host: str, other: Draft, there: str) -> bool:
        if group_of(one) is not None and group_of(one) == group_of(other):
            over = one.tier.spread_over
            if host == there or self._domain(host, over) == self._domain(there, over):
                return True
        if one.system == other.system:
            for over, name in set(one.needs.together) & set(other.needs.together):
                if name and self._domain(host, over) != self._domain(there, over):
                    return True
        return self._meet(one, host, other, there)

    def _meet(self, one: Draft, host: str, other: Draft, there: str) -> bool:
        """True when two that are kept apart would share a host or its storage."""
        if other.ministry not in one.apart_from or not other.apart_from:
            return False
        storage = self._rooms[host].host.storage_of(one.needs.disk_class)
        return host == there or (storage != "" and storage == self._rooms[there].host.storage_of(other.needs.disk_class))

    def _unlicensed(self, draft: Draft, host: str) -> bool:
        if not draft.licences:
            return False
        there: dict[str, list[Draft]] = {}
        for each in self._all():
            if each.id in self._where and each.id != draft.id:
                there.setdefault(self._where[each.id], []).append(each)
        return self._overuses(draft, host, there)

    def _overuses(self, draft: Draft, host: str, there: Mapping[str, Sequence[Draft]]) -> bool:
        """True when the machine's products would count on more sockets than are owned, or the host states none."""
        if draft.licences and not self._sockets(host):
            return True
        for product, owned in draft.licences:
            counting = {name for name, drafts in there.items() if any((product, owned) in each.licences for each in drafts)}
            if host not in counting and sum(map(self._sockets, counting)) + self._sockets(host) > owned:
                return True
        return False

    def _losses(self) -> Iterator[tuple[tuple[str, int], frozenset[str]]]:
        """What a tier survives and how often, and lost hosts; domains with a silent host count as lost already."""
        for over, level in sorted({(draft.tier.survives, draft.tier.host_failures) for draft in self._all()}):
            if level == 0:
                continue
            domains: dict[tuple[str, ...], list[str]] = {}
            for host in self._hosts:
                domains.setdefault(self._domain(host, over), []).append(host)
            gone = [domain for domain, hosts in domains.items() if not all(self._rooms[host].answers for host in hosts)]
            there = [domain for domain in domains if domain not in gone]
            for lost in combinations(there, min(max(0, level - len(gone)), len(there))):
                yield (over, level), frozenset(host for domain in (*gone, *lost) for host in domains[domain])

    @staticmethod
    def _concerned(draft: Draft, loss: tuple[str, int]) -> bool:
        over, level = loss
        return draft.tier.host_failures >= level and (over == "host" or draft.tier.survives in {over, "site"})

    def _survives(self, loss: tuple[str, int], lost: frozenset[str], free: Mapping[str, Amount]) -> bool:
        """Losses that what stands cannot survive by itself are nobody's fault here, unless a new machine is on a lost host."""
        moving = [d for d in self._all() if self._concerned(d, loss) and self._where[d.id] in lost]
        there: dict[str, list[Draft]] = {}
        for draft in self._all():
            if (draft.apart_from or draft.licences) and self._where[draft.id] not in lost:
                there.setdefault(self._where[draft.id], []).append(draft)
        if self._replaced(moving, {host: free[host] for host in self._hosts if host not in lost}, there):
            return True
        new = {draft.id for draft in self._case.drafts}
        if any(draft.id in new for draft in moving):
            return False
        room = {host: self._free[host] for host in self._hosts if host not in lost}
        stood = {host: [draft for draft in drafts if draft.id not in new] for host, drafts in there.items()}
        return not self._replaced(moving, room, stood)

    def _replaced(self, drafts: Sequence[Draft], free: dict[str, Amount], there: dict[str, list[Draft]]) -> bool:
        if not drafts:
            return True
        draft, rest = drafts[0], drafts[1:]
        for host in self._open[draft.id]:
            if host not in free or not _fits(self._size[draft.id], free[host]):
                continue
            met = ((other, name) for name, others in there.items() for other in others) if draft.apart_from else ()
            if any(self._meet(draft, host, other, name) for other, name in met) or self._overuses(draft, host, there):
                continue
            if not self._spend():
                return False
            free[host] = _minus(free[host], self._size[draft.id])
            there.setdefault(host, []).append(draft)
            if self._replaced(rest, free, there):
                return True
            there[host].pop()
            free[host] = _plus(free[host], self._size[draft.id])
        return False

    def _spend(self) -> bool:
        self._steps -= 1
        self._unknown |= self._steps < 0
        return self._steps >= 0

    def _all(self) -> tuple[Draft, ...]:
        return (*self._case.drafts, *(draft for draft, _ in self._case.standing))

    def _domain(self, host: str, over: str) -> tuple[str, ...]:
        return domain_of(self._rooms[host].host, over)


def _fits(size: Amount, free: Amount) -> bool:
    return all(map(le, size, free))


def _minus(one: Amount, other: Amount) -> Amount:
    return tuple(map(sub, one, other))


def _plus(one: Amount, other: Amount) -> Amount:
    return tuple(map(add, one, other))
