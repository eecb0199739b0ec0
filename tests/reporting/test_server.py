"""What a browser and Prometheus get over real HTTP."""

import gzip
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from controlplane.errors import KasumiError
from controlplane.reporting.page import landing_page
from controlplane.reporting.server import bind
from tests.reporting.views import full_view, with_books, with_host


@pytest.fixture
def ask():
    """Ask a server that shows the full view, or `ask.view` when a test sets it."""

    class Asked:
        view = full_view()

        def __call__(self, path, method="GET", **headers):
            connection = http.client.HTTPConnection(*server.server_address, timeout=60)
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer, body

    asked = Asked()
    server = bind("127.0.0.1", 0, lambda: asked.view)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_metrics(ask):
    answer, body = ask("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert b'consolidation_host_up{host="hv1"} 1.0' in body
    assert b"process_resident_memory_bytes" in body


def test_openmetrics_and_gzip_as_prometheus_asks(ask):
    answer, body = ask("/metrics", Accept="application/openmetrics-text;version=1.0.0", Accept_Encoding="gzip")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert gzip.decompress(body).endswith(b"# EOF\n")


def test_a_head_request_has_no_body(ask):
    answer, body = ask("/metrics", method="HEAD")
    assert (answer.status, body) == (200, b"")


def test_the_page_shows_hosts_drift_machines_and_links(ask):
    answer, body = ask("/")
    page = body.decode()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    for words in (
        "hv1",
        "30 s ago",
        "3 of 8",
        "hv2-start",
        "web1",
        "running",
        "awaited",
        "accepted by me@here",
        "href='/metrics'",
        "12 records",
    ):
        assert words in page, words


def test_the_page_escapes_what_comes_from_outside():
    page = landing_page(with_host(full_view(), "hv1", up=False, error="<script>alert(1)</script>"))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_page_before_anything_is_known():
    page = landing_page(with_books(full_view(), plan=None, acceptance=None, drift=None, evidence_whole=None))
    assert "no plan accepted yet" in page
    assert "not verified yet" in page


def test_a_broken_chain_is_loud_on_the_page():
    assert "kasumi evidence --verify" in landing_page(with_books(full_view(), evidence_whole=False))


def test_health_follows_the_heartbeat(ask):
    assert ask("/healthz")[0].status == 200
    ask.view = replace(ask.view, at=ask.view.at + timedelta(minutes=6))
    answer, body = ask("/healthz")
    assert answer.status == 503
    assert b"last read 360 s ago" in body


def test_another_path_names_those_there_are(ask):
    answer, body = ask("/secret")
    assert answer.status == 404
    assert b"/metrics" in body


def test_an_address_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(KasumiError, match=rf"--listen 127.0.0.1:{port}: Address already in use; choose another"):
            bind("127.0.0.1", port, full_view)


def kasumi_serve(tmp_path, *arguments):
    environment = {**os.environ, "KASUMI_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "controlplane", "serve", *arguments]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_stopped(tmp_path, stop):
    with kasumi_serve(tmp_path, "--listen", "127.0.0.1:0") as process:
        line = process.stderr.readline()
        address = line.split()[1].removeprefix("http://").rstrip("/")
        connection = http.client.HTTPConnection(address, timeout=60)
        connection.request("GET", "/metrics")
        assert b"consolidation_build_info" in connection.getresponse().read()
        connection.close()
        process.send_signal(stop)
        assert process.wait(timeout=120) == 0


def test_an_unreadable_address_is_a_usage_error(tmp_path):
    with kasumi_serve(tmp_path, "--listen", "9178") as process:
        _, told = process.communicate(timeout=120)
    assert process.returncode == 64
    assert told == "kasumi: --listen 9178: wanted ADDRESS:PORT, such as 127.0.0.1:9178\n"
