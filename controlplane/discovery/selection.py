"""Which servers are meant by ids of servers, systems and ministries; and what is known of them before anybody asks. Pure."""

from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches

from controlplane.errors import ExitCode, KasumiError
from controlplane.model.estate import Estate, Server
from controlplane.model.facts import Answer, ServerFacts, Source


def selected(estate: Estate, ids: Sequence[str]) -> tuple[Server, ...]:
    """The servers of these ids in the order of the inventory; all without ids. Raises KasumiError for an id that nothing has."""
    known = {*estate.servers, *estate.systems, *estate.ministries}
    for one in ids:
        if one not in known:
            near = get_close_matches(one, sorted(known), n=1)
            remedy = f"did you mean {near[0]}?" if near else "`kasumi inventory list servers` shows ids"
            raise KasumiError(f"no server, system or ministry has the id {one!r}; {remedy}", ExitCode.USAGE)
    wanted = set(ids)
    return tuple(
        server
        for server in estate.servers.values()
        if not wanted or wanted & {server.id, server.system, estate.systems[server.system].ministry}
    )


def unasked(server: Server, *, at: datetime) -> ServerFacts | None:
    """The result for a server that cannot be asked, with the reason; None for one that can."""
    if server.os.lower().startswith("windows"):
        answer, message = Answer.UNSUPPORTED, f"{server.os}: no probe speaks to it; known from ledgers and Prometheus only"
    elif not server.address:
        answer, message = Answer.UNREACHABLE, "has no address; add `address: …` to its kasumi_server in the inventory"
    else:
        return None
    return ServerFacts(
        server=server.id, source=Source.SSH, collected_at=at, duration_seconds=0.0, answer=answer, message=message
    )  # fmt: skip
