"""Leases: which machine has one, as facts that a plan rests on, and how they stand on a day. Pure: the day is given.

A machine has its own lease, or that of the server it is made from, or its system's. A plan carries leases among its inputs, so a
lease that was prolonged makes it stale, and what converges to a plan knows the lease that was accepted with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from controlplane.model.estate import Disposition, Estate
from controlplane.model.lease import AtEnd, Lease, LeaseState
from controlplane.model.plan import Facts, Plan

_PREFIX = "lease/"
MADE_FROM = frozenset({Disposition.REHOST, Disposition.REPLATFORM})
"""Servers of which a machine of their own is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseStanding:
    """One machine's lease and how it stands."""

    machine: str
    lease: Lease
    state: LeaseState
    days: int
    """Left, the last day included; 0 and less: over."""

    def __str__(self) -> str:
        if self.state is not LeaseState.ENDED:
            at_end = "it is then stopped" if self.lease.at_end is AtEnd.STOP else "it then runs on"
            days = "1 day" if self.days == 1 else f"{self.days} days"
            return f"lease of {self.machine} ends on {self.lease.until}, in {days}; {at_end}, prolong it or let it go"
        done = "it is kept stopped" if self.lease.at_end is AtEnd.STOP else "it runs on, as the inventory says `at_end: report`"
        return f"lease of {self.machine} ended on {self.lease.until}; {done}, prolong it or take it out of the inventory"


def leases_of(estate: Estate) -> dict[str, Lease]:
    """The leases of the machines that an inventory asks for, by machine."""
    found: dict[str, Lease] = {}
    asked = [(machine.id, machine.system, machine.lease) for machine in estate.machines.values()]
    asked += [(s.id, s.system, s.lease) for s in estate.servers.values() if s.disposition in MADE_FROM]
    for machine, system, own in sorted(asked, key=lambda each: each[0]):
        lease = own or estate.systems[system].lease
        if lease is not None:
            found[machine] = lease
    return found


def lease_entity(machine: str) -> str:
    """The name under which a plan holds the lease of a machine."""
    return _PREFIX + machine


def lease_facts(estate: Estate) -> dict[str, Facts]:
    """Only of machines that have a lease."""
    return {
        lease_entity(machine): {"until": lease.until.isoformat(), "at_end": lease.at_end.value}
        for machine, lease in leases_of(estate).items()
    }


def planned_leases(plan: Plan) -> dict[str, Lease]:
    """The leases that a plan holds, of machines that it has."""
    machines = {machine.id for machine in plan.machines}
    return {
        machine: Lease(until=date.fromisoformat(str(facts["until"])), at_end=AtEnd(str(facts["at_end"])))
        for entity, facts in plan.inputs.items()
        if entity.startswith(_PREFIX) and (machine := entity.removeprefix(_PREFIX)) in machines
    }


def standings(leases: Mapping[str, Lease], today: date) -> tuple[LeaseStanding, ...]:
    """How each stands, the one that ends first first."""
    found = [
        LeaseStanding(machine=machine, lease=lease, state=lease.state(today), days=(lease.until - today).days + 1)
        for machine, lease in leases.items()
    ]
    return tuple(sorted(found, key=lambda each: (each.lease.until, each.machine)))


def told(leases: Mapping[str, Lease], today: date) -> tuple[LeaseStanding, ...]:
    """Those that a person should hear of: ended, or ending soon."""
    return tuple(each for each in standings(leases, today) if each.state is not LeaseState.CURRENT)
