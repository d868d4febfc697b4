"""The cursors of pagination.

Stories are ordered by bump, the newest first, and a bump only moves a story to the top. So a client that
follows `next` sees no story twice; stories that are new or bumped meanwhile are at the top when it starts
again. Relative times ("24h") are relative to the first page: each cursor contains the time of that page.
"""

import datetime as dt
import re
from collections.abc import Collection
from typing import Any

from msgspec.structs import replace

from aggregator.model.errors import UsageError
from aggregator.web.filters import ParsedFilter, parse_filter

_BEGINNING = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_EARLIEST = dt.datetime(
    2000, 1, 1, tzinfo=dt.UTC
)  # no first page is older; 99999w before it is still a valid date
_STEP = dt.timedelta(microseconds=1)
# Microseconds since the year 1; they last until the year 3169
_DIGITS = re.compile(r"[0-9]{1,17}", re.ASCII)


def cursor_time(after: str) -> dt.datetime | None:
    """Return the time of the first page that a cursor contains; None for a cursor of the reader itself.

    Raises UsageError for an invalid cursor.
    """
    digits, dot, _ = after.partition(".")
    if not dot:
        return None
    if not _DIGITS.fullmatch(digits):
        raise UsageError(
            "after: invalid cursor; use `next` of the previous page unchanged"
        )
    return max(_EARLIEST, _BEGINNING + int(digits) * _STEP)


def parse_page(
    parameters: Collection[tuple[str, str]], now: dt.datetime, **options: Any
) -> tuple[ParsedFilter, dt.datetime]:
    """Return the filter of a page of a list, and the time of the first page of this pagination.

    The cursor of the filter is that of the reader; `options` are those of `parse_filter`. Raises UsageError.
    """
    began = cursor_time(dict(parameters).get("after", "").strip()) or now
    parsed = parse_filter(parameters, began, **options)
    after = parsed.filter.after
    if after is None or "." not in after:
        return parsed, began
    inner = replace(parsed.filter, after=after.partition(".")[2])
    return replace(parsed, filter=inner, moves_with_clock=False), began


def next_of(cursor: str | None, began: dt.datetime) -> str | None:
    """Return the `next` of a page; `began` is the time of the first page."""
    return None if cursor is None else f"{(began - _BEGINNING) // _STEP}.{cursor}"
