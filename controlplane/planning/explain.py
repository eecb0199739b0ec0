"""Why a machine is as the plan says, and why it is not elsewhere: every other host is asked, all other machines in place.

Reads a finished plan; decides nothing. The reasons are those the planner wrote down; the objections are those it would meet.
"""

from dataclasses import dataclass
from difflib import get_close_matches

from controlplane.errors import KasumiError
from controlplane.model.plan import Plan, PlannedMachine, PlannedServer
from controlplane.model.resources import Resources
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft
from controlplane.planning.inputs import PlanInputs, stand_as_planned
from controlplane.planning.objections import Objection


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAnswer:
    """What one host says to the machine. `full` is the share of its tightest dimension with the machine on it."""

    host: str
    chosen: bool
    objections: tuple[Objection, ...]
    others_there: int
    full: float
    tightest: str

    @property
    def possible(self) -> bool:
        """True when the machine may stand there."""
        return not self.objections


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One machine or server: what becomes of it, the reasons for each choice, and what each host says.

    `reasons` are pairs of what was chosen and why. `machine` is None for a server that no machine replaces; `asked` is the size
    that the inventory asks for; `stale` says why hosts cannot be asked.
    """

    subject: str
    machine: PlannedMachine | None
    asked: Resources | None
    servers: tuple[PlannedServer, ...]
    reasons: tuple[tuple[str, str], ...]
    hosts: tuple[HostAnswer, ...]
    stale: str

    @property
    def possible_elsewhere(self) -> tuple[HostAnswer, ...]:
        """Hosts that were not chosen and would have it."""
        return tuple(answer for answer in self.hosts if answer.possible and not answer.chosen)


def explain(subject: str, plan: Plan, inputs: PlanInputs) -> Explanation:
    """Explain a machine, or a server by the machine that takes its place. Raises KasumiError for an id the plan lacks."""
    machines = {machine.id: machine for machine in plan.machines}
    servers = {server.id: server for server in plan.servers}
    if subject not in machines and subject not in servers:
        near = get_close_matches(subject, [*machines, *servers], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "see `kasumi show` for what it holds"
        raise KasumiError(f"explain: no machine and no server {subject} in this plan; {hint}")
    machine = machines.get(subject) or machines.get(servers[subject].machine)
    if machine is None:
        server = servers[subject]
        return Explanation(
            subject=subject,
            machine=None,
            asked=None,
            servers=(server,),
            reasons=(("disposition", f"{server.disposition.value}: {server.reason or 'no reason is stated'}"),),
            hosts=(),
            stale="",
        )
    merged = tuple(server for server in plan.servers if server.machine == machine.id)
    so_far, drafts = stand_as_planned(inputs, plan)
    draft = drafts.get(machine.id)
    reasons = tuple((head, rest) for head, _, rest in (reason.partition(": ") for reason in machine.reasons))
    stale = _why_not_asked(machine, draft, so_far)
    hosts = _ask_hosts(draft, so_far) if draft is not None and not stale else ()
    return Explanation(
        subject=subject,
        machine=machine,
        asked=draft.size if draft is not None else None,
        servers=merged,
        reasons=reasons,
        hosts=hosts,
        stale=stale,
    )


def _why_not_asked(machine: PlannedMachine, draft: Draft | None, so_far: PlanSoFar) -> str:
    if draft is None:
        return f"the inventory no longer asks for {machine.id}; plan again"
    if so_far.where(machine.id) is None:
        return f"the inventory no longer has host {machine.host}; plan again"
    return ""


def _ask_hosts(draft: Draft, so_far: PlanSoFar) -> tuple[HostAnswer, ...]:
    """The chosen host first, then those that would have it, then the others, each by id."""
    chosen = so_far.take_off(draft)
    answers = [_answer(draft, host, chosen, so_far) for host in so_far.hosts]
    return tuple(sorted(answers, key=lambda answer: (not answer.chosen, not answer.possible, answer.host)))


def _answer(draft: Draft, host: str, chosen: str, so_far: PlanSoFar) -> HostAnswer:
    counted = zip(so_far.dimensions.all, so_far.free(host), so_far.capacity(host), so_far.size(draft), strict=True)
    shares = [((most - free + size) / most, dimension.name) for dimension, free, most, size in counted if most]
    full, tightest = max(shares, default=(0.0, "nothing"))
    return HostAnswer(
        host=host,
        chosen=host == chosen,
        objections=so_far.objections(draft, host),
        others_there=len(so_far.on(host)),
        full=full,
        tightest=tightest,
    )
