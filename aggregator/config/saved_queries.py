"""Saved queries: filters that have a name in config.yaml, for feeds, the command line and webhooks.

Also how people write a point in time. Nothing here asks a clock: `now` is always an argument.
"""

import datetime as dt
import re

from aggregator.model.core import FrozenStruct
from aggregator.model.errors import UsageError
from aggregator.model.read_model import StoryFilter

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
RESERVED_NAMES = frozenset({"stories", "updates"})  # feeds that are always there

_AGO = re.compile(r"(\d{1,5})\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class SavedQuery(FrozenStruct, frozen=True, kw_only=True):
    """What config.yaml says of one query. Empty is as good as not given.

    `since` and `until` stay as written: "24h" means another moment every time it is asked. `title`, `items`
    and `link` are of its feeds; None takes what `publish` and `feeds` say.
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

    def wanted(self, now: dt.datetime, limit: int) -> StoryFilter:
        """The stories that it means now. Raises UsageError for a time that is none."""
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
    """Whether a query may be called so: it stands in addresses and in file names."""
    return bool(_NAME.fullmatch(name)) and name.lower() not in RESERVED_NAMES


def is_relative(text: str) -> bool:
    """Whether a point in time as written means another moment a minute later: "24h"."""
    return bool(_AGO.fullmatch(text.strip()))


def parse_moment(value: str, now: dt.datetime) -> dt.datetime:
    """A point in time: `24h`, `7d`, `90m`, `2w` (before `now`), a date, or an RFC 3339 time; UTC if no zone.

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
    """As `parse_moment`; a date as an end means the end of that day."""
    moment = parse_moment(value, now)
    if not _DATE.fullmatch(value.strip()):
        return moment
    try:
        return moment + dt.timedelta(days=1, microseconds=-1)
    except OverflowError:
        return moment
