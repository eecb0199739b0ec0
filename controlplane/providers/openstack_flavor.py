"""The flavor for a planned size: the exact one, one made for it where policy and rights allow, else the nearest that covers it.

Nova leads a server to the hypervisors of a host aggregate by properties that its flavor asks for. So a pool that is an aggregate takes
flavors that ask for exactly its properties, and every other pool takes none that asks for any.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from controlplane.errors import RefusedError
from controlplane.model.cloud import CloudPool, FlavorPolicy
from controlplane.model.resources import Resources
from controlplane.providers.openstack_cloud import Cloud, Json
from controlplane.providers.openstack_faults import ApiError

AGGREGATE_SCOPE = "aggregate_instance_extra_specs:"
"""Before the name of a property that a flavor wants of an aggregate (Nova's AggregateInstanceExtraSpecsFilter)."""
_NOTHING: Mapping[str, str] = {}
_PUBLIC = "os-flavor-access:is_public"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """One flavor. `special`: it asks the scheduler for other than it should (pinned CPUs, a GPU, a trait), or is somebody's own."""

    id: str
    name: str
    size: Resources
    special: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The flavor taken, and what a person should know about it; empty when it is exact."""

    flavor: Flavor
    note: str = ""


def asked_of(pool: CloudPool) -> dict[str, str]:
    """What flavors of the pool ask the scheduler for, beside a size."""
    properties = (each.partition("=") for each in pool.aggregate)
    return {f"{AGGREGATE_SCOPE}{key}": value for key, _, value in properties}


def flavor_of(found: Json, asked: Mapping[str, str] = _NOTHING) -> Flavor:
    """One flavor as Nova lists it, for a pool whose flavors ask for this."""
    return Flavor(
        id=found["id"],
        name=found["name"],
        size=Resources(vcpus=found["vcpus"], memory_mib=found["ram"], disk_gib=found["disk"]),
        special=bool(
            (found.get("extra_specs") or {}) != asked
            or found.get("OS-FLV-EXT-DATA:ephemeral")
            or found.get("OS-FLV-DISABLED:disabled")
        ),
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
    asked = asked_of(cloud.pool)
    flavors = [flavor_of(each, asked) for each in cloud.every("compute", "/flavors/detail", "flavors")]
    if on_volume:
        flavors = [replace(flavor, size=replace(flavor.size, disk_gib=0)) for flavor in flavors]
        size = replace(size, disk_gib=0)
    found = exact(flavors, size)
    if found is not None:
        return Choice(flavor=found)
    why = ""
    if cloud.pool.flavors is FlavorPolicy.MAKE:
        try:
            return Choice(flavor=_make(cloud, size, asked))
        except ApiError as error:
            if error.status != 403:
                raise
            why = ", as our credentials may not make one"
    covering = nearest(flavors, size) if cloud.pool.flavors is not FlavorPolicy.EXACT else None
    if covering is None:
        raise RefusedError(
            f"{cloud.pool.uri}: wanted a flavor of {_words(size)}{_asking(asked)}, found none{' that covers it' if why or flavors else ''}"
            f"{why}; have one made, allow the nearest (flavors=nearest), or plan another size"
        )
    return Choice(
        flavor=covering, note=f"flavor {covering.name} of {_words(covering.size)} taken for {_words(size)}: no exact one{why}"
    )


def _make(cloud: Cloud, size: Resources, asked: Mapping[str, str]) -> Flavor:
    """Make it; one that asks for something is private, and let into our project last. Raises RefusedError for another of its name."""
    name = "-".join((f"kasumi-{size.vcpus}c-{size.memory_mib}m-{size.disk_gib}g", *cloud.pool.aggregate)).replace("=", "-")
    shape = {"vcpus": size.vcpus, "ram": size.memory_mib, "disk": size.disk_gib, _PUBLIC: not asked}
    where = f"/flavors/{name}"
    try:
        found = cloud.post("compute", "/flavors", {"flavor": {"name": name, "id": name, **shape}})["flavor"]
    except ApiError as error:
        if error.status != 409:
            raise
        # Another thread, or somebody with our rules, was first, or a run was cut off.
        found = cloud.get("compute", where)["flavor"]
    sound = flavor_of(found).size == size and found[_PUBLIC] is not bool(asked)
    if sound and asked and not found.get("extra_specs"):
        cloud.post("compute", f"{where}/os-extra_specs", {"extra_specs": dict(asked)})
        found = {**found, "extra_specs": dict(asked)}
    made = flavor_of(found, asked)
    if made.special or not sound:
        raise RefusedError(
            f"flavor {name} on {cloud.pool.uri}: wanted {_words(size)}{_asking(asked)}, found one of this name that is otherwise; it is not "
            "ours to change: rename or delete it"
        )
    if asked:
        try:
            cloud.post("compute", f"{where}/action", {"addTenantAccess": {"tenant": cloud.project_id}})
        except ApiError as error:
            if error.status != 409:  # our project is let in already
                raise
    return made


def _words(size: Resources) -> str:
    disk = f", {size.disk_gib} GiB" if size.disk_gib else ""
    return f"{size.vcpus} vCPU, {size.memory_mib} MiB{disk}"


def _asking(asked: Mapping[str, str]) -> str:
    """What a flavor asks for, as `openstack flavor show` tells its properties."""
    return "".join(f" with {key}={value}" for key, value in asked.items())
