"""The flavor for a planned size: the exact one, one made for it where policy and rights allow, else the nearest that covers it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from controlplane.errors import RefusedError
from controlplane.model.cloud import FlavorPolicy
from controlplane.model.resources import Resources
from controlplane.providers.openstack_cloud import Cloud, Json
from controlplane.providers.openstack_faults import ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """One flavor. `special`: it asks the scheduler for more than a size (pinned CPUs, a GPU, a trait), or is somebody's own."""

    id: str
    name: str
    size: Resources
    special: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The flavor taken, and what a person should know about it; empty when it is exact."""

    flavor: Flavor
    note: str = ""


def flavor_of(found: Json) -> Flavor:
    """One flavor as Nova lists it."""
    return Flavor(
        id=found["id"],
        name=found["name"],
        size=Resources(vcpus=found["vcpus"], memory_mib=found["ram"], disk_gib=found["disk"]),
        special=bool(found.get("extra_specs") or found.get("OS-FLV-EXT-DATA:ephemeral") or found.get("OS-FLV-DISABLED:disabled")),
    )


def exact(flavors: Iterable[Flavor], size: Resources) -> Flavor | None:
    """The plain flavor of exactly this size; of several the first by name."""
    return min((f for f in flavors if f.size == size and not f.special), key=lambda f: (f.name, f.id), default=None)


def nearest(flavors: Iterable[Flavor], size: Resources) -> Flavor | None:
    """The plain flavor that covers the size and wastes least: memory first, as it is what runs out, then vCPUs, then disk."""
    covering = [f for f in flavors if size.fits_in(f.size) and not f.special]
    return min(covering, key=lambda f: (f.size.memory_mib, f.size.vcpus, f.size.disk_gib, f.name, f.id), default=None)


def choose_flavor(cloud: Cloud, size: Resources, *, on_volume: bool) -> Choice:
    """The flavor for this size. Raises RefusedError when there is none that the policy allows, ApiError.

    `on_volume`: the root disk is a volume, so that the disk of a flavor counts for nothing.
    """
    flavors = [flavor_of(each) for each in cloud.every("compute", "/flavors/detail", "flavors")]
    if on_volume:
        flavors = [replace(flavor, size=replace(flavor.size, disk_gib=0)) for flavor in flavors]
        size = replace(size, disk_gib=0)
    found = exact(flavors, size)
    if found is not None:
        return Choice(flavor=found)
    why = ""
    if cloud.pool.flavors is FlavorPolicy.MAKE:
        try:
            return Choice(flavor=_make(cloud, size))
        except ApiError as error:
            if error.status != 403:
                raise
            why = ", as our credentials may not make one"
    covering = nearest(flavors, size) if cloud.pool.flavors is not FlavorPolicy.EXACT else None
    if covering is None:
        raise RefusedError(
            f"{cloud.pool.uri}: wanted a flavor of {_words(size)}, found none{' that covers it' if why or flavors else ''}{why}; "
            "have one made, allow the nearest (flavors=nearest), or plan another size"
        )
    return Choice(
        flavor=covering, note=f"flavor {covering.name} of {_words(covering.size)} taken for {_words(size)}: no exact one{why}"
    )


def _make(cloud: Cloud, size: Resources) -> Flavor:
    name = f"kasumi-{size.vcpus}c-{size.memory_mib}m-{size.disk_gib}g"
    body = {"name": name, "id": name, "vcpus": size.vcpus, "ram": size.memory_mib, "disk": size.disk_gib}
    try:
        return flavor_of(cloud.post("compute", "/flavors", {"flavor": body})["flavor"])
    except ApiError as error:
        if error.status != 409:
            raise
    return flavor_of(cloud.get("compute", f"/flavors/{name}")["flavor"])  # another thread, or somebody with our rules, was first


def _words(size: Resources) -> str:
    disk = f", {size.disk_gib} GiB" if size.disk_gib else ""
    return f"{size.vcpus} vCPU, {size.memory_mib} MiB{disk}"
