"""Cinder's scheduler and volume service in one process: `python -m kasumi_lab.cinder_services NAME PORT --config-file FILE`.

Once both have started PORT is open on loopback, so that one can see from outside that they are ready.
"""

# ruff: noqa: E402 - Cinder has to choose its kind of threads before anything else of it is imported
from cinder import monkey_patch

monkey_patch.patch(backend="threading")

import os
import shlex
import signal
import socket
import sys
import threading

import cinder.privsep
import os_brick.privileged
from cinder import context, objects, service, utils, version
from cinder.common import config, constants
from eventlet import tpool
from oslo_config import cfg
from oslo_log import log
from oslo_privsep import priv_context

CONF = cfg.CONF
BACKEND = "files"


def main() -> None:
    """Start both, say so, and run until told to end."""
    name, port, *options = sys.argv[1:]
    objects.register_all()
    CONF(options, project="cinder", version=version.version_string())
    log.setup(CONF, "cinder")
    config.set_middleware_defaults()
    priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
    os_brick.setup(CONF)
    # We are root, so what needs privileges is done here and not by a helper.
    for privileged in (cinder.privsep.sys_admin_pctxt, os_brick.privileged.default):
        privileged.set_client_mode(False)
    volume = service.Service.create(
        host=f"{CONF.host}@{BACKEND}", service_name=BACKEND, binary=constants.VOLUME_BINARY, coordination=True
    )
    scheduler = _Scheduler.create(binary=constants.SCHEDULER_BINARY)
    # It hands work to one of many threads and gets the answer back in the first that ever asked, so that every other waits for
    # ever. With none, the thread that asks does the work itself.
    tpool.set_num_threads(0)
    volume.start()
    # The scheduler waits for a minute unless a volume service that is known to live says what it has.
    volume.report_state()
    scheduler.start()
    # Cinder takes a process to be one service, the last that started.
    service.Service.service_id = volume.origin_service_id
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    with socket.create_server(("127.0.0.1", int(port))):
        print(f"{name}: scheduler and volume service started", flush=True)
        over.wait()
    # Cinder's threads would be waited for; nothing of a service needs an orderly end.
    os._exit(0)


class _Scheduler(service.Service):  # type: ignore[misc]
    """Says that it lives in its own name, and not in that of the volume service beside it."""

    def report_state(self) -> None:
        """The heartbeat."""
        found = objects.Service.get_by_id(context.get_admin_context(), self.origin_service_id)
        found.report_count += 1
        found.save()


if __name__ == "__main__":
    main()
