"""Dates as feeds, records and pages declare them: RFC 3339, RFC 822, a day alone, or written out."""

import datetime as dt
import re
from contextlib import suppress
from email.utils import parsedate_tz
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aggregator.extract.language.date_clocks import (
    clock_beside,
    time_or_none,
    zone_offset,
)
from aggregator.extract.language.date_forms import (
    date_matches,
    date_or_none,
    day_of,
    plain_digits,
)
from aggregator.model.entry import Published, PublishedOrigin
from aggregator.text.lines import word_set

EARLIEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
_AHEAD = dt.timedelta(hours=24)
_MAX_DECLARED_CHARS = 100


def parse_declared(
    text: str, zone: str | None, seen: dt.datetime | None = None
) -> Published | None:
    """Parse a date as feeds, records and pages declare it: RFC 3339, RFC 822, a day alone, or written out.

    Return None for other text and for implausible dates. If the name of a time's zone is unknown, only the day
    is known.
    """
    text = text.strip()
    if not text or len(text) > _MAX_DECLARED_CHARS:
        return None
    text, stated_zone = _zone_apart(_CTIME.sub(r"\2 \1 \5 \3\4", text))
    day, clock, offset = _read_digits(text) or _read_rfc822(text) or _read_written(text)
    if stated_zone and day is not None and clock is not None:
        offset = zone_offset(stated_zone, day, clock)
        clock = None if offset is None else clock
    return published_at(day, clock, offset, zone=zone, seen=seen, origin="feed")


def plausible(time: dt.datetime, seen: dt.datetime | None) -> bool:
    """Return whether `time` is from 1990 to a day after `seen` (clocks and zones may be wrong)."""
    return time >= EARLIEST and (seen is None or time <= seen + _AHEAD)


_Parts = tuple[dt.date | None, dt.time | None, dt.timedelta | None]

# The clock time at the end of a declared date, and its zone: an offset, a name, or both.
_CLOCK_AND_ZONE = re.compile(
    r"(?<=[\sTt_,])(?:(?P<h>[01]?\d|2[0-4])(?P<sign>[:.])(?P<n>[0-5]\d)(?:(?P=sign)(?P<s>\d\d)(?:[.,]\d{1,9})?)?"
    r"|(?<=[Tt])(?P<h2>[01]\d|2[0-4])(?P<n2>[0-5]\d)(?P<s2>\d\d)?)(?P<half>\s?[AaPp]\.?[Mm]\b\.?)?\s*\(?"
    r"(?P<zone>(?P<name>[A-Za-z]{1,5}|[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_+-]+){1,2})?\s?(?P<off>[+\u2212-]\d{1,2}(?::?\d\d)?)?)"
    r"\)?(?:\s?[A-Z]{1,5}|\s?\([^()]*\)|\[[^][]*\])?$"
)

_NO_ZONES = word_set("h hr hrs uhr")


def _zone_apart(text: str) -> tuple[str, str]:
    """Return a declared date, its clock time with colons but without the zone, and the zone, or ""."""
    match = _CLOCK_AND_ZONE.search(text)
    zone_name = (match["name"] or "").lower() if match else ""
    if match is None or zone_name in _NO_ZONES:
        return text, ""
    day = text[: match.start()]
    if match["sign"] == "." and not re.search(r"\d{4}", day):
        return text, ""  # a day, with a year of two digits
    hour, minute, second = (
        match[name] or match[f"{name}2"] or "00" for name in ("h", "n", "s")
    )
    zone = match["zone"].strip()
    if match["off"] and zone_name in {"gmt", "utc", "ut", "z"}:
        zone = match["off"]  # the name adds nothing: "GMT+2"
    return f"{day}{hour}:{minute}:{second}{match['half'] or ''}", zone


_ISO = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[Tt_ ]+(\d\d?):(\d\d):(\d\d))?")
_DIGITS = re.compile(r"(?:19|20)\d{12}")  # as GDELT and web archives write it
_ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d")


def _read_digits(text: str) -> _Parts | None:
    """Read ISO 8601, and seconds since 1970."""
    # Seconds may have a fraction, or be thousandths, millionths or billionths.
    if re.fullmatch(r"[0-9]{10}(?:\.[0-9]{1,9}|(?:[0-9]{3}){1,3})?", text):
        moment = dt.datetime.fromtimestamp(int(text[:10]), dt.UTC)
        return moment.date(), moment.time(), dt.timedelta(0)
    if _DIGITS.fullmatch(text):
        text = f"{text[:8]} {text[8:10]}:{text[10:12]}:{text[12:]}"
    match = _ISO.fullmatch(text)
    if match is None:  # a time that does not exist makes the whole doubtful
        return (None, None, None) if _ISO_MOMENT.match(text) else None
    year, month, day, hour, minute, second = (
        int(number) for number in match.groups("-1")
    )
    if hour < 0:
        return date_or_none(year, month, day), None, None
    return *_moment(date_or_none(year, month, day), hour, minute, second), None


# C's ctime() and `date` write this form (RFC 9110, 5.6.7: asctime): "Sun Nov 22 10:00:00 2026".
_CTIME = re.compile(
    r"[A-Z][a-z]{2},? +([A-Z][a-z]{2}) +(\d\d?),? (\d\d:\d\d(?::\d\d)?)( [A-Z]{3,4}| [+-]\d{4})? (\d{4})"
)

_RFC822 = re.compile(
    r"(?:[A-Za-z]{3,9}\.?,?\s*)?\d{1,2}[\s-]+[A-Za-z]{3,9}\.?[\s-]+(?:\d\d|\d{4})\s+\d{1,2}:\d\d:\d\d"
)


def _read_rfc822(text: str) -> _Parts | None:
    if not _RFC822.fullmatch(text):
        return None
    try:
        fields = parsedate_tz(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None  # the standard library raises on some malformed dates
    if fields is None:
        return None
    if f"{fields[0]:04}" not in text and re.search(r"\b\d{4}\s+\d{1,2}:", text):
        # .NET writes the year 0001 for "no date"; the parser returns 2001 for it
        return None, None, None
    day, clock = _moment(date_or_none(*fields[:3]), *fields[3:6])
    return (day, clock, None) if clock is not None else None


def _read_written(text: str) -> _Parts:
    """Read a date that is written out, in any language of the calendar."""
    text = plain_digits(text)
    match = next(iter(date_matches(text)), None)
    day = day_of(match) if match is not None else None
    if match is None or day is None:
        return None, None, None
    return day, *clock_beside(text, match, day)


def _moment(
    day: dt.date | None, hour: int, minute: int, second: int
) -> tuple[dt.date | None, dt.time | None]:
    """Return day and time: 24:00 is the end of the day (ISO 8601:2000). None, None for an impossible one."""
    if day is not None and (hour, minute, second) == (24, 0, 0):
        return day + dt.timedelta(days=1), dt.time(0)
    time = time_or_none(hour, minute, min(second, 59))
    return (day, time) if time is not None else (None, None)


def published_at(
    day: dt.date | None,
    clock: dt.time | None,
    offset: dt.timedelta | None,
    *,
    zone: str | None,
    seen: dt.datetime | None,
    origin: PublishedOrigin,
) -> Published | None:
    """Return a time that is plausible; UTC stands for a zone that is not stated, or not known by its IANA name."""
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
