"""Makes one machine and then waits to be killed; the test kills it earlier."""

import pickle
import sys
import time
from pathlib import Path

from controlplane.model.estate import StoragePool
from controlplane.providers.opening import open_provider
from tests.providers.contract import SEED

if __name__ == "__main__":
    uri, estate, config, image, machine, names = pickle.loads(Path(sys.argv[1]).read_bytes())  # noqa: S301 - the test wrote it
    provider = open_provider(
        "hv1", uri, StoragePool(name=estate, path=f"/var/lib/libvirt/{estate}"), estate=estate, ssh_config=config
    )
    provider.ensure_image(image)
    provider.ensure_machine(machine, plan="a" * 64, network_names=names, image=image, seed=SEED)
    time.sleep(60)
