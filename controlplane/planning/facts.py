"""The facts a plan rests on, entity by entity, and which of them moved since: what makes a plan stale, and where it hurts."""

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.model.document import to_data
from controlplane.model.estate import Estate
from controlplane.model.observed import Observation
from controlplane.model.plan import Facts, Plan, PlannedImage, Scalar

_NOT_PLANNED_WITH = frozenset({"name", "name_en", "description", "savings", "change_windows", "contract_end", "contact", "cost_centre"})
"""Words for people: correcting them does not make a plan stale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedFact:
    """One fact that is not as planned; `touches` are the machines derived from its entity."""

    entity: str
    field: str
    planned: Scalar
    now: Scalar
    touches: tuple[str, ...]


def input_facts(
    estate: Estate, observation: Observation, images: Mapping[str, PlannedImage], authorized_keys: tuple[str, ...]
) -> dict[str, Facts]:
    """All facts planning uses, by entity (`kind/id`); nothing volatile, and of hosts nothing that our own machines change."""
    facts: dict[str, Facts] = {}
    for kind, things in (
        ("system", estate.systems),
        ("server", estate.servers),
        ("machine", estate.machines),
        ("network", estate.networks),
        ("tier", estate.tiers),
        ("host", estate.hosts),
    ):
        for thing_id, thing in things.items():
            facts[f"{kind}/{thing_id}"] = _flat({k: v for k, v in to_data(thing).items() if k not in _NOT_PLANNED_WITH | {"id"}})
    for image_id, image in images.items():
        facts[f"image/{image_id}"] = _flat(to_data(image))
    for host_id in estate.hosts:
        facts[f"host/{host_id}"] |= _observed_facts(estate, observation, host_id)
    facts["access/machines"] = _flat(to_data(estate.access)) | _flat({"authorized_keys": list(authorized_keys)})
    return dict(sorted(facts.items()))


def _observed_facts(estate: Estate, observation: Observation, host_id: str) -> Facts:
    """What a host reports, as far as the inventory does not cap it anyway."""
    stated = estate.hosts[host_id].capacity
    seen = observation.hosts.get(host_id)
    if seen is None or seen.capacity is None:
        return {"observed.reachable": False}
    capacity = seen.capacity
    return {
        "observed.reachable": True,
        "observed.vcpus": min(stated.vcpus, capacity.total.vcpus),
        "observed.memory_mib": min(stated.memory_mib, capacity.total.memory_mib),
        "observed.foreign_vcpus": capacity.used_by_foreign.vcpus,
        "observed.foreign_memory_mib": capacity.used_by_foreign.memory_mib,
        "observed.virtualisation": capacity.virtualisation,
        "observed.architecture": capacity.architecture,
    }


def _flat(value: object, path: str = "") -> Facts:
    if isinstance(value, dict):
        items = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list):
        items = [(str(number), inner) for number, inner in enumerate(value)]
    else:
        return {path: value if isinstance(value, (str, int, float, bool)) or value is None else str(value)}
    facts: Facts = {}
    for key, inner in items:
        facts |= _flat(inner, f"{path}.{key}" if path else key)
    return facts


def moved_facts(plan: Plan, now: Mapping[str, Facts]) -> tuple[MovedFact, ...]:
    """Facts that differ from those the plan rests on, that came, and that went; by entity and field."""
    moved = []
    for entity in sorted(plan.inputs.keys() | now.keys()):
        planned, found = plan.inputs.get(entity, {}), now.get(entity, {})
        touches = _touched(plan, entity)
        if entity.startswith("host/") and found.get("observed.reachable") is False and planned.get("observed.reachable") is True:
            if touches:
                moved.append(MovedFact(entity=entity, field="observed.reachable", planned=True, now=False, touches=touches))
            found = planned  # what is not seen is not known to have moved
        moved.extend(
            MovedFact(entity=entity, field=name, planned=planned.get(name), now=found.get(name), touches=touches)
            for name in sorted(planned.keys() | found.keys())
            if planned.get(name) != found.get(name)
        )
    return tuple(moved)


def _touched(plan: Plan, entity: str) -> tuple[str, ...]:
    if entity == "access/machines":
        return tuple(machine.id for machine in plan.machines)
    return tuple(machine.id for machine in plan.machines if entity in machine.derived_from)
