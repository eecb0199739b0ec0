"""Root disks at Cinder, where servers boot from volumes: one for each machine, made from its image, known by the mark in its metadata.

A volume outlives its server: one that is there is booted from again, with its data, and only removing the machine deletes it.
One whose making failed never held data and is made anew.
"""

import time
from collections.abc import Callable, Iterable

from controlplane.errors import KasumiError, RefusedError
from controlplane.providers.openstack_alone import make_alone
from controlplane.providers.openstack_cloud import Cloud, Json
from controlplane.providers.openstack_mark import ESTATE, MACHINE, UUID
from controlplane.providers.protocol import MachineRef

_LOOK_SECONDS = 0.5
_LONGEST_LOOK_SECONDS = 3.0
_CHANGE_SECONDS = 170.0
"""For a change that copies nothing; as long as for one of a server."""


def is_volume_backed(server: Json) -> bool:
    """True for a server that boots from a volume: Nova names no image then."""
    return not server.get("image")


def root_volume_of(server: Json, volumes: Iterable[Json]) -> Json | None:
    """The bootable volume at the server's first device, whoever made it."""
    attached = (
        (attachment["device"], volume)
        for volume in volumes
        for attachment in volume["attachments"]
        if attachment["server_id"] == server["id"] and volume["bootable"] == "true"
    )
    return min(attached, key=lambda pair: str(pair[0]), default=("", None))[1]


def root_volume(cloud: Cloud, server: Json) -> Json | None:
    """The volume that a server boots from. Raises ApiError."""
    attached = server["os-extended-volumes:volumes_attached"]
    volumes = (cloud.find("block_storage", f"/volumes/{each['id']}") for each in attached)
    return root_volume_of(server, [found["volume"] for found in volumes if found is not None])


def find_volume(cloud: Cloud, ref: MachineRef) -> Json | None:
    """The machine's root volume, or None. Raises RefusedError for two with its mark, or another mark with its uuid; ApiError."""
    found = _of_uuid(cloud, ref)
    if not found:
        return None
    ids = ", ".join(sorted(volume["id"] for volume in found))
    if len(found) > 1:
        raise RefusedError(
            f"machine {ref.machine} on {cloud.pool.uri}: wanted one volume with its mark, found {ids}; take the metadata off the copies"
        )
    if (found[0]["metadata"].get(ESTATE), found[0]["metadata"].get(MACHINE)) != (ref.estate, ref.machine):
        raise RefusedError(
            f"machine {ref.machine} on {cloud.pool.uri}: volume {ids} has our id but another mark; nothing was touched, clear it up by hand"
        )
    return found[0]


def ensure_volume(
    cloud: Cloud, ref: MachineRef, image: Callable[[], str], size_gib: int, *, patience_seconds: float = _CHANGE_SECONDS
) -> Json:
    """The root volume, whole and at least of this size; made from what `image` gives when there is none. Raises KasumiError, ApiError."""
    found = find_volume(cloud, ref)
    if found is not None and _never_was(found):
        delete_volume(cloud, ref, found)
        found = None
    if found is None:
        body = {
            "name": f"kasumi-{ref.machine}",
            "size": size_gib,
            "imageRef": image(),
            "metadata": {ESTATE: ref.estate, MACHINE: ref.machine, UUID: ref.uuid},
        }
        if cloud.pool.volume_type:
            body["volume_type"] = cloud.pool.volume_type
        found = make_alone(
            f"volume of machine {ref.machine} on {cloud.pool.uri}",
            lambda: dict(cloud.post("block_storage", "/volumes", {"volume": body})["volume"]),
            lambda: _of_uuid(cloud, ref),
            lambda volume: delete_volume(cloud, ref, volume),
        )
    volume = _settled(cloud, ref, found["id"], patience_seconds=patience_seconds)
    return grow(cloud, ref, volume, size_gib)


