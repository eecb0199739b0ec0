"""Server groups: replicas of one group stand on different hypervisors, what is kept together on one, also inside one pool."""

from enum import StrEnum

from controlplane.errors import RefusedError
from controlplane.providers.openstack_alone import make_alone
from controlplane.providers.openstack_cloud import Cloud, Json


class Affinity(StrEnum):
    """What Nova's scheduler is held to."""

    APART = "anti-affinity"
    TOGETHER = "affinity"


def ensure_server_group(cloud: Cloud, name: str, policy: Affinity) -> str:
    """The id of the group of this name; groups bear no mark, so another policy is refused. Raises ApiError."""

    def named() -> list[Json]:
        return [group for group in cloud.every("compute", "/os-server-groups", "server_groups") if group["name"] == name]

    found = named()
    if not found:
        body = {"name": name, **({"policy": policy} if _has_one_policy(cloud) else {"policies": [policy]})}
        made = make_alone(
            f"server group {name} on {cloud.pool.uri}",
            lambda: dict(cloud.post("compute", "/os-server-groups", {"server_group": body})["server_group"]),
            named,
            lambda group: cloud.delete("compute", f"/os-server-groups/{group['id']}"),
        )
        return str(made["id"])
    policies = {str(group.get("policy") or " ".join(group.get("policies", ()))) for group in found}
    if len(found) > 1 or policies != {policy}:
        raise RefusedError(
            f"server group {name} on {cloud.pool.uri}: wanted one with policy {policy}, found {len(found)} with "
            f"{', '.join(sorted(policies))}; rename or remove what is not ours"
        )
    return str(found[0]["id"])


def _has_one_policy(cloud: Cloud) -> bool:
    """From 2.64 on a group has one policy, before it had a list."""
    return tuple(map(int, cloud.nova_microversion.split("."))) >= (2, 64)
