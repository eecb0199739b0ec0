"""Surviving the loss of hosts (N+1): for every loss a tier must survive, a standing proof that its machines fit elsewhere.

A loss is a set of hosts. A tier with `host_failures` k survives when, for every set of k hosts (or racks, power feeds, sites,
as it `survives`), its machines on them can all be re-placed at once on the other open hosts of their zone, within what those may
promise and are licensed for, and apart from ministries that share nothing with theirs, while all other machines stay where they are. Replicas then
avoid each other's hosts where there is room, and groups are not kept together: capacity is never given up for either. What holds a
host that does not answer counts as lost already: with u of them, the sets are those u and any k - u others.

The proof kept for a loss is an assignment of its machines (largest first, to the most roomy host; else to the tightest).
It is sound, as it is an assignment; it may miss one, so a crowded plan can be refused that a search would allow. A machine
added to a host asks only the losses of that host and those whose proof wants the room it takes there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from operator import add, le, sub

import numpy as np
from numpy.typing import NDArray

from controlplane.planning.apart import Apart
from controlplane.planning.capacity import HostRoom
from controlplane.planning.company import Company, Flags, Ints, domain_of, group_of
from controlplane.planning.demand import Draft
from controlplane.planning.dimensions import Amount
from controlplane.planning.licensing import Licensing


@dataclass(slots=True, kw_only=True, eq=False)
class Stand:
    """The plan so far in the form the inner loops read; owned and changed by `constraints.PlanSoFar`.

    Hosts are numbers in the order of their ids. `roominess` is the least share that is free over the dimensions.
    """

    free: Ints
    capacity: Ints
    roominess: NDArray[np.float64]
    sizes: Mapping[str, Amount]
    eligible: Mapping[str, Flags]
    shares: Mapping[str, float]
    """Largest share of the largest host that a machine takes in any dimension."""
    on: Sequence[Mapping[str, None]]
    """The machines on each host."""
    company: Company
    apart: Apart
    licensing: Licensing

    def fitting(self, machine: str) -> Flags:
        """For each host whether it is eligible and has room for the machine."""
        fits = self.eligible[machine].copy()
        for dimension, part in enumerate(self.sizes[machine]):
            fits &= self.free[:, dimension] >= part
        return fits

    def change(self, host: int, amount: Amount, sign: int) -> None:
        """Take an amount from what is free on a host, or give it back."""
        free, capacity = self.free[host], self.capacity[host]
        free += [sign * part for part in amount]
        self.roominess[host] = share_left(free.tolist(), capacity.tolist())


def amount_of(row: Ints) -> Amount:
    """A row of an array as plain numbers, which are quicker one by one."""
    return tuple(row.tolist())


def share_left(free: Sequence[int], capacity: Sequence[int]) -> float:
    """The least share that is free over the dimensions."""
    return min([part / (most or 1) for part, most in zip(free, capacity, strict=True)])


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
    """Hosts that may be lost together: so many failures of what is `over`. `broken`: what stands already cannot survive it."""

    lost: frozenset[int]
    text: str
    over: str
    failures: int
    broken: bool = False
    proof: Proof = field(default_factory=Proof)


class Losses:
    """All losses that tiers of these machines must survive, with their proofs."""

    def __init__(self, rooms: Sequence[HostRoom], drafts: Sequence[Draft], stand: Stand) -> None:
        self._stand = stand
        self._drafts = {draft.id: draft for draft in drafts}
        self._tiers = {draft.id: (draft.tier.survives, draft.tier.host_failures) for draft in drafts}
        self._losses = _losses_for(rooms, drafts)
        self._of_host: list[list[int]] = [[] for _ in rooms]
        for number, loss in enumerate(self._losses):
            for host in loss.lost:
                self._of_host[host].append(number)
        self._takers: list[set[int]] = [set() for _ in rooms]
        self._nothing: Amount = (0,) * stand.free.shape[1]
        self._most_taken: list[Amount] = [self._nothing] * len(rooms)
        """At least what any proof takes on each host; lowered only when it stands in the way."""
        self.replaced: list[tuple[int, Proof]] = []
        """Proofs that were replaced, latest last; whoever restores a plan gives them back."""
        self._licensed = any(draft.licences for draft in drafts)
        self._running: dict[str, set[int]] = {}
        """For each licensed product the losses whose proofs have it run somewhere."""

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
                failed = "power feed" if loss.over == "power_feed" else loss.over
                yield loss.text, f"{loss.failures} {failed} failure{'s' if loss.failures > 1 else ''}", stranded

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
        touched = [number for number in self._of_host[host] if self._concerns(self._losses[number], machine)]
        free = amount_of(self._stand.free[host])
        if not _fits(self._most_taken[host], free):
            taken = {number: self._losses[number].proof.taken[host] for number in sorted(self._takers[host])}
            self._most_taken[host] = _most(self._nothing, *taken.values())
            touched += [number for number, amount in taken.items() if not _fits(amount, free)]
        draft = self._drafts[machine]
        if draft.apart_from or draft.licences:
            touched += sorted(self._upset(draft, host) - set(touched))
        return touched

    def _upset(self, draft: Draft, host: int) -> set[int]:
        """Losses of other hosts after which the machine on this host shares what it may not, or a licence is overused."""
        asked = set()
        if draft.apart_from:
            asked |= {number for near in self._stand.apart.near(draft, host).tolist() for number in self._takers[near]}
        for product, _ in draft.licences:
            asked |= self._running.get(product, set())
        return {number for number in asked if self._is_upset(draft, host, self._losses[number], self._losses[number].proof)}

    def _is_upset(self, draft: Draft, host: int, loss: Loss, proof: Proof) -> bool:
        if host in loss.lost:
            return False
        if draft.apart_from and self._stand.apart.meets(draft, host, self._coming(proof)):
            return True
        return bool(draft.licences) and self._stand.licensing.exceeds(draft, loss.lost, self._coming(proof))

    def _coming(self, proof: Proof) -> Iterator[tuple[Draft, int]]:
        return ((self._drafts[machine], host) for machine, host in proof.target.items())

    def _concerns(self, loss: Loss, machine: str) -> bool:
        """True when the machine's tier must survive the loss: what survives a site survives all in it, and all survive a host."""
        survives, failures = self._tiers[machine]
        return failures >= loss.failures and (loss.over in {"host", survives} or survives == "site")

    def _proof_with(self, machine: str, host: int, loss: Loss) -> tuple[Proof | None, str]:
        if host in loss.lost:
            if loss.broken:
                return None, machine
            extended = loss.proof.copy()
            if self._assign(machine, extended, loss, roomy=True):
                return extended, ""
        else:
            without, moved = self._without_host(loss.proof, host)
            placed = all(self._assign(other, without, loss, roomy=True) for other in moved)
            if placed and not self._is_upset(self._drafts[machine], host, loss, without):
                return without, ""
        return self._prove(loss)

    def _without_host(self, proof: Proof, host: int) -> tuple[Proof, list[str]]:
        """The proof without what it would put on a host, and the machines that then need another, largest first."""
        moved = [machine for machine, target in proof.target.items() if target == host]
        moved.sort(key=lambda machine: (-self._stand.shares[machine], machine))
        target = {machine: to for machine, to in proof.target.items() if to != host}
        return Proof(target=target, taken={to: amount for to, amount in proof.taken.items() if to != host}), moved

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
            self._most_taken[host] = _most(self._most_taken[host], amount)
        if self._licensed:
            self._note_products(number, proof)

    def _note_products(self, number: int, proof: Proof) -> None:
        for losses in self._running.values():
            losses.discard(number)
        for machine in proof.target:
            for product, _ in self._drafts[machine].licences:
                self._running.setdefault(product, set()).add(number)

    def _prove(self, loss: Loss) -> tuple[Proof | None, str]:
        """A proof, or None and the machine that fits nowhere."""
        stand = self._stand
        moving = [machine for host in loss.lost for machine in stand.on[host] if self._concerns(loss, machine)]
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
        stand, size, draft = self._stand, self._stand.sizes[machine], self._drafts[machine]
        fits, left = stand.fitting(machine), stand.roominess.copy()
        if draft.apart_from:
            fits &= stand.apart.open_to(draft, loss.lost, self._coming(proof))
        if draft.licences:
            fits &= stand.licensing.open_to(draft, loss.lost, self._coming(proof))
        for host, taken in proof.taken.items():
            free = _minus(amount_of(stand.free[host]), taken)
            left[host] = share_left(free, stand.capacity[host].tolist())
            fits[host] = fits[host] and _fits(size, free)
        fits[list(loss.lost)] = False
        found = np.flatnonzero(fits)
        if len(found) == 0:
            return False
        group = group_of(draft)
        if group is not None:
            replicas = self._hosts_of_group(machine, group, proof, loss)
            apart = found
            for other in replicas:
                apart = apart[apart != other]
            found = apart if len(apart) else found
        rank = left[found] if roomy else -left[found]
        host = int(found[len(found) - 1 - int(rank[::-1].argmax())])
        proof.target[machine] = host
        proof.taken[host] = _plus(proof.taken.get(host, self._nothing), size)
        return True

    def _hosts_of_group(self, machine: str, group: tuple[str, str], proof: Proof, loss: Loss) -> list[int]:
        """Hosts that hold, or would take, another replica of the same group."""
        members = self._stand.company.replicas.get(group, {})
        return [proof.target.get(other, -1) if host in loss.lost else host for other, host in members.items() if other != machine]