def refuse_other_content(cloud: Cloud, ref: MachineRef, volume: Json, image: str) -> None:
    """Raises RefusedError for a volume that Cinder says it made of another image. One of which it does not say is believed."""
    found = volume.get("volume_image_metadata", {}).get("image_id", image)
    if found != image:
        raise RefusedError(
            f"{_name(cloud, ref, volume['id'])}: wanted one made of image {image}, found it made of {found}, so with other data; take "
            "our metadata off it, or delete it by hand"
        )


def problem_of_left_volume(cloud: Cloud, ref: MachineRef) -> str:
    """What stands in the way of a machine without server: a volume that holds the data of another life of it. Raises as `find_volume`."""
    found = find_volume(cloud, ref)
    if found is None or _never_was(found):
        return ""
    return f"{_name(cloud, ref, found['id'])}: has its mark and data, but no server is there; take our metadata off it, or delete it by hand"


def grow(cloud: Cloud, ref: MachineRef, volume: Json, size_gib: int) -> Json:
    """Lengthen it to this size, in use or not; it never shrinks. Raises KasumiError when it keeps its size, ApiError."""
    if volume["size"] >= size_gib:
        return volume
    cloud.post("block_storage", f"/volumes/{volume['id']}/action", {"os-extend": {"new_size": size_gib}})
    return _settled(cloud, ref, volume["id"], wanted=lambda found: bool(found["size"] >= size_gib))


def delete_volume(cloud: Cloud, ref: MachineRef, volume: Json) -> None:
    """Delete it once nothing uses it, and see it gone. Raises KasumiError, ApiError."""
    where, deadline, asked = f"/volumes/{volume['id']}", time.monotonic() + _CHANGE_SECONDS, False
    while (found := cloud.find("block_storage", where)) is not None:
        status = found["volume"]["status"]
        if not asked and (status == "available" or status.startswith("error")):
            cloud.delete("block_storage", where)
            asked = True
        elif time.monotonic() > deadline or status == "error_deleting":
            raise KasumiError(
                f"{_name(cloud, ref, volume['id'])}: wanted to delete it, found it {status}{_why(cloud, volume['id'])}; look at it, "
                "then run again"
            )
        time.sleep(_LOOK_SECONDS)


def _settled(
    cloud: Cloud,
    ref: MachineRef,
    volume: str,
    *,
    wanted: Callable[[Json], bool] = lambda _: True,
    patience_seconds: float = _CHANGE_SECONDS,
) -> Json:
    deadline = time.monotonic() + patience_seconds
    pause = _LOOK_SECONDS
    while True:
        found: Json = cloud.get("block_storage", f"/volumes/{volume}")["volume"]
        status = found["status"]
        if status in {"available", "in-use"} and wanted(found):
            return found
        if status.startswith("error"):
            again = "the next run makes it anew" if _never_was(found) else "its data was left alone: bring it back by hand"
            raise KasumiError(f"{_name(cloud, ref, volume)}: is in {status}{_why(cloud, volume)}; {again}")
        if time.monotonic() > deadline:
            raise KasumiError(
                f"{_name(cloud, ref, volume)}: {status} after {patience_seconds:.0f} s; look at the cloud, then run again"
            )
        time.sleep(pause)
        pause = min(pause * 1.3, _LONGEST_LOOK_SECONDS)


def _of_uuid(cloud: Cloud, ref: MachineRef) -> list[Json]:
    """Volumes with the machine's uuid, whoever made them."""
    found = cloud.every("block_storage", "/volumes/detail", "volumes", metadata=str({UUID: ref.uuid}))
    return [volume for volume in found if volume["metadata"].get(UUID) == ref.uuid]


def _never_was(volume: Json) -> bool:
    """True for one whose making failed: it held no bootable disk at any time."""
    return bool(volume["status"] == "error" and volume["bootable"] != "true" and not volume["attachments"])


def _name(cloud: Cloud, ref: MachineRef, volume: str) -> str:
    return f"machine {ref.machine} on {cloud.pool.uri}: volume {volume}"


def _why(cloud: Cloud, volume: str) -> str:
    """What Cinder tells its users of a failure; it does not always tell."""
    told = cloud.every("block_storage", "/messages", "messages", resource_uuid=volume)
    return f" ({told[0]['user_message']})" if told else ""
