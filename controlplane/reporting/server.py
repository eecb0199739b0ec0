"""Serves `/metrics`, `/` and `/healthz` from the watch's memory; no request waits for a host or for the database."""

import gzip
import signal
import socket
from collections.abc import Callable, Iterable
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from controlplane.errors import KasumiError
from controlplane.reporting.metrics import collect
from controlplane.reporting.page import landing_page
from controlplane.reporting.watch import Watch
from controlplane.reporting.watched import Watched

_REQUEST_SECONDS = 10
"""A client that says nothing for so long is dropped; Prometheus' own default is to wait ten seconds."""
_SMALL_BYTES = 1400
"""What fits one packet is not worth compressing."""
_HEARTBEATS_MISSED = timedelta(minutes=5)


class _Collected(Collector):
    def __init__(self, state: Callable[[], Watched]) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        return collect(self._state())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], state: Callable[[], Watched]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.state = state
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(_Collected(state))
        ProcessCollector(registry=self.registry)
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _REQUEST_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Answer one request."""
        path = urlsplit(self.path).path
        if path == "/metrics":
            encode, kind = choose_encoder(self.headers.get("Accept", ""))
            self._answer(200, kind, encode(self.server.registry))
        elif path == "/":
            self._answer(200, "text/html; charset=utf-8", landing_page(self.server.state()).encode())
        elif path == "/healthz":
            self._health(self.server.state())
        else:
            self._answer(404, "text/plain; charset=utf-8", b"not here; there are /, /metrics and /healthz\n")

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def _health(self, state: Watched) -> None:
        silent = state.at - state.books.read_at
        if silent > _HEARTBEATS_MISSED:
            text = f"the store was last read {silent.total_seconds():.0f} s ago; see the log\n"
            self._answer(503, "text/plain; charset=utf-8", text.encode())
        else:
            self._answer(200, "text/plain; charset=utf-8", b"ok\n")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.send_header("X-Content-Type-Options", "nosniff")
        if len(body) > _SMALL_BYTES and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, compresslevel=1)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Scrapes are not news."""


def bind(address: str, port: int, state: Callable[[], Watched]) -> ThreadingHTTPServer:
    """A server that is bound and does not answer yet. Raises KasumiError when the address cannot be had."""
    try:
        return _Server((address, port), state)
    except OSError as error:
        raise KasumiError(
            f"--listen {address}:{port}: {error.strerror or error}; choose another address or end what listens there"
        ) from None


def serve_until_stopped(watch: Watch, address: str, port: int, *, ready: Callable[[str], None]) -> None:
    """Bind, watch and answer until SIGTERM or SIGINT; `ready` is told the URL. Raises KasumiError."""
    with bind(address, port, watch.state) as server:
        watch.start()

        def stop(_signal: int, _frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        signal.signal(signal.SIGTERM, stop)
        try:
            shown = f"[{address}]" if ":" in address else address
            ready(f"http://{shown}:{server.server_address[1]}/")
            server.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            watch.stop()
