"""The query of an address that lists stories: its filters, the list that they select, and its cursors.

Stories are ordered by bump, the newest first, and a bump only moves a story to the top. So a client that
follows `next` sees no story twice; stories that are new or bumped meanwhile are at the top when the client starts
again. Relative times ("24h") are relative to the first page, because each cursor contains the time of that page. A
cursor also contains a hash of the order and the filter, because it is a place in this list only.
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from pydantic import Field

from aggregator.config.shipped import ShippedTable
from aggregator.config.story_query import Filters, SavedQuery, StoryFilter, StoryQuery
from aggregator.model.errors import UsageError
from aggregator.model.read_model import Mute
from aggregator.text.lines import word_list

_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(
    2000, 1, 1, tzinfo=UTC
)  # no first page is older; 99999w before it is still a valid date
_STEP = timedelta(microseconds=1)
# A cursor has the microseconds since the year 1 (enough until 3169), the hash of the list, and the cursor of
# the store.
CURSOR = r"^([0-9]{1,17}\.[0-9a-f]{8}\.[0-9]{1,17}-[0-9]{1,18})?$"


def next_of(
    cursor: str | None, began: datetime, filters: Filters, order: str = ""
) -> str | None:
    """Return the `next` of a page of this list; `began` is the time of its first page."""
    if cursor is None:
        return None
    return f"{(began - _BEGINNING) // _STEP}.{_hash_of(filters, order)}.{cursor}"


def read_next(after: str, filters: Filters, order: str = "") -> tuple[datetime, str]:
    """Return the time of the first page that a `next` contains, and the cursor of the store.

    Raises UsageError for any other text, and for the `next` of another list.
    """
    if not re.match(CURSOR, after, re.ASCII):
        raise UsageError(
            f"after: invalid cursor {after[:40]!r}; use `next` of the previous page unchanged"
        )
    digits, list_hash, cursor = after.split(".")
    if list_hash != _hash_of(filters, order):
        raise UsageError(
            f"after: the cursor {after[:60]!r} is of a list with another filter or order; "
            "repeat those of its first page, or begin without `after`"
        )
    return max(_EARLIEST, _BEGINNING + int(digits) * _STEP), cursor


def _hash_of(filters: Filters, order: str) -> str:
    values = [(name, getattr(filters, name)) for name in Filters.model_fields]
    return hashlib.blake2b(
        repr((order or "newest", values)).encode(), digest_size=4
    ).hexdigest()


LANGUAGE_NAMES = ShippedTable(
    "aggregator.web", "languages.yaml", dict[str, str]
).content
STORIES_AN_ANSWER = 50
# The most stories in one response, to limit its time and size
MAX_STORIES = 500


class ListQuery(StoryQuery):
    """The parameters of a list of stories."""

    limit: int = Field(
        STORIES_AN_ANSWER,
        ge=1,
        le=MAX_STORIES,
        description="the maximum number of stories in one response",
    )
    saved: str = Field(
        "", description="a saved query; other parameters override its values"
    )
    order: Literal["", "newest", "front"] = Field(
        "",
        description="newest: the newest bump first; front: as on the front page, without what the owner muted",
    )
    after: str = Field(
        "",
        json_schema_extra={"pattern": CURSOR},
        description="the `next` of the previous page, unchanged, with the same filter and order",
    )


class Selection(NamedTuple):
    """The stories that an address selects at a given time."""

    # The query as the address has it
    typed: ListQuery
    saved: SavedQuery | None
    # The query of the address, completed by the saved query
    query: ListQuery
    filter: StoryFilter
    # The time of the first page
    began: datetime

    def next_of(self, cursor: str | None) -> str | None:
        """Return the `next` of a page that ends at a cursor of the store."""
        return next_of(cursor, self.began, self.query, self.typed.order)

    def without(self, mutes: tuple[Mute, ...]) -> "Selection":
        """Return the selection without muted articles."""
        return self._replace(filter=self.filter.model_copy(update={"mutes": mutes}))


def select_stories(
    typed: ListQuery, saved: SavedQuery | None, now: datetime, limit: int
) -> Selection:
    """Return the selection; `limit` is the default of the query. Raises UsageError for a wrong cursor."""
    query = typed if saved is None else typed.over(saved)
    after = None
    if typed.after:
        now, after = read_next(typed.after, query, typed.order)
    limit = typed.limit if typed.has("limit") else limit
    return Selection(typed, saved, query, query.story_filter(now, limit, after), now)


# The filters in the order of a title: first the subject of the list, then its limits
_IN_TITLES = word_list("""
    topic name folder outlet query kind storyline language min_reports min_outlets since until
""")


def filter_words(query: StoryQuery) -> list[str]:
    """Return the words of a filter for titles of pages and feeds, such as `["Space", "3+ reports"]`."""
    words = []
    for name in _IN_TITLES:
        value = getattr(query, name)
        match name:
            case "since" | "until":
                words.append(value and f"{name} {value}")
            case "min_outlets" | "min_reports":
                unit = name.removeprefix("min_")
                words.append(f"{value}+ {unit}" if value > 1 else "")
            case "language":
                words.append(LANGUAGE_NAMES.get(value, value))
            case _:
                words.append(value)
    return [word for word in words if word]
