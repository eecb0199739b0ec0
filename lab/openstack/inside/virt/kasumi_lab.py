"""Nova's fake compute driver made fit for a lab: a host keeps its identity and its servers when its process is restarted, has
an honest capacity, and does wrong what a file of knobs asks for.

Knobs are read anew at each call, from `knobs.json` in Nova's state folder:

    spawn_delay_seconds, delete_delay_seconds, migrate_delay_seconds: number
    spawn_fails_on: hosts where a boot fails in a way that makes Nova try another host
    spawn_aborts_on: hosts where a boot fails for good
    live_migration_fails_from: hosts which a server cannot leave alive
"""

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

import nova.conf
from nova import exception
from nova.virt import fake

CONF = nova.conf.CONF


def knobs() -> dict[str, Any]:
    """What should go wrong now; nothing when the file is absent."""
    try:
        wanted: dict[str, Any] = json.loads((Path(CONF.state_path) / "knobs.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return wanted


def node_uuid(node: str) -> str:
    """The same for a host of this name in every process; Nova's fake driver invents a new one each time."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{node}.kasumi-lab"))


class LabDriver(fake.FakeDriver):  # type: ignore[misc]
    """One fake hypervisor."""

    vcpus, memory_mb, local_gb = (int(word) for word in os.environ.get("KASUMI_LAB_CAPACITY", "64,262144,4000").split(","))
    capabilities = fake.FakeDriver.capabilities | {"supports_image_type_qcow2": True}

    def init_host(self, host: str) -> None:
        """Take up the servers that were here before a restart."""
        super().init_host(host)
        self._table = Path(CONF.state_path) / f"servers-{host}.json"
        if self._table.exists():
            kept = json.loads(self._table.read_text(encoding="utf-8"))
            self.instances = {key: fake.FakeInstance(name, state, key) for key, (name, state) in kept.items()}

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        """What the host has and uses, under its lasting identity."""
        found: dict[str, Any] = super().get_available_resource(nodename)
        return found | {"uuid": node_uuid(nodename)} if found else found

    def get_nodenames_by_uuid(self, refresh: bool = False) -> dict[str, str]:
        """The host's only node."""
        return {node_uuid(node): node for node in self.get_available_nodes()}

    def get_host_uptime(self) -> str:
        """Something a parser of uptime(1) can read."""
        return " 00:00:00 up 1 day,  0:00,  0 users,  load average: 0.00, 0.00, 0.00"

    def spawn(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        """Boot, unless a knob is turned against it."""
        turned = knobs()
        time.sleep(turned.get("spawn_delay_seconds", 0))
        if self._host in turned.get("spawn_fails_on", ()):
            raise exception.ComputeResourcesUnavailable(reason=f"the lab's knob spawn_fails_on names {self._host}")
        if self._host in turned.get("spawn_aborts_on", ()):
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid, reason=f"the lab's knob spawn_aborts_on names {self._host}"
            )
        super().spawn(context, instance, *args, **kwargs)
        self._keep()

    def destroy(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        """Forget the server."""
        time.sleep(knobs().get("delete_delay_seconds", 0))
        super().destroy(context, instance, *args, **kwargs)
        self._keep()

    def power_on(self, *args: Any, **kwargs: Any) -> None:
        """Start the server."""
        super().power_on(*args, **kwargs)
        self._keep()

    def power_off(self, *args: Any, **kwargs: Any) -> None:
        """Stop the server."""
        super().power_off(*args, **kwargs)
        self._keep()

    def finish_revert_migration(self, *args: Any, **kwargs: Any) -> None:
        """Have the server back."""
        super().finish_revert_migration(*args, **kwargs)
        self._keep()

    def live_migration(
        self,
        context: Any,
        instance: Any,
        dest: str,
        post_method: Any,
        recover_method: Any,
        block_migration: bool = False,
        migrate_data: Any = None,
    ) -> None:
        """Move the server, unless a knob is turned against it."""
        turned = knobs()
        time.sleep(turned.get("migrate_delay_seconds", 0))
        if self._host in turned.get("live_migration_fails_from", ()):
            recover_method(context, instance, dest, migrate_data)
        else:
            post_method(context, instance, dest, block_migration, migrate_data)

    def post_live_migration(self, context: Any, instance: Any, block_device_info: Any, migrate_data: Any = None) -> None:
        """The source forgets a server that has left; Nova's fake driver would keep it."""
        self.destroy(context, instance, None, block_device_info=block_device_info)

    def _keep(self) -> None:
        fresh = self._table.with_suffix(f".{uuid.uuid4().hex}")
        kept = {key: (found.name, found.state) for key, found in list(self.instances.items())}
        fresh.write_text(json.dumps(kept), encoding="utf-8")
        fresh.rename(self._table)
