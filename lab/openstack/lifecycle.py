"""Up, down and reset of the cloud. Each piece is asked whether it is there, ours and alive, and made or started when not: so
`up` after any accident repairs, and `down` after any accident cleans up.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controlplane.errors import KasumiError, RefusedError
from lab import ownership, processes
from lab.openstack import accounts, configuration, databases, hypervisor, layout, network, packages, services, snapshot
from lab.progress import say, step

TOOLS = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server",
    "epmd": "erlang-base",
    "rabbitmq-server": "rabbitmq-server",
}
LOCK_FOLDER = "/var/cache"
"""Not that of the libvirt part: the two have nothing in common that could be in each other's way."""


def up(*, guests: bool = False) -> None:
    """Bring the cloud up, or repair it; what is there and alive is left alone, servers and networks in it too.

    With `guests` it has, from now on, two more compute hosts whose servers are real QEMU guests.
    May be repeated. Raises KasumiError (rights, tools, a step that failed), RefusedError (something foreign in the way),
    LockedError, UnreachableError.
    """
    with alone():
        ownership.claim_home(layout.home())
        network.refuse_foreign()
        packages.ensure()
        with step("openstack network") as note:
            if network.ensure():
                note("made")
        if not _has_state():
            _make_state()
        elif snapshot.recipe() != snapshot.place().name:
            raise RefusedError(
                f"lab openstack: wanted a cloud of this version at {layout.home()}, found one that another version made; what "
                "is in it is left alone: `kasumi lab reset` makes it anew and empty"
            )
        if guests:
            ownership.require_packages(ownership.missing_packages(hypervisor.TOOLS))
            hypervisor.want()
        _start()


def reset() -> None:
    """Make the cloud empty again, as after the first `up`; brings it up if it is down. May be repeated. Raises like `up`."""
    with alone():
        if network.namespace() is not None:
            _clear()
        ownership.refuse_foreign_home(layout.home())
        hypervisor.forget()
        network.remove_guests()
        snapshot.remove_state()
    up()


def down(*, purge: bool = False) -> bool:
    """End everything of the cloud and remove everything it made; with `purge` the cached packages and databases too.

    Says whether there was anything. May be repeated, and after any accident. Raises RefusedError when something foreign has
    one of our names, LockedError.
    """
    ownership.require_root()
    with ownership.one_at_a_time(LOCK_FOLDER):
        home = layout.home()
        ownership.refuse_foreign_home(home)
        network.refuse_foreign()
        unmount_netns = not ownership.netns_was_mounted(home)
        found = home.exists()
        if inodes := network.inhabited():
            with step("openstack processes") as note:
                note(f"ended {processes.end(inodes)}")
        found = network.remove() or found
        if home.exists():
            with step("openstack files") as note:
                ownership.remove_home(home)
                note(f"removed {home}")
        if unmount_netns:
            ownership.leave_netns_folder()
        if purge and layout.cache().exists():
            with step("openstack cache") as note:
                shutil.rmtree(layout.cache())
                note(f"removed {layout.cache()}")
        return found


def is_up() -> bool:
    """Whether the cloud was brought up and not taken down since; its services may be dead."""
    return ownership.is_home(layout.home()) and _has_state()


def require_up() -> None:
    """Raise KasumiError when the cloud was not brought up."""
    if not is_up():
        raise KasumiError(f"lab openstack: wanted it up, found no cloud at {layout.home()}; `kasumi lab up --openstack` first")


@contextmanager
def alone() -> Iterator[None]:
    """Hold the cloud's lock. Raises KasumiError (rights, tools), LockedError when another command holds it."""
    ownership.require_root()
    ownership.require_packages(ownership.missing_packages(TOOLS))
    with ownership.one_at_a_time(LOCK_FOLDER):
        yield


def _has_state() -> bool:
    return (layout.state() / "secrets.json").exists() and not _half_built().exists()


def _half_built() -> Path:
    return layout.home() / "building"


def _make_state() -> None:
    """That of an empty cloud: the kept one, or the one from which it is kept."""
    _clear()
    if not snapshot.exists():
        _build()
        return
    with step("openstack state") as note:
        snapshot.restore()
        _half_built().unlink(missing_ok=True)
        note("an empty cloud")


def _build() -> None:
    """Make an empty cloud from nothing and keep its state in the cache."""
    say("lab openstack: making its databases once, a minute or two")
    _half_built().touch()
    snapshot.remove_state()
    layout.state().mkdir()
    with step("openstack databases") as note:
        found = configuration.new_secrets()
        configuration.write_all(found)
        databases.install()
        first, second, *_ = services.everything()
        services.ensure(first)
        services.ensure(second)
        databases.fill(found)
        note(f"made {', '.join(databases.NAMES)}")
    with step("openstack accounts") as note:
        services.ensure([services.named("keystone")])
        with accounts.connect(found) as cloud:
            accounts.fill_identity(cloud, found)
        for group in services.everything():
            services.ensure(group)
        databases.discover_hosts()
        # Anew: a token carries the catalogue of when it was made.
        with accounts.connect(found) as cloud:
            accounts.await_computes(cloud)
            accounts.fill_compute(cloud)
        accounts.write_clouds(found)
        note("made service users, catalogue, flavors, zones, one project")
    with step("openstack snapshot") as note:
        for group in reversed(services.everything()):
            for service in group:
                services.end(service)
        note(f"kept {snapshot.take()}")
    _half_built().unlink()


def _start() -> None:
    found = configuration.read_secrets()
    if guests := hypervisor.wanted():
        hypervisor.write_files()
        network.ensure_guests()
    configuration.write_all(found)
    for group in services.everything():
        with step(f"openstack {', '.join(service.name for service in group)}") as note:
            if started := services.ensure(group):
                note(f"started {', '.join(started)}")
    with step("openstack computes") as note, accounts.connect(found) as cloud:
        accounts.await_computes(cloud, guests=guests)
        accounts.write_clouds(found)
        note(f"all up; `export OS_CLIENT_CONFIG_FILE={layout.clouds_yaml()}`")
    if guests:
        with step("openstack guests") as note, accounts.connect(found) as cloud:
            databases.discover_hosts()
            accounts.fill_guests(cloud)
            note(f"zone {layout.GUEST_ZONE}, flavor {layout.GUEST_FLAVOR}")


def _clear() -> None:
    """End whatever lives in the cloud's namespace, at once: what it wrote is thrown away."""
    processes.end(network.inhabited())
