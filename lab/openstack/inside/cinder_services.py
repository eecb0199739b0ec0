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
from cinder import objects, service, utils, version
from cinder.common import config, constants
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
    started = [
        service.Service.create(binary=constants.SCHEDULER_BINARY),
        service.Service.create(
            host=f"{CONF.host}@{BACKEND}", service_name=BACKEND, binary=constants.VOLUME_BINARY, coordination=True
        ),
    ]
    for each in started:
        each.start()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    with socket.create_server(("127.0.0.1", int(port))):
        print(f"{name}: {len(started)} services started", flush=True)
        over.wait()
    # Cinder's threads would be waited for; nothing of a service needs an orderly end.
    os._exit(0)


if __name__ == "__main__":
    main()
