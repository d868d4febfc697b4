"""The cursors of lists of stories.

Stories are ordered by bump, the newest first, and a bump only moves a story to the top. So a client that
follows `next` sees no story twice; stories that are new or bumped meanwhile are at the top when it starts
again. Relative times ("24h") are relative to the first page: each cursor contains the time of that page. It also
contains a hash of the order and the filter, because it is a place in this list only.
"""

import datetime as dt
import hashlib
import re

from aggregator.config.story_query import Filters
from aggregator.model.errors import UsageError

_BEGINNING = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_EARLIEST = dt.datetime(
    2000, 1, 1, tzinfo=dt.UTC
)  # no first page is older; 99999w before it is still a valid date
_STEP = dt.timedelta(microseconds=1)
# A cursor has the microseconds since the year 1 (enough until 3169), the hash of the list, and the cursor of
# the store.
CURSOR = r"^([0-9]{1,17}\.[0-9a-f]{8}\.[0-9]{1,17}-[0-9]{1,18})?$"


def next_of(
    cursor: str | None, began: dt.datetime, wanted: Filters, order: str = ""
) -> str | None:
    """Return the `next` of a page of this list; `began` is the time of its first page."""
    if cursor is None:
        return None
    return f"{(began - _BEGINNING) // _STEP}.{_hash_of(wanted, order)}.{cursor}"


def read_next(after: str, wanted: Filters, order: str = "") -> tuple[dt.datetime, str]:
    """Return the time of the first page that a `next` contains, and the cursor of the store.

    Raises UsageError for anything else, and for the `next` of another list.
    """
    if not re.match(CURSOR, after, re.ASCII):
        raise UsageError(
            f"after: invalid cursor {after[:40]!r}; use `next` of the previous page unchanged"
        )
    digits, list_hash, cursor = after.split(".")
    if list_hash != _hash_of(wanted, order):
        raise UsageError(
            f"after: the cursor {after[:60]!r} is of a list with another filter or order; "
            "repeat those of its first page, or begin without `after`"
        )
    return max(_EARLIEST, _BEGINNING + int(digits) * _STEP), cursor


def _hash_of(wanted: Filters, order: str) -> str:
    filters = [(name, getattr(wanted, name)) for name in Filters.model_fields]
    return hashlib.blake2b(
        repr((order or "newest", filters)).encode(), digest_size=4
    ).hexdigest()
