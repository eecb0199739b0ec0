"""Dates as ministries write them: 平成20年4月1日, H20.4.1, 令和元年, 2026/4/1, 民國98年; years of an era beyond its end too."""

import re
from datetime import date, timedelta
from functools import lru_cache

from controlplane.ledgers.values import Reading

_ERAS = {
    "明治": (1867, date(1868, 1, 25), date(1912, 7, 29)),
    "大正": (1911, date(1912, 7, 30), date(1926, 12, 24)),
    "昭和": (1925, date(1926, 12, 25), date(1989, 1, 7)),
    "平成": (1988, date(1989, 1, 8), date(2019, 4, 30)),
    "令和": (2018, date(2019, 5, 1), date.max),
    "民國": (1911, date(1912, 1, 1), date.max),
}
"""Year before the era's first, first day, last day. The first is that of 明治 by the calendar of today."""
_LETTERS = {"m": "明治", "t": "大正", "s": "昭和", "h": "平成", "r": "令和", "民国": "民國"}

_YEAR = r"(?P<era>明治|大正|昭和|平成|令和|民國|民国|[mtshr])\s*\.?\s*(?P<era_year>[0-9]{1,3}|元)|(?P<year>[0-9]{4})"
_SEPARATOR = r"\s*[年/.\-]\s*"
_DAY = re.compile(
    rf"(?:{_YEAR}){_SEPARATOR}(?P<month>[0-9]{{1,2}})(?:\s*[月/.\-]\s*(?P<day>[0-9]{{1,2}}|末)\s*日?|\s*月?)"
    r"(?:\s*\(?[日月火水木金土]\)?)?(?:[t ]\s*(?:[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?z?)?"
)
_PACKED = re.compile(r"(?P<year>(?:19|20)[0-9]{2})(?P<month>[0-9]{2})(?P<day>[0-9]{2})")
_FISCAL_END = re.compile(rf"(?:{_YEAR})\s*年?度末")


@lru_cache(maxsize=4096)
def day(text: str) -> Reading:
    """An ISO date, or `2026-04` where only the month is stated."""
    low = text.lower()
    if found := _FISCAL_END.fullmatch(low):
        year, note, problem = _year(found)
        if problem or not 1 <= year < date.max.year:
            return Reading(problem=problem or _WANTED)
        ends = date(year + 1, 3, 31).isoformat()
        return Reading(value=ends, note=f"end of the fiscal year read as {ends}" + (f"; {note}" if note else ""))
    match = _DAY.fullmatch(low) or _PACKED.fullmatch(low)
    if match is None:
        return Reading(problem=_WANTED)
    year, note, problem = _year(match)
    month, stated = int(match["month"]), match["day"]
    if problem or not (1 <= year <= 9998 and 1 <= month <= 12):
        return Reading(problem=problem or "no such day")
    if stated is None:
        return Reading(value=f"{year:04}-{month:02}", note=note)
    try:
        found_day = _last_day(year, month) if stated == "末" else date(year, month, int(stated))
    except ValueError:
        return Reading(problem="no such day")
    return Reading(value=found_day.isoformat(), note=note or _beyond(match, found_day))


_WANTED = "wanted a date such as 2026-04-01, 令和8年4月1日 or R8.4.1"


def _year(match: re.Match[str]) -> tuple[int, str, str]:
    """The year, a note, and a problem."""
    groups = match.groupdict()
    if groups.get("era") is None:
        return int(groups["year"]), "", ""
    number = 1 if groups["era_year"] == "元" else int(groups["era_year"])
    if number == 0:
        return 0, "", "an era has no year 0"
    return _ERAS[_era(match)][0] + number, "", ""


def _era(match: re.Match[str]) -> str:
    return _LETTERS.get(match["era"], match["era"])


def _beyond(match: re.Match[str], found: date) -> str:
    """平成35年 was written before anybody knew when the era would end; it is a real date all the same."""
    if match.groupdict().get("era") is None:
        return ""
    _, first, last = _ERAS[_era(match)]
    return "" if first <= found <= last else f"outside the era {_era(match)}; read as {found.isoformat()}"


def _last_day(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
