"""Query parameters of an address → StoryFilter, and back; the same names as the command line's options."""

import datetime as dt
import re
from collections.abc import Callable, Iterable
from urllib.parse import urlencode

import msgspec

from aggregator.errors import UsageError
from aggregator.shelf import StoryFilter

MAX_LIMIT = 500  # stories in one answer: bounds its time and size; pages of the API go on with `after`
MAX_TEXT_CHARS = 200  # of one parameter; nobody types more, and full-text search takes time by the word

_AGO = re.compile(r"(\d{1,5})\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def _text(value: str, _now: dt.datetime) -> str:
    if len(value) > MAX_TEXT_CHARS or "\x00" in value:
        raise UsageError(f"is longer than {MAX_TEXT_CHARS} characters, or holds a NUL")
    return value.strip()


def _number(most: int) -> Callable[[str, dt.datetime], int]:
    def read(value: str, _now: dt.datetime) -> int:
        if not (value.isascii() and value.isdigit() and len(value) <= 9 and 1 <= int(value) <= most):
            raise UsageError(f"must be a whole number from 1 to {most}")
        return int(value)

    return read


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


def _until(value: str, now: dt.datetime) -> dt.datetime:
    """A date as an end means the end of that day."""
    moment = parse_moment(value, now)
    if not _DATE.fullmatch(value.strip()):
        return moment
    try:
        return moment + dt.timedelta(days=1, microseconds=-1)
    except OverflowError:
        return moment


_READERS: dict[str, Callable[[str, dt.datetime], object]] = {
    "query": _text,
    "since": parse_moment,
    "until": _until,
    "min_outlets": _number(1000),
    "min_reports": _number(1000),
    "outlet": _text,
    "folder": _text,
    "language": _text,
    "limit": _number(MAX_LIMIT),
    "after": _text,
}
FILTER_NAMES: tuple[str, ...] = tuple(_READERS)


class Wanted(msgspec.Struct, frozen=True):
    """A filter as read, and how it was written.

    `moves_with_clock` is True when the same words mean other stories a minute later ("24h").
    """

    filter: StoryFilter
    query_string: str  # canonical: known names in fixed order, empty ones left out
    moves_with_clock: bool


def parse_filter(
    parameters: Iterable[tuple[str, str]],
    now: dt.datetime,
    *,
    default_limit: int,
    ignore_unknown: bool = False,
) -> Wanted:
    """The filter that an address asks for; an empty value is as good as none.

    Raises UsageError that names the parameter, also for one that does not exist unless `ignore_unknown`.
    """
    values: dict[str, object] = {"limit": default_limit}
    written: dict[str, str] = {}
    for name, value in parameters:
        if name in _READERS:
            if value.strip():
                values[name] = _read(name, value, now)
                written[name] = value.strip()
        elif not ignore_unknown:
            raise UsageError(f"there is no parameter {name[:40]!r}; there are {', '.join(FILTER_NAMES)}")
    ordered = [(name, written[name]) for name in FILTER_NAMES if name in written]
    moving = any(_AGO.fullmatch(written.get(name, "")) for name in ("since", "until"))
    return Wanted(msgspec.convert(values, StoryFilter), urlencode(ordered), moving)


def _read(name: str, value: str, now: dt.datetime) -> object:
    try:
        return _READERS[name](value, now)
    except UsageError as error:
        raise UsageError(f"{name} {error}: {value[:40]!r}") from None
