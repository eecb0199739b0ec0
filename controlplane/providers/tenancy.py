"""What making ministries' projects asks of a cloud: look, make, set, give. There is no call that deletes, renames or takes away."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from controlplane.model.tenancy import FoundTenant, Tenant, WantedQuota


class TenancyHost(Protocol):
    """A cloud as its administrator. Every call raises KasumiError, RefusedError or UnreachableError."""

    def look(self, tenant: Tenant, recorded: Mapping[str, str]) -> FoundTenant:
        """What is there, by ids on record and our mark. Raises RefusedError for what is not ours and stands in the way."""

    def make_domain(self, tenant: Tenant) -> str:
        """Make the ministry's domain; returns its id."""

    def make_project(self, tenant: Tenant, domain_id: str) -> str:
        """Make the ministry's project; returns its id."""

    def set_quotas(self, tenant: Tenant, project_id: str, quotas: Iterable[WantedQuota]) -> None:
        """Set these quotas and no others."""

    def give_role(self, tenant: Tenant, project_id: str) -> None:
        """Let our member make machines there."""

    def login(self, tenant: Tenant, project_id: str) -> dict[str, object]:
        """What clouds.yaml should say for the project, without its secret."""

    def close(self) -> None:
        """Drop the connection."""
