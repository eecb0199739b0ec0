"""Says why there is no plan: every machine that fits nowhere, what objects on each host, and what would help."""

from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.errors import KasumiError
from controlplane.planning.constraints import PlanSoFar
from controlplane.planning.demand import Draft
from controlplane.planning.objections import Objection, Rule

_MOVES = {
    Rule.CLOSED: "bring back hosts that are closed",
    Rule.ZONE: "add the grade to the `confidentiality` of a host",
    Rule.NETWORK: "carry the network to a host or choose another network",
    Rule.PIN: "loosen `only_on` or `not_on` of the machine",
    Rule.CPU: "state the processor of a host (`offers.cpu`), add one that has it, or ask for less in `needs.cpu`",
    Rule.NAME: "remove or rename the other machine of this name",
    Rule.CAPACITY: "add a host, raise its capacity or overcommit, or plan a smaller size",
    Rule.SPREAD: "add a host in another failure domain, or loosen `spread_over` of the tier",
    Rule.TOGETHER: "make room where the others of its group stand, or loosen `needs.together`",
    Rule.APART: "add a host, on storage of its own, for one of the ministries that are kept apart",
    Rule.LICENCE: "license more sockets (`kasumi_licences`), or make room on the hosts that are licensed already",
    Rule.LOSS: "add a host for the failures that the tier must survive, or lower its `host_failures`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaced:
    """A machine that fits nowhere and what objects on each host."""

    draft: Draft
    objections: tuple[tuple[str, tuple[Objection, ...]], ...]


class InfeasiblePlan(KasumiError):  # noqa: N818  the word of the design, and of every message
    """There is no plan for this estate; the message names everything that stands in the way."""

    def __init__(self, unplaced: Sequence[Unplaced], problems: Sequence[str]) -> None:
        super().__init__("\n".join(_lines(unplaced, problems)))
        self.unplaced = tuple(entry.draft.id for entry in unplaced)
        """Machines that fit nowhere; empty when what is asked for is wrong in itself."""


def why_unplaced(draft: Draft, so_far: PlanSoFar) -> Unplaced:
    """Ask every host, with all other machines where they were placed."""
    return Unplaced(draft=draft, objections=tuple((host, so_far.objections(draft, host)) for host in so_far.hosts))


def _lines(unplaced: Sequence[Unplaced], problems: Sequence[str]) -> list[str]:
    if problems:
        return [f"no plan: {_count(len(problems), 'problem')} in what is asked for", *(f"  {problem}" for problem in problems)]
    fit = "fits" if len(unplaced) == 1 else "fit"
    lines = [f"no plan: {_count(len(unplaced), 'machine')} {fit} on no host"]
    for entry in unplaced:
        draft = entry.draft
        of = f"server {draft.server}, system {draft.system}" if draft.server else f"system {draft.system}"
        size = f"{draft.size.vcpus} vCPU, {draft.size.memory_mib} MiB, {draft.size.disk_gib} GiB"
        lines.append(f"  machine {draft.id} ({of}, grade {draft.confidentiality}, tier {draft.tier.id}) wants {size}")
        lines += [f"    {host}: {'; '.join(o.text for o in objections)}" for host, objections in entry.objections]
        if not entry.objections:
            lines.append("    the inventory declares no host")
    rules = {objection.rule for entry in unplaced for _, objections in entry.objections for objection in objections}
    moves = [move for rule, move in _MOVES.items() if rule in rules] or ["declare a host"]
    return [*lines, f"next: {'; '.join(moves)}; then plan again"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
