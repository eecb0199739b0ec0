"""What moves together: cohorts that share a server are one, and so are servers that depend on each other in a circle."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Servers that move in one window, after those in `after`. `name` is empty for a single server."""

    servers: tuple[str, ...]
    after: tuple[str, ...]
    name: str


def move_units(
    servers: Iterable[str], cohorts: Iterable[Iterable[str]], depends_on: Mapping[str, Iterable[str]]
) -> tuple[tuple[Unit, ...], tuple[str, ...]]:
    """Units of the servers that move, by first server, and remarks about names that are not among them."""
    known = sorted(set(servers))
    leader = {server: server for server in known}

    def find(server: str) -> str:
        while leader[server] != server:
            leader[server] = leader[leader[server]]
            server = leader[server]
        return server

    def join(one: str, other: str) -> None:
        first, second = sorted((find(one), find(other)))
        leader[second] = first

    odd: set[str] = set()
    for cohort in cohorts:
        members = [server for server in cohort if server in leader]
        odd |= {server for server in cohort if server not in leader}
        for server in members[1:]:
            join(members[0], server)
    needs = {server: {other for other in depends_on.get(server, ()) if other in leader} for server in known}
    odd |= {name for name, others in depends_on.items() for name in (name, *others) if name not in leader}
    for circle in _circles(known, needs, find):
        for server in circle[1:]:
            join(circle[0], server)
    members_of: dict[str, list[str]] = {}
    for server in known:
        members_of.setdefault(find(server), []).append(server)
    units = tuple(
        Unit(
            servers=tuple(members),
            after=tuple(sorted({other for server in members for other in needs[server]} - set(members))),
            name=first if len(members) > 1 else "",
        )
        for first, members in sorted(members_of.items())
    )
    remarks = (f"not among the servers that move, so not considered: {', '.join(sorted(odd))}",) if odd else ()
    return units, remarks


def order_within(
    unit: Unit, depends_on: Mapping[str, Iterable[str]], length: Mapping[str, float]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The servers of a unit, each with those of the unit that it follows: what is needed first, else the longest first.

    In a circle nobody can be first; the smallest set that only needs itself begins, and each follows what came before it.
    """
    members = set(unit.servers)
    needs = {server: set(depends_on.get(server, ())) & members - {server} for server in unit.servers}
    ordered: list[tuple[str, tuple[str, ...]]] = []
    waiting = set(unit.servers)
    while waiting:
        following = min(waiting, key=lambda server: (len(_reach(server, needs, waiting)), -length[server], server))
        waiting.discard(following)
        ordered.append((following, tuple(sorted(needs[following] - waiting))))
    return tuple(ordered)


def _reach(server: str, needs: Mapping[str, set[str]], among: set[str]) -> set[str]:
    """Everything among these that a server needs, directly or not."""
    found: set[str] = set()
    todo = [server]
    while todo:
        for other in needs[todo.pop()] & among - found:
            found.add(other)
            todo.append(other)
    return found


def _circles(known: Iterable[str], needs: Mapping[str, set[str]], find: Callable[[str], str]) -> list[list[str]]:
    """Strongly connected sets of units with more than one member (Kosaraju's two passes, without recursion)."""
    graph: dict[str, set[str]] = {find(server): set() for server in known}
    back: dict[str, set[str]] = {unit: set() for unit in graph}
    for server in known:
        for other in needs[server]:
            one, two = find(server), find(other)
            if one != two:
                graph[one].add(two)
                back[two].add(one)
    order: list[str] = []
    seen: set[str] = set()
    for start in sorted(graph):
        stack = [(start, iter(sorted(graph[start])))] if start not in seen else []
        seen.add(start)
        while stack:
            unit, rest = stack[-1]
            following = next((other for other in rest if other not in seen), None)
            if following is None:
                order.append(unit)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(sorted(graph[following]))))
    circles: list[list[str]] = []
    taken: set[str] = set()
    for start in reversed(order):
        circle, todo = [], [start]
        while todo:
            unit = todo.pop()
            if unit not in taken:
                taken.add(unit)
                circle.append(unit)
                todo += sorted(back[unit] - taken)
        if len(circle) > 1:
            circles.append(sorted(circle))
    return circles
