"""The files a plan rests on beside the inventory: base images by content, public keys by text."""

import hashlib
from pathlib import Path

from controlplane.errors import KasumiError
from controlplane.model.estate import Estate, Image
from controlplane.model.plan import PlannedImage

_BLOCK_BYTES = 4 * 1024 * 1024


def planned_images(estate: Estate) -> dict[str, PlannedImage]:
    """The images that machines of the estate use, with the SHA-256 the inventory or the file beside them states.

    Content is verified when the image is placed on a host. Raises KasumiError when a used image is not there.
    """
    used = {machine.image for machine in estate.machines.values()} | {server.image for server in estate.servers.values()}
    return {image.id: _planned(image) for image in estate.images.values() if image.id in used}


def believed_images(estate: Estate) -> dict[str, PlannedImage]:
    """The images that machines use, where their files need not be at hand: the digest is the declared one, or empty."""
    used = {machine.image for machine in estate.machines.values()} | {server.image for server in estate.servers.values()}
    return {
        image.id: PlannedImage(id=image.id, file=image.file, format=image.format, os=image.os, sha256=image.sha256)
        for image in estate.images.values()
        if image.id in used
    }


def _planned(image: Image) -> PlannedImage:
    file = Path(image.file)
    if not file.is_file():
        raise KasumiError(f"image {image.id}: no file {file}; place it there or correct `file` in the inventory")
    return PlannedImage(
        id=image.id, file=image.file, format=image.format, os=image.os, sha256=image.sha256 or _stated_sha256(image, file)
    )


def _stated_sha256(image: Image, file: Path) -> str:
    beside = file.with_name(file.name + ".sha256")
    if beside.is_file():
        words = beside.read_text().split()
        if words and len(words[0]) == hashlib.sha256().digest_size * 2:
            return words[0].lower()
        raise KasumiError(f"image {image.id}: {beside} holds no SHA-256; write it with `sha256sum {file.name} > {beside.name}`")
    return file_sha256(file)


def file_sha256(file: Path) -> str:
    """SHA-256 (hex) of a file on the controller."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def authorized_keys(estate: Estate) -> tuple[str, ...]:
    """Public keys placed on new machines, in the order of the inventory. Raises KasumiError for a missing or odd file."""
    keys: list[str] = []
    for name in estate.access.authorized_key_files:
        try:
            file = Path(name).expanduser()
        except RuntimeError:
            raise KasumiError(f"access: {name} names a user this machine does not have; correct `authorized_key_files`") from None
        if not file.is_file():
            raise KasumiError(f"access: no public key file {file}; make a key or correct `authorized_key_files`")
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            if "PRIVATE" in line or not line.startswith(("ssh-", "ecdsa-", "sk-")):
                raise KasumiError(f"access: {file} is not a public key file; name the file that ends in .pub")
            keys.append(line.strip())
    return tuple(keys)
