"""The cloud's services: what each is started with, which process is it, and whether it is ready. Each is one process.

As everywhere in the lab there are no pid files: a process is one of ours if it lives in the cloud's network namespace.
"""

import os
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from controlplane.errors import ExitCode, KasumiError
from lab import command, processes
from lab.namespaces import NAMED
from lab.openstack import hypervisor, layout, network, packages
from lab.openstack.layout import GuestHost
from lab.processes import Process, inside

READY_SECONDS = 300
"""Each Python service takes some seconds of processor time to start, and all start at once."""
BIRTH_SECONDS = 60
"""RabbitMQ comes through a shell, so its process is not there at once."""
END_SECONDS = 30
POLL_SECONDS = 0.2
_LISTEN = "0A"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service; it is ready when it listens on `port`. `command` and `words` tell its process from the others."""

    name: str
    argv: tuple[str, ...]
    port: int
    command: str
    words: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    namespace: str = layout.NAMESPACE


def everything() -> tuple[tuple[Service, ...], ...]:
    """All services in the order of their start: those of one step start together."""
    hosts = layout.GUEST_HOSTS if hypervisor.wanted() else ()
    guests = (tuple(_libvirtd(host) for host in hosts), tuple(_guest_compute(host) for host in hosts)) if hosts else ()
    return (
        (_mariadb(), _epmd()),
        (_rabbitmq(),),
        (
            *(_api(name, module) for name, module in APIS.items()),
            _python_service("nova-control", "nova", "conductor", "scheduler", port=_CONTROL_PORT),
            _python_service("cinder-volume", "cinder", port=_CONTROL_PORT - 1),
        ),
        tuple(
            _python_service(f"nova-compute-{zone}", "nova", f"compute:{','.join(hosts)}", port=_CONTROL_PORT + number)
            for number, (zone, hosts) in enumerate(layout.ZONES.items(), start=1)
        ),
        *guests,
    )


def names() -> list[str]:
    """Names of all services, in the order of their start."""
    return [service.name for group in everything() for service in group]


def named(name: str) -> Service:
    """The service of this name; raises KasumiError when there is none."""
    for service in (service for group in everything() for service in group):
        if service.name == name:
            return service
    raise KasumiError(f"lab openstack: wanted service {name}, found only {', '.join(names())}", ExitCode.USAGE)


def find(service: Service) -> Process | None:
    """The living process of the service, if there is one."""
    return next(iter(_all_of(service, _inhabitants())), None)


def all_found() -> dict[str, Process]:
    """The living processes of all services, by the name of the service."""
    there = _inhabitants()
    found = {service.name: _all_of(service, there) for group in everything() for service in group}
    return {name: processes[0] for name, processes in found.items() if processes}


def listens(process: Process, service: Service) -> bool:
    """Whether the service's process is ready."""
    # The kernel's list of the process's network namespace: no connection is made, and loopback inside it is seen too.
    try:
        rows = Path(f"/proc/{process.pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return False
    return any(row.split()[1].endswith(f":{service.port:04X}") and row.split()[3] == _LISTEN for row in rows)


def ensure(services: Iterable[Service]) -> list[str]:
    """Start those that do not run, all at once, and wait until all are ready; name the started. May be repeated.

    Raises KasumiError when one ends or is not ready in time.
    """
    services = tuple(services)
    there = _inhabitants()
    started = [service for service in services if not _all_of(service, there)]
    for service in started:
        _start(service)
    began = time.monotonic()
    for service in services:
        _await_ready(service, began)
    return [service.name for service in started]


def end(service: Service, *, grace: bool = True) -> bool:
    """Ask the service to end and then make it (`grace`), or kill it at once; says whether it ran. May be repeated."""
    found = _all_of(service, _inhabitants())
    for number in (signal.SIGTERM, signal.SIGKILL) if grace else (signal.SIGKILL,):
        deadline = time.monotonic() + END_SECONDS
        for process in _all_of(service, _inhabitants()):
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
        while _all_of(service, _inhabitants()) and time.monotonic() < deadline:
            time.sleep(processes.POLL_SECONDS)
    return bool(found)


def enter(argv: Iterable[str], environment: Mapping[str, str], *, namespace: str = layout.NAMESPACE) -> list[str]:
    """The command line that runs a tool of the services in a namespace of the cloud."""
    settings = [f"{key}={value}" for key, value in (_python_environment() | dict(environment)).items()]
    return ["nsenter", f"--net={NAMED / namespace}", "env", *settings, *argv]


APIS = {
    "keystone": "keystone.wsgi.api",
    "glance": "glance.wsgi.api",
    "placement": "placement.wsgi.api",
    "neutron": "neutron.wsgi.api",
    "cinder-api": "cinder.wsgi.api",
    "nova-api": "nova.wsgi.osapi_compute",
}
_CONTROL_PORT = 8700
"""On loopback inside its namespace: other services of Nova and Cinder have no port, so one of ours is opened when they are ready."""
_OWN_SYSFS = ("unshare", "--mount", "--propagation", "slave", "sh", "-ec", 'mount -t sysfs -o ro sysfs /sys && exec "$@"', "sh")
"""Nova looks there for the taps of its network namespace."""


def _python_environment() -> dict[str, str]:
    etc = str(layout.etc())
    return {
        "PYTHONPATH": str(layout.home() / "python"),
        "PYTHONWARNINGS": "ignore",
        "OS_KEYSTONE_CONFIG_DIR": etc,
        "OS_GLANCE_CONFIG_DIR": etc,
        "OS_PLACEMENT_CONFIG_DIR": etc,
        "OS_NOVA_CONFIG_DIR": etc,
        "OS_NEUTRON_CONFIG_DIR": etc,
        "OS_NEUTRON_CONFIG_FILES": "neutron.conf;ml2.ini",
    }


def _python() -> str:
    return str(packages.place() / "bin" / "python")


def _api(name: str, module: str) -> Service:
    port = layout.PORTS[name.removesuffix("-api")]
    # Cinder's alone has no other way to its configuration.
    options = ("--config-file", str(layout.etc() / "cinder.conf")) if name == "cinder-api" else ()
    argv = (_python(), "-m", "kasumi_lab.serve", name, module, layout.ADDRESS, str(port), *options)
    return Service(name=name, argv=argv, port=port, command="python", words=f"kasumi_lab.serve {name} ")


def _python_service(name: str, project: str, *kinds: str, port: int) -> Service:
    configuration = str(layout.etc() / f"{project}.conf")
    module = f"kasumi_lab.{project}_services"
    capacity = f"{layout.COMPUTE_VCPUS},{layout.COMPUTE_MEMORY_MIB},{layout.COMPUTE_DISK_GIB}"
    return Service(
        name=name,
        argv=(_python(), "-m", module, name, str(port), "--config-file", configuration, *kinds),
        port=port,
        command="python",
        words=f"{module} {name} ",
        environment={"KASUMI_LAB_CAPACITY": capacity},
    )


def _libvirtd(host: GuestHost) -> Service:
    return Service(
        name=f"libvirtd-{host.name}",
        argv=hypervisor.argv(host),
        port=hypervisor.PORT,
        command="libvirtd",
        words=f"/{host.name}.pid ",
        namespace=host.namespace,
    )


def _guest_compute(host: GuestHost) -> Service:
    more = ("--config-file", str(layout.etc() / "nova-guests.conf"), f"compute:{host.name}")
    made = _python_service(f"nova-compute-{host.name}", "nova", *more, port=_CONTROL_PORT + 10)
    own = {
        "OS_DEFAULT__HOST": host.name,
        "OS_DEFAULT__STATE_PATH": str(hypervisor.state(host)),
        "KASUMI_LAB_GATEWAYS": layout.NAMESPACE,
    }
    return replace(made, argv=(*_OWN_SYSFS, *made.argv), environment={**made.environment, **own}, namespace=host.namespace)


def _mariadb() -> Service:
    return Service(
        name="mariadb", argv=("mariadbd", f"--defaults-file={layout.etc() / 'mariadb.cnf'}"), port=3306, command="mariadbd"
    )


def _epmd() -> Service:
    # RabbitMQ would start one that outlives it.
    return Service(name="epmd", argv=("epmd", "-address", "127.0.0.1"), port=4369, command="epmd")


def _rabbitmq() -> Service:
    home = layout.state() / "rabbitmq"
    return Service(
        name="rabbitmq",
        # Not the packaged wrapper, which moves to another user, home and log.
        argv=("/usr/lib/rabbitmq/bin/rabbitmq-server",),
        port=5672,
        command="beam.smp",
        environment={
            "HOME": str(home),
            "RABBITMQ_NODENAME": "lab@localhost",
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_CONFIG_FILE": str(layout.etc() / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(layout.etc() / "rabbitmq.plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +S 2:2",
        },
    )


def _inhabitants() -> list[Process]:
    return inside(network.served())


def _all_of(service: Service, inhabitants: Iterable[Process]) -> list[Process]:
    return [found for found in inhabitants if found.command == service.command and service.words in f"{found.arguments} "]


def _await_ready(service: Service, began: float) -> None:
    while True:
        process = find(service)
        if process is not None and listens(process, service):
            return
        seconds = time.monotonic() - began
        if seconds > READY_SECONDS or (process is None and seconds > BIRTH_SECONDS):
            found = "it ended" if process is None else f"not yet after {READY_SECONDS} s"
            raise KasumiError(
                f"lab openstack: wanted {service.name} listening on port {service.port}, found {found}; "
                f"its words are in {layout.log()}; then `kasumi lab up --openstack` again"
            )
        time.sleep(POLL_SECONDS)


def _start(service: Service) -> None:
    command.start(enter(service.argv, service.environment, namespace=service.namespace), log=layout.log() / f"{service.name}.out")
