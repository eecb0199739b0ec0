"""Server groups: replicas of one group stand on different hypervisors, also where one pool holds several of them."""

from controlplane.errors import RefusedError
from controlplane.providers.openstack_alone import make_alone
from controlplane.providers.openstack_cloud import Cloud, Json

_POLICY = "anti-affinity"


def ensure_server_group(cloud: Cloud, name: str) -> str:
    """The id of the anti-affinity group of this name; groups bear no mark, so another policy is refused. Raises ApiError."""

    def named() -> list[Json]:
        return [group for group in cloud.every("compute", "/os-server-groups", "server_groups") if group["name"] == name]

    found = named()
    if not found:
        body = {"name": name, **({"policy": _POLICY} if _has_one_policy(cloud) else {"policies": [_POLICY]})}
        made = make_alone(
            f"server group {name} on {cloud.pool.uri}",
            lambda: dict(cloud.post("compute", "/os-server-groups", {"server_group": body})["server_group"]),
            named,
            lambda group: cloud.delete("compute", f"/os-server-groups/{group['id']}"),
        )
        return str(made["id"])
    policies = {str(group.get("policy") or " ".join(group.get("policies", ()))) for group in found}
    if len(found) > 1 or policies != {_POLICY}:
        raise RefusedError(
            f"server group {name} on {cloud.pool.uri}: wanted one with policy {_POLICY}, found {len(found)} with "
            f"{', '.join(sorted(policies))}; rename or remove what is not ours"
        )
    return str(found[0]["id"])


def _has_one_policy(cloud: Cloud) -> bool:
    """From 2.64 on a group has one policy, before it had a list."""
    return tuple(map(int, cloud.nova_microversion.split("."))) >= (2, 64)
