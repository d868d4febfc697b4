"""Cursors of lists of stories."""

import re
from datetime import UTC, datetime, timedelta

from aggregator.model.errors import UsageError

# Microseconds since the year 1 (17 digits suffice until the year 3169) and the number of the story. Digits
# only, so that the OpenAPI description can give a pattern.
_CURSOR = re.compile(r"([0-9]{1,17})-([0-9]{1,18})", re.ASCII)

_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


def cursor_at(updated: datetime, number: int) -> str:
    """Return the cursor of the page after the story with this bump and number.

    It stays valid when the story is bumped.
    """
    return f"{(updated - _BEGINNING) // timedelta(microseconds=1)}-{number}"


def read_cursor(cursor: str) -> tuple[datetime, int]:
    """Return the bump and the number in a cursor of a list that has the newest bump first. Raises UsageError."""
    microseconds, number = cursor_numbers(cursor)
    return _BEGINNING + timedelta(microseconds=microseconds), number


def cursor_numbers(cursor: str) -> tuple[int, int]:
    """Return the two numbers of any cursor of stories. Raises UsageError if it is invalid."""
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise UsageError("invalid cursor; use `next` of the previous page unchanged")
    return int(match[1]), int(match[2])
