"""The time, as aware datetimes in UTC."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]  # returns the time, in UTC


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def in_utc(time: datetime) -> datetime:
    """Return the time in UTC."""
    return time if time.tzinfo is UTC else time.astimezone(UTC)
