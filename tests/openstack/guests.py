"""What a test puts into the lab's OpenStack, and takes out again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from openstack.compute.v2.server import Server
from openstack.connection import Connection

BOOT_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A network with a subnet and an image of some bytes: enough for servers of the fake computes."""

    cloud: Connection
    network_id: str
    image_id: str
    flavor_id: str

    def boot(self, name: str, **wishes: object) -> Server:
        """Ask for a server and wait until it has been made. Raises what openstacksdk does when it fails."""
        server = self.ask(name, **wishes)
        return self.cloud.compute.wait_for_server(server, interval=0.2, wait=BOOT_SECONDS)

    def ask(self, name: str, **wishes: object) -> Server:
        """Ask for a server only."""
        asked = {"networks": [{"uuid": self.network_id}], "image_id": self.image_id, "flavor_id": self.flavor_id}
        return self.cloud.compute.create_server(name=name, **(asked | wishes))


@contextmanager
def ground(cloud: Connection, name: str) -> Iterator[Ground]:
    """Make it in the connection's project, and remove it with all servers in it."""
    network = cloud.network.create_network(name=name)
    cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.20.0.0/24", name=name)
    image = cloud.image.create_image(name=name, disk_format="raw", container_format="bare", data=b"not a disk" * 100, wait=True)
    flavor = cloud.compute.find_flavor("m1.tiny", ignore_missing=False)
    try:
        yield Ground(cloud=cloud, network_id=network.id, image_id=image.id, flavor_id=flavor.id)
    finally:
        servers = list(cloud.compute.servers())
        for server in servers:
            cloud.compute.delete_server(server)
        for server in servers:
            cloud.compute.wait_for_delete(server, interval=0.2, wait=BOOT_SECONDS)
        for snapshot in cloud.block_storage.snapshots():
            cloud.block_storage.delete_snapshot(snapshot)
            cloud.block_storage.wait_for_delete(snapshot, interval=0.2, wait=BOOT_SECONDS)
        for volume in cloud.block_storage.volumes():
            cloud.block_storage.wait_for_status(volume, status="available", interval=0.2, wait=BOOT_SECONDS)
            cloud.block_storage.delete_volume(volume)
            cloud.block_storage.wait_for_delete(volume, interval=0.2, wait=BOOT_SECONDS)
        for port in cloud.network.ports(network_id=network.id):
            cloud.network.delete_port(port)
        cloud.network.delete_network(network)
        cloud.image.delete_image(image)
