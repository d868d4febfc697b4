"""The ids of streams and items, and the times of the Google Reader API."""

import re
from datetime import UTC, datetime, timedelta

FEED = "feed/"
STORIES = f"{FEED}stories"
READING_LIST = "user/-/state/com.google/reading-list"
READ = "user/-/state/com.google/read"
STARRED = "user/-/state/com.google/starred"
LABEL = "user/-/label/"
LONG_ID = "tag:google.com,2005:reader/item/"
_USER = re.compile(r"^user/[^/]+/")
_TIME = re.compile(r"[0-9]{1,11}|[0-9]{13}|[0-9]{16}|[0-9]{19}", re.ASCII)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
# The most digits of a time in seconds; longer numbers count smaller units.
_SECONDS_DIGITS = 11
# Cursors have no digits for later times.
_LATEST = datetime(3000, 1, 1, tzinfo=UTC)


def subscription_id(source: str) -> str:
    """Return the id of the subscription of a source; for "", of the subscription of all other stories."""
    return f"{FEED}{source}" if source else STORIES


def of_any_user(stream: str) -> str:
    """Return the id of a stream with `-` in place of the user, because some clients name the user."""
    return _USER.sub("user/-/", stream)


def microseconds(time: datetime) -> int:
    """Return a time as microseconds since 1970."""
    return (time - _BEGINNING) // timedelta(microseconds=1)


def moment(text: str) -> datetime | None:
    """Return the time that a text states, at most the year 3000; None if it is not a time.

    The text is a number of seconds since 1970; with 13, 16 or 19 digits, of milliseconds, microseconds or nanoseconds.
    """
    if not _TIME.fullmatch(text):
        return None
    if len(text) <= _SECONDS_DIGITS:
        return min(_BEGINNING + timedelta(seconds=int(text)), _LATEST)
    return _BEGINNING + timedelta(microseconds=int(text.ljust(16, "0")[:16]))
