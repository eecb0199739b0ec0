"""Surviving the loss of hosts (N+1): for every loss a tier must survive, a standing proof that its machines fit elsewhere.

A loss is a set of hosts. A tier with `host_failures` k survives when, for every set of k hosts, its machines on them can
all be re-placed at once on the other open hosts that hold their grade and network, within what those may promise, while
all other machines stay where they are. Replicas then avoid each other's hosts where there is room, but capacity is never
given up for it. Hosts that do not answer count as lost already: with u of them, the sets are those u and any k - u others.

The proof kept for a loss is an assignment of its machines (largest first, to the most roomy host; else to the tightest).
It is sound, as it is an assignment; it may miss one, so a crowded plan can be refused that a search would allow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from controlplane.planning.capacity import HostRoom
from controlplane.planning.demand import Draft

Amount = tuple[int, int, int]


@dataclass(slots=True, kw_only=True)
class Stand:
    """The plan so far in the form the inner loops read; owned and changed by `constraints.PlanSoFar`."""

    free: dict[str, Amount]
    capacity: dict[str, Amount]
    sizes: dict[str, Amount]
    eligible: dict[str, tuple[str, ...]]
    groups: dict[str, tuple[str, str] | None]
    shares: dict[str, float]
    """Largest share of the largest host that a machine takes in any dimension."""
    on: Mapping[str, Mapping[str, None]]
    """Host to the machines on it."""
    members: Mapping[tuple[str, str], Mapping[str, str]]


@dataclass(slots=True, kw_only=True)
class Proof:
    """Where the machines of the lost hosts would go, and what they would take there."""

    target: dict[str, str] = field(default_factory=dict)
    taken: dict[str, Amount] = field(default_factory=dict)

    def copy(self) -> "Proof":
        """One to change."""
        return Proof(target=dict(self.target), taken=dict(self.taken))


class Loss:
    """One set of hosts that may be lost together, and the proof that the machines which must survive it can."""

    def __init__(self, lost: frozenset[str], failures: int, protected: frozenset[str]) -> None:
        self._lost = lost
        self._failures = failures
        self._protected = protected
        self._proof = Proof()
        self._before: Proof | None = None
        self._broken = False

    @property
    def text(self) -> str:
        """The hosts, as a person reads them."""
        return " and ".join(sorted(self._lost))

    @property
    def failures(self) -> str:
        """What the tier asks for."""
        return f"{self._failures} host failure{'s' if self._failures > 1 else ''}"

    def reckon(self, stand: Stand) -> bool:
        """Prove it anew for what stands; False when it cannot be, and then it only keeps new machines off the lost hosts."""
        proof, _ = self._prove(stand)
        self._broken = proof is None
        self._proof = proof or Proof()
        return proof is not None

    def still_holds_after(self, machine: str, host: str, stand: Stand) -> bool:
        """True when it can be survived with the machine just added to the host; `commit` or `undo` must follow."""
        if self._broken:
            return not (host in self._lost and machine in self._protected)
        if host in self._lost:
            if machine not in self._protected:
                return True
            extended = self._proof.copy()
            if _assign(machine, extended, stand, self._lost, roomy=True):
                return self._hold(extended)
        else:
            taken = self._proof.taken.get(host)
            if taken is None or _fits(taken, stand.free[host]):
                return True
        proof, _ = self._prove(stand)
        return proof is not None and self._hold(proof)

    def stranded_after(self, machine: str, host: str, stand: Stand) -> str:
        """The machine that would fit nowhere after this loss, were the machine on the host; empty when none."""
        if self.still_holds_after(machine, host, stand):
            self.undo()
            return ""
        self.undo()
        return machine if self._broken else self._prove(stand)[1]

    def commit(self) -> None:
        """Keep the proof found last."""
        self._before = None

    def undo(self) -> None:
        """Go back to the proof before the machine was added."""
        if self._before is not None:
            self._proof, self._before = self._before, None

    def forget(self, machine: str, stand: Stand) -> None:
        """The machine was taken off its host."""
        target = self._proof.target.get(machine)
        if target is not None:
            self._proof = self._proof.copy()
            del self._proof.target[machine]
            self._proof.taken[target] = _minus(self._proof.taken[target], stand.sizes[machine])

    def proof(self) -> Proof:
        """The proof as it stands, to come back to with `restore`; proofs are replaced, never changed."""
        return self._proof

    def restore(self, proof: Proof) -> None:
        """Come back to a proof."""
        self._proof = proof

    def _hold(self, proof: Proof) -> bool:
        self._before, self._proof = self._proof, proof
        return True

    def _prove(self, stand: Stand) -> tuple[Proof | None, str]:
        """A proof, or None and the machine that fits nowhere."""
        moving = [machine for host in self._lost for machine in stand.on.get(host, ()) if machine in self._protected]
        moving.sort(key=lambda machine: (-stand.shares[machine], machine))
        stranded = ""
        for roomy in (True, False):
            proof = Proof()
            failed = next((machine for machine in moving if not _assign(machine, proof, stand, self._lost, roomy=roomy)), None)
            if failed is None:
                return proof, ""
            stranded = stranded or failed
        return None, stranded


def losses_for(rooms: Sequence[HostRoom], drafts: Sequence[Draft]) -> tuple[Loss, ...]:
    """Every loss that a tier of these machines must survive."""
    gone = [room.host.id for room in rooms if not room.answers]
    there = [room.host.id for room in rooms if room.answers]
    levels = sorted({draft.tier.host_failures for draft in drafts if draft.tier.host_failures > 0})
    losses: list[Loss] = []
    for level in levels:
        protected = frozenset(draft.id for draft in drafts if draft.tier.host_failures >= level)
        further = min(max(0, level - len(gone)), len(there))
        losses += [Loss(frozenset((*gone, *lost)), level, protected) for lost in combinations(there, further)]
    return tuple(losses)


def _assign(machine: str, proof: Proof, stand: Stand, lost: frozenset[str], *, roomy: bool) -> bool:
    size = stand.sizes[machine]
    group = stand.groups[machine]
    avoided = _hosts_of_group(machine, group, proof, stand, lost) if group is not None else frozenset()
    best: tuple[bool, float, str] | None = None
    for host in stand.eligible[machine]:
        if host in lost:
            continue
        free, most, taken = stand.free[host], stand.capacity[host], proof.taken.get(host)
        if taken is not None:
            free = _minus(free, taken)
        vcpus, memory, disk = free
        if size[0] > vcpus or size[1] > memory or size[2] > disk:
            continue
        left = min(vcpus / (most[0] or 1), memory / (most[1] or 1), disk / (most[2] or 1))
        rank = (host in avoided, -left if roomy else left, host)
        if best is None or rank < best:
            best = rank
    if best is None:
        return False
    host = best[2]
    proof.target[machine] = host
    proof.taken[host] = _plus(proof.taken.get(host, (0, 0, 0)), size)
    return True


def _hosts_of_group(machine: str, group: tuple[str, str], proof: Proof, stand: Stand, lost: frozenset[str]) -> frozenset[str]:
    """Hosts that hold, or would take, another replica of the same group."""
    members = stand.members.get(group, {})
    return frozenset(proof.target.get(other, "") if host in lost else host for other, host in members.items() if other != machine)


def _fits(size: Amount, room: Amount) -> bool:
    return size[0] <= room[0] and size[1] <= room[1] and size[2] <= room[2]


def _plus(one: Amount, other: Amount) -> Amount:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2])


def _minus(one: Amount, other: Amount) -> Amount:
    return (one[0] - other[0], one[1] - other[1], one[2] - other[2])
