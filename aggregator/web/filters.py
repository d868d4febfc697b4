"""Query parameters as StoryFilter, with the names of the command-line options; the cursors of pagination.

Stories are ordered by bump, the newest first, and a bump only moves a story to the top. So a client that
follows `next` sees no story twice; stories that are new or bumped meanwhile are at the top when it starts
again. Relative times ("24h") are relative to the first page: each cursor contains the time of that page.
"""

import datetime as dt
import re
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec.structs import replace

from aggregator.config.messages import is_relative, parse_end, parse_moment
from aggregator.config.publish_settings import SavedQuery
from aggregator.model.core import KINDS
from aggregator.model.errors import UsageError
from aggregator.model.read_model import SearchBounds, StoryFilter

MAX_LIMIT = 500  # stories in one response, to limit its time and size
# Of one parameter; the time of a full-text search grows with the number of words
MAX_TEXT_CHARS = 200


# The names of languages in the languages themselves; other tags are shown unchanged.
LANGUAGE_NAMES = {
    "ar": "العربية", "bg": "Български", "ca": "Català", "cs": "Čeština", "da": "Dansk", "de": "Deutsch",
    "el": "Ελληνικά", "en": "English", "es": "Español", "fa": "فارسی", "fi": "Suomi", "fr": "Français",
    "he": "עברית", "hi": "हिन्दी", "hr": "Hrvatski", "hu": "Magyar", "id": "Indonesia",
    "it": "Italiano", "ja": "日本語", "ko": "한국어", "nl": "Nederlands", "no": "Norsk", "pl": "Polski",
    "pt": "Português", "ro": "Română", "ru": "Русский", "sv": "Svenska", "tr": "Türkçe",
    "uk": "Українська", "vi": "Tiếng Việt", "zh": "中文",
}  # fmt: skip
ORDERS = ("newest", "front")
SAVED = "saved"  # the parameter that names a saved query


class Parameter(NamedTuple):
    """What the description of the API says about a parameter of the query."""

    schema: dict[str, Any]
    description: str
    is_required: bool = False


def up_to(most: int) -> dict[str, Any]:
    """Return the schema of whole numbers from 1."""
    return {"type": "integer", "minimum": 1, "maximum": most}


def _text(value: str, _now: dt.datetime) -> str:
    if len(value) > MAX_TEXT_CHARS or "\x00" in value:
        raise UsageError(
            f"is longer than {MAX_TEXT_CHARS} characters or contains a NUL"
        )
    return value.strip()


