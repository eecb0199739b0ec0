"""Reads and writes instances of the ROADEF/EURO challenge 2012 (machine reassignment): `model_*.txt` with `assignment_*.txt`.

Order of the model: resources (transient, load-cost weight); machines (neighbourhood, location, capacities, safety
capacities, costs of moving to each machine); services (least spread, number of dependencies, dependencies); processes
(service, requirements, move cost); balance costs (first and second resource, target, weight); weights of the process,
service and machine move costs. An assignment is the machine of each process. In our words a process is an item, a machine a
host and a service a group.
"""

from pathlib import Path

import numpy as np

from benchmarks.planner.tokens import InstanceError, Tokens
from controlplane.planning.reassign.problem import Balance, Integers, Problem

_MOST_INT = 2**31 - 1


def is_model(file: Path) -> bool:
    """True for the name of a model."""
    return file.name.startswith("model_") and file.suffix == ".txt"


def assignment_beside(model: Path) -> Path:
    """The first assignment of a model: same name but for the beginning."""
    return model.with_name("assignment_" + model.name.removeprefix("model_"))


def read_problem(model: Path, assignment: Path) -> Problem:
    """The problem. Raises InstanceError."""
    tokens = Tokens(model)
    resources = tokens.take("number of resources", least=1, most=10_000)
    kinds = tokens.take_many(2 * resources, "transient flag and load-cost weight of each resource", most=_MOST_INT).reshape(-1, 2)
    if kinds[:, 0].max() > 1:
        raise InstanceError(f"{model}: transient flag of a resource: wanted 0 or 1, found {kinds[:, 0].max()}")
    hosts = tokens.take("number of machines", least=1, most=1_000_000)
    width = 2 + 2 * resources + hosts
    rows = tokens.take_many(hosts * width, f"machines, {width} numbers each", most=_MOST_INT).reshape(hosts, width)
    groups = tokens.take("number of services", least=1, most=100_000_000)
    spread = np.zeros(groups, dtype=np.int64)
    depends_on = []
    for group in range(groups):
        spread[group] = tokens.take(f"least spread of service {group}", most=hosts)
        count = tokens.take(f"number of dependencies of service {group}", most=groups)
        needs = tokens.take_many(count, f"dependencies of service {group}", most=groups - 1)
        depends_on.append(tuple(dict.fromkeys(int(need) for need in needs)))
    items = tokens.take("number of processes", least=1, most=100_000_000)
    width = 2 + resources
    processes = tokens.take_many(items * width, f"processes, {width} numbers each", most=_MOST_INT).reshape(items, width)
    if processes[:, 0].max() >= groups:
        raise InstanceError(f"{model}: service of a process: wanted 0 to {groups - 1}, found {processes[:, 0].max()}")
    balances = []
    for number in range(tokens.take("number of balance costs", most=10_000)):
        first, second = (
            tokens.take(f"{which} resource of balance cost {number}", most=resources - 1) for which in ("first", "second")
        )
        target = tokens.take(f"target of balance cost {number}", most=_MOST_INT)
        weight = tokens.take(f"weight of balance cost {number}", most=_MOST_INT)
        balances.append(Balance(first=first, second=second, target=target, weight=weight))
    item_weight, group_weight, host_weight = (
        tokens.take(f"weight of the {of} move cost", most=_MOST_INT) for of in ("process", "service", "machine")
    )
    tokens.end()
    try:
        return Problem(
            capacity=rows[:, 2 : 2 + resources].copy(),
            safety=rows[:, 2 + resources : 2 + 2 * resources].copy(),
            neighbourhood=rows[:, 0].copy(),
            location=rows[:, 1].copy(),
            host_move_cost=rows[:, 2 + 2 * resources :].copy(),
            transient=kinds[:, 0] == 1,
            load_weight=kinds[:, 1].copy(),
            size=processes[:, 1 : 1 + resources].copy(),
            group=processes[:, 0].copy(),
            item_move_cost=processes[:, 1 + resources].copy(),
            spread=spread,
            depends_on=tuple(depends_on),
            balances=tuple(balances),
            item_move_weight=item_weight,
            group_move_weight=group_weight,
            host_move_weight=host_weight,
            initial=read_assignment(assignment, items=items, hosts=hosts),
        )
    except ValueError as error:
        raise InstanceError(f"{model}: {error}") from None


def read_assignment(file: Path, *, items: int, hosts: int) -> Integers:
    """The machine of each process. Raises InstanceError."""
    tokens = Tokens(file)
    found = tokens.take_many(items, "machine of each process", most=hosts - 1)
    tokens.end()
    return found.copy()


def write_problem(problem: Problem, model: Path) -> None:
    """The model, and beside it its first assignment."""
    apart = problem.host_move_cost if problem.host_move_cost.size else np.zeros((problem.hosts, problem.hosts), dtype=np.int64)
    lines = [str(len(problem.load_weight))]
    lines += [f"{int(flag)} {weight}" for flag, weight in zip(problem.transient, problem.load_weight, strict=True)]
    lines.append(str(problem.hosts))
    lines += [
        " ".join(map(str, (problem.neighbourhood[h], problem.location[h], *problem.capacity[h], *problem.safety[h], *apart[h])))
        for h in range(problem.hosts)
    ]
    lines.append(str(len(problem.spread)))
    lines += [
        " ".join(map(str, (spread, len(needs), *needs))) for spread, needs in zip(problem.spread, problem.depends_on, strict=True)
    ]
    lines.append(str(problem.items))
    lines += [" ".join(map(str, (problem.group[i], *problem.size[i], problem.item_move_cost[i]))) for i in range(problem.items)]
    lines.append(str(len(problem.balances)))
    lines += [f"{each.first} {each.second} {each.target}\n{each.weight}" for each in problem.balances]
    lines.append(f"{problem.item_move_weight} {problem.group_move_weight} {problem.host_move_weight}")
    model.write_text("\n".join(lines) + "\n", encoding="ascii")
    assignment_beside(model).write_text(" ".join(map(str, problem.initial)) + "\n", encoding="ascii")
