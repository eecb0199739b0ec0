"""Requests made of the services of clouds, added up over looks so that they only grow; and the samples of pools of clouds. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controlplane.model.cloud import cloud_pool, is_cloud
from controlplane.model.observed import ApiUse, HostObservation
from controlplane.model.tenancy import CloudPolicy
from controlplane.reporting.samples import Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudUse:
    """Requests since the watch began, by host and service."""

    by_service: Mapping[tuple[str, str], ApiUse] = field(default_factory=dict, hash=False)

    def after(self, seen: HostObservation) -> "CloudUse":
        """With one more look at one host."""
        whole = dict(self.by_service)
        for use in seen.api_use:
            before = whole.get((seen.host, use.service), ApiUse(service=use.service, requests=0, failures=0, seconds=0.0))
            whole[seen.host, use.service] = ApiUse(
                service=use.service,
                requests=before.requests + use.requests,
                failures=before.failures + use.failures,
                seconds=before.seconds + use.seconds,
            )
        return CloudUse(by_service=whole)


def ministries_of_projects(uris: Mapping[str, str], clouds: Iterable[CloudPolicy]) -> dict[str, str]:
    """The ministry in whose project each host stands, of hosts in such projects; `uris` by host."""
    owners = {login: ministry for cloud in clouds for ministry, login in cloud.ministries.items()}
    logins = {host: cloud_pool(uri).cloud for host, uri in uris.items() if is_cloud(uri)}
    return {host: owners[login] for host, login in logins.items() if login in owners}


def put_cloud_samples(samples: Samples, host: str, good: HostObservation | None, use: CloudUse) -> None:
    """Quotas as last seen, requests as counted; nothing for a host that is no cloud."""
    for quota in good.quotas if good is not None else ():
        samples.put("quota_limit", quota.limit, host, quota.name)
        samples.put("quota_used", quota.used, host, quota.name)
    for (where, service), made in sorted(use.by_service.items()):
        if where == host:
            samples.put("cloud_requests", made.requests, host, service)
            samples.put("cloud_request_failures", made.failures, host, service)
            samples.put("cloud_request_seconds", made.seconds, host, service)
