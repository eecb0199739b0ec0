"""An adopted server, whatever breaks off and whatever state it is in: there is no moment at which it counts as ours to delete."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from controlplane.errors import RefusedError
from controlplane.model.cloud import cloud_pool
from controlplane.model.plan import Method
from controlplane.providers.openstack import OpenStackProvider
from controlplane.providers.openstack_adopt import look_at, put_mark, refuse_larger_volume, take_mark
from controlplane.providers.openstack_mark import ADOPTED, AGGREGATE, ESTATE, MACHINE, UUID, mark_of
from controlplane.providers.protocol import MachineRef
from tests.execution.plans import machine

WEB = machine("web1", method=Method.ADOPT)
REF = MachineRef(estate="lab", machine="web1", uuid=WEB.uuid, native_id="6e3f")
MARK = {ESTATE: "lab", MACHINE: "web1", UUID: WEB.uuid, AGGREGATE: "ssd=true"}


class CutError(Exception):
    """The controller was killed."""


class Nova:
    """One server with one port; after `changes` more changes the line is cut."""

    pool = cloud_pool("openstack://west?aggregate=ssd=true")

    def __init__(self, metadata=None, *, changes=100, **server):
        noted = {"theirs": "kept"} | (metadata or {})
        self.server = {"id": "6e3f", "name": "web1", "status": "ACTIVE", "metadata": noted, "tags": []} | server
        self.port = {"id": "p1", "description": ""}
        self.left = changes
        self.deleted = []

    def errors(self, _):
        return nullcontext()

    def find(self, service, path):
        return {"server": self.server | {"metadata": dict(self.server["metadata"])}}

    get = find

    def every(self, service, path, *_, **__):
        return [self.port] if service == "network" else [self.server]

    def post(self, service, path, body):
        self._count()
        self.server["metadata"] |= body["metadata"]

    def put(self, service, path, body):
        self._count()
        self.port |= body["port"]

    def call(self, service, method, path):
        self._count()
        self.server["tags"].append(path.rpartition("/")[2])

    def delete(self, service, path):
        self._count()
        kind, _, name = path.removeprefix("/servers/6e3f").strip("/").partition("/")
        if kind == "metadata":
            del self.server["metadata"][name]
        elif kind == "tags":
            self.server["tags"] = [each for each in self.server["tags"] if each != name]
        else:
            self.deleted.append(path)

    def _count(self):
        if self.left == 0:
            raise CutError
        self.left -= 1


def adopted(**server):
    nova = Nova(**server)
    put_mark(nova, REF, "west", plan="", autostart=True)
    return nova


def test_wherever_marking_and_releasing_are_cut_the_mark_says_adopted_or_is_no_mark():
    for doing, begin in ((lambda nova: put_mark(nova, REF, "west", plan="", autostart=True), Nova), (take, adopted)):
        for changes in range(20):
            nova = begin()
            nova.left = changes
            try:
                doing(nova)
            except CutError:
                mark = mark_of(nova.server["metadata"])
                assert mark is None or mark.adopted
                nova.left = 100
                doing(nova)
            else:
                break
        else:
            raise AssertionError("it never came to its end")
    assert nova.server["metadata"] == {"theirs": "kept"}
    assert (nova.server["tags"], nova.port["description"]) == ([], "")


def take(nova):
    take_mark(nova, REF, "west")


def test_a_server_of_our_own_making_is_not_released():
    nova = Nova(MARK)
    with pytest.raises(RefusedError, match="server web1 was made by us, not adopted; take it out of the inventory"):
        take(nova)
    assert mark_of(nova.server["metadata"]) is not None


def test_an_adopted_server_in_error_is_never_deleted():
    nova = Nova(MARK | {ADOPTED: "yes"}, status="ERROR", **{"OS-SRV-USG:launched_at": None})
    provider = OpenStackProvider("west", nova, estate="lab")
    with pytest.raises(RefusedError, match="it was adopted and its server is in ERROR; it is not deleted"):
        provider.ensure_machine(WEB, plan="", network_names={}, image=None, seed=None, native_id="6e3f")
    assert nova.deleted == []


VOLUME = {"id": "v1", "size": 4, "bootable": "true", "attachments": [{"server_id": "6e3f", "device": "/dev/vda"}]}
ON_VOLUME = {
    "image": "",
    "flavor": {"disk": 0, "vcpus": 1, "ram": 512, "original_name": "m1"},
    "os-extended-volumes:volumes_attached": [{"id": "v1"}],
}


@pytest.mark.parametrize(("volume", "seen"), [(VOLUME, (4, 0)), (None, (None, 1))], ids=["shown", "not shown"])
def test_a_server_on_a_volume_has_the_size_of_it(volume, seen):
    found = look_at(Cinder(volume), Nova(**ON_VOLUME).server)
    assert (found.disk_gib, len(found.obstacles)) == seen


def test_the_volume_of_an_adopted_server_is_never_made_larger():
    adopted_server = Nova(MARK | {ADOPTED: "yes"}, **ON_VOLUME).server
    larger = replace(WEB, size=replace(WEB.size, disk_gib=5))
    with pytest.raises(RefusedError, match="found its volume v1 with 4 GiB; the machine was adopted, and its volume is not ours"):
        refuse_larger_volume(adopted_server, VOLUME, larger, "west")
    refuse_larger_volume(adopted_server, VOLUME, WEB, "west")
    refuse_larger_volume(Nova(MARK, **ON_VOLUME).server, VOLUME, larger, "west")


class Cinder:
    """Shows this volume, or none."""

    def __init__(self, volume):
        self.volume = volume

    def find(self, service, path):
        assert (service, path) == ("block_storage", "/volumes/v1")
        return None if self.volume is None else {"volume": self.volume}
