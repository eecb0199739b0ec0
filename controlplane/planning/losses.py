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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import inf

from controlplane.planning.capacity import HostRoom
from controlplane.planning.company import domain_of
from controlplane.planning.demand import Draft
from controlplane.planning.dimensions import Amount
from controlplane.planning.proving import Proof, Proving, fits
from controlplane.planning.stand import Stand


@dataclass(slots=True, kw_only=True, eq=False)
class Loss:
    """Hosts that may be lost together: so many failures of what is `over`. `broken`: what stands already cannot survive it.

    `settled` is the proof that was found when the losses were last settled, while `proof` may have been changed since. `failed`
    counts how often no proof was found with a machine more: what failed often is asked first.
    """

    lost: frozenset[int]
    text: str
    over: str
    failures: int
    broken: bool = False
    proof: Proof = field(default_factory=Proof)
    settled: Proof | None = None
    failed: int = 0


class Losses:
    """All losses that tiers of these machines must survive, with their proofs."""

    def __init__(self, rooms: Sequence[HostRoom], drafts: Sequence[Draft], stand: Stand) -> None:
        self._stand = stand
        self._drafts = {draft.id: draft for draft in drafts}
        self._proving = Proving(self._drafts, stand)
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
        """Prove every loss anew for what stands; those that cannot be, and then they only keep new machines off their hosts.

        What would be found again is not looked for: of hosts that have changed since the losses were last settled, only those that a
        proof uses can be a reason for another, and those that machines left if they are roomy now.
        """
        stand = self._stand
        changed = stand.gained | stand.filled
        roomiest = max((stand.place(host)[0] for host in stand.gained), default=-inf)
        for number, loss in enumerate(self._losses):
            proof = None
            if loss.settled is loss.proof and loss.lost.isdisjoint(changed):
                firm = loss.proof.firm(changed, roomiest)
                if firm == len(loss.proof.target):
                    continue
                proof = self._proving.prove_again(loss.proof, firm, loss.lost)
            if proof is None:
                proof, _ = self._prove(loss)
            loss.broken = proof is None
            loss.settled = proof
            self._keep(number, proof or Proof())
        stand.gained.clear()
        stand.filled.clear()
        return tuple(loss.text for loss in self._losses if loss.broken)

    def still_hold(self, machine: str, host: int) -> bool:
        """True when all can be survived with the machine just added to the host; else the proofs are as before."""
        mark = len(self.replaced)
        for number in sorted(self._touched(machine, host), key=lambda number: -self._losses[number].failed):
            proof, _ = self._proof_with(machine, host, self._losses[number])
            if proof is None:
                self._losses[number].failed += 1
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
            if machine in proof.target:
                self._keep(number, proof.without(machine, self._stand.sizes[machine]))

    def give_back(self, mark: int) -> None:
        """Undo the replacing of proofs back to when so many had been replaced."""
        back = dict(reversed(self.replaced[mark:]))
        del self.replaced[mark:]
        for number, proof in back.items():
            self._set(number, proof)

    def _touched(self, machine: str, host: int) -> list[int]:
        """Losses whose proof the machine on this host may upset."""
        touched = [number for number in self._of_host[host] if self._concerns(self._losses[number], machine)]
        free = self._stand.left[host]
        if not fits(self._most_taken[host], free):
            taken = {number: self._losses[number].proof.taken[host] for number in sorted(self._takers[host])}
            self._most_taken[host] = _most(self._nothing, *taken.values())
            touched += [number for number, amount in taken.items() if not fits(amount, free)]
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
        if draft.apart_from and self._stand.apart.meets(draft, host, self._proving.coming(proof)):
            return True
        return bool(draft.licences) and self._stand.licensing.exceeds(draft, loss.lost, self._proving.coming(proof))

    def _concerns(self, loss: Loss, machine: str) -> bool:
        """True when the machine's tier must survive the loss: what survives a site survives all in it, and all survive a host."""
        survives, failures = self._tiers[machine]
        return failures >= loss.failures and (loss.over in {"host", survives} or survives == "site")

    def _proof_with(self, machine: str, host: int, loss: Loss) -> tuple[Proof | None, str]:
        if host in loss.lost:
            if loss.broken:
                return None, machine
            extended = loss.proof.copy()
            if not self._proving.extend(extended, (machine,), loss.lost):
                return extended, ""
        else:
            without = loss.proof.without_host(host)
            moved = [other for other, target in loss.proof.target.items() if target == host]
            failed = self._proving.extend(without, self._proving.largest_first(moved), loss.lost)
            if not failed and not self._is_upset(self._drafts[machine], host, loss, without):
                return without, ""
        return self._prove(loss)

    def _prove(self, loss: Loss) -> tuple[Proof | None, str]:
        """A proof, or None and the machine that fits nowhere."""
        gone = [machine for host in loss.lost for machine in self._stand.on[host] if self._concerns(loss, machine)]
        return self._proving.prove(gone, loss.lost)

    def _keep(self, number: int, proof: Proof) -> None:
        self.replaced.append((number, self._losses[number].proof))
        self._set(number, proof)

    def _set(self, number: int, proof: Proof) -> None:
        loss = self._losses[number]
        before = loss.proof.taken
        for host in before.keys() - proof.taken.keys():
            self._takers[host].discard(number)
        for host, amount in proof.taken.items():
            if before.get(host) != amount:
                self._takers[host].add(number)
                self._most_taken[host] = _most(self._most_taken[host], amount)
        loss.proof = proof
        if self._licensed:
            self._note_products(number, proof)

    def _note_products(self, number: int, proof: Proof) -> None:
        for losses in self._running.values():
            losses.discard(number)
        for machine in proof.target:
            for product, _ in self._drafts[machine].licences:
                self._running.setdefault(product, set()).add(number)


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


def _most(*amounts: Amount) -> Amount:
    return tuple(map(max, *amounts)) if len(amounts) > 1 else amounts[0]
