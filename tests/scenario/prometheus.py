"""A real Prometheus with our own rules, scraping a real `kasumi serve`; both on loopback, both ended by pid."""

import json
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from controlplane.settings import resource
from tests.connectors.sshd import free_port
from tests.scenario.conftest import KASUMI, World

PATIENCE_SECONDS = 90


def expressions() -> Iterator[tuple[str, str]]:
    """Name and expression of every rule and panel. Of an alert the left side is asked, as its comparison is false in peace."""
    monitoring = resource("monitoring")
    for file in sorted([*monitoring.glob("rules/*.yml"), *monitoring.glob("alerts/*.yml")]):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                expression = rule["expr"]
                if "alert" in rule:
                    for comparison in (" > ", " == ", " < "):
                        expression = expression.rpartition(comparison)[0] or expression
                    expression = expression.replace('{state=~"prepared|source-stopped|copied|verified|ready"}', "")
                yield f"{file.name} {rule.get('record') or rule.get('alert')}", expression
    for file in sorted(monitoring.glob("grafana/dashboards/*.json")):
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                yield f"{file.name} {panel['title']}", target["expr"]


@contextmanager
def running_serve(world: World) -> Iterator[str]:
    """`kasumi serve`, looking every two seconds; yields its address."""
    address = f"127.0.0.1:{free_port()}"
    with subprocess.Popen([KASUMI, "serve", "--listen", address, "--interval", "2"], env=world.environment) as process:
        try:
            yield address
        finally:
            process.terminate()


@dataclass(frozen=True, slots=True)
class Query:
    """Asks one Prometheus."""

    base: str

    def once(self, expression: str) -> list[object]:
        """What an instant query returns; empty also while Prometheus does not answer."""
        url = f"{self.base}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (our own Prometheus)
                return list(json.load(answer)["data"]["result"])
        except OSError:
            return []

    def eventually(self, expression: str) -> bool:
        """True as soon as the query returns data."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.once(expression):
            if time.monotonic() > deadline:
                return False
            time.sleep(1)
        return True


@contextmanager
def running_prometheus(target: str) -> Iterator[Query]:
    """Prometheus with the shipped configuration, but for the target's address and a quicker clock."""
    monitoring = resource("monitoring")
    config = yaml.safe_load((monitoring / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "2s", "evaluation_interval": "2s"}
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    config["rule_files"] = [str(monitoring / name) for name in config["rule_files"]]
    config.pop("alerting")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prometheus.yml"
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        listen = f"127.0.0.1:{free_port()}"
        command = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={listen}"]
        with subprocess.Popen([*command, "--log.level=error"]) as process:
            try:
                yield Query(f"http://{listen}")
            finally:
                process.terminate()
