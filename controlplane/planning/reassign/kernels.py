"""The compiled inner loops of the search: what a move costs, whether it is allowed, and the rounds that try moves.

Compiled on first use and cached; import it only from `search`, as the import alone takes a second. Every random choice
comes from the generator state passed in, so the same calls give the same moves.
"""

import math

import numpy as np
from numpy.typing import NDArray

from controlplane.planning.reassign.arrays import Fixed, Standing
from controlplane.planning.reassign.compiled import compiled
from controlplane.planning.reassign.problem import Integers

Random = NDArray[np.uint64]
Reals = NDArray[np.float64]

_HOSTS_OF_A_TRY = 8
"""Hosts that one item is tried on: what it frees where it stands is reckoned only once."""


@compiled
def host_cost(fixed: Fixed, standing: Standing, host: int, comes: int, leaves: int) -> int:
    """Load and balance cost of a host above its part of the bound, were one item there and another not.

    The number of items stands for no item. Never negative, so that no move can win more than its hosts cost.
    """
    cost = 0
    for r in range(standing.over.shape[1]):
        over = standing.over[host, r] + fixed.size[comes, r] - fixed.size[leaves, r]
        cost += fixed.dear_above[r] * over if over > 0 else -fixed.dear_below[r] * over
    for k in range(fixed.balances.shape[0]):
        first, second = fixed.balances[k, 0], fixed.balances[k, 1]
        left = fixed.margin[host, first] - standing.over[host, first] - fixed.size[comes, first] + fixed.size[leaves, first]
        other = fixed.margin[host, second] - standing.over[host, second] - fixed.size[comes, second] + fixed.size[leaves, second]
        missing = fixed.balances[k, 2] * left - other
        cost += fixed.balances[k, 3] * missing if missing > 0 else -fixed.balances[k, 4] * missing
    return cost


@compiled
def fits(fixed: Fixed, standing: Standing, host: int, comes: int, leaves: int) -> bool:
    """True when the host holds what it would hold; an item on its initial host holds its transient part there already."""
    home = fixed.initial[comes] == host
    left_home = leaves < len(standing.host) and fixed.initial[leaves] == host
    if home or left_home:
        for r in range(standing.room.shape[1]):
            amount = 0 if home and fixed.transient[r] else fixed.size[comes, r]
            if not (left_home and fixed.transient[r]):
                amount -= fixed.size[leaves, r]
            if amount > standing.room[host, r] and amount > 0:
                return False
        return True
    for r in range(standing.room.shape[1]):
        amount = fixed.size[comes, r] - fixed.size[leaves, r]
        if amount > standing.room[host, r] and amount > 0:
            return False
    return True


@compiled
def may_stand(fixed: Fixed, standing: Standing, item: int, to: int) -> bool:
    """True when groups, locations and neighbourhoods allow the move; capacity is not looked at."""
    group = fixed.group[item]
    row = fixed.together_row[group]
    if row >= 0 and (standing.occupied[row, to >> 6] >> np.uint64(to & 63)) & np.uint64(1):
        return False
    at = standing.host[item]
    row = fixed.spread_row[group]
    if row >= 0:
        here, there = fixed.location[at], fixed.location[to]
        emptied = here != there and standing.in_location[row, here] == 1 and standing.in_location[row, there] > 0
        if emptied and standing.locations[row] <= fixed.spread[group]:
            return False
    row = fixed.near_row[group]
    if row >= 0:
        here, there = fixed.neighbourhood[at], fixed.neighbourhood[to]
        if here != there:
            for k in range(fixed.needs_start[group], fixed.needs_start[group + 1]):
                need = fixed.needs[k]
                if need != group and standing.in_neighbourhood[fixed.near_row[need], there] == 0:
                    return False
            if standing.in_neighbourhood[row, here] == 1:
                for k in range(fixed.needed_start[group], fixed.needed_start[group + 1]):
                    user = fixed.needed[k]
                    if user != group and standing.in_neighbourhood[fixed.near_row[user], here] > 0:
                        return False
    return True


