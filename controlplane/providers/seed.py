"""First-boot data as a NoCloud image: a small ISO labelled `cidata` that cloud-init finds on any disk."""

import io

import pycdlib

from controlplane.providers.protocol import Seed


def seed_iso(seed: Seed) -> bytes:
    """The image with user-data, meta-data and network-config."""
    image = pycdlib.PyCdlib()
    image.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident="cidata")
    for number, (name, text) in enumerate(
        (("user-data", seed.user_data), ("meta-data", seed.meta_data), ("network-config", seed.network_config))
    ):
        content = text.encode()
        image.add_fp(io.BytesIO(content), len(content), f"/FILE{number}.;1", rr_name=name, joliet_path=f"/{name}")
    result = io.BytesIO()
    image.write_fp(result)
    image.close()
    return result.getvalue()
