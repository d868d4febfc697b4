"""The time, as aware datetimes in UTC."""

import datetime as dt
from collections.abc import Callable

Clock = Callable[[], dt.datetime]  # returns the time, in UTC


def utc_now() -> dt.datetime:
    """Return the current time in UTC."""
    return dt.datetime.now(dt.UTC)


def in_utc(time: dt.datetime) -> dt.datetime:
    """Return the time in UTC."""
    return time if time.tzinfo is dt.UTC else time.astimezone(dt.UTC)