def _losses_for(rooms: Sequence[HostRoom], drafts: Sequence[Draft]) -> list[Loss]:
    levels = sorted({(draft.tier.survives, draft.tier.host_failures) for draft in drafts if draft.tier.host_failures > 0})
    losses: list[Loss] = []
    for over, level in levels:
        domains: dict[tuple[str, ...], list[int]] = {}
        for number, room in enumerate(rooms):
            domains.setdefault(domain_of(room.host, over), []).append(number)
        gone = [domain for domain, hosts in domains.items() if not all(rooms[host].answers for host in hosts)]
        there = [domain for domain in domains if domain not in gone]
        for lost in combinations(there, min(max(0, level - len(gone)), len(there))):
            hosts = [host for domain in (*gone, *lost) for host in domains[domain]]
            names = sorted(_domain_name(domain, over) for domain in (*gone, *lost))
            losses.append(Loss(lost=frozenset(hosts), text=" and ".join(names), over=over, failures=level))
    return losses


def _domain_name(domain: tuple[str, ...], over: str) -> str:
    return domain[-1] if over == "host" else f"{over.replace('_', ' ')} {'/'.join(domain)}"


def _fits(size: Amount, room: Amount) -> bool:
    return all(map(le, size, room))


def _most(*amounts: Amount) -> Amount:
    return tuple(map(max, *amounts)) if len(amounts) > 1 else amounts[0]


def _plus(one: Amount, other: Amount) -> Amount:
    return tuple(map(add, one, other))


def _minus(one: Amount, other: Amount) -> Amount:
    return tuple(map(sub, one, other))
