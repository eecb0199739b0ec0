"""The keypair of a pool: asked for by its name, and told how to make it where it is not there."""

import pytest

from controlplane.errors import KasumiError
from controlplane.model.cloud import cloud_pool
from controlplane.providers import openstack_server
from controlplane.providers.openstack_keypair import known_keypair
from controlplane.providers.openstack_server import Disk, create_server
from controlplane.providers.protocol import MachineRef

REF = MachineRef(estate="lab", machine="web1", uuid="u")


class Nova:
    """Knows these keypairs, and keeps the order for a server."""

    def __init__(self, uri, *known):
        self.pool, self.known, self.ordered = cloud_pool(uri), {f"/os-keypairs/{name}" for name in known}, {}

    def find(self, service, path):
        return {"keypair": {}} if path in self.known else None

    def post(self, service, path, body):
        self.ordered = body["server"]
        return {"server": {"id": "6e3f"}}

    def every(self, *_, **__):
        return [{"id": "6e3f"}]

    def get(self, *_):
        return {"server": {"id": "6e3f", "status": "ACTIVE", "OS-EXT-STS:task_state": None}}


@pytest.mark.parametrize(
    ("uri", "key"),
    [("openstack://west?keypair=on%20call", {"key_name": "on call"}), ("openstack://west", {})],
    ids=["asked for", "none asked for"],
)
def test_new_servers_get_it(uri, key, monkeypatch):
    monkeypatch.setattr(openstack_server, "_BOOT_SECONDS", 0.0)
    nova = Nova(uri, "on%20call")
    create_server(
        nova, REF, disk=Disk(image="i1"), config_drive=True, keypair=known_keypair(nova), flavor="f1", ports=[], metadata={},
        seed=None, group="",
    )  # fmt: skip
    assert {name: value for name, value in nova.ordered.items() if name == "key_name"} == key


def test_one_that_is_not_there_is_told_with_the_command_that_makes_it():
    with pytest.raises(
        KasumiError,
        match=r"keypair operations on openstack://west.*: wanted for new servers, found none of this name that belongs to the user of "
        "cloud west; `openstack --os-cloud west keypair create --public-key FILE operations`, or leave keypair out of the uri",
    ):
        known_keypair(Nova("openstack://west?keypair=operations", "another"))
