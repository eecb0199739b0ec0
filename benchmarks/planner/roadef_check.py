"""Independent checker of the ROADEF/EURO challenge 2012: reads the files by itself and reckons validity and cost anew.

Written from the challenge's definition of constraints and costs; it shares no code with the reader, the model or the search,
and uses plain whole numbers without limit.
"""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is violated, and the five parts of the cost, weights included."""

    violations: tuple[str, ...]
    load: int
    balance: int
    process_move: int
    service_move: int
    machine_move: int

    @property
    def cost(self) -> int:
        """The objective."""
        return self.load + self.balance + self.process_move + self.service_move + self.machine_move


def check_files(model: Path, first: Path, new: Path) -> Verdict:
    """The verdict on an assignment in a file."""
    return check(model, first, [int(word) for word in new.read_text(encoding="ascii").split()])


def check(model: Path, first: Path, assignment: list[int]) -> Verdict:
    """The verdict on a new assignment of the model whose first assignment is in a file."""
    words = (match.group() for match in re.finditer(r"\S+", model.read_text(encoding="ascii")))

    def number() -> int:
        return int(next(words))

    def numbers(count: int) -> list[int]:
        return [int(next(words)) for _ in range(count)]

    resources = [(number() == 1, number()) for _ in range(number())]
    width = range(len(resources))
    machine_count = number()
    neighbourhoods, locations, capacities, safeties, apart = [], [], [], [], []
    for _ in range(machine_count):
        neighbourhoods.append(number())
        locations.append(number())
        capacities.append(numbers(len(resources)))
        safeties.append(numbers(len(resources)))
        apart.append(numbers(machine_count))
    services = []
    for _ in range(number()):
        spread = number()
        services.append((spread, numbers(number())))
    processes = [(number(), numbers(len(resources)), number()) for _ in range(number())]
    balances = [(number(), number(), number(), number()) for _ in range(number())]
    process_weight, service_weight, machine_weight = numbers(3)
    if next(words, None) is not None:
        raise ValueError(f"{model}: something follows the weights")
    start = [int(word) for word in first.read_text(encoding="ascii").split()]
    if not len(start) == len(assignment) == len(processes):
        raise ValueError(f"{first}: {len(start)} and {len(assignment)} machines for {len(processes)} processes")

    violations: list[str] = []
    used = [[0 for _ in width] for _ in range(machine_count)]
    passing = [[0 for _ in width] for _ in range(machine_count)]
    members: dict[int, list[int]] = {}
    for process, (service, sizes, _) in enumerate(processes):
        old, new = start[process], assignment[process]
        members.setdefault(service, []).append(process)
        for r in width:
            used[new][r] += sizes[r]
            if old != new and resources[r][0]:
                passing[old][r] += sizes[r]
    for machine in range(machine_count):
        violations += [
            f"machine {machine}: resource {r} uses {used[machine][r] + passing[machine][r]} of {capacities[machine][r]}"
            for r in width
            if used[machine][r] + passing[machine][r] > capacities[machine][r]
        ]
    violations += _of_services(services, members, assignment, locations, neighbourhoods)
    left = [[capacities[m][r] - used[m][r] for r in width] for m in range(machine_count)]
    moved = [p for p in range(len(processes)) if start[p] != assignment[p]]
    by_service: dict[int, int] = {}
    for process in moved:
        by_service[processes[process][0]] = by_service.get(processes[process][0], 0) + 1
    return Verdict(
        violations=tuple(violations),
        load=sum(
            weight * max(0, used[m][r] - safeties[m][r]) for m in range(machine_count) for r, (_, weight) in enumerate(resources)
        ),
        balance=sum(
            weight * max(0, target * left[m][a] - left[m][b]) for a, b, target, weight in balances for m in range(machine_count)
        ),
        process_move=process_weight * sum(processes[p][2] for p in moved),
        service_move=service_weight * max(by_service.values(), default=0),
        machine_move=machine_weight * sum(apart[start[p]][assignment[p]] for p in range(len(processes))),
    )


def _of_services(
    services: list[tuple[int, list[int]]],
    members: dict[int, list[int]],
    assignment: list[int],
    locations: list[int],
    neighbourhoods: list[int],
) -> list[str]:
    violations = []
    where = {service: [assignment[p] for p in group] for service, group in members.items()}
    for service, (spread, needs) in enumerate(services):
        machines = where.get(service, [])
        if len(set(machines)) < len(machines):
            violations.append(f"service {service}: two processes on one machine")
        if len({locations[machine] for machine in machines}) < spread:
            violations.append(f"service {service}: spread below {spread}")
        near = {neighbourhoods[machine] for machine in machines}
        for need in needs:
            if not near <= {neighbourhoods[machine] for machine in where.get(need, [])}:
                violations.append(f"service {service}: a process without service {need} in its neighbourhood")
    return violations
