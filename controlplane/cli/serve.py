"""`kasumi serve`: metrics and a status page over HTTP, from looks of its own at every host."""

import typer

from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.reporting.server import serve_until_stopped
from controlplane.reporting.watch import Watch

DEFAULT_LISTEN = "127.0.0.1:9178"
"""Free in Prometheus' table of exporter ports, beside the libvirt exporters' 9177; on loopback, since the page names hosts."""


def serve(
    listen: str = typer.Option(DEFAULT_LISTEN, "--listen", metavar="ADDRESS:PORT", help="Where to answer; [::1]:PORT for IPv6."),
    interval: float = typer.Option(60.0, "--interval", min=1.0, help="Seconds between two looks at one host."),
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Serve /metrics, a status page at / and /healthz until stopped (SIGTERM or Ctrl-C).

    Every host is looked at by a thread of its own, so one that hangs delays nothing; a scrape asks no host, it serves
    the last looks with their age.
    """
    address, port = _address(listen)
    session = Session(home=home, inventory=inventory)
    watch = Watch(session.store, session.estate, interval_seconds=interval)
    serve_until_stopped(watch, address, port, ready=lambda url: say(f"serving {url} ; metrics at {url}metrics"))
    return ExitCode.DONE


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise KasumiError(f"--listen {listen}: wanted ADDRESS:PORT, such as {DEFAULT_LISTEN}", ExitCode.USAGE)
    return host.strip("[]"), int(port)
