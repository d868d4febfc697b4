"""The notation of times in filters: relative to now, a date, or a time."""

import datetime as dt
import re

from aggregator.model.errors import UsageError

_AGO = re.compile(r"(\d{1,5})\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def is_relative(text: str) -> bool:
    """Whether a time is relative to now, like "24h"."""
    return bool(_AGO.fullmatch(text.strip()))


def parse_moment(value: str, now: dt.datetime) -> dt.datetime:
    """Parse `24h`, `7d`, `90m` or `2w` (before `now`), a date, or an RFC 3339 time, in UTC if it has no zone.

    Raises UsageError for anything else.
    """
    try:
        if ago := _AGO.fullmatch(value.strip()):
            return now - dt.timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = dt.datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise UsageError("must be like 24h, 7d, 2026-11-20 or 2026-11-20T08:00:00Z") from None


def parse_end(value: str, now: dt.datetime) -> dt.datetime:
    """Parse like `parse_moment`; a date is the end of that day."""
    moment = parse_moment(value, now)
    if not _DATE.fullmatch(value.strip()):
        return moment
    try:
        return moment + dt.timedelta(days=1, microseconds=-1)
    except OverflowError:
        return moment
