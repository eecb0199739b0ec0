"""A project of a cloud as its ledger: every server with what tells its size, disks, cards and image, in a constant number of listings.

Only lists; nothing is asked for one server alone, and nothing is made or changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from keystoneauth1.exceptions import EndpointNotFound
from openstack.exceptions import ServiceDisabledException

from controlplane.providers.openstack_cloud import Cloud, Json
from controlplane.providers.openstack_faults import ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What the listings hold, as the services gave it. A service that the cloud does not have lists nothing."""

    servers: Sequence[Json]
    volumes: Sequence[Json] = ()
    images: Sequence[Json] = ()
    ports: Sequence[Json] = ()
    refused: dict[str, str] = field(default_factory=dict, hash=False)
    """Listings that our credentials may not ask for, and what was said."""


def list_project(cloud: Cloud) -> Project:
    """List a project. Raises RefusedError, UnreachableError, KasumiError for servers that cannot be listed or a service that fails."""
    with cloud.errors("servers"):
        refused: dict[str, str] = {}

        def others(service: str, path: str, key: str, **query: object) -> list[Json]:
            try:
                return cloud.every(service, path, key, **query)
            except (EndpointNotFound, ServiceDisabledException):
                return []
            except ApiError as error:
                if error.status != 403:
                    raise
                refused[key] = str(error)
                return []

        return Project(
            servers=cloud.every("compute", "/servers/detail", "servers"),
            volumes=others("block_storage", "/volumes/detail", "volumes"),
            # Servers that are old were made from images that are hidden by now; those are listed on request alone.
            images=others("image", "/images", "images") + others("image", "/images", "images", os_hidden="true"),
            ports=others("network", "/ports", "ports", project_id=cloud.project_id, fields=("id", "device_id", "mac_address")),
            refused=refused,
        )
