"""Filter options that several commands share."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from aggregator.cli.output import option
from aggregator.model.clock import utc_now

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.web.filters import ParsedFilter


_MOST_COUNTED = 1000  # outlets or reports, as in config.yaml and the API


Saved = Annotated[
    str,
    option(
        "--saved",
        "NAME",
        "Use a saved query of config.yaml; other options override its parts.",
    ),
]
Query = Annotated[
    str,
    option("--query", "TEXT", 'Select stories with these words, or with a "phrase".'),
]
Since = Annotated[
    str, option("--since", "TIME", "Select stories since then: 24h, 7d, or a date.")
]
Until = Annotated[
    str, option("--until", "TIME", "Select stories until then: 24h, 7d, or a date.")
]
MinOutlets = Annotated[
    int | None,
    option(
        "--min-outlets",
        "N",
        "Select stories with at least N outlets.",
        min=1,
        max=_MOST_COUNTED,
    ),
]
MinReports = Annotated[
    int | None,
    option(
        "--min-reports",
        "N",
        "Select stories with at least N independent reports.",
        min=1,
        max=_MOST_COUNTED,
    ),
]
Outlet = Annotated[
    str, option("--outlet", "NAME", "Select stories with an article by this outlet.")
]
Folder = Annotated[
    str,
    option(
        "--folder", "NAME", "Select stories with an article of this folder of sources."
    ),
]
Language = Annotated[
    str,
    option(
        "--language",
        "TAG",
        "Select stories with an article in this language, such as en.",
    ),
]
Name = Annotated[
    str, option("--name", "NAME", "Select stories about this person, place or body.")
]
Topic = Annotated[str, option("--topic", "TOPIC", "Select stories on this topic.")]
Kind = Annotated[
    str,
    option(
        "--kind", "KIND", "Select stories with an article of this kind: opinion, ..."
    ),
]


_NAMES = (
    "query", "since", "until", "min_outlets", "min_reports", "outlet", "folder", "language", "name", "topic",
    "kind",
)  # fmt: skip


def typed(*options: str | int | None) -> dict[str, str]:
    """Return the filters that were typed; `options`: the values of all, in the order of `_NAMES`."""
    named = zip(_NAMES, options, strict=True)
    return {
        name: str(value) for name, value in named if value is not None and value != ""
    }


def parsed(
    config: "Config",
    typed: Mapping[str, str],
    limit: int,
    saved: str = "",
    *,
    is_feed: bool = False,
) -> "ParsedFilter":
    """Return the filter of the options, as of the parameters of an address; they override the query `saved`.

    Raises UsageError for an invalid time or kind and for an unknown saved query.
    """
    from aggregator.web.filters import parse_filter

    query = config.saved_query(saved) if saved else None
    return parse_filter(
        typed.items(), utc_now(), default_limit=limit, saved=query, is_feed=is_feed
    )
