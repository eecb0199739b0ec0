"""What a cloud has before its first user comes: service users, catalogue, flavors, zones, one ordinary project; and clouds.yaml.

Everything is made through the APIs, as an operator would.
"""

import json
import time
from pathlib import Path
from typing import Any

import openstack
import yaml
from openstack.connection import Connection

from controlplane.errors import UnreachableError
from lab.keys import write
from lab.openstack import layout
from lab.openstack.configuration import Secrets

FLAVORS = {"m1.tiny": (1, 512, 1), "m1.small": (1, 2048, 20), "m1.medium": (2, 4096, 40), "m1.large": (4, 8192, 80)}
"""VCPUs, memory in MiB and disk in GiB, as many clouds have them."""
COMPUTES_SECONDS = 180


def connect(secrets: Secrets, *, user: str = "admin", project: str = "admin") -> Connection:
    """A connection with a password; the caller closes it."""
    password = secrets.admin if user == "admin" else secrets.member
    return openstack.connect(**_password_cloud(user, password, project), load_yaml_config=False, load_envvars=False)


def fill_identity(cloud: Connection, secrets: Secrets) -> None:
    """Service users, the catalogue, and the ordinary project with its member. May be repeated."""
    identity: Any = cloud.identity  # its type is that of version 2 or 3
    roles = {name: identity.find_role(name) or identity.create_role(name=name) for name in ("admin", "member", "service")}
    service = identity.find_project("service") or identity.create_project(name="service", domain_id="default")
    for name, kind in layout.CLOUD_TYPES.items():
        user = identity.find_user(name) or identity.create_user(name=name, password=secrets.service, domain_id="default")
        identity.assign_project_role_to_user(service, user, roles["admin"])
        identity.assign_project_role_to_user(service, user, roles["service"])
        entry = identity.find_service(name) or identity.create_service(name=name, type=kind)
        if not list(identity.endpoints(service_id=entry.id)):
            for interface in ("public", "internal", "admin"):
                identity.create_endpoint(service_id=entry.id, interface=interface, url=layout.url(name), region_id=layout.REGION)
    project = identity.find_project(layout.PROJECT) or identity.create_project(name=layout.PROJECT, domain_id="default")
    member = identity.find_user(layout.MEMBER) or identity.create_user(
        name=layout.MEMBER, password=secrets.member, domain_id="default"
    )
    identity.assign_project_role_to_user(project, member, roles["member"])


def fill_compute(cloud: Connection) -> None:
    """Flavors, and one aggregate that is an availability zone for each zone's hosts. May be repeated."""
    for name, (vcpus, memory_mib, disk_gib) in FLAVORS.items():
        if cloud.compute.find_flavor(name) is None:
            cloud.compute.create_flavor(name=name, vcpus=vcpus, ram=memory_mib, disk=disk_gib)
    for zone, hosts in layout.ZONES.items():
        aggregate = cloud.compute.find_aggregate(zone) or cloud.compute.create_aggregate(name=zone, availability_zone=zone)
        for host in set(hosts) - set(aggregate.hosts or ()):
            cloud.compute.add_host_to_aggregate(aggregate, host)


def fill_guests(cloud: Connection) -> None:
    """What leads a server to the hosts of real guests: a zone, and a flavor of a guest's size. May be repeated."""
    zone = cloud.compute.find_aggregate(layout.GUEST_ZONE) or cloud.compute.create_aggregate(
        name=layout.GUEST_ZONE, availability_zone=layout.GUEST_ZONE
    )
    for host in _guest_hosts() - set(zone.hosts or ()):
        cloud.compute.add_host_to_aggregate(zone, host)
    if cloud.compute.find_flavor(layout.GUEST_FLAVOR) is None:
        cloud.compute.create_flavor(name=layout.GUEST_FLAVOR, vcpus=1, ram=512, disk=4)


def await_computes(cloud: Connection, *, guests: bool = False) -> None:
    """Wait until Nova calls every compute host up, those of `guests` too. Raises UnreachableError with those that are not."""
    wanted = {host for hosts in layout.ZONES.values() for host in hosts} | (_guest_hosts() if guests else set())
    deadline = time.monotonic() + COMPUTES_SECONDS
    while missing := wanted - {found.host for found in cloud.compute.services(binary="nova-compute") if found.state == "up"}:
        if time.monotonic() > deadline:
            raise UnreachableError(
                f"lab openstack: wanted all compute hosts up, found {', '.join(sorted(missing))} down after {COMPUTES_SECONDS} s; "
                f"see {layout.log()}, then `kasumi lab up --openstack` again"
            )
        time.sleep(0.2)


def write_clouds(secrets: Secrets) -> None:
    """The clients' configuration: an administrator by password, a member by application credential. May be repeated."""
    credential = _application_credential(secrets)
    by_credential = {
        "auth_type": "v3applicationcredential",
        "auth": {"auth_url": layout.url("keystone")}
        | {f"application_credential_{key}": credential[key] for key in ("id", "secret")},
        "region_name": layout.REGION,
    }
    clouds = {layout.ADMIN_CLOUD: _password_cloud("admin", secrets.admin, "admin"), layout.MEMBER_CLOUD: by_credential}
    write(layout.clouds_yaml(), yaml.safe_dump({"clouds": clouds}, sort_keys=False), mode=0o600)


def _guest_hosts() -> set[str]:
    return {host.name for host in layout.GUEST_HOSTS}


def _password_cloud(user: str, password: str, project: str) -> dict[str, Any]:
    auth = {"auth_url": layout.url("keystone"), "username": user, "password": password, "project_name": project}
    auth |= {"user_domain_name": "Default", "project_domain_name": "Default"}
    return {"auth_type": "password", "auth": auth, "region_name": layout.REGION}


def _application_credential(secrets: Secrets) -> dict[str, str]:
    # Its secret is told once only, so it is kept beside the databases that know it.
    kept = _credential_file()
    if not kept.exists():
        with connect(secrets, user=layout.MEMBER, project=layout.PROJECT) as cloud:
            identity: Any = cloud.identity
            made = identity.create_application_credential(user=cloud.current_user_id, name="kasumi")
            write(kept, json.dumps({"id": made.id, "secret": made.secret}), mode=0o600)
    found: dict[str, str] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def _credential_file() -> Path:
    return layout.state() / "application-credential.json"
