"""Makes what should be there once where a cloud lets a name be used twice, though another controller may be making the same.

Whoever finds another one beside their own takes their own away and gives up for now. Of two, at most one stays, without clocks or locks:
one who sees nobody's after theirs was there was first, and whoever came later sees theirs. Both may give up; a later run makes it.
"""

from collections.abc import Callable, Iterable

from controlplane.errors import KasumiError
from controlplane.providers.openstack_cloud import Json


def make_alone(
    what: str, make: Callable[[], Json], all_such: Callable[[], Iterable[Json]], take_away: Callable[[Json], None]
) -> Json:
    """Make it, and keep it when it is the only one. Raises KasumiError when another controller makes it too, ApiError."""
    mine = make()
    others = sorted(each["id"] for each in all_such() if each["id"] != mine["id"])
    if not others:
        return mine
    take_away(mine)
    raise KasumiError(
        f"{what}: another controller made it at the same moment ({', '.join(others)}), so ours was taken away again; let one controller "
        "work at a time, and run again"
    )
