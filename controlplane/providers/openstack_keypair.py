"""The keypair that new servers of a pool get: named in the inventory, made by a person, and only looked for here.

A server has it from its creation to its end, so there is nothing to adjust and nothing that could drift.
"""

from urllib.parse import quote

from controlplane.errors import KasumiError
from controlplane.providers.openstack_cloud import Cloud


def known_keypair(cloud: Cloud) -> str:
    """The name of the pool's keypair, seen to be there; empty where none is asked for. Raises KasumiError, ApiError."""
    name = cloud.pool.keypair
    if name and cloud.find("compute", f"/os-keypairs/{quote(name, safe='')}") is None:
        raise KasumiError(
            f"keypair {name} on {cloud.pool.uri}: wanted for new servers, found none of this name that belongs to the user of cloud "
            f"{cloud.pool.cloud}; `openstack --os-cloud {cloud.pool.cloud} keypair create --public-key FILE {name}`, or leave keypair "
            "out of the uri"
        )
    return name
