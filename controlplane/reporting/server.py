"""Serves `/metrics`, `/` and `/healthz`; a request reads the store and never a host."""

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from controlplane.reporting.metrics import collect
from controlplane.reporting.page import landing_page
from controlplane.reporting.state import State, read_state
from controlplane.store import Store

DEFAULT_PORT = 9178
"""Beside the libvirt exporters' 9177."""
_CHAIN_CHECK_SECONDS = 600.0
"""Checking the whole evidence chain reads all of it, so a scrape shows the last result."""


class StateReader:
    """Reads the state for each request; checks the evidence chain only now and then."""

    def __init__(self, store: Store, estate: str) -> None:
        self._store = store
        self._estate = estate
        self._lock = threading.Lock()
        self._checked_at: datetime | None = None
        self._whole = True

    def read(self) -> State:
        """The state now."""
        now = datetime.now(UTC)
        with self._lock:
            if self._checked_at is None or (now - self._checked_at).total_seconds() > _CHAIN_CHECK_SECONDS:
                self._whole = self._store.first_broken_evidence(self._estate) is None
                self._checked_at = now
        return read_state(self._store, self._estate, now, evidence_whole=self._whole)


class _StateCollector(Collector):
    def __init__(self, read: Callable[[], State]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        return collect(self._read())


def make_server(address: tuple[str, int], read: Callable[[], State]) -> ThreadingHTTPServer:
    """A server that is bound and not yet serving."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_StateCollector(read))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                self._answer(200, content_type, encode(registry))
            elif path == "/":
                self._answer(200, "text/html; charset=utf-8", landing_page(read()).encode())
            elif path == "/healthz":
                self._answer(200, "text/plain; charset=utf-8", b"ok\n")
            else:
                self._answer(404, "text/plain; charset=utf-8", b"there is / and /metrics\n")

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Scrapes are not news."""

    return ThreadingHTTPServer(address, Handler)
