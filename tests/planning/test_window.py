"""The grammar of change windows and the spans they mean."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from controlplane.model.window import ZONE, WindowError, parse_window

_DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


@pytest.mark.parametrize(
    ("text", "days", "start", "minutes"),
    [
        ("Sat 22:00-06:00", {5}, 22, 480),
        ("sat 22:00-06:00", {5}, 22, 480),
        ("Mon-Fri 20:00-05:00", {0, 1, 2, 3, 4}, 20, 540),
        ("Sat,Sun 00:00-24:00", {5, 6}, 0, 1440),
        ("Fri-Mon 01:00-04:30", {4, 5, 6, 0}, 1, 210),
        ("daily 01:00-01:00", set(range(7)), 1, 1440),
    ],
)
def test_weekly_windows(text, days, start, minutes):
    first = date(2026, 11, 30)
    spans = list(parse_window(text).spans(first, first + timedelta(days=6)))
    assert {span.starts_at.weekday() for span in spans} == days
    assert {(span.starts_at.hour, span.minutes) for span in spans} == {(start, minutes)}


def test_a_single_date():
    window = parse_window("2027-05-03 08:00-20:00")
    assert [span.starts_at for span in window.spans(date(2027, 5, 1), date(2027, 5, 31))] == [
        datetime(2027, 5, 3, 8, tzinfo=ZONE)
    ]
    assert list(window.spans(date(2027, 6, 1), date(2027, 6, 30))) == []


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("at night", "wanted a change window of days and times", "write it as Sat 22:00-06:00"),
        ("Sat", "wanted a change window of days and times", "daily 01:00-04:00"),
        ("Sat 22:00-6:00", "wanted a change window", "Sat 22:00-06:00"),
        ("Sat 24:00-06:00", "cannot begin at 24:00", "the next day"),
        ("Sat 22:60-06:00", "22:60 is no time of a day", "minutes 00 to 59"),
        ("Sat 22:00-24:30", "24:30 is no time of a day", "hours 00 to 24"),
        ("Caturday 22:00-06:00", "Caturday names no days", "Mon-Fri"),
        ("Mon-Wed-Fri 22:00-06:00", "names no days", "Sat,Sun"),
        ("2027-02-30 22:00-06:00", "2027-02-30 is no date", "2027-05-03"),
        ("Sat ２２:00-06:00", "wanted a change window", "Sat"),
    ],
)
def test_what_is_no_window_says_what_to_write(text, what, remedy):
    with pytest.raises(WindowError) as error:
        parse_window(text)
    assert what in str(error.value)
    assert remedy in error.value.remedy


@for_all(
    st.integers(0, 6), st.integers(0, 6), st.integers(0, 1439), st.integers(0, 1440), st.dates(date(2020, 1, 1), date(2040, 1, 1))
)
def test_every_window_is_more_than_nothing_and_at_most_a_day(first, last, start, end, day):
    text = f"{_DAYS[first]}-{_DAYS[last]} {start // 60:02d}:{start % 60:02d}-{end // 60:02d}:{end % 60:02d}"
    spans = list(parse_window(text).spans(day, day + timedelta(days=13)))
    assert len(spans) == 2 * len(parse_window(text).weekdays)
    assert all(0 < span.minutes <= 1440 for span in spans)
    assert spans == sorted(spans, key=lambda span: span.starts_at)
