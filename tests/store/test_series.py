"""Utilisation comes back as it was sampled, within a thousandth, on both databases; decisions carry their evidence."""

import contextlib
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from controlplane.errors import KasumiError
from controlplane.model.decision import Decision
from controlplane.model.facts import Source
from controlplane.model.series import Dimension, Series
from controlplane.store.samples import DamagedSamplesError, decode, encode

START = datetime(2026, 1, 30, tzinfo=UTC)
DAY = timedelta(days=1)
CPU = Dimension.CPU_CORES


def series(values, *, at=START, step=300, source=Source.SSH, dimension=CPU, server="db1"):
    given = np.asarray(values, dtype=np.float32)
    return Series(server=server, dimension=dimension, source=source, started_at=at, step_seconds=step, values=given)


SAMPLES = st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 0.0]) | st.floats(0, 2.0**120, width=32)


@given(arrays.arrays(np.float32, st.integers(0, 300), elements=SAMPLES))
def test_samples_come_back_within_a_thousandth(values):
    back = decode(encode(values), len(values))
    usable = np.isfinite(values) & (values >= 0)
    assert np.isnan(back[~usable]).all()
    np.testing.assert_allclose(back[usable], values[usable], rtol=1.1e-3, atol=1e-3)
    assert (back[values == 0] == 0).all()
    assert encode(back) == encode(decode(encode(back), len(back)))


@given(st.binary(max_size=60), st.integers(0, 50))
def test_damaged_bytes_are_said_to_be_damaged(data, count):
    with contextlib.suppress(DamagedSamplesError):
        assert len(decode(data, count)) == count


def test_a_bomb_is_not_unpacked():
    huge = encode(np.zeros(5_000_000, dtype=np.float32))
    with pytest.raises(DamagedSamplesError, match="wanted 288 samples, found 288"):
        decode(huge, 288)


def test_samples_over_the_end_of_a_month_come_back_as_one_series(store):
    values = np.arange(1, 4 * 288 + 1, dtype=np.float32)
    values[100:200] = np.nan
    store.series.append("test", [series(values)])
    back = store.series.read("test", "db1", CPU, START, START + 4 * DAY)
    assert (back.server, back.source, back.started_at, back.step_seconds) == ("db1", Source.SSH, START, 300)
    np.testing.assert_allclose(back.values, values, rtol=1.1e-3)
    part = store.series.read("test", "db1", CPU, START + DAY, START + 2 * DAY)
    np.testing.assert_allclose(part.values, values[288:576], rtol=1.1e-3)
    assert store.series.read("test", "db1", CPU, START - DAY, START) is None
    assert store.series.read("test", "db1", Dimension.MEMORY_USED_MIB, START, START + DAY) is None
    assert store.series.read("another", "db1", CPU, START, START + DAY) is None


def test_appending_again_changes_nothing_and_missing_samples_replace_nothing(store):
    store.series.append("test", [series([1.0, 2.0, 3.0])])
    before = store.series.read("test", "db1", CPU, START, START + DAY).values
    store.series.append("test", [series([1.0, 2.0, 3.0]), series([np.nan, np.nan, np.nan, 4.0])])
    after = store.series.read("test", "db1", CPU, START, START + DAY).values
    np.testing.assert_array_equal(after[:3], before[:3])
    assert after[3] == pytest.approx(4.0, rel=1e-3)
    assert np.isnan(after[4:]).all()


def test_the_source_that_covers_most_time_is_given(store):
    store.series.append("test", [series(np.ones(60), step=60), series(np.full(30, 2.0), source=Source.PROMETHEUS)])
    best = store.series.read("test", "db1", CPU, START, START + DAY)
    assert (best.source, best.step_seconds) == (Source.PROMETHEUS, 300)


def test_the_estate_is_read_server_by_server(store):
    store.series.append("test", [series([1.0], server=name, dimension=kind) for name in ("b", "a") for kind in Dimension])
    read = list(store.series.of_estate("test", START, START + DAY))
    assert [name for name, _ in read] == ["a", "b"]
    assert all(set(found) == set(Dimension) for _, found in read)
    assert store.series.stored_bytes("test") > 0


def test_old_months_are_forgotten(store):
    store.series.append("test", [series([1.0]), series([1.0], at=START + 40 * DAY)])
    assert store.series.forget("test", START + 35 * DAY) == 1
    assert store.series.read("test", "db1", CPU, START, START + DAY) is None
    store.series.append("test", [series([1.0], at=START + 500 * DAY)])
    assert store.series.read("test", "db1", CPU, START + 40 * DAY, START + 41 * DAY) is None


def test_a_step_that_does_not_divide_a_day_is_refused(store):
    with pytest.raises(KasumiError, match="series db1 cpu_cores: wanted a step that divides a day, found 7 s"):
        store.series.append("test", [series([1.0], step=7)])
    with pytest.raises(KasumiError, match="has no time zone"):
        store.series.append("test", [series([1.0], at=START.replace(tzinfo=None))])


def decision(**changes):
    given = {"server": "db1", "subject": "cpu.count", "value": 4, "reason": "counted by hand", "actor": "sato", "at": START}
    return Decision(**(given | changes))


def test_a_decision_stands_until_it_is_replaced_or_withdrawn_and_each_step_is_evidence(store):
    store.decisions.record("test", decision())
    store.decisions.record("test", decision(value=[{"address": "10.0.0.1"}], reason="again"))
    store.decisions.record("test", decision(server="ap1", subject="disposition", value="retain"))
    assert [(each.server, each.value) for each in store.decisions.standing("test")] == [
        ("ap1", "retain"), ("db1", [{"address": "10.0.0.1"}]),
    ]  # fmt: skip
    assert store.decisions.withdraw("test", "db1", "cpu.count", actor="sato", reason="corrected the ledger", at=START)
    assert not store.decisions.withdraw("test", "db1", "cpu.count", actor="sato", reason="twice", at=START)
    assert [each.server for each in store.decisions.standing("test")] == ["ap1"]
    assert [(each.action, each.subject) for each in store.evidence("test")] == [
        ("server:decided", "db1"), ("server:decided", "db1"), ("server:decided", "ap1"), ("server:withdrawn", "db1"),
    ]  # fmt: skip
    assert store.first_broken_evidence("test") is None


def test_the_latest_assessment_comes_back(store):
    assert store.decisions.latest_assessment("test") is None
    for number in range(13):
        store.decisions.keep_assessment("test", f"{number:064}", f"書類 {number}", START)
    assert store.decisions.latest_assessment("test") == "書類 12"
