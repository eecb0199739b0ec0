"""Checks hosts that are pools of clouds: what a cloud decides itself, no server on two hosts, and each ministry in its own project.

That nobody else's machine comes into a ministry's project is kept by its networks: a pool there carries those of the ministry alone, and
a machine stands only where its network is.
"""

from collections.abc import Iterable, Iterator

from controlplane.inventory.complaints import suggestion
from controlplane.inventory.entries import Entries, Entry
from controlplane.model.cloud import CloudPool, CloudUriError, cloud_pool, is_cloud
from controlplane.model.finding import Finding
from controlplane.model.tenancy import Tenancy

_Pools = list[tuple[CloudPool, Entry]]


def cloud_findings(entries: Entries) -> Iterator[Finding]:
    """Every finding of this kind; nothing is said about fields that failed by themselves already."""
    pools: _Pools = []
    for entry in entries.hosts:
        if "uri" not in entry.broken and is_cloud(entry.model.uri):
            yield from _decided_there(entry)
            try:
                pools.append((cloud_pool(entry.model.uri), entry))
            except CloudUriError as error:
                yield entry.finding(str(error), error.remedy, "uri")  # without the uri: it may hold a password
    yield from _overlaps(pools)
    logins: dict[str, str] = {}
    for entry in entries.clouds:
        yield from _policy(entry, entries, pools, logins)


def _decided_there(entry: Entry) -> Iterator[Finding]:
    for name, why in (
        ("pool", "a cloud has no pool of ours"),
        ("overcommit", "a cloud overcommits by rules of its own, which its capacity holds already"),
    ):
        if name in entry.model.model_fields_set:
            yield entry.finding(why, f"remove {name}", name)


def _overlaps(pools: _Pools) -> Iterator[Finding]:
    """A pool of all zones holds those of each zone: the same servers would be seen on two hosts. Servers of ours are of one aggregate."""
    for number, (pool, entry) in enumerate(pools):
        for other, first in pools[:number]:
            same = (pool.cloud, pool.project, pool.aggregate) == (other.cloud, other.project, other.aggregate)
            if same and (pool.zone == other.zone or not (pool.zone and other.zone)):
                yield entry.finding(
                    f"uri holds servers of {first.id} too",
                    "give each host a zone or an aggregate of its own, or one host all",
                    "uri",
                )


def _policy(entry: Entry, entries: Entries, pools: _Pools, logins: dict[str, str]) -> Iterator[Finding]:
    cloud = entry.model
    if cloud.tenancy is Tenancy.DOMAIN and cloud.domain is not None:
        yield entry.finding("each ministry has a domain of its own here", "remove domain, or choose tenancy: project", "domain")
    if "ministries" in entry.broken:
        return
    ministries = {ministry.id for ministry in entries.ministries}
    for ministry, login in cloud.ministries.items():
        here = ("ministries", ministry)
        if ministry not in ministries:
            remedy = suggestion(ministry, tuple(ministries), "define the ministry or name another")
            yield entry.finding(f"no ministry {ministry!r}", remedy, *here)
        if login == cloud.administrator:
            yield entry.finding(
                "an administrator's credentials would make machines", "give the project an entry of its own in clouds.yaml", *here
            )
        if login in logins:
            what = f"entry {login} leads to the project of {logins[login]} already"
            yield entry.finding(what, "give each project an entry of its own in clouds.yaml", *here)
        logins.setdefault(login, ministry)
        there = [(pool, host) for pool, host in pools if pool.cloud == login]
        if not there and not any("uri" in host.broken for host in entries.hosts):
            yield entry.finding(f"no host stands in {login}", f"add a host with uri openstack://{login}, or remove it", *here)
        for pool, host in there:
            yield from _of_ministry(ministry, pool, host, entries.networks)


def _of_ministry(ministry: str, pool: CloudPool, host: Entry, networks: Iterable[Entry]) -> Iterator[Finding]:
    if pool.project:
        yield host.finding("names a project, which kasumi_clouds does for it", "remove project= from the uri", "uri")
    owners = {network.id: network.model.ministry for network in networks}
    for network in host.model.networks if "networks" not in host.broken else ():
        if owners.get(network, ministry) != ministry:
            owner = owners[network] or "everybody"
            what = f"network {network} is of {owner}, and the host stands in the project of {ministry}"
            remedy = f"carry networks with `ministry: {ministry}` alone, so that nobody else's machine comes there"
            yield host.finding(what, remedy, "networks", network)
