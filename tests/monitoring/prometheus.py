"""A real Prometheus of the tests' own: temporary data, loopback, ended by pid; and what asks it."""

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.connectors.sshd import free_port

MONITORING = Path(__file__).parents[2] / "monitoring"
INSTALL = "install it with `apt-get install prometheus`"
_CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{monitoring}/rules/*.yml", "{monitoring}/alerts/*.yml"]
scrape_configs:
  - job_name: kasumi
    static_configs: [{{targets: ["{target}"]}}]
"""


class Prometheus:
    """Asks one Prometheus."""

    def __init__(self, address: str) -> None:
        self._address = address

    def get(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of its HTTP interface."""
        url = f"http://{self._address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {json.load(error)['error']}") from None

    def samples(self, expression: str) -> list[dict[str, Any]]:
        """The instant vector of an expression."""
        found = self.get("query", query=expression)
        assert found["resultType"] in {"vector", "scalar"}, expression
        return found["result"]

    def without_data(self, expressions: dict[str, str], *, within_seconds: float) -> dict[str, str]:
        """Of expressions by where they stand, those that give no data for so long."""
        deadline = time.monotonic() + within_seconds
        left = dict(expressions)
        while left and time.monotonic() < deadline:
            left = {where: expression for where, expression in left.items() if not self.samples(expression)}
            if left:
                time.sleep(1)
        return left


@contextmanager
def running_prometheus(folder: Path, *, target: str) -> Iterator[Prometheus]:
    """A Prometheus with our rules and alerts that scrapes `target` every second; ready when yielded."""
    program = shutil.which("prometheus")
    assert program, f"no prometheus; {INSTALL}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yml").write_text(_CONFIG.format(monitoring=MONITORING, target=target))
    address = f"127.0.0.1:{free_port()}"
    command = [
        program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}", "--log.level=warn",
    ]  # fmt: skip
    with (folder / "log").open("w") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            _wait_until_ready(address, process, folder / "log")
            yield Prometheus(address)
        finally:
            process.terminate()
            process.wait(timeout=120)


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 180
    while True:
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"http://{address}/-/ready", timeout=30).close()
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        else:
            return
