"""Where a host that is a cloud's capacity pool is found: `openstack://CLOUD[/ZONE][?OPTION=VALUE&…]`.

CLOUD is an entry of `clouds.yaml`, which alone knows addresses and credentials; ZONE is an availability zone, all of them when
left out. Read by `inventory` (is it written well?) and by `providers` (open it).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl, unquote, urlsplit

SCHEME = "openstack"
_OPTIONS = frozenset({"project", "flavors", "boot", "volume_type", "router", "keypair", "aggregate"})
_PROPERTY = re.compile(r"[A-Za-z0-9_.-]+=[A-Za-z0-9_.-]+")
"""Of an aggregate; a flavor that we make bears it in its name, and Nova takes no other letters there."""


class FlavorPolicy(StrEnum):
    """What becomes of a machine for whose size the cloud has no flavor."""

    NEAREST = "nearest"
    """Take the smallest flavor that covers it, and say so."""
    MAKE = "make"
    """Make the flavor, which needs an administrator's rights; without them take the nearest, and say so."""
    EXACT = "exact"
    """Refuse."""


class BootPolicy(StrEnum):
    """What a server's root disk is."""

    IMAGE = "image"
    """A disk of its hypervisor, made from the image; it goes with the server."""
    VOLUME = "volume"
    """A volume of Cinder, made from the image; it outlives the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudPool:
    """One capacity pool: a cloud by its name in clouds.yaml, an availability zone ("": all), a project ("": as clouds.yaml says).

    `volume_type`: of root volumes; empty: the cloud's default. `router`: where the subnets that we make have their gateway; empty: nowhere.
    `keypair`: what servers made from an image get as their key; empty: none. `aggregate`: properties, each `KEY=VALUE`, of the host
    aggregate whose hypervisors alone carry its servers; empty: any hypervisor.
    """

    uri: str
    cloud: str
    zone: str = ""
    project: str = ""
    flavors: FlavorPolicy = FlavorPolicy.NEAREST
    boot: BootPolicy = BootPolicy.IMAGE
    volume_type: str = ""
    router: str = ""
    keypair: str = ""
    aggregate: tuple[str, ...] = ()


class CloudUriError(ValueError):
    """A URI that names no cloud well; `remedy` says what to write."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


def is_cloud(uri: str) -> bool:
    """True for a host that is a cloud's capacity pool."""
    return uri.partition(":")[0].strip().lower() == SCHEME


def cloud_pool(uri: str) -> CloudPool:
    """Read the URI. Raises CloudUriError."""
    try:
        parts = urlsplit(uri)
    except ValueError:  # a bracket that is never closed
        raise CloudUriError("is not a URI", "write openstack://CLOUD or openstack://CLOUD/ZONE") from None
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
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise CloudUriError(f"unknown option {unknown[0]!r}", f"options are {', '.join(sorted(_OPTIONS))}")
    policies: dict[str, type[StrEnum]] = {"flavors": FlavorPolicy, "boot": BootPolicy}
    for name, known in policies.items():
        if name in options and options[name] not in set(known):
            raise CloudUriError(f"unknown {name}={options[name]}", f"choose one of {', '.join(known)}")
    boot = BootPolicy(options.get("boot", BootPolicy.IMAGE))
    if options.get("volume_type") and boot is not BootPolicy.VOLUME:
        raise CloudUriError("names a volume_type, but its servers boot from images", "add boot=volume, or leave volume_type out")
    for name in ("router", "keypair"):
        if options.get(name) == "":
            raise CloudUriError(f"names an empty {name}", f"write {name}=NAME, or leave it out")
    return CloudPool(
        uri=uri,
        cloud=unquote(parts.netloc),
        zone=zone,
        project=options.get("project", ""),
        flavors=FlavorPolicy(options.get("flavors", FlavorPolicy.NEAREST)),
        boot=boot,
        volume_type=options.get("volume_type", ""),
        router=options.get("router", ""),
        keypair=options.get("keypair", ""),
        aggregate=_properties(options["aggregate"]) if "aggregate" in options else (),
    )


def _properties(text: str) -> tuple[str, ...]:
    found = text.split(",")
    if not all(map(_PROPERTY.fullmatch, found)) or len({each.partition("=")[0] for each in found}) < len(found):
        raise CloudUriError(
            f"names no properties of an aggregate: aggregate={text}",
            "write aggregate=KEY=VALUE, or several with commas between, as `openstack aggregate show` tells its properties",
        )
    return tuple(sorted(found))
