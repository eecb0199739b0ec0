"""Products that are licensed by the socket: hosts on which one runs count with all their sockets, and never more than are owned.

Machines that need a product so share the hosts that count for it already, or make another count while sockets are left. A host
that does not state its sockets takes none of them. After a loss, lost hosts no longer count, and those that take their machines do.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np

from controlplane.planning.capacity import HostRoom
from controlplane.planning.company import Flags, Ints
from controlplane.planning.demand import Draft
from controlplane.planning.objections import Objection, Rule


class Licensing:
    """Which hosts count for which product in the plan so far. Owned and changed by `constraints.PlanSoFar`."""

    def __init__(self, rooms: Sequence[HostRoom], drafts: Sequence[Draft]) -> None:
        self._sockets: Ints = np.array([room.host.offers.sockets for room in rooms], dtype=np.int64)
        self._running = {product: np.zeros(len(rooms), dtype=np.int64) for draft in drafts for product, _ in draft.licences}
        """For each product how many of its machines each host runs."""
        self._owned = dict(pair for draft in drafts for pair in draft.licences)

    def change(self, draft: Draft, host: int, sign: int) -> None:
        """The machine came to the host, or left it."""
        for product, _ in draft.licences:
            self._running[product][host] += sign

    def counting(self, draft: Draft) -> Flags:
        """For each host whether it counts already for all products that the machine needs."""
        flags = np.ones(len(self._sockets), dtype=np.bool_)
        for product, _ in draft.licences:
            flags &= self._running[product] > 0
        return flags

    def open_to(self, draft: Draft, lost: Collection[int] = (), coming: Iterable[tuple[Draft, int]] = ()) -> Flags:
        """For each host whether the machine's products may run there, after a loss with machines that come in place of lost ones."""
        flags = self._sockets > 0
        come = tuple(coming)
        for product, owned in draft.licences:
            counts = self._counts(product, lost, come)
            flags &= counts | (int(self._sockets[counts].sum()) + self._sockets <= owned)
        return flags

    def exceeds(self, draft: Draft, lost: Collection[int], coming: Iterable[tuple[Draft, int]]) -> bool:
        """True when after a loss more sockets count for a product of the machine than are owned."""
        come = tuple(coming)
        return any(int(self._sockets[self._counts(product, lost, come)].sum()) > owned for product, owned in draft.licences)

    def objections(self, draft: Draft, host: int) -> Iterator[Objection]:
        """Why the machine may not come to a host for its products."""
        for product, owned in draft.licences:
            counts = self._counts(product, (), ())
            sockets, used = int(self._sockets[host]), int(self._sockets[counts].sum())
            if not sockets:
                yield Objection(
                    rule=Rule.LICENCE, text=f"licence {product} is by the socket, and the host does not state its sockets"
                )
            elif not counts[host] and used + sockets > owned:
                left = f"{max(0, owned - used)} of {owned} licensed sockets are left"
                yield Objection(rule=Rule.LICENCE, text=f"licence {product}: the host counts with {sockets} sockets, {left}")

    def overused(self) -> Iterator[str]:
        """What is wrong with products that run on more sockets than are owned."""
        for product, owned in sorted(self._owned.items()):
            used = int(self._sockets[self._running[product] > 0].sum())
            if used > owned:
                yield f"licence {product}: hosts with {used} sockets run it, {owned} are owned"

    def _counts(self, product: str, lost: Collection[int], coming: Sequence[tuple[Draft, int]]) -> Flags:
        counts: Flags = self._running[product] > 0
        counts[list(lost)] = False
        counts[[host for draft, host in coming if any(product == name for name, _ in draft.licences)]] = True
        return counts
