"""Random small estates for property tests."""

from hypothesis import strategies as st

from controlplane.model.estate import Estate, Tier
from controlplane.model.resources import Overcommit
from tests.planning.estates import estate, host, machine, size, system

TIERS = (
    Tier(id="vital", host_failures=2, spread_over="site"),
    Tier(id="powered", host_failures=1, spread_over="power_feed"),
)


@st.composite
def estates(draw: st.DrawFn) -> Estate:
    hosts = [
        host(
            f"hv{number}",
            number,
            site=draw(st.sampled_from(["east", "west"])),
            rack=draw(st.sampled_from(["r1", "r2"])),
            power_feed=draw(st.sampled_from(["a", "b"])),
            capacity=size(4, draw(st.sampled_from([3072, 5120, 9216])), 60),
            reserved=size(0, 1024, 0),
            overcommit=Overcommit(vcpus=draw(st.sampled_from([1.0, 2.0])), memory=draw(st.sampled_from([1.0, 1.25]))),
            confidentiality=draw(st.sampled_from([(1,), (1, 2), (1, 2), (1, 2, 3)])),
            networks=draw(st.sampled_from([{"shared": "br0"}, {"shared": "br0", "mhlw": "br1"}])),
            maintenance=draw(st.integers(0, 9)) == 0,
        )
        for number in range(1, draw(st.integers(2, 5)) + 1)
    ]
    systems = [
        system(
            f"s{number}",
            draw(st.sampled_from(["mic", "mhlw"])),
            confidentiality=draw(st.sampled_from([1, 1, 2])),
            tier=draw(st.sampled_from(["standard", "standard", "high", "powered", "vital"])),
        )
        for number in range(draw(st.integers(1, 3)))
    ]
    machines = []
    for number in range(draw(st.integers(0, 7))):
        owner = draw(st.sampled_from(systems))
        networks = ["shared", "shared", "mhlw"] if owner.ministry == "mhlw" or draw(st.integers(0, 19)) == 0 else ["shared"]
        machines.append(
            machine(
                f"m{number}",
                owner.id,
                size=size(draw(st.integers(1, 2)), draw(st.sampled_from([512, 1024, 2048])), 5),
                network=draw(st.sampled_from(networks)),
                replica_group=draw(st.sampled_from(["", "", "g", "h"])),
            )
        )
    return estate(hosts, systems=systems, machines=machines, tiers=TIERS)
