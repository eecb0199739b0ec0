"""Images at Glance, found by what they claim to hold: one is used only when it is whole and its bytes were proved to be the planned ones.

Glance hashes what it stores; we hash what we sent or what it gives back, once with Glance's algorithm and once with SHA-256. Both
must be right before the image gets its `kasumi_verified` property, without which it is never booted from. An upload cannot be
resumed: one that was cut leaves an image without data, whose place is filled, or which is removed when Glance itself still
believes in the upload.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from requests import RequestException

from controlplane.errors import KasumiError, UnreachableError
from controlplane.model.plan import PlannedImage
from controlplane.providers.openstack_cloud import Cloud, Json

SHA256, VERIFIED = "kasumi_sha256", "kasumi_verified"
CHUNK_BYTES = 1024 * 1024
_PATCH = "application/openstack-images-v2.1-json-patch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What one image is to hold. `claims` are the properties by which it is found; `proof`: where the bytes to be hashed come from."""

    what: str
    name: str
    file: Path
    disk_format: str
    sha256: str
    claims: Mapping[str, str]
    remedy: str
    proof: "Callable[[Cloud, Json], Iterable[bytes]] | None" = None
    """None: the file that was sent."""
    told: Callable[[int], None] = lambda _: None
    """Hears of every MiB that is sent, with the bytes sent so far."""


def image_name(image: PlannedImage) -> str:
    """How it is called at Glance: by content, for people; we find it by its property."""
    return f"kasumi-{image.sha256[:16]}"


def ensure_image(cloud: Cloud, image: PlannedImage) -> str:
    """The id of the image, whole and verified. Raises KasumiError when its content is another, ApiError."""
    return ensure_content(cloud, _content(image))


def whole_image(cloud: Cloud, image: PlannedImage) -> str:
    """The id of the image. Raises KasumiError when it is not there whole, ApiError."""
    whole = find_whole(cloud, _content(image).claims)
    if whole is None:
        raise KasumiError(f"image {image.id}: not on the host, or not whole; apply the plan again, which uploads it")
    return str(whole["id"])


def ensure_content(cloud: Cloud, content: Content) -> str:
    """The id of an image with this content, uploaded where there is none. Raises KasumiError, ApiError."""
    found = claiming(cloud, content.claims)
    whole = next((each for each in found if _is_whole(each)), None)
    if whole is not None:
        return str(whole["id"])
    stored = next((each for each in found if each["status"] == "active"), None)
    if stored is None:
        stored = _upload(cloud, content, found)
    return _verified(cloud, content, stored)


def find_whole(cloud: Cloud, claims: Mapping[str, str]) -> Json | None:
    """The image with these claims that was proved. Raises ApiError."""
    return next(iter(whole_ones(cloud, claims)), None)


def whole_ones(cloud: Cloud, claims: Mapping[str, str]) -> list[Json]:
    """All such images. Raises ApiError."""
    return [each for each in claiming(cloud, claims) if _is_whole(each)]


def claiming(cloud: Cloud, claims: Mapping[str, str]) -> list[Json]:
    """Images of our project with these claims: a claim of others in a shared image counts for nothing."""
    return cloud.every("image", "/images", "images", owner=cloud.project_id, **claims)


def set_property(cloud: Cloud, image: str, name: str, value: str) -> None:
    """Note something on an image. Raises ApiError."""
    patch = [{"op": "add", "path": f"/{name}", "value": value}]
    cloud.call("image", "PATCH", f"/images/{image}", json=patch, headers={"Content-Type": _PATCH})


def downloaded(cloud: Cloud, stored: Json) -> Iterator[bytes]:
    """What Glance gives back of an image. Raises UnreachableError when it breaks off, ApiError."""
    response = cloud.call("image", "GET", f"/images/{stored['id']}/file", stream=True)
    try:
        yield from response.iter_content(CHUNK_BYTES)
    except RequestException as error:
        raise UnreachableError(
            f"image {stored['id']} on {cloud.pool.uri}: its line broke while it was read back ({type(error).__name__}); run again"
        ) from None


def _content(image: PlannedImage) -> Content:
    return Content(
        what=f"image {image.id}",
        name=image_name(image),
        file=Path(image.file),
        disk_format=image.format,
        sha256=image.sha256,
        claims={SHA256: image.sha256},
        remedy="see that the file is the one that the plan names, and plan again when it is newer",
    )


def _is_whole(found: Json) -> bool:
    return bool(found["status"] == "active" and found.get(VERIFIED) == found.get("os_hash_value") and found.get(VERIFIED))


def _upload(cloud: Cloud, content: Content, found: list[Json]) -> Json:
    """Into the place of an upload that was cut, where there is one."""
    empty = next((each for each in found if each["status"] == "queued"), None)
    for each in found:
        if each is not empty:
            cloud.delete("image", f"/images/{each['id']}")
    if empty is None:
        body = {
            "name": content.name,
            "disk_format": content.disk_format,
            "container_format": "bare",
            "visibility": "private",
            **content.claims,
        }
        empty = cloud.post("image", "/images", body)
    headers = {"Content-Type": "application/octet-stream"}
    # Below us a request whose line broke is made again once; half a file would follow the other half then.
    cloud.call(
        "image",
        "PUT",
        f"/images/{empty['id']}/file",
        headers=headers,
        data=_Bytes(content.file, content.told),
        connect_retries=0,
    )
    return cloud.get("image", f"/images/{empty['id']}")


def _verified(cloud: Cloud, content: Content, stored: Json) -> str:
    """Hold what Glance stored against the planned content; what is not that is removed."""
    if stored.get("os_hash_algo") not in hashlib.algorithms_available or not stored.get("os_hash_value"):
        raise KasumiError(
            f"{content.what} on {cloud.pool.uri}: Glance tells no hash that can be checked of image {stored['id']}, found "
            f"{stored.get('os_hash_algo') or 'none'}; nothing is booted from it. Wanted is Glance of Rocky (2018) or newer"
        )
    ours, theirs = hashlib.sha256(), hashlib.new(stored["os_hash_algo"])
    for chunk in content.proof(cloud, stored) if content.proof is not None else _Bytes(content.file):
        ours.update(chunk)
        theirs.update(chunk)
    if ours.hexdigest() != content.sha256 or theirs.hexdigest() != stored["os_hash_value"]:
        cloud.delete("image", f"/images/{stored['id']}")
        found = ours.hexdigest() if ours.hexdigest() != content.sha256 else "other bytes than were sent"
        raise KasumiError(f"{content.what}: wanted SHA-256 {content.sha256}, found {found} after upload; {content.remedy}")
    set_property(cloud, stored["id"], VERIFIED, stored["os_hash_value"])
    return str(stored["id"])


class _Bytes:
    """A file's bytes, from the first one each time they are asked for: a request made again must not go on in the middle."""

    def __init__(self, file: Path, told: Callable[[int], None] = lambda _: None) -> None:
        self._file = file
        self._told = told

    def __iter__(self) -> Iterator[bytes]:
        with self._file.open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk
                self._told(stream.tell())
