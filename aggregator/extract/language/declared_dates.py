"""Parses dates as feeds, records and pages declare them: RFC 3339, RFC 822, a day alone, or written out."""

import datetime as dt
import re
from contextlib import suppress
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aggregator.extract.language.date_clocks import (
    clock_beside,
    time_or_none,
    zone_offset,
)
from aggregator.extract.language.date_forms import (
    date_matches,
    day_of,
    plain_digits,
)
from aggregator.model.entry import Published, PublishedOrigin
from aggregator.text.lines import word_set

EARLIEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
_AHEAD = dt.timedelta(hours=24)
_MAX_DECLARED_CHARS = 100
# Unix time in seconds, perhaps with a fraction, or in thousandths, millionths or billionths of a second
_EPOCH = re.compile(r"[0-9]{10}(?:\.[0-9]{1,9}|(?:[0-9]{3}){1,3})?")
# GDELT and web archives write a time in 14 digits, others a day in 8
_DIGITS = re.compile(r"\A((?:19|20)[0-9]{6})([0-9]{6})\Z")
_COMPACT_DAY = re.compile(r"\A([0-9]{4})([0-9]{2})([0-9]{2})(?=[Tt_\s]|\Z)")
# C's ctime() and `date` write this form (RFC 9110, 5.6.7: asctime): "Sun Nov 22 10:00:00 2026".
_CTIME = re.compile(
    r"[A-Z][a-z]{2},? +([A-Z][a-z]{2}) +(\d\d?),? (\d\d:\d\d(?::\d\d)?)( [A-Z]{3,4}| [+-]\d{4})? (\d{4})"
)
# RFC 822 has years of two digits; up to 69 they belong to this century
_SHORT_YEAR = re.compile(
    r"\A((?:[A-Za-z]{3,9}\.?,?\s*)?\d{1,2}[\s-]+[A-Za-z]{3,9}\.?[\s-]+)(?:([0-6]\d)|(\d\d))(?=\s+\d)"
)
_ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d")
# The clock time at the end of a declared date, and its zone: an offset, a name, or both.
_CLOCK_AND_ZONE = re.compile(
    r"(?<=[\sTt_,])(?:(?P<h>[01]?\d|2[0-4])(?P<sign>[:.])(?P<n>[0-5]\d)(?:(?P=sign)(?P<s>\d\d)(?:[.,]\d{1,9})?)?"
    r"|(?<=[Tt])(?P<h2>[01]\d|2[0-4])(?P<n2>[0-5]\d)(?P<s2>\d\d)?)(?P<half>\s?[AaPp]\.?[Mm]\b\.?)?\s*\(?"
    r"(?P<zone>(?P<name>[A-Za-z]{1,5}|[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_+-]+){1,2})?\s?(?P<off>[+\u2212-]\d{1,2}(?::?\d\d)?)?)"
    r"\)?(?:\s?[A-Z]{1,5}|\s?\([^()]*\)|\[[^][]*\])?$"
)
_BETWEEN = re.compile(r"[.,]?(?:[\s_,|·•–—-]|[Tt]|at\s)*")
_NO_ZONES = word_set("h hr hrs uhr")
_UTC_NAMES = word_set("gmt utc ut z")


def parse_declared(
    text: str, zone: str | None, seen: dt.datetime | None = None
) -> Published | None:
    """Parse a date as feeds, records and pages declare it: RFC 3339, RFC 822, a day alone, or written out.

    Return None for other text and for implausible dates. If a clock time has an unknown zone, only the day is used.
    """
    text = text.strip()
    if not text or len(text) > _MAX_DECLARED_CHARS:
        return None
    parts = _read_moment(text)
    if _EPOCH.fullmatch(text):
        moment = dt.datetime.fromtimestamp(int(text[:10]), dt.UTC)
        parts = moment.date(), moment.time(), dt.timedelta(0)
    return published_at(*parts, zone=zone, seen=seen, origin="feed")


def plausible(time: dt.datetime, seen: dt.datetime | None) -> bool:
    """Return whether `time` is from 1990 to a day after `seen` (clocks and zones may be wrong)."""
    return time >= EARLIEST and (seen is None or time <= seen + _AHEAD)


_Parts = tuple[dt.date | None, dt.time | None, dt.timedelta | None]


def _read_moment(text: str) -> _Parts:
    """Return the day, the clock time and the offset of its zone; all three are None for other text."""
    text = _COMPACT_DAY.sub(r"\1-\2-\3", _DIGITS.sub(r"\1T\2", text))
    text = _CTIME.sub(r"\2 \1 \5 \3\4", text)
    text = _SHORT_YEAR.sub(
        lambda date: f"{date[1]}{'20' if date[2] else '19'}{date[2] or date[3]}", text
    )
    text = plain_digits(text)
    match = _CLOCK_AND_ZONE.search(text)
    before = text[: match.start()] if match else text
    date = next(iter(date_matches(before)), None)
    if match and not (date and _BETWEEN.fullmatch(before, date.end())):
        # The end is a date that looks like a clock time ("22.11.26"), or words tell what the clock time means.
        match = None
        date = next(iter(date_matches(text)), None)
    day = day_of(date) if date else None
    if date is None or day is None:
        return None, None, None
    if match is None:
        if _ISO_MOMENT.match(text):
            # A clock time that does not exist makes the whole text doubtful.
            return None, None, None
        return day, *clock_beside(text, date, day)
    hour, minute, second = (int(match[n] or match[f"{n}2"] or 0) for n in "hns")
    if match["half"] and hour <= 12:
        hour = hour % 12 + (12 if "p" in match["half"].lower() else 0)
    if (hour, minute, second) == (24, 0, 0):
        # 24:00 is the end of the day (ISO 8601:2000).
        day += dt.timedelta(days=1)
        hour = 0
    clock = time_or_none(hour, minute, min(second, 59))
    name = (match["name"] or "").lower()
    zone = (
        match["off"] if match["off"] and name in _UTC_NAMES else match["zone"].strip()
    )
    if not zone or name in _NO_ZONES or clock is None:
        return day, clock, None
    offset = zone_offset(zone, day, clock)
    return day, None if offset is None else clock, offset


def published_at(
    day: dt.date | None,
    clock: dt.time | None,
    offset: dt.timedelta | None,
    *,
    zone: str | None,
    seen: dt.datetime | None,
    origin: PublishedOrigin,
) -> Published | None:
    """Return the time of a day and clock, or None if `day` is None or the time is implausible.

    If `offset` is None, `zone` is assumed, or UTC if `zone` is None or unknown.
    """
    if day is None:
        return None
    tz: dt.tzinfo = dt.UTC
    with suppress(ZoneInfoNotFoundError, ValueError, OSError):
        tz = ZoneInfo(zone) if zone else dt.UTC
    try:
        if offset is not None:
            tz = dt.timezone(offset)
        time = dt.datetime.combine(day, clock or dt.time(0), tz).astimezone(dt.UTC)
    except (OverflowError, ValueError):
        return None  # year 9999 west of Greenwich, an offset of a day or more
    if not plausible(time, seen):
        return None
    return Published(
        time=time,
        precision="minute" if clock else "day",
        origin=origin,
        timezone_assumed=offset is None,
    )
