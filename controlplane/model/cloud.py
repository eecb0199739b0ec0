"""Where a host that is a cloud's capacity pool is found: `openstack://CLOUD[/ZONE][?project=NAME&flavors=POLICY]`.

CLOUD is an entry of `clouds.yaml`, which alone knows addresses and credentials; ZONE is an availability zone, all of them when
left out. Read by `inventory` (is it written well?) and by `providers` (open it).
"""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl, unquote, urlsplit

SCHEME = "openstack"


class FlavorPolicy(StrEnum):
    """What becomes of a machine for whose size the cloud has no flavor."""

    NEAREST = "nearest"
    """Take the smallest flavor that covers it, and say so."""
    MAKE = "make"
    """Make the flavor, which needs an administrator's rights; without them take the nearest, and say so."""
    EXACT = "exact"
    """Refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudPool:
    """One capacity pool: a cloud by its name in clouds.yaml, an availability zone ("": all), a project ("": as clouds.yaml says)."""

    uri: str
    cloud: str
    zone: str = ""
    project: str = ""
    flavors: FlavorPolicy = FlavorPolicy.NEAREST


class CloudUriError(ValueError):
    """A URI that names no cloud well; `remedy` says what to write."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


def is_cloud(uri: str) -> bool:
    """True for a host that is a cloud's capacity pool."""
    return urlsplit(uri).scheme == SCHEME


def cloud_pool(uri: str) -> CloudPool:
    """Read the URI. Raises CloudUriError."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise CloudUriError("is no URI", "write openstack://CLOUD or openstack://CLOUD/ZONE") from None
    if parts.scheme != SCHEME or not parts.netloc:
        raise CloudUriError("names no cloud", "write openstack://CLOUD or openstack://CLOUD/ZONE")
    if "@" in parts.netloc or ":" in parts.netloc:
        raise CloudUriError(
            "holds a user, password or port", "keep those in clouds.yaml and secure.yaml, and name the cloud alone"
        )
    zone = unquote(parts.path.strip("/"))
    if "/" in zone or parts.fragment:
        raise CloudUriError(f"has more after the zone than is read: {parts.path}", "write openstack://CLOUD/ZONE")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(options) - {"project", "flavors"})
    if unknown:
        raise CloudUriError(f"unknown option {unknown[0]!r}", "options are project and flavors")
    policy = options.get("flavors", FlavorPolicy.NEAREST.value)
    if policy not in set(FlavorPolicy):
        raise CloudUriError(f"unknown flavors={policy}", f"choose one of {', '.join(FlavorPolicy)}")
    return CloudPool(
        uri=uri, cloud=unquote(parts.netloc), zone=zone, project=options.get("project", ""), flavors=FlavorPolicy(policy)
    )
