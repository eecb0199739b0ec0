"""The risk taken where loads that peak at different hours share a host: what is promised beside what the fullest hour takes."""

from collections.abc import Iterator, Mapping, Sequence

from controlplane.planning.capacity import HostRoom
from controlplane.planning.demand import Draft
from controlplane.planning.dimensions import dimensions_of


def contention_warnings(rooms: Sequence[HostRoom], drafts: Sequence[Draft], placed: Mapping[str, str]) -> Iterator[str]:
    """One for each host that promises more vCPUs than it may, which only load profiles allow."""
    counted = dimensions_of(drafts)
    if not counted.hours:
        return
    here: dict[str, list[Draft]] = {}
    for draft in drafts:
        here.setdefault(placed[draft.id], []).append(draft)
    for room in rooms:
        drafts_here, may = here.get(room.host.id, []), room.promised.vcpus
        others = room.foreign.vcpus + room.leaving.vcpus
        promised = others + sum(draft.size.vcpus for draft in drafts_here)
        if promised <= may or all(not draft.load for draft in drafts_here):
            continue
        sizes = [counted.size(draft) for draft in drafts_here]
        loads = [sum(size[at] for size in sizes) for at in range(len(counted.hours))]
        fullest = max(range(len(loads)), key=lambda at: loads[at])
        hour = counted.all[fullest]
        yield (
            f"host {room.host.id}: promises {promised} vCPU of {may}, as its loads peak at different hours: "
            f"{hour.number(loads[fullest] + others * hour.scale)} in the fullest ({hour.name.removeprefix('vCPU ')}); "
            f"if all peak at once, {1 - may / promised:.0%} of the load waits for a processor"
        )
