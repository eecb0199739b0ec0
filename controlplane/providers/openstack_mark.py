"""Our mark on things of a cloud: metadata and a tag on servers, the description of everything at Neutron, all given at creation.

The mark is no identity by itself: a server can be copied with its metadata. It counts only together with the id that Nova gave
the server and that is on record, and two servers with the same mark are refused, whoever made them.
"""

from collections.abc import Mapping
from typing import Any

from controlplane.model.cloud import CloudPool
from controlplane.model.observed import Mark
from controlplane.model.plan import PlannedMachine
from controlplane.model.resources import Resources

ESTATE, MACHINE, UUID, PLAN = "kasumi_estate", "kasumi_machine", "kasumi_uuid", "kasumi_plan"
AUTOSTART = "kasumi_autostart"
ZONE = "kasumi_zone"
"""The zone it was asked for: a server that no hypervisor took has none of its own."""
AGGREGATE = "kasumi_aggregate"
"""The properties of the aggregate that it was made for; without it in one that was made for any hypervisor."""
ADOPTED = "kasumi_adopted"
"""On a server that stood there before us."""
MADE_FOR = "kasumi_made_for"
"""`VCPUS/MIB/GIB/FLAVOR`: the size that was asked for and the flavor that was taken for it."""


def metadata(machine: PlannedMachine, pool: CloudPool, *, estate: str, plan: str, flavor: str) -> dict[str, str]:
    """What a server of ours carries."""
    return {
        ESTATE: estate,
        MACHINE: machine.id,
        UUID: machine.uuid,
        PLAN: plan,
        AUTOSTART: "on" if machine.autostart else "off",
        ZONE: pool.zone,
        MADE_FOR: made_for_text(machine.size, flavor),
        **aggregate_note(pool),
    }


def aggregate_note(pool: CloudPool) -> dict[str, str]:
    """What a server of ours carries where its pool is an aggregate."""
    return {AGGREGATE: ",".join(pool.aggregate)} if pool.aggregate else {}


def made_for_text(size: Resources, flavor: str) -> str:
    """How the size asked for and the flavor taken for it are noted."""
    return f"{size.vcpus}/{size.memory_mib}/{size.disk_gib}/{flavor}"


def mark_of(found: Mapping[str, str]) -> Mark | None:
    """The mark, when it is whole."""
    if not (found.get(ESTATE) and found.get(MACHINE) and found.get(UUID)):
        return None
    return Mark(estate=found[ESTATE], machine=found[MACHINE], plan=found.get(PLAN, ""), adopted=ADOPTED in found)


def made_for(found: Mapping[str, str], flavor: str) -> Resources | None:
    """The size asked for, when the server still has the flavor taken for it."""
    vcpus, _, rest = found.get(MADE_FOR, "").partition("/")
    memory, _, rest = rest.partition("/")
    disk, _, taken = rest.partition("/")
    if taken != flavor or not (vcpus.isdecimal() and memory.isdecimal() and disk.isdecimal()):
        return None
    return Resources(vcpus=int(vcpus), memory_mib=int(memory), disk_gib=int(disk))


def tag(uuid: str) -> str:
    """The tag by which Nova finds a server of ours, whatever its name is now."""
    return f"kasumi-{uuid}"


def estate_mark(estate: str) -> str:
    """The description of what all machines of an estate share: networks, subnets, security groups."""
    return f"kasumi estate {estate}"


def ministry_mark(estate: str, ministry: str) -> str:
    """The description of a ministry's project or domain."""
    return f"kasumi ministry {estate}/{ministry}"


def machine_mark(estate: str, machine: str, uuid: str) -> str:
    """The description of what belongs to one machine: its ports."""
    return f"kasumi machine {estate}/{machine} {uuid}"


def is_marked(thing: Mapping[str, Any], mark: str) -> bool:
    """True for something at Neutron or Keystone that bears this mark."""
    return bool(thing.get("description") == mark)
