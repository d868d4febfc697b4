"""A walk through all stories that fit, a page at a time.

Stories come newest bump first, and a bump only ever moves a story up, above the place where a walk is. So a
walk shows no story twice; what is bumped or new while it goes on is at the top of the next walk. What "24h"
means is settled by the first page: each `next` carries that moment.
"""

import datetime as dt
import re

import msgspec

from aggregator.model.errors import UsageError
from aggregator.web.filters import Wanted

CURSOR_PATTERN = "^([0-9]{1,17}\\.[0-9]{1,17}-[0-9]{1,18})?$"  # of `next`, where the shelf is the database

_BEGINNING = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)  # no walk began before; 99999w before it is still a date
_STEP = dt.timedelta(microseconds=1)
_DIGITS = re.compile(r"[0-9]{1,17}", re.ASCII)  # microseconds since the year 1; they last until the year 3169


def moment_of(after: str) -> dt.datetime | None:
    """When the walk began that `after` is from; None for a cursor of the shelf alone.

    Raises UsageError for what is no cursor.
    """
    digits, dot, _ = after.partition(".")
    if not dot:
        return None
    if not _DIGITS.fullmatch(digits):
        raise UsageError("after: that is no cursor of ours; take `next` of the page before as it is")
    return max(_EARLIEST, _BEGINNING + int(digits) * _STEP)


def going_on(wanted: Wanted) -> Wanted:
    """The same question with the shelf's own cursor."""
    after = wanted.filter.after
    if after is None or "." not in after:
        return wanted
    inner = msgspec.structs.replace(wanted.filter, after=after.partition(".")[2])
    return msgspec.structs.replace(wanted, filter=inner, moves_with_clock=False)


def next_of(cursor: str | None, began: dt.datetime) -> str | None:
    """The `next` of a page of a walk that began at `began`."""
    return None if cursor is None else f"{(began - _BEGINNING) // _STEP}.{cursor}"
