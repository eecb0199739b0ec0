"""Where the machines of lost hosts would go: an assignment, found greedily, that is a proof that the loss can be survived.

Largest first, each to the most roomy host that takes it, apart from its replicas where there is room; where that strands one, all
to the tightest. While all other machines stay where they are. It is sound, as it is an assignment; it may miss one.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from operator import add, le, sub

import numpy as np

from controlplane.planning.company import group_of
from controlplane.planning.demand import Draft
from controlplane.planning.dimensions import Amount
from controlplane.planning.stand import Place, Stand

_ROOMIEST = 40
"""Hosts looked at one by one, roomiest first, before all are looked at together."""


@dataclass(slots=True, kw_only=True, eq=False)
class Proof:
    """Where the machines of the lost hosts would go, and what they would take there. Replaced, never changed once kept."""

    target: dict[str, int] = field(default_factory=dict)
    taken: dict[int, Amount] = field(default_factory=dict)
    shares: list[float] = field(default_factory=list)
    """What share of each host in turn was left before it took its machine, where the proof is one that `prove` found: a host with
    less, that the proof does not use, is no reason for another. -inf: more than room decided.
    """

    def copy(self) -> "Proof":
        """One to change."""
        return Proof(target=dict(self.target), taken=dict(self.taken))

    def without(self, machine: str, size: Amount) -> "Proof":
        """The same when the machine is not there any more."""
        rest = self.copy()
        host = rest.target.pop(machine)
        rest.taken[host] = minus(rest.taken[host], size)
        return rest

    def firm(self, changed: Collection[int], roomiest: float) -> int:
        """How many machines, from the first, would go to the same hosts again: these have not changed, and no other is roomier."""
        for step, (host, share) in enumerate(zip(self.target.values(), self.shares, strict=True)):
            if host in changed or share <= roomiest:
                return step
        return len(self.target)

    def without_host(self, host: int) -> "Proof":
        """The same without what it would put on a host."""
        target = {machine: to for machine, to in self.target.items() if to != host}
        return Proof(target=target, taken={to: amount for to, amount in self.taken.items() if to != host})


class Proving:
    """Finds proofs on the plan so far."""

    def __init__(self, drafts: Mapping[str, Draft], stand: Stand) -> None:
        self._drafts = drafts
        self._stand = stand

    def prove(self, machines: Sequence[str], lost: frozenset[int]) -> tuple[Proof | None, str]:
        """A proof for these machines of lost hosts, or None and the machine that fits nowhere."""
        machines = self.largest_first(machines)
        stranded = ""
        for roomy in (True, False):
            proof = Proof()
            failed = self.extend(proof, machines, lost, roomy=roomy)
            if not failed:
                return proof, ""
            stranded = stranded or failed
        return None, stranded

    def prove_again(self, proof: Proof, firm: int, lost: frozenset[int]) -> Proof | None:
        """What `prove` would find, when so many machines of a proof it found before go to the same hosts; None: it must be asked."""
        again = Proof(target=dict(islice(proof.target.items(), firm)), shares=proof.shares[:firm])
        for machine, host in again.target.items():
            size = self._stand.sizes[machine]
            again.taken[host] = tuple(map(add, again.taken[host], size)) if host in again.taken else size
        return again if firm and not self.extend(again, tuple(proof.target)[firm:], lost) else None

    def largest_first(self, machines: Sequence[str]) -> list[str]:
        """In the order in which they are given hosts."""
        shares = self._stand.shares
        return sorted(machines, key=lambda machine: (-shares[machine], machine))

    def extend(self, proof: Proof, machines: Sequence[str], lost: frozenset[int], *, roomy: bool = True) -> str:
        """Give these machines hosts too, the most roomy or the tightest; the first that fits nowhere ends it and is told.

        Of equals the last host, since placement opens hosts from the first: proofs are then seldom upset.
        """
        stand = self._stand
        left = {host: minus(stand.left[host], taken) for host, taken in proof.taken.items()}
        shares = {host: stand.share(host, free) for host, free in left.items()}
        for machine in machines:
            place = self._quickly(machine, proof, lost, left, shares) if roomy else None
            if place is None:
                place = self._among_all(machine, proof, lost, left, shares, roomy=roomy)
            if place is None:
                return machine
            share, host = place
            size = stand.sizes[machine]
            proof.target[machine] = host
            proof.shares.append(share)
            proof.taken[host] = tuple(map(add, proof.taken[host], size)) if host in left else size
            left[host] = minus(left[host] if host in left else stand.left[host], size)
            shares[host] = stand.share(host, left[host])
        return ""

    def _quickly(
        self, machine: str, proof: Proof, lost: frozenset[int], left: Mapping[int, Amount], shares: Mapping[int, float]
    ) -> Place | None:
        """The roomiest place, if it is among the roomiest hosts and nothing but room and replicas decides; else None."""
        stand, draft = self._stand, self._drafts[machine]
        if draft.apart_from or draft.licences:
            return None
        size, eligible = stand.sizes[machine], stand.eligible[machine]
        avoided = {*lost, *self._replicas(draft, proof, lost)} if draft.replica_group else lost
        most, roomiest = -inf, -1
        for host, share in shares.items():
            if share < most or (share == most and host < roomiest) or host in avoided:
                continue
            if eligible[host] and fits(size, left[host]):
                most, roomiest = share, host
        for looked, (share, host) in enumerate(reversed(stand.by_room)):
            if share < most or (share == most and host < roomiest):
                return (most, roomiest)
            if host not in shares and host not in avoided and eligible[host] and fits(size, stand.left[host]):
                return (share, host)
            if looked == _ROOMIEST:
                return None
        return (most, roomiest) if roomiest >= 0 else None

    def _among_all(
        self,
        machine: str,
        proof: Proof,
        lost: frozenset[int],
        left: Mapping[int, Amount],
        shares: Mapping[int, float],
        *,
        roomy: bool,
    ) -> Place | None:
        """The place by looking at every host. Its share is -inf where more than the room of roomier hosts decided."""
        stand, draft = self._stand, self._drafts[machine]
        size, open_to, share_of = stand.sizes[machine], stand.fitting(machine), stand.roominess.copy()
        if draft.apart_from:
            open_to &= stand.apart.open_to(draft, lost, self.coming(proof))
        if draft.licences:
            open_to &= stand.licensing.open_to(draft, lost, self.coming(proof))
        for host, free in left.items():
            share_of[host] = shares[host]
            open_to[host] = open_to[host] and fits(size, free)
        open_to[list(lost)] = False
        found = np.flatnonzero(open_to)
        if len(found) == 0:
            return None
        alone = found[~np.isin(found, list(self._replicas(draft, proof, lost)))]
        by_room_alone = roomy and len(alone) > 0 and not (draft.apart_from or draft.licences)
        found = alone if len(alone) else found
        rank = share_of[found] if roomy else -share_of[found]
        host = int(found[len(found) - 1 - int(rank[::-1].argmax())])
        return (float(share_of[host]) if by_room_alone else -inf, host)

    def coming(self, proof: Proof) -> Iterator[tuple[Draft, int]]:
        """The machines of a proof and where they would come."""
        return ((self._drafts[machine], host) for machine, host in proof.target.items())

    def _replicas(self, draft: Draft, proof: Proof, lost: Collection[int]) -> Iterator[int]:
        """Hosts that hold, or would take, another replica of the same group."""
        group = group_of(draft)
        members = self._stand.company.replicas.get(group, {}) if group is not None else {}
        for other, host in members.items():
            if other != draft.id:
                yield proof.target.get(other, -1) if host in lost else host


def fits(size: Amount, room: Amount) -> bool:
    """True when there is room for the size in every dimension."""
    return all(map(le, size, room))


def minus(one: Amount, other: Amount) -> Amount:
    """What is left of one amount without the other."""
    return tuple(map(sub, one, other))
