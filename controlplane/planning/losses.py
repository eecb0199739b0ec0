"""Surviving the loss of hosts (N+1): for every loss a tier must survive, a standing proof that its machines fit elsewhere.

A loss is a set of hosts. A tier with `host_failures` k survives when, for every set of k hosts, its machines on them can
all be re-placed at once on the other open hosts that hold their grade and network, within what those may promise, while
all other machines stay where they are. Replicas then avoid each other's hosts where there is room, but capacity is never
given up for it. Hosts that do not answer count as lost already: with u of them, the sets are those u and any k - u others.

The proof kept for a loss is an assignment of its machines (largest first, to the most roomy host; else to the tightest).
It is sound, as it is an assignment; it may miss one, so a crowded plan can be refused that a search would allow. A machine
added to a host asks only the losses of that host and those whose proof wants the room it takes there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from controlplane.planning.capacity import HostRoom
from controlplane.planning.demand import Draft

Amount = tuple[int, int, int]
Ints = NDArray[np.int64]


@dataclass(slots=True, kw_only=True, eq=False)
class Stand:
    """The plan so far in the form the inner loops read; owned and changed by `constraints.PlanSoFar`.

    Hosts are numbers in the order of their ids. `roominess` is the least share that is free over the dimensions.
    """

    free: Ints
    capacity: Ints
    roominess: NDArray[np.float64]
    sizes: Mapping[str, Amount]
    eligible: Mapping[str, Ints]
    groups: Mapping[str, tuple[str, str] | None]
    shares: Mapping[str, float]
    """Largest share of the largest host that a machine takes in any dimension."""
    on: Sequence[Mapping[str, None]]
    """The machines on each host."""
    members: Mapping[tuple[str, str], Mapping[str, int]]

    def change(self, host: int, amount: Amount, sign: int) -> None:
        """Take an amount from what is free on a host, or give it back."""
        free, capacity = self.free[host], self.capacity[host]
        free += (sign * amount[0], sign * amount[1], sign * amount[2])
        self.roominess[host] = share_left(free.tolist(), capacity.tolist())


def amount_of(row: Ints) -> Amount:
    """A row of an array as plain numbers, which are quicker one by one."""
    vcpus, memory, disk = row.tolist()
    return (vcpus, memory, disk)


def share_left(free: Sequence[int], capacity: Sequence[int]) -> float:
    """The least share that is free over the dimensions."""
    return min(free[0] / (capacity[0] or 1), free[1] / (capacity[1] or 1), free[2] / (capacity[2] or 1))


@dataclass(slots=True, kw_only=True, eq=False)
class Proof:
    """Where the machines of the lost hosts would go, and what they would take there. Replaced, never changed once kept."""

    target: dict[str, int] = field(default_factory=dict)
    taken: dict[int, Amount] = field(default_factory=dict)

    def copy(self) -> "Proof":
        """One to change."""
        return Proof(target=dict(self.target), taken=dict(self.taken))


@dataclass(slots=True, kw_only=True, eq=False)
class Loss:
    """One set of hosts that may be lost together. `broken`: it cannot be survived by what stands already."""

    lost: frozenset[int]
    text: str
    failures: int
    broken: bool = False
    proof: Proof = field(default_factory=Proof)


class Losses:
    """All losses that tiers of these machines must survive, with their proofs."""

    def __init__(self, rooms: Sequence[HostRoom], drafts: Sequence[Draft], stand: Stand) -> None:
        self._stand = stand
        self._levels = {draft.id: draft.tier.host_failures for draft in drafts}
        self._losses = _losses_for(rooms, drafts)
        self._of_host: list[list[int]] = [[] for _ in rooms]
        for number, loss in enumerate(self._losses):
            for host in loss.lost:
                self._of_host[host].append(number)
        self._takers: list[set[int]] = [set() for _ in rooms]
        self._most_taken: list[Amount] = [(0, 0, 0)] * len(rooms)
        """At least what any proof takes on each host; lowered only when it stands in the way."""
        self.replaced: list[tuple[int, Proof]] = []
        """Proofs that were replaced, latest last; whoever restores a plan gives them back."""

    def settle(self) -> tuple[str, ...]:
        """Prove every loss anew for what stands; those that cannot be, and then they only keep new machines off their hosts."""
        for number, loss in enumerate(self._losses):
            proof, _ = self._prove(loss)
            loss.broken = proof is None
            self._keep(number, proof or Proof())
        return tuple(loss.text for loss in self._losses if loss.broken)

    def still_hold(self, machine: str, host: int) -> bool:
        """True when all can be survived with the machine just added to the host; else the proofs are as before."""
        mark = len(self.replaced)
        for number in self._touched(machine, host):
            proof, _ = self._proof_with(machine, host, self._losses[number])
            if proof is None:
                self.give_back(mark)
                return False
            self._keep(number, proof)
        return True

    def stranded(self, machine: str, host: int) -> Iterator[tuple[str, str, str]]:
        """With the machine just added: each loss that cannot be survived, what its tier asks for, and who fits nowhere."""
        for number in self._touched(machine, host):
            loss = self._losses[number]
            proof, stranded = self._proof_with(machine, host, loss)
            if proof is None:
                yield loss.text, f"{loss.failures} host failure{'s' if loss.failures > 1 else ''}", stranded

    def forget(self, machine: str, host: int) -> None:
        """The machine was taken off its host."""
        for number in self._of_host[host]:
            proof = self._losses[number].proof
            target = proof.target.get(machine)
            if target is not None:
                without = proof.copy()
                del without.target[machine]
                without.taken[target] = _minus(without.taken[target], self._stand.sizes[machine])
                self._keep(number, without)

    def give_back(self, mark: int) -> None:
        """Undo the replacing of proofs back to when so many had been replaced."""
        while len(self.replaced) > mark:
            number, proof = self.replaced.pop()
            self._set(number, proof)

    def _touched(self, machine: str, host: int) -> list[int]:
        """Losses whose proof the machine on this host may upset."""
        level = self._levels[machine]
        touched = [number for number in self._of_host[host] if level >= self._losses[number].failures]
        free = amount_of(self._stand.free[host])
        if not _fits(self._most_taken[host], free):
            taken = {number: self._losses[number].proof.taken[host] for number in sorted(self._takers[host])}
            self._most_taken[host] = _most(taken.values())
            touched += [number for number, amount in taken.items() if not _fits(amount, free)]
        return touched

    def _proof_with(self, machine: str, host: int, loss: Loss) -> tuple[Proof | None, str]:
        if host in loss.lost:
            if loss.broken:
                return None, machine
            extended = loss.proof.copy()
            if self._assign(machine, extended, loss, roomy=True):
                return extended, ""
        return self._prove(loss)

    def _keep(self, number: int, proof: Proof) -> None:
        self.replaced.append((number, self._losses[number].proof))
        self._set(number, proof)

    def _set(self, number: int, proof: Proof) -> None:
        loss = self._losses[number]
        for host in loss.proof.taken:
            self._takers[host].discard(number)
        loss.proof = proof
        for host, amount in proof.taken.items():
            self._takers[host].add(number)
            self._most_taken[host] = _most((self._most_taken[host], amount))

    def _prove(self, loss: Loss) -> tuple[Proof | None, str]:
        """A proof, or None and the machine that fits nowhere."""
        stand = self._stand
        moving = [machine for host in loss.lost for machine in stand.on[host] if self._levels[machine] >= loss.failures]
        moving.sort(key=lambda machine: (-stand.shares[machine], machine))
        stranded = ""
        for roomy in (True, False):
            proof = Proof()
            failed = next((machine for machine in moving if not self._assign(machine, proof, loss, roomy=roomy)), None)
            if failed is None:
                return proof, ""
            stranded = stranded or failed
        return None, stranded

    def _assign(self, machine: str, proof: Proof, loss: Loss, *, roomy: bool) -> bool:
        """Give the machine a host in the proof: apart from its replicas, the most roomy or the tightest, the last of equals.

        The last, since placement opens hosts from the first: proofs are then seldom upset.
        """
        stand, size, eligible = self._stand, self._stand.sizes[machine], self._stand.eligible[machine]
        left = stand.roominess[eligible]
        fits: NDArray[np.bool_] = np.asarray((stand.free[eligible] >= size).all(axis=1))
        for host in (*loss.lost, *proof.taken):
            at = int(np.searchsorted(eligible, host))
            if at == len(eligible) or eligible[at] != host:
                continue
            free = _minus(amount_of(stand.free[host]), proof.taken.get(host, (0, 0, 0)))
            fits[at] = host not in loss.lost and _fits(size, free)
            left[at] = share_left(free, stand.capacity[host].tolist())
        found = np.flatnonzero(fits)
        if len(found) == 0:
            return False
        group = stand.groups[machine]
        if group is not None:
            avoided = self._hosts_of_group(machine, group, proof, loss)
            apart = found[~np.isin(eligible[found], avoided)] if avoided else found
            found = apart if len(apart) else found
        rank = left[found] if roomy else -left[found]
        host = int(eligible[found[len(found) - 1 - int(rank[::-1].argmax())]])
        proof.target[machine] = host
        proof.taken[host] = _plus(proof.taken.get(host, (0, 0, 0)), size)
        return True

    def _hosts_of_group(self, machine: str, group: tuple[str, str], proof: Proof, loss: Loss) -> list[int]:
        """Hosts that hold, or would take, another replica of the same group."""
        members = self._stand.members.get(group, {})
        return [proof.target.get(other, -1) if host in loss.lost else host for other, host in members.items() if other != machine]


def _losses_for(rooms: Sequence[HostRoom], drafts: Sequence[Draft]) -> list[Loss]:
    gone = [number for number, room in enumerate(rooms) if not room.answers]
    there = [number for number, room in enumerate(rooms) if room.answers]
    levels = sorted({draft.tier.host_failures for draft in drafts if draft.tier.host_failures > 0})
    losses: list[Loss] = []
    for level in levels:
        further = min(max(0, level - len(gone)), len(there))
        for lost in combinations(there, further):
            hosts = sorted((*gone, *lost))
            text = " and ".join(sorted(rooms[host].host.id for host in hosts))
            losses.append(Loss(lost=frozenset(hosts), text=text, failures=level))
    return losses


def _fits(size: Amount, room: Amount) -> bool:
    return size[0] <= room[0] and size[1] <= room[1] and size[2] <= room[2]


def _most(amounts: Iterable[Amount]) -> Amount:
    most = (0, 0, 0)
    for amount in amounts:
        most = (max(most[0], amount[0]), max(most[1], amount[1]), max(most[2], amount[2]))
    return most


def _plus(one: Amount, other: Amount) -> Amount:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2])


def _minus(one: Amount, other: Amount) -> Amount:
    return (one[0] - other[0], one[1] - other[1], one[2] - other[2])
