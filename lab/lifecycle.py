"""Up and down. Each piece is asked whether it is there, ours and alive, and made when it is not: so `up` after any accident
repairs, and `down` after any accident cleans up.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial

from controlplane.errors import ExitCode, KasumiError
from lab import acceleration, hosts, image, keys, layout, legacy, namespaces, network, ownership, pension, processes, roots
from lab.layout import OLD_HOST, PENSION, Host
from lab.progress import step


def up(*, shared: int | None = None, wait: bool = True) -> None:
    """Bring the lab up, or repair it; `shared` hosts (default: as many as it has, else 2), `wait` until everything answers.

    May be repeated: what is there and alive is left alone. Raises KasumiError (rights, tools, a step that failed),
    RefusedError (something foreign in the way), LockedError, UnreachableError.
    """
    ownership.require_abilities()
    with ownership.one_at_a_time():
        ownership.claim_home()
        count = _wanted_hosts(shared)
        everybody = layout.hosts(count)
        _refuse_foreign(everybody)
        with step("image") as note:
            image.ensure_image()
            note(f"ready, recipe {image.recipe_digest()}")
        roots.ensure()
        with step("acceleration") as note:
            note(acceleration.word())
        ownership.remember_shared_hosts(count)
        with step("keys") as note:
            if keys.ensure(everybody):
                note("made")
        with step("fabric") as note:
            if network.ensure_fabric():
                note("made")
        jobs = [partial(_bring_host, host, everybody, wait) for host in (OLD_HOST, *everybody[:-1])]
        _together([*jobs, *(partial(_bring_legacy, chain, wait) for chain in legacy.CHAINS)])
        if wait:
            with step(f"guest {PENSION.name}") as note:
                note(pension.await_answer())


def down(*, purge: bool = False) -> bool:
    """End everything the lab started and remove everything it made; with `purge` the image cache too.

    Says whether there was anything. May be repeated, and after any accident. Raises RefusedError when something foreign has
    one of our names, LockedError.
    """
    ownership.require_root()
    with ownership.one_at_a_time():
        ownership.refuse_foreign_home()
        network.refuse_foreign_uplink()
        unmount_netns = not ownership.netns_was_mounted()
        names = namespaces.ours()
        inodes = set(names.values()) | namespaces.nameless()
        found = bool(inodes) or layout.home().exists()
        if inodes:
            with step("processes") as note:
                note(f"ended {processes.end(inodes)}")
            with step("network") as note:
                uplink = network.remove_uplink()
                for name in names:
                    namespaces.remove(name)
                note(f"removed {len(names)} namespaces" + (f" and {layout.UPLINK}" if uplink else ""))
        if layout.home().exists():
            with step("files") as note:
                ownership.remove_home(layout.home())
                note(f"removed {layout.home()}")
        if unmount_netns:
            ownership.leave_netns_folder()
        if purge and layout.cache().exists():
            with step("cache") as note:
                image.purge()
                note(f"removed {layout.cache()}")
        return found


def _wanted_hosts(shared: int | None) -> int:
    present = ownership.shared_hosts()
    count = shared or present or layout.DEFAULT_HOSTS
    layout.hosts(count)
    if count < present:
        raise KasumiError(
            f"lab: wanted {count} shared hosts, found {present} already there, which may carry machines; "
            "`kasumi lab down` first, or ask for at least as many",
            ExitCode.USAGE,
        )
    return count


def _refuse_foreign(everybody: tuple[Host, ...]) -> None:
    # All of them before the first is made: a refusal must leave nothing half done.
    network.refuse_foreign_uplink()
    for name in (layout.FABRIC, *(one.namespace for one in legacy.ALL), *(host.namespace for host in everybody)):
        namespaces.refuse_foreign(f"network namespace {name}", namespaces.whose(name))


def _bring_host(host: Host, everybody: tuple[Host, ...], wait: bool) -> None:
    with step(f"host {host.name}") as note:
        made = hosts.ensure(host, everybody)
        if wait or host == OLD_HOST:
            hosts.await_answer(host)
        note(f"made or started {', '.join(made)}" if made else "as wanted")
    if host == OLD_HOST:
        with step(f"domain {PENSION.name}") as note:
            made = pension.ensure()
            note(f"made {', '.join(made)}" if made else "as wanted")


def _bring_legacy(chain: Sequence[legacy.Legacy], wait: bool) -> None:
    for one in chain:
        with step(f"server {one.server.name}") as note:
            made = one.ensure()
            if wait:
                one.await_answer()
            note(f"made or started {', '.join(made)}" if made else "as wanted")


def _together(jobs: Sequence[Callable[[], None]]) -> None:
    """Run all jobs at once, each to its end, then raise what went wrong, all of it in one KasumiError."""
    errors: list[BaseException] = []

    def run_one(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            errors.append(error)

    # Daemons, so that Ctrl-C ends the command and not only its main thread.
    threads = [threading.Thread(target=run_one, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        if not isinstance(error, KasumiError) or len(errors) == 1:
            raise error
    if errors:
        raise KasumiError("\n".join(str(error) for error in errors))
