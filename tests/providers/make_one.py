"""Makes one machine and kills itself right after the Nth call that changes the host."""

import functools
import itertools
import os
import pickle
import signal
import sys
from pathlib import Path

import libvirt

from controlplane.model.estate import StoragePool
from controlplane.providers.opening import open_provider
from tests.providers.place import SEED

CHANGES = (
    (libvirt.virStoragePool, "createXML"),
    (libvirt.virStorageVol, "delete"),
    (libvirt.virStorageVol, "upload"),
    (libvirt.virStream, "sendAll"),
    (libvirt.virStream, "finish"),
    (libvirt.virConnect, "defineXML"),
    (libvirt.virDomain, "setAutostart"),
)


def die_after(number: int) -> None:
    """Let the process end, as if by `kill -9`, when that many changes were made."""
    made = itertools.count(1)
    for kind, name in CHANGES:
        original = getattr(kind, name)

        @functools.wraps(original)
        def change(*arguments, _original=original):
            result = _original(*arguments)
            if next(made) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(kind, name, change)


if __name__ == "__main__":
    uri, estate, config, image, machine, names = pickle.loads(Path(sys.argv[1]).read_bytes())  # noqa: S301 - the test wrote it
    pool = StoragePool(name=estate, path=f"/var/lib/libvirt/{estate}")
    provider = open_provider("hv1", uri, pool, estate=estate, ssh_config=config)
    die_after(int(sys.argv[2]))
    provider.ensure_image(image)
    provider.ensure_machine(machine, plan="a" * 64, network_names=names, image=image, seed=SEED)
