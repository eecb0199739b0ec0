"""The legacy server `mof-files`, reached by ssh alone: real services on a Debian of its own, in namespaces, no hypervisor."""

import time
from pathlib import Path

from controlplane.errors import KasumiError, UnreachableError
from lab import image, layout, network
from lab.command import attempt, start
from lab.keys import host_key, write
from lab.layout import MOF_FILES, MOF_FILES_NAMESPACE
from lab.namespaces import NAMED
from lab.processes import Process, end, inside, namespace_id

RECIPE = Path(__file__).parent / "recipe"
INIT = "/sbin/mof-init"
SERVICES = ("nginx", "cron", "rsync", "vsftpd", "sshd")
READY_SECONDS = 60
POLL_SECONDS = 0.2


def ensure() -> list[str]:
    """Make the server be there and alive, and name what had to be made.

    One dead service restarts the whole server: it has no service manager that could do it. May be repeated.
    """
    made = ["wires"] if network.ensure_server(MOF_FILES, MOF_FILES_NAMESPACE) else []
    if find() is None or missing_services():
        end({namespace_id(NAMED / MOF_FILES_NAMESPACE)})
        _start()
        made.append("server")
    return made


def find() -> Process | None:
    """The first process of the server, if it lives."""
    name = Path(INIT).name
    return next((process for process in _inhabitants() if process.command == name and process.arguments.endswith(INIT)), None)


def missing_services() -> list[str]:
    """Services of the server that do not run."""
    alive = {process.command for process in _inhabitants()}
    return [name for name in SERVICES if name not in alive]


def answers() -> tuple[bool, str]:
    """Whether the server lets us in over ssh now; otherwise the complaint."""
    return attempt([str(layout.ssh_home() / "ssh"), MOF_FILES.name, "true"], timeout_seconds=20)


def await_answer() -> None:
    """Wait until the server lets us in and all its services run; raises UnreachableError with what is wrong."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        good, text = answers()
        dead = missing_services()
        if good and not dead:
            return
        if time.monotonic() > deadline:
            found = text if not good else f"not running: {', '.join(dead)}"
            raise UnreachableError(f"lab: {MOF_FILES.name}: wanted ssh at {MOF_FILES.address}, found: {found}; see {_log()}")
        time.sleep(POLL_SECONDS)


def _inhabitants() -> list[Process]:
    path = NAMED / MOF_FILES_NAMESPACE
    return inside({namespace_id(path)}) if path.exists() else []


def _log() -> Path:
    return layout.server_home(MOF_FILES) / "console.log"


def _start() -> None:
    home = layout.server_home(MOF_FILES)
    (home / "keys").mkdir(parents=True, exist_ok=True)
    write(home / "keys" / "authorized_keys", (layout.ssh_home() / "id_ed25519.pub").read_text(encoding="utf-8"))
    write(home / "keys" / "host_key", host_key(MOF_FILES.name).read_text(encoding="utf-8"), mode=0o600)
    fresh = ["unshare", "--mount", "--uts", "--pid", "--ipc", "--propagation", "slave", "--kill-child"]
    script = ["sh", str(RECIPE / "server-namespaces.sh"), str(image.mof_files_system()), str(home), MOF_FILES.name, INIT]
    start(["nsenter", f"--net={NAMED / MOF_FILES_NAMESPACE}", *fresh, *script], log=_log())
    deadline = time.monotonic() + READY_SECONDS
    while find() is None or missing_services():
        if time.monotonic() > deadline:
            dead = ", ".join(missing_services())
            raise KasumiError(f"lab: {MOF_FILES.name}: wanted its services running, found none of: {dead}; see {_log()}")
        time.sleep(POLL_SECONDS)
