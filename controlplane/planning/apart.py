"""Ministries that are kept apart: their machines share neither a host nor a storage system that several hosts stand on.

On which system a machine's disk stands is said by its host and the class that its disk asks for. Networks are no question of
placement: one that carries both is refused with what is asked for (`demand`).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np

from controlplane.planning.capacity import HostRoom
from controlplane.planning.company import Flags, Ints
from controlplane.planning.demand import Draft
from controlplane.planning.objections import Objection, Rule

_OWN = -1
"""Disks of the host itself."""


class Apart:
    """Where ministries that keep apart from some stand in the plan so far. Owned and changed by `constraints.PlanSoFar`."""

    def __init__(self, rooms: Sequence[HostRoom], drafts: Sequence[Draft]) -> None:
        shy = [draft for draft in drafts if draft.apart_from]
        ministries = sorted({ministry for draft in shy for ministry in (draft.ministry, *draft.apart_from)})
        self._columns = {ministry: column for column, ministry in enumerate(ministries)}
        classes = sorted({draft.needs.disk_class for draft in shy})
        self._present = {each: np.zeros((len(rooms), len(ministries)), dtype=np.int64) for each in classes}
        """By class of disk: machines on each host of each ministry."""
        self._systems = sorted({system for room in rooms for each in classes if (system := room.host.storage_of(each))})
        codes = {system: code for code, system in enumerate(self._systems)}
        self._storage: dict[str, Ints] = {
            each: np.array([codes.get(room.host.storage_of(each), _OWN) for room in rooms], dtype=np.int64) for each in classes
        }
        """By class of disk: the storage system of each host."""

    def change(self, draft: Draft, host: int, sign: int) -> None:
        """The machine came to the host, or left it."""
        if draft.apart_from:
            self._present[draft.needs.disk_class][host, self._columns[draft.ministry]] += sign

    def open_to(self, draft: Draft, lost: Collection[int] = (), coming: Iterable[tuple[Draft, int]] = ()) -> Flags:
        """For each host whether the machine meets no ministry there that it is kept apart from.

        After a loss: `lost` hosts hold nothing, and these machines came in place of lost ones.
        """
        avoided = [self._columns[ministry] for ministry in draft.apart_from]
        here = self._storage[draft.needs.disk_class]
        shut = np.zeros(len(here), dtype=np.bool_)
        met: set[int] = set()
        for disk_class, present in self._present.items():
            held: Flags = np.logical_or.reduce(present[:, avoided] > 0, axis=1)
            shut |= held
            if self._systems:
                held[list(lost)] = False
                met.update(self._storage[disk_class][held].tolist())
        for other, host in coming:
            if other.ministry in draft.apart_from and other.apart_from:
                shut[host] = True
                met.add(int(self._storage[other.needs.disk_class][host]))
        met.discard(_OWN)
        return ~(shut | np.isin(here, list(met))) if met else ~shut

    def familiar(self, draft: Draft) -> Flags | None:
        """For each host whether it stands on shared storage that the machine's ministry uses already; None where none is shared."""
        if not self._systems:
            return None
        column, here = self._columns[draft.ministry], self._storage[draft.needs.disk_class]
        used = {
            code for each, present in self._present.items() for code in self._storage[each][present[:, column] > 0].tolist()
        } - {_OWN}
        return np.isin(here, sorted(used))

    def near(self, draft: Draft, host: int) -> Ints:
        """The hosts that share something with the machine's place: that host, and those on the same storage system."""
        system = self._storage[draft.needs.disk_class][host]
        if system == _OWN:
            return np.array([host], dtype=np.int64)
        sharing = np.logical_or.reduce([codes == system for codes in self._storage.values()])
        sharing[host] = True
        return np.flatnonzero(sharing)

    def meets(self, draft: Draft, host: int, coming: Iterable[tuple[Draft, int]]) -> bool:
        """True when one of these machines on its host would share something with this one that it may not."""
        system = self._storage[draft.needs.disk_class][host]
        return any(
            other.ministry in draft.apart_from
            and bool(other.apart_from)
            and (to == host or (system != _OWN and self._storage[other.needs.disk_class][to] == system))
            for other, to in coming
        )

    def objections(self, draft: Draft, host: int) -> Iterator[Objection]:
        """Whom the machine may not meet on a host and its storage."""
        for ministry in draft.apart_from:
            column = self._columns[ministry]
            if any(present[host, column] for present in self._present.values()):
                text = f"holds machines of {ministry}, with whom {draft.ministry} shares no host"
                yield Objection(rule=Rule.APART, text=text)
                continue
            system = self._storage[draft.needs.disk_class][host]
            if system != _OWN and any(
                present[self._storage[disk_class] == system, column].any() for disk_class, present in self._present.items()
            ):
                text = f"its storage {self._systems[system]} holds machines of {ministry}, with whom {draft.ministry} shares none"
                yield Objection(rule=Rule.APART, text=text)
