"""Repairs that give up part of a rule: fewer barriers between machines and hosts, or between machines, or after losses."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeVar

from controlplane.model.estate import ClassPool, Host
from controlplane.model.plan import Plan
from controlplane.planning.alter import (
    with_host_changed,
    with_licence,
    with_ministries_together,
    with_system_spread_over,
    with_system_surviving,
    with_together_changed,
    without_pins,
)
from controlplane.planning.demand import Draft
from controlplane.planning.inputs import PlanInputs
from controlplane.planning.objections import Rule
from controlplane.planning.trial import Alter, Trial

_Value = TypeVar("_Value")
Found = Iterator[tuple[str, Plan]]
_WIDER = {"host": ("rack", "site"), "rack": ("site",), "power_feed": ("site",), "site": ()}
_NARROWER = {"site": ("rack", "host"), "rack": ("host",), "power_feed": ("host",)}
_MODELS = 8
"""Kinds of host of which one is asked to offer more."""


def license_more(trial: Trial) -> Found:
    """More sockets for a product, as few as will do."""
    estate = trial.inputs.estate
    most = sum(host.offers.sockets for host in estate.hosts.values())
    for product, owned in sorted({pair for draft in trial.drafts_of(Rule.LICENCE) for pair in draft.licences}):
        found = trial.least(owned + 1, most, _numbered(with_licence, product)) if most > owned else None
        if found is not None:
            yield f"license {product} for {found[0]} sockets instead of {owned}", found[1]


def offer_more(trial: Trial) -> Found:
    """More network, IOPS or disk of a class on one host, of those that may hold a machine of the conflict."""
    drafts = trial.drafts_of(Rule.CAPACITY)
    for amount, text, change in _offers(drafts):
        models: dict[tuple[object, ...], Host] = {}
        for _, host in sorted(trial.inputs.estate.hosts.items()):
            if any(draft.confidentiality in host.confidentiality and draft.network in host.networks for draft in drafts):
                models.setdefault((host.offers, host.pools, host.capacity, host.confidentiality), host)
        for host in list(models.values())[:_MODELS]:
            found = trial.least(1, 20, _more_of(host, amount, change))
            if found is not None:
                yield text(host, amount * found[0] // 20), found[1]
                break


_Change = Callable[[Host, int], Host]


def _offers(drafts: list[Draft]) -> Iterator[tuple[int, Callable[[Host, int], str], _Change]]:
    network, iops = sum(draft.needs.network_mbps for draft in drafts), sum(draft.needs.iops for draft in drafts)
    if network:
        yield network, lambda h, n: f"let host {h.id} offer {h.offers.network_mbps + n} Mbit/s of network", _more_network
    if iops:
        yield iops, lambda h, n: f"let host {h.id} offer {h.offers.iops + n} IOPS", _more_iops
    for disk_class in sorted({draft.needs.disk_class for draft in drafts} - {""}):
        gib = sum(draft.size.disk_gib for draft in drafts if draft.needs.disk_class == disk_class)
        change = partial(_larger_pool, disk_class=disk_class)
        yield gib, partial(_pool_text, disk_class=disk_class), change


def _more_of(host: Host, amount: int, change: _Change) -> Callable[[int], Alter]:
    def at(twentieths: int) -> Alter:
        return lambda inputs: with_host_changed(inputs, host.id, lambda given: change(given, amount * twentieths // 20))

    return at


def _more_network(host: Host, more: int) -> Host:
    return replace(host, offers=replace(host.offers, network_mbps=host.offers.network_mbps + more))


def _more_iops(host: Host, more: int) -> Host:
    return replace(host, offers=replace(host.offers, iops=host.offers.iops + more))


def _larger_pool(host: Host, more: int, *, disk_class: str) -> Host:
    has = host.pool_gib(disk_class)
    given = next((pool for pool in host.pools if pool.disk_class == disk_class), None)
    pool = given or ClassPool(disk_class=disk_class, name=f"kasumi-{disk_class}", path="/", capacity_gib=0)
    others = tuple(each for each in host.pools if each.disk_class != disk_class)
    return replace(host, pools=(*others, replace(pool, capacity_gib=has + more)))


def _pool_text(host: Host, more: int, *, disk_class: str) -> str:
    has = host.pool_gib(disk_class)
    now = f"instead of {has}" if has else "where it has none"
    return f"give host {host.id} {has + more} GiB for disks of class {disk_class}, {now}"


def lift_pins(trial: Trial) -> Found:
    """Let a machine stand where `only_on` and `not_on` forbid it."""
    for draft in trial.drafts_of(Rule.PIN):
        if plan := trial.plan(_one(without_pins, draft.id)):
            [host] = [machine.host for machine in plan.machines if machine.id == draft.id] or [""]
            yield f"let {draft.id} stand on {host}, against its `only_on` or `not_on`", plan


def spread_less(trial: Trial) -> Found:
    """Replicas in different domains of a smaller kind."""
    estate = trial.inputs.estate
    for system in trial.systems_of(Rule.SPREAD):
        over = estate.tiers[estate.systems[system].tier].spread_over
        for less in _NARROWER.get(over, ()):
            if plan := trial.plan(_two(with_system_spread_over, system, less)):
                yield f"relax the {over} anti-affinity of {system}: replicas differ in {less} alone", plan
                break


def loosen_groups(trial: Trial) -> Found:
    """Machines kept together in a larger domain, or not at all."""
    groups = {(d.system, domain, name) for d in trial.drafts_of(Rule.TOGETHER) for domain, name in d.needs.together}
    for system, domain, name in sorted(groups):
        for wider in (*_WIDER[domain], ""):
            if plan := trial.plan(partial(with_together_changed, system=system, group=(domain, name), domain=wider)):
                instead = f"in one {wider.replace('_', ' ')} instead of one {domain.replace('_', ' ')}"
                yield f"keep {name} of {system} {instead if wider else 'together no longer'}", plan
                break


def open_to(trial: Trial) -> Found:
    """Let a host carry a network or hold a grade."""
    rules = {constraint.rule for constraint in trial.conflict.constraints}
    for draft in trial.drafts():
        for host in trial.inputs.estate.hosts.values():
            lacks_network = draft.network not in host.networks
            lacks_grade = draft.confidentiality not in host.confidentiality
            if not ((lacks_network and Rule.NETWORK in rules) or (lacks_grade and Rule.ZONE in rules)):
                continue
            plan = trial.plan(_two(with_host_changed, host.id, partial(_opened, draft=draft)))
            if plan is not None:
                opened = [f"carry network {draft.network}"] if lacks_network else []
                opened += [f"hold grade {draft.confidentiality}, once those who answer for it agree"] if lacks_grade else []
                yield f"let host {host.id} {' and '.join(opened)}", plan
                break


def _opened(host: Host, draft: Draft) -> Host:
    return replace(
        host,
        networks={draft.network: "", **host.networks},
        confidentiality=tuple(sorted({*host.confidentiality, draft.confidentiality})),
    )


def share(trial: Trial) -> Found:
    """Let two ministries that are kept apart share hosts and storage."""
    apart = trial.drafts_of(Rule.APART)
    ministries = {draft.ministry for draft in apart}
    pairs = {tuple(sorted((draft.ministry, other))) for draft in apart for other in draft.apart_from if other in ministries}
    for one, other in sorted(pairs):
        if plan := trial.plan(_two(with_ministries_together, one, other)):
            yield f"let {one} and {other} share hosts and storage, once those who answer for both agree", plan


def survive_less(trial: Trial) -> Found:
    """Losses of single hosts in place of racks or sites, or fewer of them."""
    estate = trial.inputs.estate
    for system in trial.systems_of(Rule.LOSS):
        tier = estate.tiers[estate.systems[system].tier]
        for less in _NARROWER.get(tier.survives, ()):
            if plan := trial.plan(partial(with_system_surviving, system=system, failures=tier.host_failures, survives=less)):
                kind = tier.survives.replace("_", " ")
                yield f"let {system} survive the loss of a {less} instead of a {kind}", plan
                break
        else:
            found = trial.least(1, tier.host_failures, partial(_fewer, system, tier.host_failures, tier.survives))
            if found is not None:
                left = tier.host_failures - found[0]
                kind = tier.survives.replace("_", " ")
                lost = f"any {kind}" if left == 0 else f"more than {left} {kind}{'' if left == 1 else 's'}"
                yield f"let {system} do without surviving the loss of {lost}", found[1]


def _fewer(system: str, failures: int, survives: str, fewer: int) -> Alter:
    return partial(with_system_surviving, system=system, failures=failures - fewer, survives=survives)


def _one(change: Callable[[PlanInputs, str], PlanInputs], name: str) -> Alter:
    return lambda inputs: change(inputs, name)


def _two(change: Callable[[PlanInputs, str, _Value], PlanInputs], name: str, value: _Value) -> Alter:
    return lambda inputs: change(inputs, name, value)


def _numbered(change: Callable[[PlanInputs, str, int], PlanInputs], name: str) -> Callable[[int], Alter]:
    return lambda number: lambda inputs: change(inputs, name, number)
