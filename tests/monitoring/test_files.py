"""Configuration, rules and alerts as their own tools see them; the dashboard by what Grafana needs of it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from controlplane.reporting.catalogue import CATALOGUE, PREFIX
from controlplane.settings import resource
from tests.monitoring.expressions import dashboards, every, rules
from tests.monitoring.prometheus import MONITORING

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
UNITS = {"none", "short", "s", "bytes", "percentunit", "currencyJPY"}
KNOWN = {
    f"{PREFIX}{family.name}{suffix}"
    for family in CATALOGUE
    for suffix in {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.kind, ("",))
}


def checked(*command):
    assert shutil.which(command[0]), f"no {command[0]}; `apt-get install prometheus prometheus-alertmanager`"
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_prometheus_takes_the_configuration():
    assert "2 rule files found" in checked(
        "promtool", "check", "config", "--lint=all", "--lint-fatal", MONITORING / "prometheus.yml"
    )


def test_the_rules_do_what_their_tests_say():
    checked("promtool", "test", "rules", *sorted((MONITORING / "tests").glob("*.yml")))


def test_each_rule_and_each_alert_has_a_test():
    text = "\n".join(file.read_text() for file in (MONITORING / "tests").glob("*.yml"))
    tests = yaml.safe_load((MONITORING / "tests" / "alerts.yml").read_text())["tests"]
    assert {test["name"] for test in tests} == {rule["alert"] for rule in rules("alerts")}
    assert not [rule["record"] for rule in rules("rules") if f"expr: {rule['record']}" not in text]


def test_alertmanager_takes_its_configuration():
    checked("amtool", "check-config", MONITORING / "alertmanager" / "alertmanager.yml")


def test_a_host_that_is_down_mutes_what_it_explains():
    from_host = yaml.safe_load((MONITORING / "alertmanager" / "alertmanager.yml").read_text())["inhibit_rules"][1]
    (matcher,) = from_host["target_matchers"]
    pattern = matcher.removeprefix('alertname=~"').removesuffix('"')
    names = {rule["alert"] for rule in rules("alerts")}
    muted = {name for name in names if re.fullmatch(pattern, name)}
    assert muted == {
        "ConsolidationHostObservationStale", "ConsolidationHostScrapeSlow", "ConsolidationMachineDown",
        "ConsolidationDriftUnremediated", "ConsolidationDriftRefused", "ConsolidationPoolFull",
    }  # fmt: skip


@pytest.mark.parametrize("rule", rules("alerts"), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do(rule):
    assert re.fullmatch(r"Consolidation[A-Z]\w+", rule["alert"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert "{{" not in rule["annotations"]["summary"], "a summary is a fixed sentence"
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert page == "docs/metrics.md"
    headings = {heading.lower() for heading in re.findall(r"^### (\w+)$", DOCUMENT.read_text(encoding="utf-8"), re.M)}
    assert anchor in headings


@pytest.mark.parametrize("rule", rules("rules"), ids=lambda rule: rule["record"])
def test_a_recorded_series_is_named_level_metric_operations(rule):
    assert re.fullmatch(
        r"(host|ministry|state|kind|verb|estate):consolidation_\w+:(ratio|sum|mean|rate5m|ratio_rate\w+)", rule["record"]
    )
    assert " by " not in rule["expr"], "aggregate with without(), so that labels of the target stay"


def test_every_metric_that_is_asked_for_exists():
    series = {rule["record"] for rule in rules("rules")}
    for where, expression in every().items():
        names = set(re.findall(r"[a-z]+:consolidation_\w+:\w+|(?<![:\w])consolidation_\w+", expression))
        assert names <= KNOWN | series, f"{where}: {names - KNOWN - series}"


@pytest.mark.parametrize(("name", "dashboard"), dashboards().items(), ids=dashboards())
class TestDashboard:
    def test_it_can_be_provisioned_anywhere(self, name, dashboard):
        assert dashboard["id"] is None
        assert re.fullmatch(r"consolidation-[a-z]+", dashboard["uid"])
        first = dashboard["templating"]["list"][0]
        assert (first["name"], first["type"], first["query"]) == ("datasource", "datasource", "prometheus")
        text = (MONITORING / "grafana" / "dashboards" / name).read_text()
        assert set(re.findall(r'"uid": "([^"]+)"', text)) == {dashboard["uid"], "${datasource}"}

    def test_panels_ask_through_the_chosen_source_in_a_known_unit(self, name, dashboard):
        panels = dashboard["panels"]
        assert len(panels) >= 12
        assert len({panel["id"] for panel in panels}) == len(panels)
        assert len({panel["title"] for panel in panels}) == len(panels)
        for panel in panels:
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert panel["description"].endswith(".")
            assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
            assert panel["targets"]
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
            for target in panel["targets"]:
                assert target["datasource"]["uid"] == "${datasource}"
                assert target["legendFormat"]

    def test_panels_lie_on_the_grid_and_on_no_other(self, name, dashboard):
        cells = set()
        for panel in dashboard["panels"]:
            at = panel["gridPos"]
            assert at["x"] + at["w"] <= 24, panel["title"]
            own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert not cells & own, panel["title"]
            cells |= own

    def test_variables_that_are_used_are_there(self, name, dashboard):
        text = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
        used = set(re.findall(r"\$\{?(\w+)", text))
        assert used == {variable["name"] for variable in dashboard["templating"]["list"]} - {"datasource"}


def test_grafana_is_told_where_the_dashboards_are():
    provisioning = MONITORING / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "kasumi.yml").read_text())["providers"]
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    assert "uid" not in source


def test_all_of_it_comes_with_the_product():
    assert (resource("monitoring") / "prometheus.yml").is_file()
