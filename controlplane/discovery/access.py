"""From the inventory to the door of a server: address, port, user, key and the jump hosts before it. Pure."""

import re

from controlplane.connectors.server_ssh import Door
from controlplane.errors import KasumiError
from controlplane.model.estate import Estate, Server

_PLACE = re.compile(r"(?:(?P<user>[^@\s]+)@)?(?P<address>[^@:\s]+)(?::(?P<port>[0-9]{1,5}))?")


def door_of(estate: Estate, server: Server) -> Door:
    """The door of a server. Raises KasumiError when its jumps lead nowhere or in a circle."""
    return _door(estate, server, ())


def _door(estate: Estate, server: Server, before: tuple[str, ...]) -> Door:
    if server.id in before:
        raise KasumiError(
            f"server {server.id}: its jump hosts go in a circle: {' → '.join((*before, server.id))}; correct ssh.jump"
        )
    if not server.address:
        raise KasumiError(f"server {server.id}: has no address; add `address: …` in the inventory")
    return Door(
        owner=f"{estate.id}/{server.id}", address=server.address, port=server.ssh.port, user=server.ssh.user or estate.access.user,
        identity_file=server.ssh.identity_file or estate.access.identity_file, old_algorithms=server.ssh.old_algorithms,
        jump=_jump(estate, server.ssh.jump, (*before, server.id)) if server.ssh.jump else None,
    )  # fmt: skip


def _jump(estate: Estate, jump: str, before: tuple[str, ...]) -> Door:
    if jump in estate.servers:
        return _door(estate, estate.servers[jump], before)
    hit = _PLACE.fullmatch(jump)
    port = int(hit["port"] or 22) if hit else 0
    if hit is None or not 1 <= port <= 65535:
        raise KasumiError(f"server {before[-1]}: ssh.jump {jump!r}: wanted the id of a server or [user@]address[:port]")
    return Door(
        owner=f"{estate.id}/{hit['address']}", address=hit["address"], port=port, user=hit["user"] or estate.access.user,
        identity_file=estate.access.identity_file,
    )  # fmt: skip
