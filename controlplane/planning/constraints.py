"""The one place that says where a machine may stand, asked of the plan so far and never of the world.

A machine may stand on a host when all of these hold: the host answers and is not in maintenance; it holds the machine's
confidentiality grade and carries its network; it is among the hosts the machine is pinned to and not among those it is
forbidden; no other machine of its name is there; vCPU, memory and disk fit in what the
host may promise; no replica of the same group is on the host or in the same failure domain; and after the loss of any hosts
that a tier must survive, the machines of that tier on them can still be re-placed on the rest (`losses`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from controlplane.model.estate import Host, Network
from controlplane.model.resources import Resources
from controlplane.planning.capacity import HostRoom
from controlplane.planning.demand import Draft
from controlplane.planning.losses import Ints, Losses, Stand, amount_of, share_left

_Zone = tuple[int, str, str, tuple[str, ...], tuple[str, ...]]

DIMENSIONS = (("vCPU", ""), ("memory", " MiB"), ("disk", " GiB"))


class Rule(StrEnum):
    """Which constraint objects."""

    CLOSED = "closed"
    ZONE = "zone"
    NETWORK = "network"
    PIN = "pin"
    NAME = "name"
    CAPACITY = "capacity"
    SPREAD = "spread"
    LOSS = "loss"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Why a machine may not stand on a host."""

    rule: Rule
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A point in the plan so far to come back to: changes and replaced proofs up to then."""

    changes: int
    proofs: int


class PlanSoFar:
    """Which machines stand where, and what may still be added. Every change is checked unless it is forced."""

    def __init__(self, rooms: Sequence[HostRoom], networks: Mapping[str, Network], drafts: Sequence[Draft]) -> None:
        self._rooms = {room.host.id: room for room in rooms}
        self._ids = tuple(self._rooms)
        self._numbers = {host: number for number, host in enumerate(self._ids)}
        self._networks = networks
        self._drafts = {draft.id: draft for draft in drafts}
        self._where: dict[str, str] = {}
        self._groups: dict[tuple[str, str], dict[str, int]] = {}
        self._fixed: dict[tuple[_Zone, str], tuple[Objection, ...]] = {}
        self._eligible: dict[_Zone, tuple[str, ...]] = {}
        self._eligible_numbers: dict[_Zone, Ints] = {}
        self._on: list[dict[str, None]] = [{} for _ in rooms]
        self._in_use = np.zeros(len(rooms), dtype=np.bool_)
        self._changes: list[tuple[Draft, str, bool]] = []
        self._namesakes: dict[str, list[int]] = {}
        for number, room in enumerate(rooms):
            for name in room.others_by_name:
                self._namesakes.setdefault(name, []).append(number)
        capacity = np.array([as_tuple(room.promised) for room in rooms], dtype=np.int64).reshape(len(rooms), 3)
        most = [int(amount) or 1 for amount in capacity.max(axis=0, initial=0)]
        free = np.array([as_tuple(room.room) for room in rooms], dtype=np.int64).reshape(len(rooms), 3)
        self._domains = {over: _codes(rooms, over) for over in sorted({draft.tier.spread_over for draft in drafts})}
        self._stand = Stand(
            free=free,
            capacity=capacity,
            roominess=np.array([share_left(row, whole) for row, whole in zip(free.tolist(), capacity.tolist(), strict=True)]),
            sizes={draft.id: as_tuple(draft.size) for draft in drafts},
            eligible={draft.id: self.eligible_numbers(draft) for draft in drafts},
            groups={draft.id: _group(draft) for draft in drafts},
            shares={draft.id: max(size / most[i] for i, size in enumerate(as_tuple(draft.size))) for draft in drafts},
            on=self._on,
            members=self._groups,
        )
        self._losses = Losses(rooms, drafts, self._stand)

    @property
    def hosts(self) -> tuple[str, ...]:
        """All hosts by id."""
        return self._ids

    def eligible(self, draft: Draft) -> tuple[str, ...]:
        """Hosts that are open to new machines, hold the machine's grade and network, and are not barred by its pins."""
        key = _zone(draft)
        if key not in self._eligible:
            self._eligible[key] = tuple(
                room.host.id for room in self._rooms.values() if room.takes_new and not self._zone_objections(draft, room.host)
            )
        return self._eligible[key]

    def eligible_numbers(self, draft: Draft) -> Ints:
        """The eligible hosts as numbers in the order of `hosts`."""
        key = _zone(draft)
        if key not in self._eligible_numbers:
            self._eligible_numbers[key] = np.array([self._numbers[host] for host in self.eligible(draft)], dtype=np.int64)
        return self._eligible_numbers[key]

    def open_to(self, draft: Draft) -> Ints:
        """Numbers of the hosts where nothing but a loss may object: eligible, with room, apart from replicas and namesakes."""
        found = self.eligible_numbers(draft)
        found = found[(self._stand.free[found] >= self._stand.sizes[draft.id]).all(axis=1)]
        group = _group(draft)
        others = [host for other, host in self._groups.get(group, {}).items() if other != draft.id] if group is not None else []
        if others:
            codes = self._domains[draft.tier.spread_over]
            found = found[~np.isin(codes[found], codes[others]) & ~np.isin(found, others)]
        namesakes = self._namesakes.get(draft.id)
        return found[~np.isin(found, namesakes)] if namesakes else found

    def free_shares(self, hosts: Ints) -> NDArray[np.float64]:
        """What is free of each dimension as a share of what the hosts may promise; 0 where that is nothing."""
        capacity = self._stand.capacity[hosts]
        return np.where(capacity > 0, self._stand.free[hosts] / np.maximum(capacity, 1), 0.0)

    def frees(self, hosts: Ints) -> Ints:
        """What is left on hosts: vCPU, MiB, GiB."""
        return self._stand.free[hosts]

    def capacities(self, hosts: Ints) -> Ints:
        """What hosts may promise: vCPU, MiB, GiB."""
        return self._stand.capacity[hosts]

    @property
    def in_use_flags(self) -> NDArray[np.bool_]:
        """For each host by number whether a machine of the plan is on it. Not to be changed."""
        return self._in_use

    def used(self) -> Ints:
        """Numbers of the hosts with machines of the plan."""
        return np.flatnonzero(self._in_use)

    def on(self, host: str) -> tuple[str, ...]:
        """The machines on a host, by id."""
        return tuple(sorted(self._on[self._numbers[host]]))

    def in_use(self, host: str) -> bool:
        """True when a machine of the plan is on the host."""
        return bool(self._on[self._numbers[host]])

    def share(self, draft: Draft) -> float:
        """The largest share of the largest host that the machine takes in any dimension."""
        return self._stand.shares[draft.id]

    def where(self, machine: str) -> str | None:
        """The host of a machine, or None while it has none."""
        return self._where.get(machine)

    def placed(self) -> dict[str, str]:
        """Machine to host, so far."""
        return dict(self._where)

    def free(self, host: str) -> tuple[int, int, int]:
        """vCPU, MiB and GiB that are left on a host."""
        return amount_of(self._stand.free[self._numbers[host]])

    def capacity(self, host: str) -> tuple[int, int, int]:
        """vCPU, MiB and GiB that a host may promise in all."""
        return amount_of(self._stand.capacity[self._numbers[host]])

    def objections(self, draft: Draft, host_id: str) -> tuple[Objection, ...]:
        """Every reason why the machine may not be added to the host now; empty: it may."""
        found = tuple(self._objections(draft, host_id))
        if found:
            return found
        return tuple(
            Objection(rule=Rule.LOSS, text=f"after the loss of {loss}, {stranded} fits nowhere (tier asks for {failures})")
            for loss, failures, stranded in self._stranded(draft, host_id)
        )

    def try_place(self, draft: Draft, host_id: str) -> bool:
        """Add the machine when nothing objects; True when it was added."""
        if next(self._objections(draft, host_id), None) is not None:
            return False
        self._add(draft, host_id)
        if self._losses.still_hold(draft.id, self._numbers[host_id]):
            return True
        self._subtract(draft, host_id)
        del self._changes[-2:]
        return False

    def force(self, draft: Draft, host_id: str) -> None:
        """Note that the machine stands there already, whatever objects. Call `settle` after the last one."""
        self._add(draft, host_id)

    def settle(self) -> tuple[str, ...]:
        """Reckon the losses with what stands already; returns those that cannot be survived as things are."""
        return self._losses.settle()

    def take_off(self, draft: Draft) -> str:
        """Take a machine away again; returns the host it was on."""
        host_id = self._where[draft.id]
        self._subtract(draft, host_id)
        self._losses.forget(draft.id, self._numbers[host_id])
        return host_id

    def save(self) -> "Saved":
        """The plan so far, to come back to with `restore`."""
        return Saved(changes=len(self._changes), proofs=len(self._losses.replaced))

    def restore(self, saved: "Saved") -> None:
        """Come back to a saved plan, its proofs included. What was saved later than this is gone."""
        for draft, host_id, added in reversed(self._changes[saved.changes :]):
            if added:
                self._subtract(draft, host_id)
            else:
                self._add(draft, host_id)
        del self._changes[saved.changes :]
        self._losses.give_back(saved.proofs)

    def standing_objections(self, draft: Draft) -> tuple[Objection, ...]:
        """What objects to a machine where it stands already: its host is closed, its zone, its neighbours."""
        room = self._rooms[self._where[draft.id]]
        closed = tuple(self._closed(room))
        return (*closed, *self._zone_objections(draft, room.host), *self._spread_objections(draft, room.host))

    def overfull(self, host_id: str) -> tuple[str, ...]:
        """The dimensions in which more stands on a host than it may promise."""
        free, most = self.free(host_id), self.capacity(host_id)
        return tuple(
            f"{name}: {most[i] - free[i]}{unit} promised, {most[i]} may be"
            for i, (name, unit) in enumerate(DIMENSIONS)
            if free[i] < 0
        )

    def _objections(self, draft: Draft, host_id: str) -> Iterator[Objection]:
        room = self._rooms[host_id]
        key = (_zone(draft), host_id)
        fixed = self._fixed.get(key)
        if fixed is None:
            fixed = self._fixed[key] = (*self._closed(room), *self._zone_objections(draft, room.host))
        yield from fixed
        namesake = room.others_by_name.get(draft.id)
        if namesake is not None:
            yield Objection(rule=Rule.NAME, text=f"has another machine named {draft.id} (uuid {namesake})")
        if room.answers:
            yield from self._capacity_objections(draft, host_id)
        yield from self._spread_objections(draft, room.host)

    @staticmethod
    def _closed(room: HostRoom) -> Iterator[Objection]:
        if not room.answers:
            yield Objection(rule=Rule.CLOSED, text=f"does not answer ({room.error})")
        if room.host.maintenance:
            yield Objection(rule=Rule.CLOSED, text="is in maintenance")

    def _zone_objections(self, draft: Draft, host: Host) -> tuple[Objection, ...]:
        found: list[Objection] = []
        grade = draft.confidentiality
        if grade not in host.confidentiality:
            held = ", ".join(map(str, sorted(host.confidentiality))) or "none"
            found.append(Objection(rule=Rule.ZONE, text=f"grade {grade} wanted, the host holds {held}"))
        if draft.network not in host.networks:
            carried = ", ".join(sorted(host.networks)) or "none"
            found.append(Objection(rule=Rule.NETWORK, text=f"network {draft.network} wanted, the host carries {carried}"))
        network = self._networks[draft.network]
        if network.confidentiality < grade:
            found.append(
                Objection(
                    rule=Rule.NETWORK, text=f"network {network.id} is for grades up to {network.confidentiality}, wanted {grade}"
                )
            )
        if network.ministry not in {"", draft.ministry}:
            found.append(
                Objection(rule=Rule.NETWORK, text=f"network {network.id} belongs to {network.ministry}, not {draft.ministry}")
            )
        if draft.only_on and host.id not in draft.only_on:
            found.append(Objection(rule=Rule.PIN, text=f"may stand only on {', '.join(draft.only_on)}"))
        if host.id in draft.not_on:
            found.append(Objection(rule=Rule.PIN, text="is forbidden to it (`not_on`)"))
        return tuple(found)

    def _capacity_objections(self, draft: Draft, host_id: str) -> Iterator[Objection]:
        free, size = self.free(host_id), self._stand.sizes[draft.id]
        if size[0] <= free[0] and size[1] <= free[1] and size[2] <= free[2]:
            return
        most = self.capacity(host_id)
        for i, (name, unit) in enumerate(DIMENSIONS):
            if size[i] > free[i]:
                text = f"{name}: wants {size[i]}{unit}, {max(0, free[i])} left of {most[i]}{self._held(host_id, i)}"
                yield Objection(rule=Rule.CAPACITY, text=text)

    def _held(self, host_id: str, dimension: int) -> str:
        """Who holds room on a host beside machines of this plan."""
        room = self._rooms[host_id]
        foreign = as_tuple(room.foreign)[dimension]
        notes = [f"foreign machines hold {foreign}"] if foreign else []
        notes += [f"until {', '.join(room.leaving_machines)} is removed"] if room.leaving_machines else []
        return f" ({'; '.join(notes)})" if notes else ""

    def _spread_objections(self, draft: Draft, host: Host) -> Iterator[Objection]:
        group = _group(draft)
        if group is None:
            return
        for machine, number in sorted(self._groups.get(group, {}).items()):
            if machine == draft.id:
                continue
            other = self._rooms[self._ids[number]].host
            if other.id == host.id:
                yield Objection(rule=Rule.SPREAD, text=f"holds replica {machine} of group {draft.replica_group}")
            elif domain_of(other, draft.tier.spread_over) == domain_of(host, draft.tier.spread_over):
                over = draft.tier.spread_over
                name = domain_of(host, over)[-1]
                text = f"{over} {name} holds replica {machine} of group {draft.replica_group} (on {other.id})"
                yield Objection(rule=Rule.SPREAD, text=text)

    def _stranded(self, draft: Draft, host_id: str) -> Iterator[tuple[str, str, str]]:
        self._add(draft, host_id)
        try:
            yield from self._losses.stranded(draft.id, self._numbers[host_id])
        finally:
            self._subtract(draft, host_id)
            del self._changes[-2:]

    def _add(self, draft: Draft, host_id: str) -> None:
        number = self._numbers[host_id]
        self._where[draft.id] = host_id
        self._on[number][draft.id] = None
        self._in_use[number] = True
        group = self._stand.groups[draft.id]
        if group is not None:
            self._groups.setdefault(group, {})[draft.id] = number
        self._stand.change(number, self._stand.sizes[draft.id], -1)
        self._changes.append((draft, host_id, True))

    def _subtract(self, draft: Draft, host_id: str) -> None:
        number = self._numbers[host_id]
        del self._where[draft.id]
        del self._on[number][draft.id]
        self._in_use[number] = bool(self._on[number])
        group = self._stand.groups[draft.id]
        if group is not None:
            del self._groups[group][draft.id]
        self._stand.change(number, self._stand.sizes[draft.id], 1)
        self._changes.append((draft, host_id, False))


