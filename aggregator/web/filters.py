"""Query parameters as StoryFilter, with the names of the command-line options."""

import datetime as dt
from collections.abc import Collection, Iterable
from importlib.resources import files
from urllib.parse import parse_qsl, urlencode

import msgspec

from aggregator.config.messages import is_relative
from aggregator.config.publish_settings import SavedQuery
from aggregator.model.errors import UsageError
from aggregator.model.read_model import SearchBounds, StoryFilter
from aggregator.web.parameters import NEWEST, PARAMETERS, SAVED, read_parameter

LANGUAGE_NAMES = msgspec.yaml.decode(
    files("aggregator.web").joinpath("languages.yaml").read_bytes(), type=dict[str, str]
)


class ParsedFilter(msgspec.Struct, frozen=True):
    """A parsed filter and its parameters.

    `moves_with_clock` is True if the same parameters select other stories a minute later ("24h").
    """

    filter: StoryFilter
    query_string: str  # canonical: known names in fixed order, without empty ones
    moves_with_clock: bool
    order: str = NEWEST
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
    known = [name for name in PARAMETERS if not (is_feed and name == "order")]
    if ignore_unknown:
        parameters = [pair for pair in parameters if pair[0] in known]
    written, values = _read(parameters, known, now)
    if SAVED in written:
        saved = _saved(written[SAVED], queries)
    defaults = {"limit": default_limit}
    if saved is not None:
        limit = (saved.items if is_feed else None) or default_limit
        defaults = msgspec.structs.asdict(saved.story_filter(now, limit))
    times = (written.get(n) or getattr(saved, n, "") for n in ("since", "until"))
    ordered = [(name, written[name]) for name in PARAMETERS if name in written]
    return ParsedFilter(
        filter=msgspec.convert(defaults | values, StoryFilter),
        query_string=urlencode(ordered),
        moves_with_clock=any(is_relative(time) for time in times),
        order=written.get("order", NEWEST),
        saved=saved,
    )


def _read(
    parameters: Iterable[tuple[str, str]], known: Collection[str], now: dt.datetime
) -> tuple[dict[str, str], dict[str, object]]:
    """Return the texts and the values of parameters by name, without empty ones. Raises UsageError."""
    written = {}
    values = {}
    for name, value in parameters:
        if name not in known:
            raise UsageError(
                f"unknown parameter {name[:40]!r}; the parameters are {', '.join(known)}"
            )
        if value.strip():
            written[name] = value.strip()
            if name != SAVED:
                values[name] = read_parameter(name, value, now)
    return written, values


def _saved(name: str, queries: Iterable[SavedQuery]) -> SavedQuery:
    for query in queries:
        if query.name == name:
            return query
    raise UsageError(f"{SAVED}: there is no saved query {name[:40]!r}")


def filter_words(parsed: ParsedFilter) -> tuple[str, ...]:
    """Return what a filter selects, for titles of pages and feeds: `("Space", "3+ reports")`."""
    written = dict(parse_qsl(parsed.query_string))
    names = ("topic", "name", "folder", "outlet", "query", "kind")
    words = [written.get(name, "") for name in names]
    language = written.get("language", "")
    words.append(LANGUAGE_NAMES.get(language, language))
    for name, unit in (("min_reports", "reports"), ("min_outlets", "outlets")):
        if written.get(name, "1") != "1":
            words.append(f"{written[name]}+ {unit}")
    spans = [name for name in ("since", "until") if name in written]
    words += [f"{name} {written[name]}" for name in spans]
    return tuple(filter(None, words))


def search_bounds(story_filter: StoryFilter) -> SearchBounds:
    """Return the part of a filter that bounds a search."""
    return SearchBounds(
        since=story_filter.since,
        until=story_filter.until,
        outlet=story_filter.outlet,
        language=story_filter.language,
    )
