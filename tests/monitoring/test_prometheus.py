"""A real Prometheus scrapes us and evaluates every expression of rules, alerts and dashboard: each must give data."""

import re
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controlplane.reporting.server import bind
from tests.monitoring.expressions import compared, drawn, recorded
from tests.monitoring.prometheus import running_prometheus
from tests.reporting.views import full_view

_BEGAN = time.monotonic()


def _now():
    return full_view(at=datetime.now(UTC), cpu_seconds=100.0 + time.monotonic() - _BEGAN)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    with bind("127.0.0.1", 0, _now) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with running_prometheus(tmp_path_factory.mktemp("prometheus"), target=f"127.0.0.1:{server.server_address[1]}") as found:
            yield found
        server.shutdown()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("expressions", [recorded, compared, drawn], ids=lambda each: each.__name__)
def test_every_expression_gives_data(prometheus, expressions):
    assert prometheus.without_data(expressions(), within_seconds=300) == {}


@pytest.mark.slow
def test_what_the_page_of_metrics_asks_gives_data(prometheus):
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    asked = {question: question.strip() for question in re.findall(r"```promql\n(.*?)```", page, re.DOTALL)}
    assert asked
    assert prometheus.without_data(asked, within_seconds=300) == {}


@pytest.mark.slow
def test_the_target_is_up_and_its_exposition_was_taken(prometheus):
    assert prometheus.without_data({"up": 'up{job="kasumi"} == 1'}, within_seconds=300) == {}
    (target,) = prometheus.get("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")


@pytest.mark.slow
def test_no_rule_fails(prometheus):
    for group in prometheus.get("rules")["groups"]:
        for rule in group["rules"]:
            assert rule.get("lastError", "") == "", rule["name"]
