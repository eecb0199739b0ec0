"""The legacy servers reached by ssh alone: real services on roots of their own, in namespaces, no hypervisor.

One is a Debian 12 that grew by hand; those of the Ministry of Justice are what discovery is tried on: a Debian 11 and a Debian 12
that talk to each other, an old style behind the first of them, and a BusyBox that does nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controlplane.errors import KasumiError, UnreachableError
from lab import image, layout, network, roots
from lab.command import attempt, start
from lab.keys import host_key, write
from lab.layout import NAMESPACE_PREFIX, Server
from lab.namespaces import NAMED
from lab.processes import Process, end, inhabitants, namespace_id

RECIPE = Path(__file__).parent / "recipe"
READY_SECONDS = 180
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Legacy:
    """One of them: where its root is cached, what it starts, and the server it stands behind, if any."""

    server: Server
    system: Callable[[], Path]
    init: str
    services: tuple[str, ...]
    behind: Server | None = None

    @property
    def namespace(self) -> str:
        """Name of its network namespace."""
        return namespace_of(self.server)

    def ensure(self) -> list[str]:
        """Make the server be there and alive, and name what had to be made.

        One dead service restarts the whole server: it has no service manager that could do it. May be repeated.
        """
        if self.behind is None:
            made = ["wires"] if network.ensure_server(self.server, self.namespace) else []
        else:
            made = ["wires"] if network.ensure_behind(self.server, self.namespace, namespace_of(self.behind)) else []
        if self.find() is None or self.missing_services():
            end({namespace_id(NAMED / self.namespace)})
            self._start()
            made.append("server")
        return made

    def find(self) -> Process | None:
        """The first process of the server, if it lives."""
        name = Path(self.init).name[:15]
        return next((one for one in self._inhabitants() if one.command == name and one.arguments.endswith(self.init)), None)

    def missing_services(self) -> list[str]:
        """Services of the server that do not run."""
        alive = {process.command for process in self._inhabitants()}
        return [name for name in self.services if name not in alive]

    def answers(self) -> tuple[bool, str]:
        """Whether the server lets us in over ssh now; otherwise the complaint."""
        return attempt([str(layout.ssh_home() / "ssh"), self.server.name, "true"], timeout_seconds=20)

    def await_answer(self) -> None:
        """Wait until the server lets us in and all its services run; raises UnreachableError with what is wrong."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            good, text = self.answers()
            dead = self.missing_services()
            if good and not dead:
                return
            if time.monotonic() > deadline:
                found = text if not good else f"not running: {', '.join(dead)}"
                where = f"{self.server.name}: wanted ssh at {self.server.address}"
                raise UnreachableError(f"lab: {where}, found: {found}; see {self._log()}")
            time.sleep(POLL_SECONDS)

    def _inhabitants(self) -> list[Process]:
        return inhabitants(NAMED / self.namespace)

    def _log(self) -> Path:
        return layout.server_home(self.server) / "console.log"

    def _start(self) -> None:
        home, name = layout.server_home(self.server), self.server.name
        (home / "keys").mkdir(parents=True, exist_ok=True)
        write(home / "keys" / "authorized_keys", (layout.ssh_home() / "id_ed25519.pub").read_text(encoding="utf-8"))
        write(home / "keys" / "host_key", host_key(name).read_text(encoding="utf-8"), mode=0o600)
        own_init = roots.init_of(name)
        if own_init.exists():
            write(home / "init", own_init.read_text(encoding="utf-8"), mode=0o755)
        fresh = ["unshare", "--mount", "--uts", "--pid", "--ipc", "--propagation", "slave", "--kill-child"]
        script = ["sh", str(RECIPE / "server-namespaces.sh"), str(self.system()), str(home), name, self.init]
        start(["nsenter", f"--net={NAMED / self.namespace}", *fresh, *script], log=self._log())
        deadline = time.monotonic() + READY_SECONDS
        while self.find() is None or self.missing_services():
            if time.monotonic() > deadline:
                dead = ", ".join(self.missing_services())
                raise KasumiError(f"lab: {name}: wanted its services running, found none of: {dead}; see {self._log()}")
            time.sleep(POLL_SECONDS)


def namespace_of(server: Server) -> str:
    """Name of a server's network namespace."""
    return NAMESPACE_PREFIX + server.name


MOF_FILES = Legacy(
    server=layout.MOF_FILES,
    system=image.mof_files_system,
    init="/sbin/mof-init",
    services=("nginx", "cron", "rsync", "vsftpd", "sshd"),
)
MOJ_DB = Legacy(server=layout.MOJ_DB, system=image.mof_files_system, init="/sbin/moj-db-init", services=("postgres", "sshd"))
MOJ_WEB = Legacy(
    server=layout.MOJ_WEB,
    system=roots.debian_11,
    init="/sbin/moj-web-init",
    services=("nginx", "cron", "sshd", "registry-applic"),
)
MOJ_ARCHIVE = Legacy(
    server=layout.MOJ_ARCHIVE,
    system=roots.old_style,
    init="/sbin/moj-archive-init",
    services=("cron", "sshd"),
    behind=layout.MOJ_WEB,
)
MOJ_KIOSK = Legacy(server=layout.MOJ_KIOSK, system=roots.busybox, init="/sbin/moj-kiosk-init", services=("dropbear",))
CHAINS = ((MOF_FILES,), (MOJ_DB,), (MOJ_WEB, MOJ_ARCHIVE), (MOJ_KIOSK,))
"""Those of a chain are made one after the other: each stands behind the one before it."""
ALL = tuple(one for chain in CHAINS for one in chain)
