"""A migrated disk on its way into a cloud: ranges into a file on the controller, then one upload to Glance, then proof.

Glance takes an image in one request that cannot be resumed, and shows its content only when it is whole. So that a cut copy goes on
where it stood, ranges are gathered in a sparse file here; only the upload is done again as a whole when it is cut. The image then is
the pristine copy: Glance never changes one. It is proved by reading it back, and the file here goes only after that.
"""

import os
from collections.abc import Callable
from pathlib import Path

from controlplane.errors import KasumiError, RefusedError
from controlplane.providers.openstack_cloud import Cloud, Json
from controlplane.providers.openstack_image import (
    Content,
    claiming,
    downloaded,
    ensure_content,
    find_whole,
    set_property,
    whole_ones,
)
from controlplane.providers.protocol import MachineRef

_COPY_OF, _COPY_SHA256, _BOOTED = "kasumi_copy_of", "kasumi_copy_sha256", "kasumi_booted"
_MIB = 2**20
_TOLD_BYTES = 256 * _MIB


def copy_file(folder: Path, ref: MachineRef) -> Path:
    """Where the ranges of a machine's disk are gathered."""
    return folder / f"{ref.uuid}.raw"


def ensure_file(folder: Path, ref: MachineRef, *, size_bytes: int) -> Path:
    """The file, sparse, readable by us alone and of exactly this size. Raises KasumiError for one of another size."""
    path = copy_file(folder, ref)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise KasumiError(f"{path}: {error.strerror}; see that the folder is ours and has room") from None
    try:
        found = os.fstat(descriptor).st_size
        if found == 0:
            os.truncate(descriptor, size_bytes)
        elif found != size_bytes:
            raise KasumiError(f"{path}: wanted {size_bytes} bytes, found {found}; it is of another disk: remove it by hand")
    finally:
        os.close(descriptor)
    return path


def ensure_copy(cloud: Cloud, folder: Path, ref: MachineRef, *, sha256: str, size_bytes: int, told: Callable[[str], None]) -> str:
    """The id of the image that holds the copy; uploaded and proved unless it was. Raises KasumiError, ApiError."""
    claims = _claims(ref) | {_COPY_SHA256: sha256}
    whole = find_whole(cloud, claims)
    path = copy_file(folder, ref)
    if whole is None:
        if not path.exists() and not any(each["status"] == "active" for each in claiming(cloud, claims)):
            raise KasumiError(
                f"machine {ref.machine}: its copy is neither at Glance nor at {path}; `kasumi migrate rollback`, then start again"
            )
        content = Content(
            what=f"copy of {ref.machine}",
            name=f"kasumi-copy-{ref.machine}",
            file=path,
            disk_format="raw",
            sha256=sha256,
            claims=claims,
            remedy="nothing was booted: run again, which uploads it again",
            proof=downloaded,
            told=_teller(ref, size_bytes, told),
        )
        image = ensure_content(cloud, content)
        told(f"migrate {ref.machine}: image {image} read back, SHA-256 {sha256[:16]}… as the source")
    else:
        image = str(whole["id"])
    path.unlink(missing_ok=True)
    return image


def unbooted_copy(cloud: Cloud, ref: MachineRef) -> str:
    """The id of the image to make the machine's disk of. Raises RefusedError when that was done before, KasumiError, ApiError."""
    found = whole_ones(cloud, _claims(ref))
    if not found:
        raise KasumiError(
            f"machine {ref.machine}: no proven copy of its disk at Glance; `kasumi migrate start {ref.machine}` first"
        )
    if len({each.get(_COPY_SHA256) for each in found}) > 1:
        copies = ", ".join(sorted(f"{each['id']} of SHA-256 {str(each.get(_COPY_SHA256))[:16]}…" for each in found))
        raise RefusedError(
            f"machine {ref.machine} on {cloud.pool.uri}: wanted one proven copy of its disk, found different ones: {copies}; `kasumi "
            f"migrate status` shows the SHA-256 of the right one: take {_COPY_OF} off the others"
        )
    whole = next((each for each in found if each.get(_BOOTED)), found[0])
    if whole.get(_BOOTED):
        raise RefusedError(
            f"machine {ref.machine} on {cloud.pool.uri}: its server {whole[_BOOTED]} is gone, and its disk with it; image "
            f"{whole['id']} is the disk as it was before the move: bring the data back from a backup, roll the migration back, or, if "
            f"what it held since then is not wanted, take {_BOOTED} off that image"
        )
    return str(whole["id"])


def note_booted(cloud: Cloud, ref: MachineRef, server: Json) -> None:
    """Note that data may have been written since: the machine is never made of this copy again by itself. Raises ApiError."""
    for image in claiming(cloud, _claims(ref)):
        if image.get(_BOOTED) != server["id"]:
            set_property(cloud, image["id"], _BOOTED, server["id"])


def remove_copy(cloud: Cloud, ref: MachineRef) -> None:
    """Delete the image. Raises ApiError."""
    for image in claiming(cloud, _claims(ref)):
        cloud.delete("image", f"/images/{image['id']}")


def _claims(ref: MachineRef) -> dict[str, str]:
    return {_COPY_OF: ref.uuid}


def _teller(ref: MachineRef, size_bytes: int, told: Callable[[str], None]) -> Callable[[int], None]:
    """Says how far the upload is, often enough to be believed."""

    def tell(sent_bytes: int) -> None:
        if sent_bytes % _TOLD_BYTES == 0 or sent_bytes == size_bytes:
            told(f"migrate {ref.machine}: uploaded {sent_bytes >> 20} of {size_bytes >> 20} MiB")

    return tell
