"""Sizes follow from what was measured, by the stated rule, and few samples never make a server smaller."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from controlplane.assessment.measuring import busy_by_hour, measure, stars_of
from controlplane.assessment.processors import CoreSpeed
from controlplane.assessment.sizing import KnownSize, size_server
from controlplane.cli.assess import local_day
from controlplane.model.assessment import SizingPolicy
from controlplane.model.facts import Source
from controlplane.model.resources import Resources
from controlplane.model.series import Dimension, Series
from tests.assessment.estates import POLICY, START, flat, measured, working_day

MODERN = CoreSpeed(factor=1.0, family="modern", known=True)
OLD = CoreSpeed(factor=0.35, family="Xeon of 2006", known=True)
STRANGE = CoreSpeed(factor=1.0, family="strange", known=False)
DECLARED = Resources(vcpus=8, memory_mib=16384, disk_gib=200)
KNOWN = KnownSize(vcpus=8, memory_mib=16384, disk_gib=200)
CPU, MEMORY, DISK = Dimension.CPU_CORES, Dimension.MEMORY_USED_MIB, Dimension.DISK_USED_MIB


def sized(series, speed=MODERN, policy=POLICY, **changes):
    given = {"declared": DECLARED, "known": KNOWN, "target": None}
    return size_server(series, speed, policy, **(given | changes))


def series(values, dimension=CPU, start=START, step=300):
    return Series(server="s", dimension=dimension, source=Source.SSH, started_at=start, step_seconds=step,
                  values=np.asarray(values, dtype=np.float32))  # fmt: skip


def test_a_busy_office_server_is_sized_by_its_working_hours():
    advice = sized(measured("s", working_day("s", 0.1, 3.0), 6000, 50 * 1024))
    assert advice.wanted == Resources(vcpus=4, memory_mib=8192, disk_gib=60)
    assert advice.measured == advice.wanted
    assert advice.stars == 5
    cpu = advice.measurements[0]
    assert (cpu.typical, cpu.peak, cpu.growth_per_year, cpu.share, cpu.days) == (3.0, 3.0, 0.0, 1.0, 30.0)
    assert advice.reasons[0].startswith(
        "vCPU: 3 busy cores at p95 of the window, peak 3, modern at 1 of a reference core, comfort 1.2: 4"
    )
    assert advice.busy_cores_by_hour[10] == pytest.approx(3.0)
    assert advice.busy_cores_by_hour[3] == pytest.approx(0.1)


def test_old_cores_count_for_what_they_are():
    assert sized(measured("s", flat("s", CPU, 4.0), 6000, 1024), OLD).wanted.vcpus == 2


def test_an_unknown_processor_costs_a_star_and_is_said():
    advice = sized(measured("s", flat("s", CPU, 4.0), 6000, 1024), STRANGE)
    assert (advice.wanted.vcpus, advice.stars) == (6, 4)
    assert "not in the table (a star less)" in advice.reasons[0]


def test_few_samples_do_not_shrink_a_server_but_may_enlarge_it():
    advice = sized(measured("s", flat("s", CPU, 1.0, days=5), 20000, 1024, days=5))
    assert advice.stars == 1
    assert advice.wanted == Resources(vcpus=8, memory_mib=24576, disk_gib=200)
    assert advice.measured == Resources(vcpus=2, memory_mib=24576, disk_gib=4)
    assert "too few stars to go below 8" in advice.reasons[0]


def test_what_is_declared_only_says_so():
    advice = sized({})
    assert (advice.wanted, advice.measured, advice.stars) == (DECLARED, None, 0)
    assert advice.reasons == ("nothing was measured: the size is what is declared; sample it with `kasumi discover --sample`",)
    unknown = sized({}, declared=None, known=KnownSize(vcpus=2))
    assert unknown.wanted is None
    assert unknown.reasons[0].startswith("nothing was measured: the size is not known, since nobody declares all of it; ")
    target = Resources(vcpus=2, memory_mib=4096, disk_gib=40)
    assert sized({}, target=target).wanted == target


def test_one_dimension_alone_does_not_make_a_measured_size():
    advice = sized({CPU: flat("s", CPU, 1.0)})
    assert (advice.measured, advice.stars) == (None, 0)
    assert advice.wanted == Resources(vcpus=2, memory_mib=16384, disk_gib=200)


def test_memory_must_hold_its_peak():
    values = np.full(30 * 288, 2000.0)
    values[100] = 9000
    advice = sized(measured("s", flat("s", CPU, 1), 0, 1024) | {MEMORY: series(values, MEMORY)})
    assert advice.wanted.memory_mib == 9216


def test_a_disk_that_grows_is_given_a_year_and_never_more_than_twice():
    growing = series(np.linspace(100, 110, 30 * 288) * 1024, DISK)
    one = measure(growing, POLICY)
    assert one.growth_per_year == pytest.approx(10 * 1024 / 30 * 365, rel=0.02)
    assert one.wanted == pytest.approx(2 * 109.8 * 1024 * 1.2, rel=0.01)
    short = replace(POLICY, growth_days=30)
    assert measure(growing, short).wanted == pytest.approx((109.8 + 10) * 1024 * 1.2, rel=0.01)


def test_noise_is_no_growth():
    noise = np.random.default_rng(1).normal(2, 0.5, 30 * 288)
    assert measure(series(noise), POLICY).growth_per_year == 0


def test_work_at_night_is_said():
    local = [START + timedelta(hours=9, minutes=5 * index) for index in range(30 * 288)]
    values = [6.0 if at.hour in {1, 2, 3, 4} else 0.5 for at in local]
    one = measure(series(values), POLICY)
    assert (one.typical, one.typical_outside, one.peak) == (0.5, 6.0, 6.0)
    assert "busier outside the business window: 6.0 against 0.5" in one.notes[0]
    night = replace(POLICY, window_start_hour=22, window_end_hour=6)
    assert measure(series(values), night).typical == 6.0


def test_a_short_look_outside_the_window_still_says_something():
    one = measure(series([1.0, 2.0, 4.0], start=datetime(2026, 5, 3, 12, tzinfo=UTC), step=10), POLICY)
    assert (one.typical, one.peak, one.stars, one.samples) == (4.0, 4.0, 1, 3)
    assert one.notes == (
        "no sample lies in the business window; all hours are used",
        "days with samples: 1, too few for a trend, wanted 10",
    )


def test_an_hour_without_samples_has_no_load_rather_than_none():
    hours = busy_by_hour(series([2.0] * 24, start=datetime(2026, 5, 4, 1, tzinfo=UTC)), POLICY)
    assert [hour for hour, value in enumerate(hours) if value is not None] == [10, 11]
    assert hours[10] == 2.0


def test_a_size_beyond_the_ceiling_is_said():
    advice = sized(measured("s", flat("s", CPU, 90), 6000, 1024))
    assert advice.wanted.vcpus == 64
    assert "108 are wanted and 64 is the ceiling" in advice.reasons[0]


@pytest.mark.parametrize(("share", "stars"), [(0, 1), (0.19, 1), (0.2, 2), (0.41, 3), (0.79, 4), (0.8, 5), (1, 5)])
def test_each_fifth_is_a_star(share, stars):
    assert stars_of(share) == stars


@pytest.mark.parametrize(("level", "vcpus"), [(0.01, 1), (0.9, 2), (3.4, 5), (8, 10), (20, 24)])
def test_steps_grow_with_the_size(level, vcpus):
    policy = replace(POLICY, comfort_factor=1.2)
    assert sized(measured("s", flat("s", CPU, level), 6000, 1024), policy=policy).wanted.vcpus in {vcpus, vcpus + 1}


SAMPLES = arrays.arrays(
    np.float32, st.integers(0, 400), elements=st.sampled_from([np.nan, 0.0, 1.0]) | st.floats(0, 2.0**40, width=32)
)


@settings(max_examples=60)
@given(SAMPLES, st.sampled_from(list(Dimension)), st.sampled_from([1, 60, 300, 86400]), st.integers(0, 10**9), st.floats(50, 100))
def test_any_samples_give_a_measurement_that_holds_together(values, dimension, step, start, percentile):
    policy = SizingPolicy(percentile=percentile)
    given = series(values, dimension, datetime.fromtimestamp(start, UTC), step)
    one = measure(given, policy)
    assert one.samples == int(np.count_nonzero(~np.isnan(values)))
    assert (one.stars > 0) is (one.samples > 0)
    assert 0 <= one.typical <= one.peak * 1.001
    assert one.wanted >= one.typical * 0.999
    if dimension in {MEMORY, DISK}:
        assert one.wanted >= one.peak * 0.999
    assert len(busy_by_hour(given, policy)) == 24
    advice = size_server({dimension: given}, MODERN, policy, declared=None, known=KnownSize(), target=None)
    assert advice.wanted is None


@settings(max_examples=30)
@given(st.floats(0.1, 50), st.floats(100, 60_000), st.floats(100, 500_000))
def test_a_larger_load_never_wants_less(cpu, memory, disk):
    small = sized(measured("s", flat("s", CPU, cpu), memory, disk)).wanted
    large = sized(measured("s", flat("s", CPU, cpu * 1.5), memory * 1.5, disk * 1.5)).wanted
    assert small.fits_in(large)


@pytest.mark.parametrize(
    ("at", "day"), [("2026-11-25T14:59:00+00:00", "2026-11-25"), ("2026-11-25T15:01:00+00:00", "2026-11-26")]
)
def test_what_was_sampled_after_midnight_over_there_belongs_to_today(at, day):
    assert local_day(datetime.fromisoformat(at), 540).isoformat() == day
