"""A ministry's project at Keystone, its quotas at Nova, Cinder and Neutron, and our member's role in it.

With an administrator's credentials, which nothing else here needs. A project is ours by the id on record and our mark in its description,
both; one that bears the mark while nothing is on record was made by a run that was cut off. One of our name without our mark is
somebody else's: nothing is done to it, whatever it is called.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.tenancy import CloudPolicy, FoundQuota, FoundTenant, Tenant, WantedQuota
from controlplane.providers.openstack_cloud import Cloud, Json
from controlplane.providers.openstack_mark import is_marked, ministry_mark, tag

_ROLE = "member"


class OpenStackTenancy:
    """Implements TenancyHost over an administrator's line."""

    def __init__(self, cloud: Cloud, policy: CloudPolicy, *, estate: str) -> None:
        self._cloud = cloud
        self._policy = policy
        self._estate = estate

    def close(self) -> None:
        """Drop the connection."""
        self._cloud.close()

    def look(self, tenant: Tenant, recorded: Mapping[str, str]) -> FoundTenant:
        """What is there. Raises RefusedError for what is not ours or stands in the way, KasumiError for what others have to make."""
        with self._cloud.errors(f"project of {tenant.ministry}"):
            role, user = self._role(), self._member()
            domain = self._domain(tenant, recorded)
            project = self._project(tenant, recorded, domain) if domain else None
            if project is None:
                return FoundTenant(domain_id=domain)
            return FoundTenant(
                domain_id=domain,
                project_id=project["id"],
                is_member=self._cloud.find("identity", _grant(project["id"], user, role)) is not None,
                quotas=self._quotas(project["id"], {quota.service for quota in tenant.quotas}),
            )

    def make_domain(self, tenant: Tenant) -> str:
        """Make the ministry's domain; returns its id."""
        with self._cloud.errors(f"domain of {tenant.ministry}"):
            body = {"name": tenant.domain, "description": self._mark(tenant)}
            return str(self._cloud.post("identity", "/domains", {"domain": body})["domain"]["id"])

    def make_project(self, tenant: Tenant, domain_id: str) -> str:
        """Make the ministry's project; returns its id."""
        with self._cloud.errors(f"project of {tenant.ministry}"):
            body = {
                "name": tenant.name,
                "domain_id": domain_id,
                "description": self._mark(tenant),
                "tags": [tag(tenant.uuid)],
            }
            return str(self._cloud.post("identity", "/projects", {"project": body})["project"]["id"])

    def set_quotas(self, tenant: Tenant, project_id: str, quotas: Iterable[WantedQuota]) -> None:
        """Set these, one request for each service."""
        amounts: dict[str, dict[str, int]] = {}
        for quota in quotas:
            amounts.setdefault(quota.service, {})[quota.name] = quota.amount
        with self._cloud.errors(f"quotas of {tenant.ministry}"):
            for service, named in amounts.items():
                if service == "network":
                    self._cloud.put(service, f"/quotas/{project_id}", {"quota": named})
                else:
                    self._cloud.put(service, f"/os-quota-sets/{project_id}", {"quota_set": named})

    def give_role(self, tenant: Tenant, project_id: str) -> None:
        """Let our member make machines there."""
        with self._cloud.errors(f"role of {tenant.ministry}"):
            self._cloud.call("identity", "PUT", _grant(project_id, self._member(), self._role()))

    def login(self, tenant: Tenant, project_id: str) -> dict[str, object]:
        """What clouds.yaml should say for the project, but for the password, which nobody tells us."""
        auth_url, region = self._cloud.found_at()
        auth = {
            "auth_url": auth_url,
            "username": self._policy.member,
            "user_domain_name": self._policy.member_domain,
            "project_id": project_id,
        }
        return {"auth_type": "password", "auth": auth, **({"region_name": region} if region else {})}

    def _mark(self, tenant: Tenant) -> str:
        return ministry_mark(self._estate, tenant.ministry)

    def _domain(self, tenant: Tenant, recorded: Mapping[str, str]) -> str:
        """Its id; empty for one of ours that is still to be made."""
        named = self._cloud.get("identity", "/domains", name=tenant.domain)["domains"]
        if not tenant.domain_uuid:
            if not named:
                raise KasumiError(
                    f"cloud {self._policy.id}: wanted domain {tenant.domain} for the projects of ministries, found none of this name; "
                    f"`openstack domain create {tenant.domain}`, or name another in kasumi_clouds"
                )
            return str(named[0]["id"])
        found = self._on_record("domain", tenant, recorded.get(tenant.domain_uuid, ""))
        return str(self._ours("domain", tenant, found, named, ()) or "")

    def _project(self, tenant: Tenant, recorded: Mapping[str, str], domain: str) -> Json | None:
        found = self._on_record("project", tenant, recorded.get(tenant.uuid, ""))
        tagged = self._cloud.get("identity", "/projects", tags=tag(tenant.uuid))["projects"] if found is None else ()
        named = self._cloud.get("identity", "/projects", name=tenant.name, domain_id=domain)["projects"] if found is None else ()
        ours = self._ours("project", tenant, found, named, tagged)
        return {"id": ours} if ours else None

    def _on_record(self, kind: str, tenant: Tenant, known: str) -> Json | None:
        """The one whose id is on record, while it is there. Raises RefusedError when somebody took our mark off."""
        found = self._cloud.find("identity", f"/{kind}s/{known}") if known else None
        if found is None:
            return None
        thing: Json = found[kind]
        if not is_marked(thing, self._mark(tenant)):
            raise RefusedError(
                f"{kind} {thing['name']} ({known}) on {self._cloud.pool.uri}: it is on record as that of {tenant.ministry}, but its "
                f"description is not {self._mark(tenant)!r}; it is left alone: put the description back if it is ours"
            )
        return thing

    def _ours(self, kind: str, tenant: Tenant, found: Json | None, named: Iterable[Json], tagged: Iterable[Json]) -> str | None:
        """The id of the one on record, or of the only one with our mark. Raises RefusedError for anything else in the way."""
        if found is None:
            mark = self._mark(tenant)
            marked = {thing["id"]: thing for thing in (*named, *tagged) if is_marked(thing, mark)}
            if len(marked) > 1:
                raise RefusedError(
                    f"{kind} of {tenant.ministry} on {self._cloud.pool.uri}: {len(marked)} bear our mark ({', '.join(sorted(marked))}) "
                    "and none is on record; take it off all but the right one"
                )
            other = next((thing for thing in named if not is_marked(thing, mark)), None)
            if not marked and other is not None:
                raise RefusedError(
                    f"{kind} {other['name']} ({other['id']}) on {self._cloud.pool.uri}: it has the name of the one for {tenant.ministry}, but "
                    "not our mark: it is somebody else's and left alone; rename it, or let another estate have this name"
                )
            found = next(iter(marked.values()), None)
        if found is not None and not found["enabled"]:
            raise RefusedError(
                f"{kind} {found['name']} ({found['id']}) on {self._cloud.pool.uri}: somebody disabled it; it is left so: "
                f"`openstack {kind} set --enable {found['id']}` when the reason is gone"
            )
        return str(found["id"]) if found is not None else None

    def _role(self) -> str:
        roles = self._cloud.get("identity", "/roles", name=_ROLE)["roles"]
        if not roles:
            raise KasumiError(f"cloud {self._policy.id}: wanted the role {_ROLE}, found none; `openstack role create {_ROLE}`")
        return str(roles[0]["id"])

    def _member(self) -> str:
        policy = self._policy
        domains = self._cloud.get("identity", "/domains", name=policy.member_domain)["domains"]
        found = [
            user
            for domain in domains
            for user in self._cloud.get("identity", "/users", name=policy.member, domain_id=domain["id"])["users"]
        ]
        if not found:
            raise KasumiError(
                f"cloud {policy.id}: wanted user {policy.member} of domain {policy.member_domain}, found none; it is yours to make, as "
                f"kasumi keeps no password: `openstack user create --domain {policy.member_domain} --password-prompt {policy.member}`"
            )
        return str(found[0]["id"])

    def _quotas(self, project: str, services: Iterable[str]) -> dict[tuple[str, str], FoundQuota]:
        found: dict[tuple[str, str], FoundQuota] = {}
        for service in sorted(services):
            for name, value in self._told(service, project).items():
                if isinstance(value, dict):
                    used = value.get("in_use", value.get("used", 0)) + value.get("reserved", 0)
                    limit = value["limit"] if value["limit"] >= 0 else None
                    found[service, name] = FoundQuota(limit=limit, used=used)
        return found

    def _told(self, service: str, project: str) -> dict[str, Any]:
        """Each in its own way tells what is used beside the limit."""
        if service == "network":
            return dict(self._cloud.get(service, f"/quotas/{project}/details")["quota"])
        if service == "block_storage":
            return dict(self._cloud.get(service, f"/os-quota-sets/{project}", usage="true")["quota_set"])
        return dict(self._cloud.get(service, f"/os-quota-sets/{project}/detail")["quota_set"])


def project_of(cloud: Cloud, what: str) -> str:
    """The project that an entry of clouds.yaml leads to. Raises KasumiError, UnreachableError."""
    with cloud.errors(what):
        return cloud.project_id


def _grant(project: str, user: str, role: str) -> str:
    return f"/projects/{project}/users/{user}/roles/{role}"
