"""The administrator of a cloud, for the contract tests: changes past the provider, with the cloud's own calls."""

import time

from controlplane.model.plan import PlannedImage, PlannedMachine
from controlplane.model.resources import Resources
from controlplane.providers.openstack_cloud import Cloud
from controlplane.providers.openstack_flavor import exact, flavor_of
from controlplane.providers.openstack_image import SHA256, image_name
from controlplane.providers.openstack_mark import AUTOSTART, ESTATE, MACHINE, UUID, machine_mark, tag

NOTE = "note_of_somebody"
HOST = "OS-EXT-SRV-ATTR:host"


class OpenStackHand:
    """Implements `contract.Hand` over a connection of its own, with an administrator's rights in the same project."""

    def __init__(self, cloud: Cloud, estate: str, networks: tuple[str, ...], admin: Cloud | None = None) -> None:
        self.cloud = cloud
        self.admin = admin or cloud
        self._estate = estate
        self._networks = networks
        """Names of the place's networks; the first holds the machines' cards."""
        self.planned: dict[str, PlannedMachine] = {}

    def pause(self, name):
        self._act(name, "pause", None, "PAUSED")

    def power_off(self, name):
        self._act(name, "os-stop", None, "SHUTOFF")

    def set_kept_vcpus(self, name, vcpus):
        flavor = self.server(name)["flavor"]
        self.resize(name, Resources(vcpus=vcpus, memory_mib=flavor["ram"], disk_gib=flavor["disk"]))

    def set_kept_memory(self, name, memory_mib):
        flavor = self.server(name)["flavor"]
        self.resize(name, Resources(vcpus=flavor["vcpus"], memory_mib=memory_mib, disk_gib=flavor["disk"]))

    def move_kept_card(self, name, mac, network):
        server = self.server(name)
        port = next(port for port in self.ports(device_id=server["id"]) if port["mac_address"] == mac)
        self.unplug(name, port["id"])
        address = {"ip_address": port["fixed_ips"][0]["ip_address"]}  # one that Neutron chose could be another machine's
        body = {"network_id": self.network(network)["id"], "mac_address": mac, "name": "by hand", "fixed_ips": [address]}
        other = self.cloud.post("network", "/ports", {"port": body})["port"]
        attachment = {"interfaceAttachment": {"port_id": other["id"]}}
        self.cloud.post("compute", f"/servers/{server['id']}/os-interface", attachment)

    def unplug(self, name, port):
        server = self.server(name)
        self.cloud.delete("compute", f"/servers/{server['id']}/os-interface/{port}")
        self.until(lambda: port not in {each["id"] for each in self.ports(device_id=server["id"])})

    def set_autostart(self, name, *, autostart):
        self.note(name, **{AUTOSTART: "on" if autostart else "off"})

    def add_note(self, name):
        self.note(name, **{NOTE: "kept"})

    def has_note(self, name):
        return self.server(name)["metadata"].get(NOTE) == "kept"

    def note(self, name, **metadata):
        self.cloud.post("compute", f"/servers/{self.server(name)['id']}/metadata", {"metadata": metadata})

    def make_foreign(self, name, uuid, *, vcpus, memory_mib):
        """A stopped server; that it goes by this uuid stands in its metadata, as Nova lets nobody choose an id."""
        self.boot(name, Resources(vcpus=vcpus, memory_mib=memory_mib, disk_gib=0), metadata={UUID: uuid})
        self.power_off(name)

    def make_adoptable(self, machine, name):
        """A running server with a port of its own and the machine's MAC and address."""
        nic = machine.nics[0]
        body = {
            "network_id": self.network(self._networks[0])["id"],
            "mac_address": nic.mac,
            "fixed_ips": [{"ip_address": nic.address}],
        }
        port = self.cloud.post("network", "/ports", {"port": body})["port"]
        self.boot(name, machine.size, networks=[{"port": port["id"]}])

    def without_mark(self, name):
        """Server and ports, but for our mark and when they were changed last."""
        server = self.server(name)
        noted = {key: value for key, value in server["metadata"].items() if not key.startswith("kasumi_")}
        changed = {"metadata": noted, "tags": [], "updated": "", "links": []}
        ports = [
            port | {"description": "", "updated_at": "", "revision_number": 0} for port in self.ports(device_id=server["id"])
        ]
        return server | changed, ports

    def services(self):
        """The compute services by the name of their hypervisor; an administrator's right."""
        found = self.admin.get("compute", "/os-services", binary="nova-compute")["services"]
        return {service["host"]: service for service in found}

    def change_service(self, hypervisor, **states):
        """Say something of a hypervisor's service, as its administrator does, where it is not so."""
        service = self.services()[hypervisor]
        different = {name: wanted for name, wanted in states.items() if service[name] != wanted}
        if different:
            self.admin.put("compute", f"/os-services/{service['id']}", different)

    def boots(self, name):
        return self.server(name)["OS-SRV-USG:launched_at"]

    def boot(self, name, size, *, networks="none", **more):
        body = {
            "name": name,
            "imageRef": self._any_image(),
            "flavorRef": self.flavor(size),
            "networks": networks,
            **more,
        }
        made = self.cloud.post("compute", "/servers", {"server": body})["server"]
        self.until(lambda: self._status(made["id"]) in {("ACTIVE", None), ("ERROR", None)})
        return made["id"]

    def remove_foreign(self, name):
        self.forget(name)

    def forget(self, name):
        server = self.server(name)
        self.cloud.delete("compute", f"/servers/{server['id']}")
        self.until(lambda: self.cloud.find("compute", f"/servers/{server['id']}") is None)

    def disks(self):
        """Everything that takes room: images by content, servers and ports by name."""
        project = self.cloud.project_id
        images = self.cloud.every("image", "/images", "images", owner=project)
        return (
            {f"image {image['name']} {image['status']}" for image in images}
            | {f"server {server['name']}" for server in self.servers()}
            | {f"port {port['name']} {port['mac_address']}" for port in self.ports()}
        )

    def disk_size_bytes(self, machine):
        return self.server(machine)["flavor"]["disk"] * 2**30

    def grow_disk(self, machine):
        flavor = self.server(machine)["flavor"]
        self.resize(machine, Resources(vcpus=flavor["vcpus"], memory_mib=flavor["ram"], disk_gib=2))

    def leave_half_disk(self, machine):
        """What a boot that failed leaves: a server that never ran, and its port."""
        uuid, nic = self.planned[machine].uuid, self.planned[machine].nics[0]
        body = {
            "network_id": self.network(self._networks[0])["id"],
            "name": f"kasumi-{machine}",
            "description": machine_mark(self._estate, machine, uuid),
            "mac_address": nic.mac,
            "fixed_ips": [{"ip_address": nic.address}],
        }
        port = self.cloud.post("network", "/ports", {"port": body})["port"]
        mark = {ESTATE: self._estate, MACHINE: machine, UUID: uuid}
        self.boot(
            machine,
            Resources(vcpus=1, memory_mib=64, disk_gib=100_000),
            networks=[{"port": port["id"]}],
            metadata=mark,
            tags=[tag(uuid)],
        )

    def cut_upload(self, image: PlannedImage):
        """Glance keeps an image whose upload broke off, without data."""
        for found in self.cloud.every("image", "/images", "images", name=image_name(image)):
            self.cloud.delete("image", f"/images/{found['id']}")
        body = {"name": image_name(image), "disk_format": image.format, "container_format": "bare", SHA256: image.sha256}
        self.cloud.post("image", "/images", body)

    def remove_image(self, image: PlannedImage):
        for found in self.cloud.every("image", "/images", "images", name=image_name(image)):
            self.cloud.delete("image", f"/images/{found['id']}")

    def volumes(self):
        return self.cloud.every("block_storage", "/volumes/detail", "volumes")

    def remove_volume(self, volume):
        where = f"/volumes/{volume}"
        self.until(lambda: self.cloud.get("block_storage", where)["volume"]["status"] in {"available", "error"})
        self.cloud.delete("block_storage", where)
        self.until(lambda: self.cloud.find("block_storage", where) is None)

    def make_other_network(self, name):
        self.cloud.post("network", "/networks", {"network": {"name": name}})

    def stop_network(self, name):
        self.cloud.put("network", f"/networks/{self.network(name)['id']}", {"network": {"admin_state_up": False}})

    def remove_network(self, name):
        for network in self.cloud.every("network", "/networks", "networks", name=name):
            for port in self.ports(network_id=network["id"]):
                self.cloud.delete("network", f"/ports/{port['id']}")
            self.cloud.delete("network", f"/networks/{network['id']}")

    def remove_groups(self):
        for group in self.cloud.every("network", "/security-groups", "security_groups"):
            if group["name"].startswith(f"kasumi-{self._estate}-"):
                self.cloud.delete("network", f"/security-groups/{group['id']}")

    def rules(self):
        """Name of the group and id of each rule of our estate's security groups."""
        groups = self.cloud.every("network", "/security-groups", "security_groups")
        ours = [group for group in groups if group["name"].startswith(f"kasumi-{self._estate}-")]
        return {(group["name"], rule["id"]) for group in ours for rule in group["security_group_rules"]}

    def open_port(self, group, port):
        """Let anybody in at this port past us, as the command line client does it; returns the rule's id."""
        (found,) = self.cloud.every("network", "/security-groups", "security_groups", name=group)
        rule = {
            "security_group_id": found["id"],
            "direction": "ingress",
            "ethertype": "IPv4",
            "protocol": "tcp",
            "port_range_min": port,
            "port_range_max": port,
            "remote_ip_prefix": "0.0.0.0/0",
        }
        return self.cloud.post("network", "/security-group-rules", {"security_group_rule": rule})["security_group_rule"]["id"]

    def server(self, name):
        (found,) = [server for server in self.servers() if server["name"] == name]
        return found

    def servers(self):
        return self.cloud.every("compute", "/servers/detail", "servers")

    def ports(self, **query):
        return self.cloud.every("network", "/ports", "ports", project_id=self.cloud.project_id, **query)

    def network(self, name):
        (found,) = self.cloud.every("network", "/networks", "networks", name=name)
        return found

    def size(self, name):
        """The size of a flavor by its name."""
        found = self.cloud.every("compute", "/flavors/detail", "flavors")
        return flavor_of(next(flavor for flavor in found if flavor["name"] == name)).size

    def flavor(self, size):
        found = exact((flavor_of(each) for each in self.cloud.every("compute", "/flavors/detail", "flavors")), size)
        if found is not None:
            return found.id
        name = f"hand-{size.vcpus}-{size.memory_mib}-{size.disk_gib}"
        body = {"name": name, "vcpus": size.vcpus, "ram": size.memory_mib, "disk": size.disk_gib}
        return self.cloud.post("compute", "/flavors", {"flavor": body})["flavor"]["id"]

    def resize(self, name, size):
        server = self.server(name)
        self.cloud.post("compute", f"/servers/{server['id']}/action", {"resize": {"flavorRef": self.flavor(size)}})
        self.until(lambda: self._status(server["id"]) == ("VERIFY_RESIZE", None))
        self.cloud.post("compute", f"/servers/{server['id']}/action", {"confirmResize": None})
        self.until(lambda: self._status(server["id"]) in {("ACTIVE", None), ("SHUTOFF", None)})

    def _act(self, name, action, argument, status):
        server = self.server(name)
        self.cloud.post("compute", f"/servers/{server['id']}/action", {action: argument})
        self.until(lambda: self._status(server["id"]) == (status, None))

    def _status(self, server):
        found = self.cloud.get("compute", f"/servers/{server}")["server"]
        return found["status"], found["OS-EXT-STS:task_state"]

    def _any_image(self):
        return next(i["id"] for i in self.cloud.every("image", "/images", "images") if i["status"] == "active")

    @staticmethod
    def until(holds, seconds=300):
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "the cloud did not follow by hand"
            time.sleep(0.3)


