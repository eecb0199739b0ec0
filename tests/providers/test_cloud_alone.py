"""Two controllers that make the same thing at once, in every order of their calls: it is never there twice."""

import threading
from itertools import permutations

import pytest

from controlplane.errors import KasumiError
from controlplane.providers.openstack_alone import make_alone

ORDERS = sorted({"".join(order) for order in permutations("aaabbb")})


class Turns:
    """Lets controllers act in a given order; who has ended is passed over."""

    def __init__(self, order):
        self._order = list(order)
        self._moved = threading.Condition()

    def _next(self):
        return self._order[0] if self._order else None

    def take(self, who, act):
        with self._moved:
            assert self._moved.wait_for(lambda: self._next() == who, timeout=60)
            self._order.pop(0)
            done = act()
            self._moved.notify_all()
            return done

    def end(self, who):
        with self._moved:
            self._order = [other for other in self._order if other != who]
            self._moved.notify_all()


@pytest.mark.parametrize("order", ORDERS)
def test_of_two_at_most_one_stays_and_whoever_keeps_theirs_is_right(order):
    turns, there, kept = Turns(order), [], {}

    def controller(who):
        mine = {"id": who}
        try:
            kept[who] = make_alone(
                "network",
                lambda: turns.take(who, lambda: (there.append(mine), mine)[1]),
                lambda: turns.take(who, lambda: list(there)),
                lambda thing: turns.take(who, lambda: there.remove(thing)),
            )
        except KasumiError as error:
            kept[who] = str(error)
        finally:
            turns.end(who)

    threads = [threading.Thread(target=controller, args=(who,)) for who in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(there) <= 1
    assert there == [found for found in kept.values() if isinstance(found, dict)]
    for who, found in kept.items():
        if isinstance(found, str):
            other = "b" if who == "a" else "a"
            assert found.startswith(f"network: another controller made it at the same moment ({other}), so ours was taken away")


def test_alone_it_costs_one_look():
    calls = []
    made = make_alone("network", lambda: {"id": "n1"}, lambda: calls.append("look") or [{"id": "n1"}], calls.append)
    assert (made, calls) == ({"id": "n1"}, ["look"])