@compiled
def move_cost(fixed: Fixed, standing: Standing, item: int, to: int) -> int:
    """What the costs of moving change by: of the item, its group, and between hosts."""
    at, home = standing.host[item], fixed.initial[item]
    cost = 0
    if fixed.host_move_cost.shape[0] > 0:
        cost += fixed.host_move_weight * (int(fixed.host_move_cost[home, to]) - int(fixed.host_move_cost[home, at]))
    if at == home:
        cost += fixed.move_cost[item]
        if standing.moved[fixed.group[item]] == standing.totals[1]:
            cost += fixed.group_move_weight
    elif to == home:
        cost -= fixed.move_cost[item]
        most = standing.totals[1]
        if standing.moved[fixed.group[item]] == most and standing.groups_with_moved[most] == 1:
            cost -= fixed.group_move_weight
    return cost


@compiled
def put(fixed: Fixed, standing: Standing, item: int, to: int, sign: int) -> None:
    """Add (1) or take away (-1) an item in the sums of a host, its host cost left as it was."""
    group = fixed.group[item]
    home = fixed.initial[item] == to
    for r in range(standing.room.shape[1]):
        amount = sign * fixed.size[item, r]
        standing.over[to, r] += amount
        if not (home and fixed.transient[r]):
            standing.room[to, r] -= amount
    row = fixed.together_row[group]
    if row >= 0:
        standing.occupied[row, to >> 6] ^= np.uint64(1) << np.uint64(to & 63)
    row = fixed.spread_row[group]
    if row >= 0:
        location = fixed.location[to]
        if sign > 0 and standing.in_location[row, location] == 0:
            standing.locations[row] += 1
        standing.in_location[row, location] += sign
        if sign < 0 and standing.in_location[row, location] == 0:
            standing.locations[row] -= 1
    row = fixed.near_row[group]
    if row >= 0:
        standing.in_neighbourhood[row, fixed.neighbourhood[to]] += sign
    link(standing, item, to, sign)


@compiled
def link(standing: Standing, item: int, to: int, sign: int) -> None:
    """Add (1) or take away (-1) an item in the chain of a host."""
    if sign > 0:
        following = standing.first[to]
        standing.after[item], standing.before[item] = following, -1
        standing.first[to] = item
        if following >= 0:
            standing.before[following] = item
        return
    following, before = standing.after[item], standing.before[item]
    if following >= 0:
        standing.before[following] = before
    if before >= 0:
        standing.after[before] = following
    else:
        standing.first[to] = following


@compiled
def move(fixed: Fixed, standing: Standing, item: int, to: int) -> None:
    """Move an item, whatever it costs and allowed or not, and bring every sum up to date."""
    at, nobody = standing.host[item], len(standing.host)
    before = standing.host_cost[at] + standing.host_cost[to]
    cost = move_cost(fixed, standing, item, to)
    group, home = fixed.group[item], fixed.initial[item]
    put(fixed, standing, item, at, -1)
    put(fixed, standing, item, to, 1)
    standing.host[item] = to
    step = 1 if at == home else (-1 if to == home else 0)
    if step != 0:
        moved = standing.moved[group]
        standing.groups_with_moved[moved] -= 1
        standing.groups_with_moved[moved + step] += 1
        standing.moved[group] = moved + step
        if moved + step > standing.totals[1] or (moved == standing.totals[1] and standing.groups_with_moved[moved] == 0):
            standing.totals[1] = moved + step
    standing.host_cost[at] = host_cost(fixed, standing, at, nobody, nobody)
    standing.host_cost[to] = host_cost(fixed, standing, to, nobody, nobody)
    standing.totals[0] += standing.host_cost[at] + standing.host_cost[to] - before + cost


@compiled
def stand(fixed: Fixed, standing: Standing, hosts: Integers) -> None:
    """Fill empty sums with all items on the hosts given."""
    nobody = len(hosts)
    for r in range(standing.room.shape[1]):
        if fixed.transient[r]:
            for item in range(len(hosts)):
                standing.room[fixed.initial[item], r] -= fixed.size[item, r]
    cost = 0
    for item in range(len(hosts)):
        standing.host[item] = hosts[item]
        put(fixed, standing, item, hosts[item], 1)
        home = fixed.initial[item]
        if hosts[item] != home:
            standing.moved[fixed.group[item]] += 1
            cost += fixed.move_cost[item]
        if fixed.host_move_cost.shape[0] > 0:
            cost += fixed.host_move_weight * int(fixed.host_move_cost[home, hosts[item]])
    for group in range(len(standing.moved)):
        standing.groups_with_moved[standing.moved[group]] += 1
        standing.totals[1] = max(standing.totals[1], standing.moved[group])
    for host in range(len(standing.host_cost)):
        standing.host_cost[host] = host_cost(fixed, standing, host, nobody, nobody)
        cost += standing.host_cost[host]
    standing.totals[0] = cost + fixed.group_move_weight * standing.totals[1]


