"""Every expression of the rules, the alerts and the dashboards, by where it stands."""

import json
import re
from typing import Any

import yaml

from tests.monitoring.prometheus import MONITORING

COMPARISON = re.compile(r"\s*(?:==|!=|>=|<=|>|<)\s*(?:on \([^)]*\) group_left \(\) )?")
NUMBER = re.compile(r"-?[\d.]+")


def rules(folder: str) -> list[dict[str, Any]]:
    """All rules of `rules` or `alerts`."""
    files = sorted((MONITORING / folder).glob("*.yml"))
    assert files
    return [rule for file in files for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def dashboards() -> dict[str, dict[str, Any]]:
    """All dashboards by file name."""
    found = {file.name: json.loads(file.read_text()) for file in sorted((MONITORING / "grafana" / "dashboards").glob("*.json"))}
    assert found
    return found


def recorded() -> dict[str, str]:
    """Recording rules: what they compute, and the series they write."""
    return {f"rule {r['record']}": r["expr"] for r in rules("rules")} | {
        f"series {r['record']}": r["record"] for r in rules("rules")
    }


def compared() -> dict[str, str]:
    """What alerts compare: an alert is empty while all is well, but what it looks at must exist."""
    return {f"alert {rule['alert']}: {side}": side for rule in rules("alerts") for side in _sides(rule["expr"].strip())}


def drawn() -> dict[str, str]:
    """What dashboards ask, with every variable at All."""
    asked = {}
    for name, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                asked[f"{name}: {panel['title']} {target['refId']}"] = _all(target["expr"])
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                metric, _label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()
                asked[f"{name}: variable {variable['name']}"] = metric
    return asked


def every() -> dict[str, str]:
    """All of these together: what a healthy estate must answer."""
    return recorded() | compared() | drawn()


def _all(expression: str) -> str:
    filled = re.sub(r"\$\w+", ".*", expression)
    assert "$" not in filled
    return filled


def _sides(expression: str) -> list[str]:
    """Both sides of the one comparison outside braces."""
    bare = re.sub(r"\{[^}]*\}", lambda braces: "#" * len(braces[0]), expression)
    (found,) = COMPARISON.finditer(bare)
    sides = (expression[: found.start()], expression[found.end() :])
    return [side for side in sides if not NUMBER.fullmatch(side)]
