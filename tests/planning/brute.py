"""Every rule in its plainest form, and every placement tried: what the planner, its conflicts and the check are held against."""

from fractions import Fraction
from itertools import combinations, product
from math import floor

from controlplane.model.resources import Resources


def best_placement(rooms, drafts, networks):
    """The fewest hosts in use over all placements that keep every rule, and one such placement; None when there is none."""
    best = None
    options = [[room.host.id for room in rooms if allowed(room, draft, networks)] for draft in drafts]
    by_id = {room.host.id: room for room in rooms}
    for choice in product(*options):
        used = len(set(choice))
        if (best is None or used < best[0]) and keeps_rules(by_id, list(zip(drafts, choice, strict=True)), networks):
            best = (used, dict(zip([draft.id for draft in drafts], choice, strict=True)))
    return best


def allowed(room, draft, networks, *, coming=True):
    """Whether a machine may stand on a host that is otherwise empty; namesakes count only for one that comes to stay."""
    host, cpu, network = room.host, draft.needs.cpu, networks[draft.network]
    return (
        room.answers
        and not host.maintenance
        and draft.confidentiality in host.confidentiality
        and draft.network in host.networks
        and network.confidentiality >= draft.confidentiality
        and network.ministry in {"", draft.ministry}
        and (not draft.only_on or host.id in draft.only_on)
        and host.id not in draft.not_on
        and not (coming and draft.id in room.others_by_name)
        and (not cpu.architecture or cpu.architecture == room.architecture)
        and (not cpu.baseline or (host.offers.cpu.baseline != "" and cpu.baseline <= host.offers.cpu.baseline))
        and set(cpu.features) <= set(host.offers.cpu.features)
    )


def keeps_rules(rooms, where, networks):
    """Whether all machines of a placement keep every rule, losses included."""
    by_host = {name: [draft for draft, on in where if on == name] for name in rooms}
    if not all(has_room(rooms[name], here) for name, here in by_host.items()):
        return False
    if not in_peace(rooms, where) or not licensed(rooms, where):
        return False
    for (one, first), (other, second) in combinations(where, 2):
        if one.system != other.system:
            continue
        if one.replica_group and one.replica_group == other.replica_group and near(rooms, first, second, one.tier.spread_over):
            return False
        shared = set(one.needs.together) & set(other.needs.together)
        if any(place(rooms[first].host, over) != place(rooms[second].host, over) for over, _ in shared):
            return False
    return all(survived(rooms, where, networks, over, level) for over, level in {tier_of(draft) for draft, _ in where} if level)


def has_room(room, here):
    """Memory, disk by pool, network, IOPS, and vCPUs in every hour of a week."""
    left, offers = promised(room.host), room.host.offers
    hours = all(
        sum(draft.size.vcpus * (draft.load[hour % len(draft.load)] if draft.load else 100) for draft in here) <= 100 * left.vcpus
        for hour in range(168)
    )
    return not here or (
        hours
        and sum(draft.size.memory_mib for draft in here) <= left.memory_mib
        and sum(draft.size.disk_gib for draft in here if not draft.needs.disk_class) <= left.disk_gib
        and all(
            sum(draft.size.disk_gib for draft in here if draft.needs.disk_class == name)
            <= sum(int(pool.capacity_gib * room.host.overcommit.disk) for pool in room.host.pools if pool.disk_class == name)
            for name in {draft.needs.disk_class for draft in here} - {""}
        )
        and sum(draft.needs.network_mbps for draft in here) <= offers.network_mbps
        and sum(draft.needs.iops for draft in here) <= offers.iops
    )


def promised(host):
    """What a host may promise that answers with what it declares and holds nothing of others, from its declaration alone."""
    names = {"vcpus": host.overcommit.vcpus, "memory_mib": host.overcommit.memory, "disk_gib": host.overcommit.disk}
    return Resources(
        **{
            name: floor((getattr(host.capacity, name) - getattr(host.reserved, name)) * Fraction(str(ratio)))
            for name, ratio in names.items()
        }
    )


def in_peace(rooms, where):
    """No two of ministries that are kept apart on one host, or with disks on one storage system."""
    return not any(
        other.ministry in one.apart_from
        and other.apart_from
        and (first == second or storage(rooms[first].host, one) & storage(rooms[second].host, other))
        for (one, first), (other, second) in product(where, where)
    )


def storage(host, draft):
    """The system that the machine's disk would stand on, if any."""
    pools = {pool.disk_class: pool.storage for pool in host.pools} | {"": host.storage}
    return {pools.get(draft.needs.disk_class, "")} - {""}


def licensed(rooms, where):
    """Each product on no more sockets than are owned, and nowhere where they are not stated."""
    running = {}
    for draft, on in where:
        for licence in draft.licences:
            running.setdefault(licence, set()).add(on)
    sockets = {name: room.host.offers.sockets for name, room in rooms.items()}
    return all(
        sum(sockets[on] for on in hosts) <= owned and all(sockets[on] for on in hosts) for (_, owned), hosts in running.items()
    )


def near(rooms, first, second, over):
    """Whether two hosts are one, or share a failure domain."""
    return first == second or place(rooms[first].host, over) == place(rooms[second].host, over)


def place(host, over):
    """A failure domain by its site and name."""
    return host.id if over == "host" else host.site if over == "site" else (host.site, getattr(host, over))


def tier_of(draft):
    """What it survives, and how many of them."""
    return draft.tier.survives, draft.tier.host_failures


def survived(rooms, where, networks, over, level):
    """Whether after every loss of so many domains the machines that must survive it fit elsewhere, in any way."""
    domains = {place(room.host, over) for room in rooms.values()}
    silent = {place(room.host, over) for room in rooms.values() if not room.answers}
    there = sorted(domains - silent, key=str)
    return all(
        somewhere(rooms, where, networks, silent | set(lost), over, level)
        for lost in combinations(there, min(max(0, level - len(silent)), len(there)))
    )


def somewhere(rooms, where, networks, lost, over, level):
    """Whether the machines on lost domains fit elsewhere, all at once."""
    gone = {name for name, room in rooms.items() if place(room.host, over) in lost}
    wider = {"host": {"host", "rack", "power_feed", "site"}, "rack": {"rack", "site"}, "power_feed": {"power_feed", "site"}}
    moving = [
        draft for draft, on in where
        if on in gone and draft.tier.survives in wider.get(over, {over}) and draft.tier.host_failures >= level
    ]  # fmt: skip
    left = {name: room for name, room in rooms.items() if name not in gone}
    staying = {name: [draft for draft, on in where if on == name] for name in left}
    options = [[name for name, room in left.items() if allowed(room, draft, networks, coming=False)] for draft in moving]
    for choice in product(*options):
        after = {name: [*staying[name], *(d for d, on in zip(moving, choice, strict=True) if on == name)] for name in left}
        whole = [(draft, name) for name, here in after.items() for draft in here]
        if all(has_room(left[name], after[name]) for name in set(choice)) and in_peace(left, whole) and licensed(left, whole):
            return True
    return False
