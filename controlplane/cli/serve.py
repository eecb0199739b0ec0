"""`kasumi serve`: watch all hosts, serve metrics and a page."""

import contextlib
import signal
from types import FrameType

import typer

from controlplane.cli.options import HOME_OPTION, INVENTORY_OPTION, OptionalPath
from controlplane.cli.output import say
from controlplane.cli.session import Session
from controlplane.errors import ExitCode, KasumiError
from controlplane.reporting.server import DEFAULT_PORT, StateReader, make_server
from controlplane.reporting.watch import HostWatch


def serve(
    listen: str = typer.Option(f"127.0.0.1:{DEFAULT_PORT}", "--listen", metavar="ADDRESS:PORT", help="Where to serve."),
    interval: float = typer.Option(60.0, "--interval", min=1.0, help="Seconds between two looks at a host."),
    home: OptionalPath = HOME_OPTION,
    inventory: OptionalPath = INVENTORY_OPTION,
) -> int:
    """Watch all hosts of the accepted plan and serve /metrics and a page. A scrape never waits for a host."""
    session = Session(home=home, inventory=inventory)
    address, _, port = listen.rpartition(":")
    if not address or not port.isdigit():
        raise KasumiError(f"--listen {listen}: wanted ADDRESS:PORT, such as 127.0.0.1:{DEFAULT_PORT}", ExitCode.USAGE)
    try:
        server = make_server((address, int(port)), StateReader(session.store, session.estate.id).read)
    except OSError as error:
        raise KasumiError(f"--listen {listen}: {error.strerror}; choose another address or end what listens there") from None
    watch = HostWatch(session.store, session.estate.id, interval_seconds=interval)
    watch.start()
    signal.signal(signal.SIGTERM, _interrupt)
    say(f"serving http://{listen}/ and http://{listen}/metrics; hosts are looked at every {interval:g} s")
    with server, contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    watch.stop()
    return ExitCode.DONE


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
