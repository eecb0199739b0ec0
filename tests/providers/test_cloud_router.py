"""Where the subnets that we make have their gateway, and what is said when it cannot be there."""

from types import SimpleNamespace

import pytest

from controlplane.errors import KasumiError, RefusedError
from controlplane.providers.openstack_faults import ApiError
from controlplane.providers.openstack_mark import estate_mark
from controlplane.providers.openstack_router import ensure_gateway

SUBNET = {
    "id": "s1",
    "network_id": "n1",
    "cidr": "10.1.0.0/24",
    "gateway_ip": "10.1.0.1",
    "description": estate_mark("lab"),
}


class Neutron:
    """A project with some routers; `no` is answered to whoever wants an interface."""

    project_id = "p1"

    def __init__(self, *routers, router="out", no=None):
        self.pool = SimpleNamespace(uri="openstack://west", router=router)
        self.routers = [{"id": f"r{number}", "name": name} for number, name in enumerate(routers)]
        self.ports = []
        self.no = no

    def every(self, service, path, key, **query):
        if key == "ports":
            assert query == {"network_id": "n1", "device_id": "r0"}
            return self.ports
        assert query["project_id"] == "p1"
        return [router for router in self.routers if router["name"] == query["name"]]

    def post(self, service, path, body):
        assert body["router"]["description"] == estate_mark("lab")
        self.routers.append({"id": f"r{len(self.routers)}"} | body["router"])
        return {"router": self.routers[-1]}

    def put(self, service, path, body):
        assert path == "/routers/r0/add_router_interface"
        if self.no is not None:
            status, text = self.no
            answer = SimpleNamespace(status_code=status, text=text, headers={}, json=lambda: {"NeutronError": {"message": text}})
            raise ApiError(service, "PUT", path, answer)
        self.ports.append({"fixed_ips": [{"subnet_id": body["subnet_id"], "ip_address": "10.1.0.1"}]})


@pytest.mark.parametrize("neutron", [Neutron(), Neutron("out"), Neutron("out", "other")], ids=["made", "there", "beside another"])
def test_the_gateway_is_put_there_once(neutron):
    routers = max(1, len(neutron.routers))
    for _ in range(2):
        ensure_gateway(neutron, SUBNET, estate="lab")
    assert (len(neutron.routers), len(neutron.ports)) == (routers, 1)


@pytest.mark.parametrize(
    ("neutron", "subnet"),
    [
        (Neutron(router=""), SUBNET),
        (Neutron(), SUBNET | {"gateway_ip": None}),
        (Neutron(), SUBNET | {"description": "of somebody"}),
    ],
    ids=["not asked for", "no gateway", "not ours"],
)
def test_nothing_is_done_where_nothing_was_asked(neutron, subnet):
    ensure_gateway(neutron, subnet, estate="lab")
    assert (neutron.routers, neutron.ports) == ([], [])


def test_one_of_two_routers_is_not_chosen():
    with pytest.raises(RefusedError, match="wanted one, found 2"):
        ensure_gateway(Neutron("out", "out"), SUBNET, estate="lab")


def test_an_address_that_somebody_has_is_told():
    with pytest.raises(
        KasumiError, match=r"wanted the gateway 10\.1\.0\.1 of 10\.1\.0\.0/24 there: in use; see who has that address"
    ):
        ensure_gateway(Neutron("out", no=(409, "in use")), SUBNET, estate="lab")


@pytest.mark.parametrize("no", [(403, "not yours"), (409, "Quota exceeded for resources: ['port']")])
def test_another_no_is_told_as_such(no):
    with pytest.raises(ApiError):
        ensure_gateway(Neutron("out", no=no), SUBNET, estate="lab")
