"""A flavor that asks for an aggregate, wherever its making is cut off: no project is ever shown it without what it asks for."""

import pytest
from requests import Response

from controlplane.errors import RefusedError
from controlplane.model.cloud import cloud_pool
from controlplane.model.resources import Resources
from controlplane.providers.openstack_faults import ApiError
from controlplane.providers.openstack_flavor import choose_flavor

SIZE = Resources(vcpus=1, memory_mib=512, disk_gib=4)
NAME = "kasumi-1c-512m-4g-ssd-true"
ASKED = {"aggregate_instance_extra_specs:ssd": "true"}


class CutError(Exception):
    """The controller was killed."""


class Nova:
    """Flavors as Nova keeps and lists them; after `changes` more changes the line is cut."""

    project_id = "p1"

    def __init__(self, uri="openstack://west?flavors=make&aggregate=ssd=true", *, changes=100):
        self.pool = cloud_pool(uri)
        self.flavors, self.let_in = {}, set()
        self.left = changes

    def every(self, service, path, key):
        shown = [each for each in self.flavors.values() if each["os-flavor-access:is_public"] or each["id"] in self.let_in]
        assert all(each["os-flavor-access:is_public"] or each["extra_specs"] for each in shown)
        return shown

    def get(self, service, path):
        return {"flavor": dict(self.flavors[path.removeprefix("/flavors/")])}

    def post(self, service, path, body):
        if self.left == 0:
            raise CutError
        self.left -= 1
        _, _, name, *what = path.split("/") if path != "/flavors" else ("", "", "")
        if not name:
            self._add({"extra_specs": {}, **body["flavor"]})
            return {"flavor": dict(self.flavors[body["flavor"]["id"]])}
        if what == ["os-extra_specs"]:
            self.flavors[name]["extra_specs"] = body["extra_specs"]
        elif name in self.let_in:
            raise conflict()
        else:
            assert body == {"addTenantAccess": {"tenant": "p1"}}
            self.let_in.add(name)
        return {}

    def _add(self, flavor):
        if flavor["id"] in self.flavors:
            raise conflict()
        self.flavors[flavor["id"]] = flavor


def conflict():
    response = Response()
    response.status_code, response._content = 409, b"{}"
    return ApiError("compute", "POST", "/flavors", response)


@pytest.mark.parametrize("changes", range(4))
def test_a_making_that_was_cut_is_finished(changes):
    nova = Nova(changes=changes)
    try:
        choose_flavor(nova, SIZE, on_volume=False)
    except CutError:
        nova.left = 100
    for _ in range(2):
        assert choose_flavor(nova, SIZE, on_volume=False).flavor.name == NAME
    (made,) = nova.flavors.values()
    assert (made["extra_specs"], made["os-flavor-access:is_public"], nova.let_in) == (ASKED, False, {NAME})


def test_a_project_that_was_let_in_by_another_run_is_no_failure():
    nova = Nova()
    choose_flavor(nova, SIZE, on_volume=False)
    nova.every = lambda *_: []
    assert choose_flavor(nova, SIZE, on_volume=False).flavor.name == NAME


@pytest.mark.parametrize(
    "other",
    [
        {"extra_specs": {"hw:cpu_policy": "dedicated"}},
        {"ram": 1024, "extra_specs": {}},
        {"os-flavor-access:is_public": True, "extra_specs": {}},
    ],
)
def test_one_of_the_name_that_is_otherwise_is_refused(other):
    nova = Nova()
    choose_flavor(nova, SIZE, on_volume=False)
    nova.flavors[NAME] |= other
    before = dict(nova.flavors[NAME])
    nova.every = lambda *_: []
    with pytest.raises(
        RefusedError, match=f"flavor {NAME} on .*: wanted 1 vCPU, 512 MiB, 4 GiB with aggregate_inst.*rename or delete"
    ):
        choose_flavor(nova, SIZE, on_volume=False)
    assert nova.flavors[NAME] == before


def test_a_pool_that_is_no_aggregate_has_public_flavors_of_a_size_alone():
    nova = Nova("openstack://west?flavors=make")
    assert choose_flavor(nova, SIZE, on_volume=False).flavor.name == "kasumi-1c-512m-4g"
    (made,) = nova.flavors.values()
    assert (made["extra_specs"], made["os-flavor-access:is_public"], nova.let_in) == ({}, True, set())


def test_an_aggregate_for_which_no_flavor_asks_is_refused_with_what_is_wanted():
    nova = Nova("openstack://west?aggregate=ssd=true")
    with pytest.raises(
        RefusedError, match="wanted a flavor of 1 vCPU, 512 MiB, 4 GiB with aggregate_instance_extra_specs:ssd=true"
    ):
        choose_flavor(nova, SIZE, on_volume=False)