@compiled
def below(random: Random, end: int) -> int:
    """A number from 0 to end - 1 (xorshift64, Marsaglia 2003; multiply and shift)."""
    x = random[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    random[0] = x
    # Not `int`: compiled, that would keep it unsigned.
    return np.int64(((x >> np.uint64(32)) * np.uint64(end)) >> np.uint64(32))  # type: ignore[return-value]


@compiled
def tolerated(random: Random, temperature: float) -> float:
    """How much worse a move may be to be taken now: exponential with the temperature as mean (Metropolis's rule)."""
    share = (np.float64(below(random, 1 << 31)) + 1.0) / np.float64(1 << 31)
    return -temperature * math.log(share)


@compiled
def try_shift(fixed: Fixed, standing: Standing, random: Random, item: int, tolerance: float) -> bool:
    """Move the item to the first of a few random hosts that is allowed and no dearer than tolerated."""
    at, nobody, hosts = standing.host[item], len(standing.host), len(standing.host_cost)
    home = fixed.initial[item]
    relief = host_cost(fixed, standing, at, nobody, item) - standing.host_cost[at]
    for number in range(_HOSTS_OF_A_TRY):
        to = home if number == 0 else below(random, hosts)
        if to == at or (relief - standing.host_cost[to] > tolerance and to != home):
            continue
        cost = relief + move_cost(fixed, standing, item, to)
        if cost - standing.host_cost[to] > tolerance or not fits(fixed, standing, to, item, nobody):
            continue
        cost += host_cost(fixed, standing, to, item, nobody) - standing.host_cost[to]
        if cost <= tolerance and may_stand(fixed, standing, item, to):
            move(fixed, standing, item, to)
            return True
    return False


@compiled
def try_swaps(fixed: Fixed, standing: Standing, item: int, to: int, tolerance: float) -> bool:
    """Exchange the item with the first item of a host where that is allowed and no dearer than tolerated."""
    at = standing.host[item]
    there = standing.host_cost[at] + standing.host_cost[to]
    going = move_cost(fixed, standing, item, to)
    if going - there > tolerance:
        return False
    other = standing.first[to]
    while other >= 0:
        following = standing.after[other]
        moving = going + move_cost(fixed, standing, other, at)
        if moving - there <= tolerance and fits(fixed, standing, to, item, other) and fits(fixed, standing, at, other, item):
            cost = host_cost(fixed, standing, at, other, item) + host_cost(fixed, standing, to, item, other) - there
            if cost + moving <= tolerance and exchange(fixed, standing, item, other):
                return True
        other = following
    return False


@compiled
def exchange(fixed: Fixed, standing: Standing, item: int, other: int) -> bool:
    """Exchange two items when that is allowed; True when done. One may go only once the other has gone."""
    at, to = standing.host[item], standing.host[other]
    if fixed.group[item] == fixed.group[other]:
        move(fixed, standing, item, to)
        move(fixed, standing, other, at)
        return True
    if may_stand(fixed, standing, item, to):
        move(fixed, standing, item, to)
        if may_stand(fixed, standing, other, at):
            move(fixed, standing, other, at)
            return True
        move(fixed, standing, item, at)
    elif may_stand(fixed, standing, other, at):
        move(fixed, standing, other, at)
        if may_stand(fixed, standing, item, to):
            move(fixed, standing, item, to)
            return True
        move(fixed, standing, other, to)
    return False


@compiled
def try_chain(fixed: Fixed, standing: Standing, item: int, other: int, further: int, tolerance: float) -> bool:
    """Item takes the place of other, which goes further; True when allowed, not dearer than tolerated, and done."""
    at, to, nobody = standing.host[item], standing.host[other], len(standing.host)
    if not fits(fixed, standing, to, item, other) or not fits(fixed, standing, further, other, nobody):
        return False
    cost = host_cost(fixed, standing, at, nobody, item) + host_cost(fixed, standing, to, item, other)
    cost += host_cost(fixed, standing, further, other, nobody)
    cost -= standing.host_cost[at] + standing.host_cost[to] + standing.host_cost[further]
    cost += move_cost(fixed, standing, item, to) + move_cost(fixed, standing, other, further)
    if cost > tolerance or not may_stand(fixed, standing, other, further):
        return False
    move(fixed, standing, other, further)
    if may_stand(fixed, standing, item, to):
        move(fixed, standing, item, to)
        return True
    move(fixed, standing, other, to)
    return False


@compiled
def anneal(fixed: Fixed, standing: Standing, random: Random, tries: int, temperature: float) -> int:
    """Try so many random shifts, swaps and chains at one temperature; returns how many were taken."""
    items, hosts = len(standing.host), len(standing.host_cost)
    taken = 0
    for _ in range(tries):
        item = below(random, items)
        tolerance = tolerated(random, temperature)
        kind = below(random, 32)
        if kind < 16:
            taken += try_shift(fixed, standing, random, item, tolerance)
            continue
        at, to = standing.host[item], below(random, hosts)
        if to == at:
            continue
        if kind < 30:
            taken += try_swaps(fixed, standing, item, to, tolerance)
        else:
            other, further = standing.first[to], below(random, hosts)
            if other >= 0 and further not in (at, to):
                taken += try_chain(fixed, standing, item, other, further, tolerance)
    return taken


@compiled
def descend(fixed: Fixed, standing: Standing, first: int, count: int) -> int:
    """Give each of so many items, from `first` on, the host that lowers the cost most; returns how many moved."""
    items, hosts = len(standing.host), len(standing.host_cost)
    taken = 0
    for number in range(count):
        item = (first + number) % items
        at = standing.host[item]
        best, best_cost = at, 0
        relief = host_cost(fixed, standing, at, items, item) - standing.host_cost[at]
        for to in range(hosts):
            if to == at:
                continue
            cost = relief + move_cost(fixed, standing, item, to)
            if cost - standing.host_cost[to] >= best_cost or not fits(fixed, standing, to, item, items):
                continue
            cost += host_cost(fixed, standing, to, item, items) - standing.host_cost[to]
            if cost < best_cost and may_stand(fixed, standing, item, to):
                best, best_cost = to, cost
        if best != at:
            move(fixed, standing, item, best)
            taken += 1
    return taken


@compiled
def uphill(fixed: Fixed, standing: Standing, random: Random, costs: Integers) -> int:
    """Fill `costs` with what random fitting shifts would add, where they add anything; returns how many were found."""
    items, hosts = len(standing.host), len(standing.host_cost)
    found = 0
    for _ in range(200 * len(costs)):
        if found == len(costs):
            break
        item, to = below(random, items), below(random, hosts)
        at = standing.host[item]
        if to == at or not fits(fixed, standing, to, item, items):
            continue
        cost = host_cost(fixed, standing, at, items, item) + host_cost(fixed, standing, to, item, items)
        cost += move_cost(fixed, standing, item, to) - standing.host_cost[at] - standing.host_cost[to]
        if cost > 0:
            costs[found] = cost
            found += 1
    return found


@compiled
def fill(sizes: Integers, order: Integers, room: Integers, scarcity: Reals, weights: Integers, hosts: Integers) -> None:
    """Give each item in its order the host that it leaves least room on, or exceeds least; `room` and `hosts` are changed."""
    for item in order:
        best, best_cost, best_fits = -1, 0.0, False
        for host in range(len(room)):
            left, over = 0.0, 0.0
            for r in range(sizes.shape[1]):
                rest = room[host, r] - sizes[item, r]
                if rest < 0:
                    over += -rest * weights[r]
                else:
                    left += rest * scarcity[r]
            fitting = over == 0.0
            cost = left if fitting else over
            if best < 0 or (fitting and not best_fits) or (fitting == best_fits and cost < best_cost):
                best, best_cost, best_fits = host, cost, fitting
        hosts[item] = best
        for r in range(sizes.shape[1]):
            room[best, r] -= sizes[item, r]
