"""The plan as a page: whole, self-contained, and safe against what inventories hold."""

import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest

from controlplane.model.finding import Finding, Severity
from controlplane.planning.waves import WavePolicy, scheduled
from controlplane.reporting.plan_page import plan_page, waves_page
from tests.planning.estates import planned, small_estate
from tests.planning.test_headroom import inputs_of
from tests.planning.test_waves import FIRST, SPEED

HOSTILE = '<script>alert("1")</script>&amp;'
_VOID = {"meta"}


class _Nesting(HTMLParser):
    """Raises for an element that is not closed where it should be; collects text and attributes."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in {"src", "href"}]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def _read(page):
    reader = _Nesting()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def _made(given, **changes):
    plan = planned(given)
    policy = WavePolicy(first=FIRST, last=FIRST + timedelta(days=60), speed=SPEED, default_windows=("Sat 22:00-06:00",))
    return plan, scheduled(plan, inputs_of(given), replace(policy, **changes))


@pytest.mark.parametrize("with_waves", [True, False])
def test_a_page_says_everything_and_asks_nobody(with_waves):
    given = small_estate()
    plan, schedule = _made(given)
    finding = Finding(severity=Severity.WARNING, where="host hv1", what="is warm", remedy="open a window")
    page = plan_page(plan, given, [finding], schedule if with_waves else None)
    reader = _read(page)
    assert reader.links == []
    assert not re.search(r"https?://|<script|url\(", page)
    text = " ".join(" ".join(reader.text).split())
    for each in plan.hosts:
        assert each.id in text
    assert "host hv1: is warm; open a window" in text
    assert "pension-print" in text
    assert "厚生労働省" in text
    assert "1,006,046" in text
    assert ("in 1 wave from" in text) == with_waves
    assert ("Not scheduled: give the first day with" in text) == (not with_waves)


def test_what_is_hostile_stays_text():
    given = small_estate()
    given = replace(
        given,
        name=HOSTILE,
        ministries={key: replace(each, name=HOSTILE, name_en=HOSTILE) for key, each in given.ministries.items()},
        systems={key: replace(each, name=HOSTILE) for key, each in given.systems.items()},
        hosts={key: replace(each, rack=HOSTILE) for key, each in given.hosts.items()},
    )
    plan, schedule = _made(given, default_windows=("Sat 22:00-22:10",))
    assert schedule.unscheduled
    for page in (plan_page(plan, given, (), schedule), waves_page(schedule, plan, given), plan_page(*_again(given))):
        assert "<script" not in page
        _read(page)


def _again(given):
    plan, schedule = _made(given)
    return plan, given, (), schedule


def test_waves_alone(golden):
    given = small_estate()
    plan, schedule = _made(given)
    page = waves_page(schedule, plan, given)
    _read(page)
    golden("waves.html", page)


def test_a_plan_without_anything_is_a_page_too():
    given = replace(small_estate(), servers={}, machines={})
    plan = planned(given)
    policy = WavePolicy(first=date(2026, 12, 1), last=date(2026, 12, 2), speed=SPEED)
    text = plan_page(plan, given, (), scheduled(plan, inputs_of(given), policy))
    _read(text)
    assert "No server has a wave." in text
