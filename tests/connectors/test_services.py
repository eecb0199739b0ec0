"""A service answers or one sentence says what was found instead."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from controlplane.connectors.services import problem_of
from controlplane.model.estate import Service


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/" else 503)
        self.end_headers()
        self.wfile.write("records=1000 年金".encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def http(port: int, **changes: str) -> str:
    return problem_of("127.0.0.1", Service(name="page", port=port, protocol="http", **changes))


def test_an_answer_as_wanted_is_no_problem(port):
    assert http(port, expect="records=1000") == ""
    assert problem_of("127.0.0.1", Service(name="page", port=port)) == ""


def test_the_wrong_answer_is_named(port):
    assert http(port, expect="records=999") == f"page at 127.0.0.1:{port}: / answers without 'records=999'"
    assert http(port, path="/down") == f"page at 127.0.0.1:{port}: status 503 for /down"


def test_nobody_there_is_named():
    assert problem_of("127.0.0.1", Service(name="db", port=1)) == "db at 127.0.0.1:1: [Errno 111] Connection refused"
