"""A service that limits our rate is given the time it asks for, which no real cloud does on request: a small server stands in."""

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from keystoneauth1.exceptions import ServiceUnavailable
from keystoneauth1.noauth import NoAuth

from controlplane.providers.openstack_login import patient_session


class Limiting(BaseHTTPRequestHandler):
    """Answers as the list says, and then well; remembers what it was asked."""

    answers: list[tuple[int, str]]
    asked: list[str]

    def do_POST(self):
        self.asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        status, wait = self.answers.pop(0) if self.answers else (200, "")
        self.send_response(status)
        if wait:
            self.send_header("Retry-After", wait)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    handler = type("Handler", (Limiting,), {"answers": [], "asked": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_waits_as_long_as_it_is_told_and_says_it_again(service):
    url, handler = service
    handler.answers[:] = [(429, "1"), (429, "1")]
    session = patient_session(auth=NoAuth())
    began = time.monotonic()
    assert session.post(url, json={"server": 1}).status_code == 200
    assert time.monotonic() - began >= 2
    assert handler.asked == ['{"server": 1}'] * 3
    session.close()


def test_what_may_have_been_done_is_not_said_twice(service):
    url, handler = service
    handler.answers[:] = [(503, "1")]
    session = patient_session(auth=NoAuth())
    with pytest.raises(ServiceUnavailable):
        session.post(url, json={"server": 1})
    assert len(handler.asked) == 1
    session.close()
