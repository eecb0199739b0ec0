"""Change windows: when a system may be interrupted. A grammar of one line, and the spans of time it means.

`DAYS HH:MM-HH:MM`, DAYS being `daily`, or weekdays as `Sat`, `Mon-Fri`, `Sat,Sun`, or a date as `2027-05-03`. An end at or before the
begin lies on the next day; `24:00` is midnight. Times are the estate's own (`ZONE`), without daylight saving.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

ZONE = timezone(timedelta(hours=9), "JST")
"""Japan has had one time zone and no daylight saving since 1952, so every day has 24 hours."""
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LINE = re.compile(r"(?P<days>\S+) +(?P<from>\d\d:\d\d) ?- ?(?P<to>\d\d:\d\d)", re.ASCII)
_MINUTES_A_DAY = 24 * 60


class WindowError(ValueError):
    """Not a change window; the text says what was wanted, `remedy` what to write."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From an instant up to another."""

    starts_at: datetime
    ends_at: datetime

    @property
    def minutes(self) -> float:
        """How long it is."""
        return (self.ends_at - self.starts_at).total_seconds() / 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One change window; `day` is set for a single date, else `weekdays` (Monday 0). Minutes count from midnight of its first day."""

    text: str
    weekdays: frozenset[int]
    day: date | None
    start_minute: int
    end_minute: int

    def spans(self, first: date, last: date) -> Iterator[Span]:
        """The spans that begin from `first` to `last`, both included, in order."""
        day = first
        while day <= last:
            if day == self.day or (self.day is None and day.weekday() in self.weekdays):
                midnight = datetime.combine(day, time(), ZONE)
                start, end = midnight + timedelta(minutes=self.start_minute), midnight + timedelta(minutes=self.end_minute)
                yield Span(starts_at=start, ends_at=end)
            day += timedelta(days=1)


def parse_window(text: str) -> Window:
    """Read one window. Raises WindowError."""
    match = _LINE.fullmatch(text.strip())
    if match is None:
        raise WindowError("wanted a change window of days and times", "write it as Sat 22:00-06:00 or daily 01:00-04:00")
    start, end = _minute(match["from"]), _minute(match["to"])
    if start == _MINUTES_A_DAY:
        raise WindowError("a window cannot begin at 24:00", "write 00:00 and the next day")
    weekdays, day = _days(match["days"])
    return Window(
        text=text.strip(),
        weekdays=weekdays,
        day=day,
        start_minute=start,
        end_minute=end if end > start else end + _MINUTES_A_DAY,
    )


def _minute(text: str) -> int:
    hour, minute = int(text[:2]), int(text[3:])
    if minute > 59 or hour * 60 + minute > _MINUTES_A_DAY:
        raise WindowError(f"{text} is no time of a day", "write hours 00 to 24 and minutes 00 to 59")
    return hour * 60 + minute


def _days(text: str) -> tuple[frozenset[int], date | None]:
    lower = text.lower()
    if lower == "daily":
        return frozenset(range(7)), None
    if re.fullmatch(r"\d{4}-\d\d-\d\d", lower):
        try:
            return frozenset(), date.fromisoformat(lower)
        except ValueError:
            raise WindowError(f"{text} is no date", "write a date of the calendar, as 2027-05-03") from None
    found: set[int] = set()
    for part in lower.split(","):
        ends = part.split("-")
        if len(ends) > 2 or any(end not in _DAYS for end in ends):
            raise WindowError(f"{text} names no days", "write Mon, Tue, Wed, Thu, Fri, Sat, Sun, Mon-Fri, Sat,Sun or daily")
        first, last = _DAYS.index(ends[0]), _DAYS.index(ends[-1])
        found |= {day % 7 for day in range(first, last + 1 if last >= first else last + 8)}
    return frozenset(found), None
