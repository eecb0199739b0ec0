"""Random small estates for property tests."""

from dataclasses import replace

from hypothesis import strategies as st

from controlplane.model.estate import ClassPool, Estate, Tier
from controlplane.model.needs import Cpu, Licence, LoadProfile, Needs, Offers
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


@st.composite
def roomy_estates(draw: st.DrawFn) -> Estate:
    """Small estates with room for all machines, nearly always: what moves afterwards is not left to luck."""
    hosts = [
        host(
            f"hv{number}",
            number,
            site=draw(st.sampled_from(["east", "west"])),
            rack=f"r{number}",
            capacity=size(4, draw(st.sampled_from([5120, 7168, 9216])), 100),
            reserved=size(0, 1024, 0),
        )
        for number in range(1, draw(st.integers(3, 5)) + 1)
    ]
    systems = [
        system(name, tier=tier) for name, tier in (("s0", "standard"), ("s1", draw(st.sampled_from(["standard", "high"]))))
    ]
    machines = [
        machine(
            f"m{number}",
            draw(st.sampled_from(["s0", "s0", "s1"])),
            size=size(draw(st.integers(1, 2)), draw(st.sampled_from([512, 1024, 2048])), 5),
            replica_group=draw(st.sampled_from(["", "", "", "g"])),
        )
        for number in range(draw(st.integers(3, 8)))
    ]
    return estate(hosts, systems=systems, machines=machines)


DAY = LoadProfile(id="day", percent=(10,) * 8 + (100,) * 10 + (10,) * 6)
NIGHT = LoadProfile(id="night", percent=(100,) * 7 + (0,) * 12 + (100,) * 5)


@st.composite
def needy_estates(draw: st.DrawFn) -> Estate:
    """Random small estates with room for most machines, in which machines ask for more than size."""

    def seldom(*values: object) -> object:
        return draw(st.sampled_from([None, None, None, *values]))

    v2, v3 = Cpu(baseline="x86-64-v2"), Cpu(baseline="x86-64-v3", features=("aes",))
    hosts = [
        host(
            f"hv{number}",
            number,
            site=draw(st.sampled_from(["east", "west"])),
            rack=draw(st.sampled_from(["r1", "r2"])),
            capacity=size(4, draw(st.sampled_from([4096, 6144])), 60),
            reserved=size(0, 1024, 0),
            overcommit=Overcommit(vcpus=draw(st.sampled_from([1.0, 2.0]))),
            confidentiality=(1, 2),
            offers=Offers(
                network_mbps=draw(st.sampled_from([500, 1000])), iops=draw(st.sampled_from([300, 600])), cpu=seldom(v2) or v3
            ),
            maintenance=seldom(True) is True and draw(st.booleans()),
        )
        for number in range(1, draw(st.integers(2, 4)) + 1)
    ]
    systems = [
        system(name, ministry, tier=draw(st.sampled_from(["standard", "standard", "high", "far"])))
        for name, ministry in (("s0", "mic"), ("s1", "mhlw"))
    ]
    machines = []
    for number in range(draw(st.integers(2, 5))):
        owner = draw(st.sampled_from(systems))
        needs = Needs(
            network_mbps=400 if seldom(True) else 0,
            iops=250 if seldom(True) else 0,
            load=str(seldom("day", "night") or ""),
            cpu=draw(st.sampled_from([Cpu(), Cpu(), v2, v3])),
            together=((str(seldom("rack", "site") or "host"), "g"),) if seldom(True, True) else (),
        )
        machines.append(
            machine(
                f"m{number}",
                owner.id,
                size=size(draw(st.integers(1, 3)), draw(st.sampled_from([512, 1024, 2048])), 5),
                network="mhlw" if owner.ministry == "mhlw" else "shared",
                replica_group=str(seldom("r") or ""),
                needs=needs,
            )
        )
    far = Tier(id="far", host_failures=1, spread_over="rack", survives=draw(st.sampled_from(["rack", "site"])))
    made = estate(hosts, systems=systems, machines=machines, tiers=(far,))
    apart = ("mhlw",) if draw(st.booleans()) else ()
    ministries = made.ministries | {"mic": replace(made.ministries["mic"], apart_from=apart)}
    return replace(made, ministries=ministries, load_profiles={"day": DAY, "night": NIGHT})


@st.composite
def sharing_estates(draw: st.DrawFn) -> Estate:
    """Random small estates in which licences, pools for classes of disks, and shared storage are scarce."""
    hosts = [
        host(
            f"hv{number}",
            number,
            site="east",
            rack=f"r{number % 2}",
            capacity=size(4, 4096, 60),
            reserved=size(0, 1024, 0),
            offers=Offers(sockets=draw(st.sampled_from([0, 1, 2, 2]))),
            storage=draw(st.sampled_from(["", "", "san"])),
            pools=tuple(
                ClassPool(disk_class="ssd", name="kasumi-ssd", path="/ssd", capacity_gib=12, storage=storage)
                for storage in draw(st.sampled_from([(), ("",), ("san",), ("flash",)]))
            ),
        )
        for number in range(1, draw(st.integers(2, 4)) + 1)
    ]
    systems = [
        system(name, ministry, tier=draw(st.sampled_from(["standard", "standard", "high"])))
        for name, ministry in (("s0", "mic"), ("s1", "mhlw"))
    ]
    machines = []
    for number in range(draw(st.integers(2, 4))):
        owner = draw(st.sampled_from(systems))
        needs = Needs(
            licences=draw(st.sampled_from([(), ("db",), ("db",), ("app", "db")])),
            disk_class=draw(st.sampled_from(["", "", "ssd"])),
        )
        machines.append(
            machine(
                f"m{number}",
                owner.id,
                size=size(1, draw(st.sampled_from([512, 1024, 2048])), 5),
                network="mhlw" if owner.ministry == "mhlw" else "shared",
                needs=needs,
            )
        )
    made = estate(hosts, systems=systems, machines=machines)
    apart = ("mhlw",) if draw(st.booleans()) else ()
    licences = {"db": Licence(id="db", sockets=draw(st.integers(1, 4))), "app": Licence(id="app", sockets=2)}
    return replace(
        made, ministries=made.ministries | {"mic": replace(made.ministries["mic"], apart_from=apart)}, licences=licences
    )
