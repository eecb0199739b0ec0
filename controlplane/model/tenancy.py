"""Which project of a cloud the machines of each ministry live in, and how far it may grow: declared, wanted and found.

Written by `inventory` (the policy), `planning` (what follows from it) and `providers` (what is there); carried out by `execution`.
"""

from dataclasses import dataclass, field
from enum import StrEnum

DEFAULT_DOMAIN = "Default"
"""The domain that every cloud has."""


class Tenancy(StrEnum):
    """Where a cloud keeps a ministry apart."""

    PROJECT = "project"
    """One project for each ministry, all in one domain."""
    DOMAIN = "domain"
    """One domain for each ministry, with one project in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudPolicy:
    """One of the inventory's clouds. `administrator` and the values of `ministries` are entries of clouds.yaml.

    `member`: the user of `member_domain` who makes machines, with the role `member` in every project. `domain`: of the projects,
    where they share one. `headroom_percent`: a quota is the plan's demand and so much more; None: the capacity of the hosts.
    """

    id: str
    administrator: str
    member: str
    member_domain: str
    tenancy: Tenancy
    domain: str
    headroom_percent: int | None
    ministries: dict[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedQuota:
    """One quota in the cloud's own name and unit. `at_least`: a larger one stays; it only has to be enough."""

    service: str
    name: str
    amount: int
    at_least: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """The project wanted for one ministry. `uuid` and `domain_uuid` are our own names for the ids that Keystone gives.

    `login`: the entry of clouds.yaml with which its machines are made. `domain_uuid` is empty where the domain is not ours.
    """

    ministry: str
    uuid: str
    domain_uuid: str
    name: str
    domain: str
    login: str
    quotas: tuple[WantedQuota, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundQuota:
    """One quota as it is. `limit` None: unlimited."""

    limit: int | None
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTenant:
    """What is there of a tenant: empty ids are not. `quotas` by service and name."""

    domain_id: str = ""
    project_id: str = ""
    is_member: bool = False
    quotas: dict[tuple[str, str], FoundQuota] = field(default_factory=dict, hash=False)


class Step(StrEnum):
    """What is done about one difference."""

    MAKE = "make"
    RECORD = "record"
    """It bears our mark, but its id is not on record: the run that made it was cut off."""
    SET = "set"
    GIVE = "give"
    LEAVE = "leave"
    """Nothing: the quota would be below what is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantDifference:
    """One way in which a tenant is not as wanted."""

    ministry: str
    what: str
    wanted: str
    found: str
    step: Step
