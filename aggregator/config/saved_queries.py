"""Saved queries, which are named filters in config.yaml, and the notation of times in filters."""

import datetime as dt
import re

from aggregator.model.core import FrozenStruct
from aggregator.model.errors import UsageError
from aggregator.model.read_model import StoryFilter

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
RESERVED_NAMES = frozenset({"digest", "stories", "updates"})  # names of built-in feeds

_AGO = re.compile(r"(\d{1,5})\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class SavedQuery(FrozenStruct, frozen=True, kw_only=True):
    """One query of config.yaml. Empty fields do not restrict.

    `since` and `until` stay as written, since "24h" is relative to each request. `title`, `items` and `link`
    are for its feeds; None uses the settings of `publish` and `feeds`.
    """

    name: str
    title: str | None = None
    query: str = ""
    since: str = ""
    until: str = ""
    min_outlets: int = 1
    min_reports: int = 1
    outlet: str = ""
    folder: str = ""
    language: str = ""
    items: int | None = None
    link: str | None = None  # "story" or "article"

    def story_filter(self, now: dt.datetime, limit: int) -> StoryFilter:
        """Return the filter at the time `now`. Raises UsageError for an invalid time."""
        return StoryFilter(
            query=self.query,
            since=parse_moment(self.since, now) if self.since else None,
            until=parse_end(self.until, now) if self.until else None,
            min_outlets=self.min_outlets,
            min_reports=self.min_reports,
            outlet=self.outlet or None,
            folder=self.folder or None,
            language=self.language or None,
            limit=limit,
        )


def is_query_name(name: str) -> bool:
    """Whether `name` can name a query: names are used in URLs and file names."""
    return bool(_NAME.fullmatch(name)) and name.lower() not in RESERVED_NAMES


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