def domain_of(host: Host, spread_over: str) -> tuple[str, ...]:
    """The failure domain of a host; racks and power feeds are named within their site."""
    if spread_over == "site":
        return (host.site,)
    if spread_over == "rack":
        return (host.site, host.rack)
    if spread_over == "power_feed":
        return (host.site, host.power_feed)
    return (host.id,)


def as_tuple(amount: Resources) -> tuple[int, int, int]:
    """vCPU, MiB, GiB: the form that the inner loops compare."""
    return (amount.vcpus, amount.memory_mib, amount.disk_gib)


def _zone(draft: Draft) -> _Zone:
    """What decides on which hosts a machine may stand whatever else stands there."""
    return (draft.confidentiality, draft.network, draft.ministry, draft.only_on, draft.not_on)


def _group(draft: Draft) -> tuple[str, str] | None:
    """Replica groups belong to a system: two systems may use the same name."""
    return (draft.system, draft.replica_group) if draft.replica_group else None


def _codes(rooms: Sequence[HostRoom], spread_over: str) -> Ints:
    """A number for the failure domain of each host."""
    numbers: dict[tuple[str, ...], int] = {}
    return np.array([numbers.setdefault(domain_of(room.host, spread_over), len(numbers)) for room in rooms], dtype=np.int64)
