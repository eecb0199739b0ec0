"""The one place that says where a machine may stand, asked of the plan so far and never of the world.

A machine may stand on a host when all of these hold: host and machine are of one zone (`zones`); no other machine of its name is
there; whatever is counted (`dimensions`) fits in what the host may promise; its company is right (`company`, `apart`); its products are
licensed there (`licensing`); and after every loss that a tier must survive, the machines of that tier can still be re-placed on the
rest (`losses`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controlplane.model.estate import Host, Network
from controlplane.planning.apart import Apart
from controlplane.planning.capacity import HostRoom
from controlplane.planning.company import Company, Flags, Ints
from controlplane.planning.demand import Draft
from controlplane.planning.dimensions import Amount, dimensions_of
from controlplane.planning.licensing import Licensing
from controlplane.planning.losses import Losses
from controlplane.planning.objections import Objection, Rule
from controlplane.planning.stand import Stand
from controlplane.planning.zones import (
    Zone,
    closed_objections,
    pin_objections,
    rooms_alike,
    shared_objections,
    zone_objections,
    zone_of,
)


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
        self._fixed: dict[tuple[Zone, str], tuple[Objection, ...]] = {}
        self._eligible: dict[Zone, tuple[str, ...]] = {}
        self._eligible_flags: dict[Zone, Flags] = {}
        self._on: list[dict[str, None]] = [{} for _ in rooms]
        self._in_use = np.zeros(len(rooms), dtype=np.bool_)
        self._changes: list[tuple[Draft, str, bool]] = []
        self._alike = rooms_alike(rooms)
        self._namesakes: dict[str, list[int]] = {}
        for number, room in enumerate(rooms):
            for name in room.others_by_name:
                self._namesakes.setdefault(name, []).append(number)
        self.dimensions = dimensions_of(drafts)
        """What is counted here."""
        count = len(self.dimensions.all)
        capacity = np.array([self.dimensions.promised(room) for room in rooms], dtype=np.int64).reshape(len(rooms), count)
        free = np.array([self.dimensions.free(room) for room in rooms], dtype=np.int64).reshape(len(rooms), count)
        self._company = Company(rooms, drafts)
        self._apart = Apart(rooms, drafts)
        self._licensing = Licensing(rooms, drafts)
        self._stand = Stand(
            free=free,
            capacity=capacity,
            sizes={draft.id: self.dimensions.size(draft) for draft in drafts},
            eligible={draft.id: self.eligible_flags(draft) for draft in drafts},
            on=self._on,
            company=self._company,
            apart=self._apart,
            licensing=self._licensing,
        )
        self._losses = Losses(rooms, drafts, self._stand)

    @property
    def hosts(self) -> tuple[str, ...]:
        """All hosts by id."""
        return self._ids

    def eligible(self, draft: Draft) -> tuple[str, ...]:
        """Hosts that are open to new machines, hold the machine's grade and network, and are not barred by its pins."""
        key = zone_of(draft)
        if key not in self._eligible:
            alike = [rooms for rooms in self._alike if not any(shared_objections(draft, rooms[0], self._networks))]
            found = (room for rooms in alike for room in rooms if room.takes_new and not any(pin_objections(draft, room)))
            self._eligible[key] = tuple(sorted(room.host.id for room in found))
        return self._eligible[key]

    def eligible_flags(self, draft: Draft) -> Flags:
        """For each host by number whether it is eligible. Not to be changed."""
        key = zone_of(draft)
        if key not in self._eligible_flags:
            flags = np.zeros(len(self._ids), dtype=np.bool_)
            flags[[self._numbers[host] for host in self.eligible(draft)]] = True
            self._eligible_flags[key] = flags
        return self._eligible_flags[key]

    def open_to(self, draft: Draft) -> Ints:
        """Numbers of the hosts where nothing but a loss may object: eligible, with room, in the right company, without namesakes."""
        fits = self._stand.fitting(draft.id)
        if draft.apart_from:
            fits &= self._apart.open_to(draft)
        if draft.licences:
            fits &= self._licensing.open_to(draft)
        found = self._company.open_to(draft, np.flatnonzero(fits))
        namesakes = self._namesakes.get(draft.id)
        return found[~np.isin(found, namesakes)] if namesakes else found

    def counting(self, draft: Draft) -> Flags:
        """For each host by number whether it counts already for the licences that the machine needs."""
        return self._licensing.counting(draft)

    def familiar(self, draft: Draft) -> Flags | None:
        """For each host by number whether it is on shared storage that the machine's ministry, kept apart from some, uses already."""
        return self._apart.familiar(draft) if draft.apart_from else None

    def free_shares(self, hosts: Ints) -> NDArray[np.float64]:
        """What is free of each dimension as a share of what the hosts may promise; 0 where that is nothing."""
        capacity = self._stand.capacity[hosts]
        return np.where(capacity > 0, self._stand.free[hosts] / np.maximum(capacity, 1), 0.0)

    def host(self, number: int) -> Host:
        """What the inventory says of a host."""
        return self._rooms[self._ids[number]].host

    def loads(self, hosts: Ints, added: Amount | None = None) -> NDArray[np.float64]:
        """Share of the tightest dimension that is taken on each host, with an amount more when given."""
        capacity = self._stand.capacity[hosts]
        more = np.array(added) if added is not None else 0
        taken = np.where(capacity > 0, capacity - self._stand.free[hosts] + more, 0)
        highest: NDArray[np.float64] = (taken / np.maximum(capacity, 1)).max(axis=1, initial=0.0)
        return highest

    def vcpu_loads(self, hosts: Ints) -> NDArray[np.float64]:
        """Share of the vCPUs that is taken, at most 1; the mean where they are counted by hours."""
        hours = max(1, len(self.dimensions.hours))
        capacity = self._stand.capacity[hosts, :hours]
        share: NDArray[np.float64] = ((capacity - self._stand.free[hosts, :hours]) / np.maximum(capacity, 1)).mean(axis=1)
        return np.clip(share, 0.0, 1.0)

    def frees(self, hosts: Ints) -> Ints:
        """What is left on hosts, by dimension."""
        return self._stand.free[hosts]

    def capacities(self, hosts: Ints) -> Ints:
        """What hosts may promise, by dimension."""
        return self._stand.capacity[hosts]

    @property
    def in_use_flags(self) -> Flags:
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

    def size(self, draft: Draft) -> Amount:
        """What the machine takes, by dimension."""
        return self._stand.sizes[draft.id]

    def free(self, host: str) -> Amount:
        """What is left on a host, by dimension."""
        return self._stand.left[self._numbers[host]]

    def capacity(self, host: str) -> Amount:
        """What a host may promise in all, by dimension."""
        return self._stand.most[self._numbers[host]]

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
        host = self._where[draft.id]
        number = self._numbers[host]
        if self._stand.eligible[draft.id][number]:
            return tuple(self._neighbours(draft, number))
        room = self._rooms[host]
        zone = zone_objections(draft, room, self._networks)
        return (*closed_objections(room), *zone, *self._neighbours(draft, number))

    def overused_licences(self) -> Iterator[str]:
        """What is wrong with licensed products that run on more sockets than are owned."""
        return self._licensing.overused()

    def overfull(self, host_id: str) -> tuple[str, ...]:
        """The dimensions in which more stands on a host than it may promise."""
        free, most = self.free(host_id), self.capacity(host_id)
        return tuple(
            f"{each.name}: {each.text(most[i] - free[i])} promised, {each.number(most[i])} may be"
            for i, each in enumerate(self.dimensions.all)
            if free[i] < 0
        )

    def _objections(self, draft: Draft, host_id: str) -> Iterator[Objection]:
        room = self._rooms[host_id]
        key = (zone_of(draft), host_id)
        fixed = self._fixed.get(key)
        if fixed is None:
            fixed = self._fixed[key] = (*closed_objections(room), *zone_objections(draft, room, self._networks))
        yield from fixed
        namesake = room.others_by_name.get(draft.id)
        if namesake is not None:
            yield Objection(rule=Rule.NAME, text=f"has another machine named {draft.id} (uuid {namesake})")
        if room.answers:
            yield from self._capacity_objections(draft, host_id)
        yield from self._neighbours(draft, self._numbers[host_id])

    def _neighbours(self, draft: Draft, host: int) -> Iterator[Objection]:
        yield from self._company.objections(draft, host)
        if draft.apart_from:
            yield from self._apart.objections(draft, host)
        if draft.licences:
            yield from self._licensing.objections(draft, host)

    def _capacity_objections(self, draft: Draft, host_id: str) -> Iterator[Objection]:
        free, size = self.free(host_id), self._stand.sizes[draft.id]
        most = self.capacity(host_id)
        for i, each in enumerate(self.dimensions.all):
            if size[i] > free[i]:
                left = f"{each.number(max(0, free[i]))} left of {each.number(most[i])}"
                text = f"{each.name}: wants {each.text(size[i])}, {left}{self._held(host_id, i)}"
                yield Objection(rule=Rule.CAPACITY, text=text)

    def _held(self, host_id: str, dimension: int) -> str:
        """Who holds room on a host beside machines of this plan."""
        room = self._rooms[host_id]
        foreign = self.dimensions.foreign(room)[dimension]
        notes = [f"foreign machines hold {self.dimensions.all[dimension].number(foreign)}"] if foreign else []
        notes += [f"until {', '.join(room.leaving_machines)} is removed"] if room.leaving_machines else []
        return f" ({'; '.join(notes)})" if notes else ""

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
        self._company.add(draft, number)
        self._meet(draft, number, 1)
        self._stand.change(number, self._stand.sizes[draft.id], -1)
        self._changes.append((draft, host_id, True))

    def _subtract(self, draft: Draft, host_id: str) -> None:
        number = self._numbers[host_id]
        del self._where[draft.id]
        del self._on[number][draft.id]
        self._in_use[number] = bool(self._on[number])
        self._company.subtract(draft, number)
        self._meet(draft, number, -1)
        self._stand.change(number, self._stand.sizes[draft.id], 1)
        self._changes.append((draft, host_id, False))

    def _meet(self, draft: Draft, host: int, sign: int) -> None:
        if draft.apart_from:
            self._apart.change(draft, host, sign)
        if draft.licences:
            self._licensing.change(draft, host, sign)