def whole_number(text: str) -> int | None:
    """Return the value of a text of one to nine digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def number_up_to(most: int, text: str) -> int:
    """Return a whole number from 1 to `most`. Raises UsageError."""
    number = whole_number(text)
    if not number or number > most:
        raise UsageError(f"must be a whole number from 1 to {most}")
    return number


def _number(most: int) -> Callable[[str, dt.datetime], int]:
    return lambda value, _now: number_up_to(most, value)


def _one_of(words: Collection[str], value: str, _now: dt.datetime) -> str:
    if value.strip() not in words:
        raise UsageError(f"must be one of {', '.join(words)}")
    return value.strip()


# Of `next`, with the cursor of the database
CURSOR_PATTERN = "^([0-9]{1,17}\\.[0-9]{1,17}-[0-9]{1,18})?$"
_TEXT_SCHEMA = {"type": "string", "maxLength": MAX_TEXT_CHARS, "pattern": "^[^\\x00]*$"}
_TIME_SCHEMA = {
    "anyOf": [
        {
            "type": "string",
            "pattern": "^\\s*([0-9]{1,5}\\s*[mhdw])?\\s*$",
            "examples": ["24h", "7d"],
        },
        {"type": "string", "format": "date"},
        {"type": "string", "format": "date-time"},
    ]
}
PARAMETERS: dict[str, Parameter] = {
    "query": Parameter(
        _TEXT_SCHEMA,
        'words in the title or an article; "two words" is a phrase, rebel* a prefix, -word excludes a word',
    ),
    "since": Parameter(
        _TIME_SCHEMA, "published at or after: 24h, 7d, a date or an RFC 3339 time"
    ),
    "until": Parameter(
        _TIME_SCHEMA, "published at or before; a date means the end of that day"
    ),
    "min_outlets": Parameter(up_to(1000), "the minimum number of outlets"),
    "min_reports": Parameter(up_to(1000), "the minimum number of independent reports"),
    "outlet": Parameter(_TEXT_SCHEMA, "with an article of this outlet"),
    "folder": Parameter(_TEXT_SCHEMA, "with an article of a source in this folder"),
    "language": Parameter(_TEXT_SCHEMA, "with an article in this language"),
    "name": Parameter(_TEXT_SCHEMA, "about this person, place or body: one of `names`"),
    "topic": Parameter(_TEXT_SCHEMA, "on this topic: one of `topics`"),
    "kind": Parameter(
        {"type": "string", "enum": ["", *KINDS]}, "with an article of this kind"
    ),
    "order": Parameter(
        {"type": "string", "enum": ["", *ORDERS]},
        "newest: the newest bump first; front: as on the front page, without what the owner muted",
    ),
    "limit": Parameter(
        up_to(MAX_LIMIT), "the maximum number of stories in one response"
    ),
    "after": Parameter(
        {"type": "string", "pattern": CURSOR_PATTERN},
        "the `next` of the previous page, unchanged",
    ),
    SAVED: Parameter(
        {"type": "string"}, "a saved query; other parameters override its values"
    ),
}
_READERS: dict[str, Callable[[str, dt.datetime], object]] = {
    "since": parse_moment,
    "until": parse_end,
    "min_outlets": _number(1000),
    "min_reports": _number(1000),
    "kind": partial(_one_of, KINDS),
    "order": partial(_one_of, ORDERS),
    "limit": _number(MAX_LIMIT),
}  # of the others `_text`


class ParsedFilter(msgspec.Struct, frozen=True):
    """A parsed filter and its parameters.

    `moves_with_clock` is True if the same parameters select other stories a minute later ("24h").
    """

    filter: StoryFilter
    query_string: str  # canonical: known names in fixed order, without empty ones
    moves_with_clock: bool
    order: str = ORDERS[0]
    saved: SavedQuery | None = None  # the saved query that supplied the defaults

    @property
    def changes_with_stories(self) -> bool:
        """Whether its stories change only when a story changes or is indexed.

        Sources can be moved between folders, and topics and names are found when a text is rendered.
        """
        wanted = self.filter
        is_by_others = wanted.folder or wanted.topic or wanted.name
        return not (self.moves_with_clock or is_by_others)


def parse_filter(
    parameters: Iterable[tuple[str, str]],
    now: dt.datetime,
    *,
    default_limit: int,
    ignore_unknown: bool = False,
    queries: Iterable[SavedQuery] = (),
    saved: SavedQuery | None = None,
    is_feed: bool = False,
) -> ParsedFilter:
    """Return the filter of query parameters; empty values are ignored.

    `is_feed`: the `items` of a saved query replace `default_limit`, and there is no other order.
    Parameters override the values of the saved query: the one of `queries` that the parameter `saved` names,
    else the argument `saved`. Raises UsageError with the name of the invalid parameter; unknown parameters
    are errors unless `ignore_unknown`.
    """
    pairs = [*parameters]
    saved_names = [
        value.strip() for name, value in pairs if name == SAVED and value.strip()
    ]
    saved = _saved(saved_names[-1], queries) if saved_names else saved
    values: dict[str, object] = {"limit": default_limit}
    if saved is not None:
        limit = (saved.items if is_feed else None) or default_limit
        values = msgspec.structs.asdict(saved.story_filter(now, limit))
    known = [name for name in PARAMETERS if not (is_feed and name == "order")]
    written: dict[str, str] = {SAVED: saved_names[-1]} if saved_names else {}
    for name, value in pairs:
        if name == SAVED:
            continue
        if name in known:
            if value.strip():
                values[name] = _read(name, value, now)
                written[name] = value.strip()
        elif not ignore_unknown:
            raise UsageError(
                f"unknown parameter {name[:40]!r}; the parameters are {', '.join(known)}"
            )
    ordered = [(name, written[name]) for name in PARAMETERS if name in written]
    times = (
        written.get(name) or (getattr(saved, name) if saved else "")
        for name in ("since", "until")
    )
    has_relative_time = any(is_relative(time) for time in times)
    return ParsedFilter(
        filter=msgspec.convert(values, StoryFilter),
        query_string=urlencode(ordered),
        moves_with_clock=has_relative_time,
        order=written.get("order", ORDERS[0]),
        saved=saved,
    )


def _saved(name: str, queries: Iterable[SavedQuery]) -> SavedQuery:
    found = next((query for query in queries if query.name == name), None)
    if found is None:
        raise UsageError(f"{SAVED}: there is no saved query {name[:40]!r}")
    return found


def _read(name: str, value: str, now: dt.datetime) -> object:
    try:
        return _READERS.get(name, _text)(value, now)
    except UsageError as error:
        raise UsageError(f"{name} {error}: {value[:40]!r}") from None


def filter_words(parsed: ParsedFilter) -> tuple[str, ...]:
    """Return what a filter selects, for titles of pages and feeds: `("Space", "3+ reports")`."""
    written = dict(parse_qsl(parsed.query_string))
    named = (
        written.get(name, "")
        for name in ("topic", "name", "folder", "outlet", "query", "kind")
    )
    language = written.get("language", "")
    counted = (
        f"{written[name]}+ {unit}"
        for name, unit in (("min_reports", "reports"), ("min_outlets", "outlets"))
        if written.get(name, "1") != "1"
    )
    times = (
        f"{word} {written[word]}" for word in ("since", "until") if word in written
    )
    return tuple(
        part
        for part in (*named, LANGUAGE_NAMES.get(language, language), *counted, *times)
        if part
    )


def search_bounds(story_filter: StoryFilter) -> SearchBounds:
    """Return the part of a filter that bounds a search."""
    return SearchBounds(
        since=story_filter.since,
        until=story_filter.until,
        outlet=story_filter.outlet,
        language=story_filter.language,
    )


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
