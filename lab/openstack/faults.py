"""What a test or a person breaks on purpose: services stopped, killed and started again, and what the fake computes do wrong."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from controlplane.errors import ExitCode, KasumiError
from lab.keys import write
from lab.openstack import layout, lifecycle, services

KNOBS = (
    "spawn_delay_seconds",
    "delete_delay_seconds",
    "migrate_delay_seconds",
    "spawn_fails_on",
    "spawn_aborts_on",
    "live_migration_fails_from",
)
"""Those of the fake computes' driver, which says what each does."""


def stop(name: str) -> bool:
    """End a service in good order; says whether it ran. May be repeated. Raises KasumiError for an unknown name."""
    with lifecycle.alone():
        return services.end(services.named(name))


def kill(name: str) -> bool:
    """Kill a service as a power cut would; says whether it ran. May be repeated. Raises KasumiError for an unknown name."""
    with lifecycle.alone():
        return services.end(services.named(name), grace=False)


def start(name: str) -> bool:
    """Start a service and wait until it is ready; says whether it had to be. May be repeated.

    Raises KasumiError for an unknown name, and when the cloud is not up.
    """
    with lifecycle.alone():
        lifecycle.require_up()
        return bool(services.ensure([services.named(name)]))


def lose(host: str) -> None:
    """Kill one fake compute host as a power cut would: the process of its zone is killed and comes back without it.

    Raises KasumiError when there is no such host, or the cloud is not up.
    """
    _restart(host, without=host)


def regain(host: str) -> None:
    """Have a lost host back, its zone's process started anew. May be repeated. Raises like `lose`."""
    _restart(host)


def _restart(host: str, *, without: str = "") -> None:
    zone = next((zone for zone, hosts in layout.ZONES.items() if host in hosts), "")
    if not zone:
        raise KasumiError(f"lab openstack: wanted a fake compute host, found {host}, which is none", ExitCode.USAGE)
    with lifecycle.alone():
        lifecycle.require_up()
        whole = services.named(f"nova-compute-{zone}")
        hosts = ",".join(each for each in layout.ZONES[zone] if each != without)
        services.end(whole, grace=False)
        services.ensure([replace(whole, argv=(*whole.argv[:-1], f"compute:{hosts}"))])


def turn(**knobs: float | Sequence[str]) -> None:
    """Turn these knobs of the fake computes and all others back; works at once. Without any, all is well again.

    Raises ValueError for a knob that there is not.
    """
    if unknown := set(knobs) - set(KNOBS):
        raise ValueError(f"wanted knobs among {', '.join(KNOBS)}, found {', '.join(sorted(unknown))}")
    content: Mapping[str, Any] = knobs
    write(layout.knobs(), json.dumps(content))


def turned() -> dict[str, Any]:
    """The knobs that are turned now."""
    found: dict[str, Any] = json.loads(layout.knobs().read_text(encoding="utf-8")) if layout.knobs().exists() else {}
    return found
