"""Several Nova services in one process: `python -m kasumi_lab.nova_services NAME PORT --config-file FILE KIND[:HOST,HOST…] …`.

KIND is conductor, scheduler or compute; computes stand alone, since Nova bars a whole process from its database for them.
Once all have started PORT is open on loopback, so that one can see from outside that they are ready.
"""

# ruff: noqa: E402 - Nova has to choose its kind of threads before anything else of it is imported
from nova import monkey_patch

monkey_patch.patch(backend="threading")

import os
import shlex
import signal
import socket
import sys
import threading
from pathlib import Path

import nova.conf
import nova.db.main.api
import nova.virt
from nova import config, objects, service, servicegroup, utils
from nova.compute import rpcapi as compute_rpcapi
from nova.conductor import rpcapi as conductor_rpcapi
from nova.objects import base as objects_base
from oslo_log import log

CONF = nova.conf.CONF


def main() -> None:
    """Start all services asked for, say so, and run until told to end."""
    name, port, *rest = sys.argv[1:]
    options = [word for word in rest if not _is_service(word)]
    config.parse_args([name, *options])
    log.setup(CONF, "nova")
    objects.register_all()
    wanted = [(kind, host) for word in rest if _is_service(word) for kind, host in _hosts_of(word)]
    if any(kind == "compute" for kind, _ in wanted):
        _become_compute()
    objects.Service.enable_min_version_cache()
    # A service that comes back is seen at once, not five seconds later.
    servicegroup.api.INITIAL_REPORTING_DELAY = 0
    started = [_start(kind, host) for kind, host in wanted]
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    # Reading a guest's console makes its terminal ours, which hangs up when the guest stops or leaves.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with socket.create_server(("127.0.0.1", int(port))):
        print(f"{name}: {len(started)} services started", flush=True)
        over.wait()
    # Nova's threads would be waited for; nothing of a service needs an orderly end.
    os._exit(0)


def _is_service(word: str) -> bool:
    return word.partition(":")[0] in {"conductor", "scheduler", "compute"}


def _hosts_of(word: str) -> list[tuple[str, str | None]]:
    kind, _, hosts = word.partition(":")
    return [(kind, host) for host in hosts.split(",")] if hosts else [(kind, None)]


def _become_compute() -> None:
    import nova.privsep  # noqa: PLC0415 - a second's import that only computes need
    import os_brick.privileged  # noqa: PLC0415
    import os_vif  # noqa: PLC0415
    from oslo_privsep import priv_context  # noqa: PLC0415

    # Nova loads compute drivers from below nova.virt only.
    nova.virt.__path__.append(str(Path(__file__).parent / "virt"))
    priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
    os_brick.setup(CONF)
    os_vif.initialize()
    # We are root, so what needs privileges is done here and not by a helper.
    for privileged in (nova.privsep.sys_admin_pctxt, os_brick.privileged.default):
        privileged.set_client_mode(False)
    # As on a real compute host, which must not know the way to any database.
    CONF.set_override("connection", None, "api_database")
    nova.db.main.api.DISABLE_DB_ACCESS = True
    objects_base.NovaObject.indirection_api = conductor_rpcapi.ConductorAPI()


def _start(kind: str, host: str | None) -> object:
    topics = {"topic": compute_rpcapi.RPC_TOPIC, "topic_alt": compute_rpcapi.RPC_TOPIC_ALT} if kind == "compute" else {}
    made = service.Service.create(binary=f"nova-{kind}", host=host, **topics)
    made.start()
    return made


if __name__ == "__main__":
    main()
