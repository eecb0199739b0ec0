"""Base images at Glance, found by content: one is used only when it is whole and its bytes were proved to be the planned ones.

Glance hashes what it stores; we hash what we send, once with Glance's algorithm and once with SHA-256. Both must be right before
the image gets its `kasumi_verified` property, without which it is never booted from. An upload that was cut leaves an image
without data: its place is filled, or it is removed when Glance itself still believes in the upload.
"""

import hashlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from controlplane.errors import KasumiError
from controlplane.model.plan import PlannedImage
from controlplane.providers.openstack_cloud import Cloud, Json

SHA256, VERIFIED = "kasumi_sha256", "kasumi_verified"
_CHUNK_BYTES = 1024 * 1024
_PATCH = "application/openstack-images-v2.1-json-patch"
_FORMATS = {"raw": "raw", "qcow2": "qcow2"}


def image_name(image: PlannedImage) -> str:
    """How it is called at Glance: by content, for people; we find it by its property."""
    return f"kasumi-{image.sha256[:16]}"


def ensure_image(cloud: Cloud, image: PlannedImage) -> str:
    """The id of the image, whole and verified. Raises KasumiError when its content is another, ApiError."""
    found = _of_content(cloud, image)
    whole = next((each for each in found if _is_whole(each)), None)
    if whole is not None:
        return str(whole["id"])
    stored = next((each for each in found if each["status"] == "active"), None)
    if stored is None:
        stored = _upload(cloud, image, found)
    return _verified(cloud, image, stored)


def whole_image(cloud: Cloud, image: PlannedImage) -> str:
    """The id of the image. Raises KasumiError when it is not there whole, ApiError."""
    whole = next((each for each in _of_content(cloud, image) if _is_whole(each)), None)
    if whole is None:
        raise KasumiError(f"image {image.id}: not on the host, or not whole; apply the plan again, which uploads it")
    return str(whole["id"])


def _of_content(cloud: Cloud, image: PlannedImage) -> list[Json]:
    """Images of our project that claim this content: a claim of others in a shared image counts for nothing."""
    return cloud.every("image", "/images", "images", owner=cloud.project_id, **{SHA256: image.sha256})


def _is_whole(found: Json) -> bool:
    return bool(found["status"] == "active" and found.get(VERIFIED) == found.get("os_hash_value") and found.get(VERIFIED))


def _upload(cloud: Cloud, image: PlannedImage, found: list[Json]) -> Json:
    """Into the place of an upload that was cut, where there is one."""
    empty = next((each for each in found if each["status"] == "queued"), None)
    for each in found:
        if each is not empty:
            cloud.delete("image", f"/images/{each['id']}")
    if empty is None:
        body = {
            "name": image_name(image),
            "disk_format": _FORMATS[image.format],
            "container_format": "bare",
            "visibility": "private",
            SHA256: image.sha256,
        }
        empty = cloud.post("image", "/images", body)
    with Path(image.file).open("rb") as stream:
        headers = {"Content-Type": "application/octet-stream"}
        cloud.call("image", "PUT", f"/images/{empty['id']}/file", headers=headers, data=_chunks(stream))
    return cloud.get("image", f"/images/{empty['id']}")


def _verified(cloud: Cloud, image: PlannedImage, stored: Json) -> str:
    """Hold what Glance stored against the file here; what is not the planned content is removed."""
    ours, theirs = hashlib.sha256(), hashlib.new(stored["os_hash_algo"])
    with Path(image.file).open("rb") as stream:
        for chunk in _chunks(stream):
            ours.update(chunk)
            theirs.update(chunk)
    where = f"/images/{stored['id']}"
    if ours.hexdigest() != image.sha256 or theirs.hexdigest() != stored["os_hash_value"]:
        cloud.delete("image", where)
        found = ours.hexdigest() if ours.hexdigest() != image.sha256 else "other bytes than were sent"
        raise KasumiError(
            f"image {image.id}: wanted SHA-256 {image.sha256}, found {found} after upload; "
            "see that the file is the one that the plan names, and plan again when it is newer"
        )
    patch = [{"op": "add", "path": f"/{VERIFIED}", "value": stored["os_hash_value"]}]
    cloud.call("image", "PATCH", where, json=patch, headers={"Content-Type": _PATCH})
    return str(stored["id"])


def _chunks(stream: BufferedReader) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk
