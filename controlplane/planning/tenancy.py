"""The project that each ministry should have in a cloud and its quotas, and how that differs from what is there. Pure.

What machines take (vCPUs, memory, their number, volumes) is set exactly, so that a ministry cannot outgrow what was agreed. What comes
with machines and costs nothing (ports, networks, security groups) must only be enough: a larger quota stays.
"""

from collections.abc import Iterable, Iterator, Mapping

from controlplane.errors import KasumiError
from controlplane.model.cloud import BootPolicy, CloudPool, cloud_pool, is_cloud
from controlplane.model.estate import Estate, Host
from controlplane.model.plan import Plan
from controlplane.model.resources import Resources, total
from controlplane.model.tenancy import CloudPolicy, FoundTenant, Step, Tenancy, Tenant, TenantDifference, WantedQuota
from controlplane.planning.identity import machine_uuid

_RULES_OF_A_MACHINE, _RULES_OF_A_ZONE = 12, 5
"""Of security groups: a group is made with two that let everything out, a zone has three more; ten services are more than most have."""


def tenants_of(estate: Estate, cloud: CloudPolicy, plan: Plan | None) -> tuple[Tenant, ...]:
    """The project of each ministry of a cloud. Raises KasumiError where quotas follow a plan and there is none."""
    if cloud.headroom_percent is not None and plan is None:
        raise KasumiError(
            f"cloud {cloud.id}: its quotas are the plan's demand and {cloud.headroom_percent} % more, and no plan is accepted; name a plan: "
            "`kasumi plan --offline -o FILE` needs no project"
        )
    return tuple(_tenant(estate, cloud, ministry, plan) for ministry in sorted(cloud.ministries))


def differences_of(tenant: Tenant, found: FoundTenant, recorded: Mapping[str, str]) -> tuple[TenantDifference, ...]:
    """What is to be done so that a tenant is as wanted; `recorded`: Keystone's ids on record by our names."""
    return tuple(_differences(tenant, found, recorded))


def _tenant(estate: Estate, cloud: CloudPolicy, ministry: str, plan: Plan | None) -> Tenant:
    name = f"kasumi-{estate.id}-{ministry}"
    own_domain = cloud.tenancy is Tenancy.DOMAIN
    return Tenant(
        ministry=ministry,
        uuid=machine_uuid(estate.id, f"{cloud.id}/{ministry}"),  # no machine's id holds a stroke
        domain_uuid=machine_uuid(estate.id, f"{cloud.id}/{ministry}/domain") if own_domain else "",
        name=name,
        domain=name if own_domain else cloud.domain,
        login=cloud.ministries[ministry],
        quotas=tuple(_quotas(estate, cloud, cloud.ministries[ministry], plan)),
    )


def _quotas(estate: Estate, cloud: CloudPolicy, login: str, plan: Plan | None) -> Iterator[WantedQuota]:
    pools = dict(_pools(estate.hosts.values(), login))
    hosts = [estate.hosts[host] for host in pools]
    if cloud.headroom_percent is None or plan is None:
        size = total([host.capacity for host in hosts])
        machines = size.vcpus  # each has one at least
    else:
        asked = [machine.size for machine in plan.machines if machine.host in pools]
        asked += [held.size for held in plan.reservations if held.host in pools]
        more = 100 + cloud.headroom_percent
        needed = total(asked)
        size = Resources(
            vcpus=_share(needed.vcpus, more), memory_mib=_share(needed.memory_mib, more), disk_gib=_share(needed.disk_gib, more)
        )
        machines = _share(len(asked), more)
    yield WantedQuota(service="compute", name="cores", amount=size.vcpus)
    yield WantedQuota(service="compute", name="ram", amount=size.memory_mib)
    yield WantedQuota(service="compute", name="instances", amount=machines)
    if any(pool.boot is BootPolicy.VOLUME for pool in pools.values()):
        yield WantedQuota(service="block_storage", name="gigabytes", amount=size.disk_gib)
        yield WantedQuota(service="block_storage", name="volumes", amount=machines)
    yield from _enough("compute", server_groups=machines, server_group_members=machines)
    ours = {network for host in hosts for network, there in host.networks.items() if not there}
    carried = {network for host in hosts for network in host.networks}
    yield from _enough(
        "network",
        network=len(ours),
        subnet=len(ours),
        port=machines + len(ours),  # that of a router
        router=len({pool.router for pool in pools.values() if pool.router}),
        security_group=1 + len(carried) + machines,  # Neutron makes one by itself
        security_group_rule=4 + _RULES_OF_A_ZONE * len(carried) + _RULES_OF_A_MACHINE * machines,
    )


def _enough(service: str, **amounts: int) -> Iterator[WantedQuota]:
    for name, amount in amounts.items():
        if amount:
            yield WantedQuota(service=service, name=name, amount=amount, at_least=True)


def _pools(hosts: Iterable[Host], login: str) -> Iterator[tuple[str, CloudPool]]:
    for host in hosts:
        if is_cloud(host.uri):
            pool = cloud_pool(host.uri)
            if pool.cloud == login:
                yield host.id, pool


def _share(amount: int, percent: int) -> int:
    """Rounded up: room for a part of a machine is room for none."""
    return -(-amount * percent // 100)


def _differences(tenant: Tenant, found: FoundTenant, recorded: Mapping[str, str]) -> Iterator[TenantDifference]:
    def difference(what: str, wanted: str, there: str, step: Step) -> TenantDifference:
        return TenantDifference(ministry=tenant.ministry, what=what, wanted=wanted, found=there, step=step)

    for what, uuid, name, found_id in (
        ("domain", tenant.domain_uuid, tenant.domain, found.domain_id),
        ("project", tenant.uuid, tenant.name, found.project_id),
    ):
        known = recorded.get(uuid, "")
        if uuid and not found_id:
            yield difference(what, name, f"{known} is gone" if known else "none", Step.MAKE)
        elif uuid and found_id != known:
            yield difference(what, "its id on record", found_id, Step.RECORD)
    for quota in tenant.quotas:
        there = found.quotas.get((quota.service, quota.name))
        wanted = f"{quota.amount} or more" if quota.at_least else str(quota.amount)
        if there is None:
            yield difference(f"quota {quota.name}", wanted, "none", Step.SET)
        elif there.limit is None or there.limit > quota.amount:
            if not quota.at_least:
                below = there.used > quota.amount
                limit = "unlimited" if there.limit is None else str(there.limit)
                used = f", {there.used} used" if below else ""
                yield difference(f"quota {quota.name}", wanted, limit + used, Step.LEAVE if below else Step.SET)
        elif there.limit < quota.amount:
            yield difference(f"quota {quota.name}", wanted, str(there.limit), Step.SET)
    if not found.is_member:
        yield difference("role member", "given to our user", "not given", Step.GIVE)
