"""Lets a plan rest on an assessment: its sizes and dispositions in place of the inventory's, and nothing on doubtful facts.

What was taken goes into the plan's inputs, server by server, beside what the inventory said then: `apply` and the checks find
the same estate again from the plan alone, and an inventory that moved since is seen.
"""

from collections.abc import Mapping
from dataclasses import replace

from controlplane.model.assessment import AssessedServer, Assessment
from controlplane.model.document import digest
from controlplane.model.estate import Disposition, Estate, Server
from controlplane.model.finding import Finding, Severity
from controlplane.model.plan import Facts, Plan
from controlplane.model.resources import Resources

ENTITY = "assessment"
_PREFIX = f"{ENTITY}/"


def assessment_inputs(assessment: Assessment, estate: Estate) -> dict[str, Facts]:
    """The facts a plan takes from an assessment: one entity for the document, one for each server, under `assessment`."""
    facts: dict[str, Facts] = {ENTITY: {"digest": digest(assessment), "as_of": str(assessment.as_of)}}
    for assessed in assessment.servers:
        if assessed.id in estate.servers:
            facts[_PREFIX + assessed.id] = _taken(assessed) | _declared(estate.servers[assessed.id])
    return facts


def as_assessed(estate: Estate, inputs: Mapping[str, Facts]) -> Estate:
    """The estate with what the inputs of a plan took from an assessment; the estate itself when they took nothing."""
    servers = {
        server_id: _as_assessed(server, inputs[_PREFIX + server_id]) if _PREFIX + server_id in inputs else server
        for server_id, server in estate.servers.items()
    }
    return replace(estate, servers=servers) if ENTITY in inputs else estate


def inputs_now(estate: Estate, inputs: Mapping[str, Facts]) -> dict[str, Facts]:
    """The entities of the assessment in a plan's inputs as they are now: what was taken stands, what was declared may have moved."""
    return {
        entity: facts | _declared(estate.servers[entity.removeprefix(_PREFIX)])
        if entity.removeprefix(_PREFIX) in estate.servers
        else facts
        for entity, facts in inputs.items()
        if entity == ENTITY or entity.startswith(_PREFIX)
    }


def rested_on(plan: Plan, taken: Mapping[str, Facts]) -> Plan:
    """The plan with what it took from an assessment among its inputs, and each machine tied to that of its server."""
    machines = tuple(
        replace(machine, derived_from=tuple(sorted({*machine.derived_from, _PREFIX + machine.server, ENTITY})))
        if _PREFIX + machine.server in taken
        else machine
        for machine in plan.machines
    )
    return replace(plan, inputs=dict(sorted({**plan.inputs, **taken}.items())), machines=machines)


def assessment_findings(assessment: Assessment, estate: Estate) -> tuple[Finding, ...]:
    """Why an assessment must not be planned on: another estate, servers it does not know, open contradictions, blockers."""
    if assessment.estate != estate.id:
        what = f"is for estate {assessment.estate}, the inventory is of {estate.id}"
        return (_critical("assessment", what, "assess again, or name the right --inventory"),)
    known = {assessed.id: assessed for assessed in assessment.servers}
    findings = [
        _critical(f"server {server}", "is in only one of assessment and inventory", "assess again")
        for server in sorted(set(known) ^ set(estate.servers))
    ]
    for server_id in sorted(set(known) & set(estate.servers)):
        assessed, server = known[server_id], estate.servers[server_id]
        if assessed.size.declared != server.size or assessed.fate.declared is not server.disposition:
            before, now = _words(assessed.size.declared, assessed.fate.declared), _words(server.size, server.disposition)
            what = f"was assessed as {before}, the inventory says {now}"
            findings.append(_critical(f"server {server_id}", what, "assess again"))
        findings.extend(
            _critical(
                f"server {server_id}: {subject}",
                _why(assessed, subject),
                f"resolve it and assess again, or `kasumi accept {server_id} {subject} --reason …`",
            )
            for subject in assessed.waits_for
        )
    return tuple(findings)


def _why(assessed: AssessedServer, subject: str) -> str:
    for contradiction in assessed.contradictions:
        if contradiction.field == subject:
            return ", ".join(f"{one.source} says {one.value}" for one in contradiction.statements)
    for outcome in assessed.readiness:
        if f"rule:{outcome.rule}" == subject:
            return f"blocks {assessed.fate.decided.value} ({', '.join(outcome.details)})"
    return "stands in the way"


def _taken(assessed: AssessedServer) -> Facts:
    size = assessed.size.wanted
    facts: Facts = {
        "disposition": assessed.fate.decided.value,
        "into": assessed.fate.into,
        "decided_by": assessed.fate.decided_by,
        "stars": assessed.size.stars,
        "why": "; ".join(assessed.size.reasons),
    }
    return facts | (_amounts("size", size) if size is not None else {})


def _declared(server: Server) -> Facts:
    facts: Facts = {"declared.disposition": server.disposition.value}
    return facts | (_amounts("declared", server.size) if server.size is not None else {})


def _amounts(prefix: str, size: Resources) -> Facts:
    return {f"{prefix}.vcpus": size.vcpus, f"{prefix}.memory_mib": size.memory_mib, f"{prefix}.disk_gib": size.disk_gib}


def _as_assessed(server: Server, taken: Facts) -> Server:
    size = None
    if "size.vcpus" in taken:
        size = Resources(
            vcpus=int(taken["size.vcpus"] or 0),
            memory_mib=int(taken["size.memory_mib"] or 0),
            disk_gib=int(taken["size.disk_gib"] or 0),
        )
    return replace(
        server,
        disposition=Disposition(str(taken["disposition"])),
        into=str(taken["into"] or ""),
        target=size or server.target,
        target_reason=f"assessed with {taken['stars']} of 5 stars: {taken['why']}" if size is not None else "",
    )


def _words(size: Resources | None, disposition: Disposition) -> str:
    stated = f"{size.vcpus} vCPU, {size.memory_mib} MiB, {size.disk_gib} GiB" if size is not None else "unknown size"
    return f"{stated}, {disposition.value}"


def _critical(where: str, what: str, remedy: str) -> Finding:
    return Finding(severity=Severity.CRITICAL, where=where, what=what, remedy=remedy)
