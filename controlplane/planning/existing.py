"""Machines that exist or were promised already: they keep host, address and MAC. The planner never moves one that exists."""

from dataclasses import dataclass

from controlplane.model.estate import Estate
from controlplane.model.observed import Observation
from controlplane.model.plan import Plan, PlannedMachine
from controlplane.model.resources import Resources
from controlplane.planning.demand import Draft
from controlplane.planning.identity import machine_uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """Where a wanted machine is already. `in_place`: seen there, or its host does not answer and it must be assumed.

    `size` is what it has now; `previous` its entry in the accepted plan, None when only the host knows it.
    """

    host: str
    in_place: bool
    size: Resources
    previous: PlannedMachine | None


def existing_machines(
    drafts: tuple[Draft, ...], estate: Estate, observation: Observation, parent: Plan | None
) -> tuple[dict[str, Existing], tuple[str, ...]]:
    """What is known of each draft by id, and what stands in the way of any plan."""
    seen = {
        machine.uuid: (host.host, machine)
        for host in observation.hosts.values()
        if host.reachable
        for machine in host.machines
        if machine.mark is not None and machine.mark.estate == estate.id
    }
    promised = {machine.id: machine for machine in parent.machines} if parent is not None else {}
    known: dict[str, Existing] = {}
    problems: list[str] = []
    for draft in drafts:
        previous = promised.get(draft.id)
        found = seen.get(machine_uuid(estate.id, draft.id))
        if found is not None and found[0] in estate.hosts:
            host, machine = found
            disk_gib = previous.size.disk_gib if previous is not None else draft.size.disk_gib
            size = Resources(vcpus=machine.vcpus, memory_mib=machine.memory_mib, disk_gib=disk_gib)
            known[draft.id] = Existing(host=host, in_place=True, size=size, previous=previous)
        elif previous is not None and previous.host not in estate.hosts:
            problems.append(
                f"machine {draft.id}: stands on host {previous.host} in the accepted plan, which the inventory no longer has, "
                "and the planner never moves an existing machine; declare the host again, or remove the machine first"
            )
        elif previous is not None:
            answering = observation.hosts.get(previous.host)
            silent = answering is None or not answering.reachable
            known[draft.id] = Existing(host=previous.host, in_place=silent, size=previous.size, previous=previous)
    return known, tuple(problems)