class OnVolumes(OpenStackHand):
    """The same where servers boot from volumes."""

    def disks(self):
        return super().disks() | {f"volume {volume['name']} {volume['status']}" for volume in self.volumes()}

    def disk_size_bytes(self, machine):
        return self._volume(machine)["size"] * 2**30

    def grow_disk(self, machine):
        where = f"/volumes/{self._volume(machine)['id']}"
        self.cloud.post("block_storage", f"{where}/action", {"os-extend": {"new_size": 2}})
        self.until(lambda: self.cloud.get("block_storage", where)["volume"]["size"] == 2)
        self.until(lambda: self.cloud.get("block_storage", where)["volume"]["status"] in {"available", "in-use"})

    def leave_half_disk(self, machine):
        """A volume whose making failed."""
        mark = {ESTATE: self._estate, MACHINE: machine, UUID: self.planned[machine].uuid}
        body = {"name": f"kasumi-{machine}", "size": 1, "metadata": mark}
        where = f"/volumes/{self.cloud.post('block_storage', '/volumes', {'volume': body})['volume']['id']}"
        self.until(lambda: self.cloud.get("block_storage", where)["volume"]["status"] == "available")
        self.admin.post("block_storage", f"{where}/action", {"os-reset_status": {"status": "error"}})

    def _volume(self, machine):
        (found,) = [volume for volume in self.volumes() if volume["name"] == f"kasumi-{machine}"]
        return found
