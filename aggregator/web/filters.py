"""Query parameters of an address → StoryFilter, and back; the same names as the command line's options.

A walk through all stories that fit, a page at a time.

Stories come newest bump first, and a bump only ever moves a story up, above the place where a walk is. So a
walk shows no story twice; what is bumped or new while it goes on is at the top of the next walk. What "24h"
means is settled by the first page: each `next` carries that moment.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable
from urllib.parse import urlencode

import msgspec

from aggregator.config.saved_queries import SavedQuery, is_relative, parse_end, parse_moment
from aggregator.model.errors import UsageError
from aggregator.model.read_model import StoryFilter

MAX_LIMIT = 500  # stories in one answer: bounds its time and size; pages of the API go on with `after`
MAX_TEXT_CHARS = 200  # of one parameter; nobody types more, and full-text search takes time by the word


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


_READERS: dict[str, Callable[[str, dt.datetime], object]] = {
    "query": _text,
    "since": parse_moment,
    "until": parse_end,
    "min_outlets": _number(1000),
    "min_reports": _number(1000),
    "outlet": _text,
    "folder": _text,
    "language": _text,
    "limit": _number(MAX_LIMIT),
    "after": _text,
}
SAVED = "saved"  # the parameter that names a saved query
FILTER_NAMES: tuple[str, ...] = (*_READERS, SAVED)


class ParsedFilter(msgspec.Struct, frozen=True):
    """A filter as read, and how it was written.

    `moves_with_clock` is True when the same words mean other stories a minute later ("24h").
    """

    filter: StoryFilter
    query_string: str  # canonical: known names in fixed order, empty ones left out
    moves_with_clock: bool
    saved: SavedQuery | None = None  # what the filter was laid over


def parse_filter(
    parameters: Iterable[tuple[str, str]],
    now: dt.datetime,
    *,
    default_limit: int,
    ignore_unknown: bool = False,
    queries: Iterable[SavedQuery] = (),
    saved: SavedQuery | None = None,
) -> ParsedFilter:
    """The filter that an address asks for; an empty value is as good as none.

    What the address says goes before what a saved query says: `saved`, or that of `queries` which the
    parameter `saved` names. Raises UsageError that names the parameter, also for one that does not exist
    unless `ignore_unknown`.
    """
    given = [*parameters]
    asked = [value.strip() for name, value in given if name == SAVED and value.strip()]
    saved = _saved(asked[-1], queries) if asked else saved
    values: dict[str, object] = {"limit": default_limit}
    if saved is not None:
        values = msgspec.structs.asdict(saved.wanted(now, saved.items or default_limit))
    written: dict[str, str] = {SAVED: asked[-1]} if asked else {}
    for name, value in given:
        if name == SAVED:
            continue
        if name in _READERS:
            if value.strip():
                values[name] = _read(name, value, now)
                written[name] = value.strip()
        elif not ignore_unknown:
            raise UsageError(f"there is no parameter {name[:40]!r}; there are {', '.join(FILTER_NAMES)}")
    ordered = [(name, written[name]) for name in FILTER_NAMES if name in written]
    times = (written.get(name) or (getattr(saved, name) if saved else "") for name in ("since", "until"))
    moving = any(is_relative(time) for time in times)
    return ParsedFilter(msgspec.convert(values, StoryFilter), urlencode(ordered), moving, saved)


def _saved(name: str, queries: Iterable[SavedQuery]) -> SavedQuery:
    found = next((query for query in queries if query.name == name), None)
    if found is None:
        raise UsageError(f"{SAVED}: there is no saved query {name[:40]!r}")
    return found


def _read(name: str, value: str, now: dt.datetime) -> object:
    try:
        return _READERS[name](value, now)
    except UsageError as error:
        raise UsageError(f"{name} {error}: {value[:40]!r}") from None


CURSOR_PATTERN = "^([0-9]{1,17}\\.[0-9]{1,17}-[0-9]{1,18})?$"  # of `next`, where the shelf is the database

_BEGINNING = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)  # no walk began before; 99999w before it is still a date
_STEP = dt.timedelta(microseconds=1)
_DIGITS = re.compile(r"[0-9]{1,17}", re.ASCII)  # microseconds since the year 1; they last until the year 3169


def cursor_time(after: str) -> dt.datetime | None:
    """When the walk began that `after` is from; None for a cursor of the shelf alone.

    Raises UsageError for what is no cursor.
    """
    digits, dot, _ = after.partition(".")
    if not dot:
        return None
    if not _DIGITS.fullmatch(digits):
        raise UsageError("after: that is no cursor of ours; take `next` of the page before as it is")
    return max(_EARLIEST, _BEGINNING + int(digits) * _STEP)


def going_on(wanted: ParsedFilter) -> ParsedFilter:
    """The same question with the shelf's own cursor."""
    after = wanted.filter.after
    if after is None or "." not in after:
        return wanted
    inner = msgspec.structs.replace(wanted.filter, after=after.partition(".")[2])
    return msgspec.structs.replace(wanted, filter=inner, moves_with_clock=False)


def next_of(cursor: str | None, began: dt.datetime) -> str | None:
    """The `next` of a page of a walk that began at `began`."""
    return None if cursor is None else f"{(began - _BEGINNING) // _STEP}.{cursor}"
