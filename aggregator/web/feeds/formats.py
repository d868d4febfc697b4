"""The feeds that can be requested, their metadata and their formats."""

from collections import Counter

import msgspec

from aggregator.config.saved_queries import SavedQuery
from aggregator.web.feeds.atom import MEDIA_TYPE as ATOM_TYPE
from aggregator.web.feeds.atom import atom
from aggregator.web.feeds.json_feed import MEDIA_TYPE as JSON_TYPE
from aggregator.web.feeds.json_feed import jsonfeed
from aggregator.web.feeds.model import Channel, Format, Item
from aggregator.web.feeds.rss import MEDIA_TYPE as RSS_TYPE
from aggregator.web.feeds.rss import rss
from aggregator.web.feeds.xml import feed_text, feed_title
from aggregator.web.filters import SAVED, ParsedFilter
from aggregator.web.settings import PublishSettings

STORIES, UPDATES = "stories", "updates"
ENDINGS: dict[str, Format] = {"rss": "rss", "atom": "atom", "json": "jsonfeed"}
MEDIA_TYPES: dict[Format, str] = {"rss": RSS_TYPE, "atom": ATOM_TYPE, "jsonfeed": JSON_TYPE}
_WRITERS = {"rss": rss, "atom": atom, "jsonfeed": jsonfeed}
_ABOUT = "One item for each story: what several outlets report about one event."
_ABOUT_UPDATES = "One item for each change of a story: reports, headlines, corrections and merges."


class FeedSelection(msgspec.Struct, frozen=True):
    """One feed in any format: of stories or of their changes, of all stories or of a saved query."""

    updates: bool = False
    saved: SavedQuery | None = None

    @property
    def path(self) -> str:
        """The path of the feed without the ending."""
        if self.saved is None:
            return f"/feeds/{UPDATES if self.updates else STORIES}"
        return f"/feeds/{self.saved.name}" + (f"/{UPDATES}" if self.updates else "")


def address(which: FeedSelection, form: Format) -> str:
    """Return the path of a feed with its ending."""
    ending = next(ending for ending, other in ENDINGS.items() if other == form)
    return f"{which.path}.{ending}"


def channel(
    which: FeedSelection,
    parsed: ParsedFilter,
    items: tuple[Item, ...],
    settings: PublishSettings,
    *,
    self_url: str,
    css_url: str,
) -> Channel:
    """Return the feed. `self_url` is its address, with filters and without a token."""
    query = f"?{parsed.query_string}" if parsed.query_string else ""
    page_query = "&".join(
        part for part in (f"{SAVED}={which.saved.name}" if which.saved else "", parsed.query_string) if part
    )
    ordered = tuple(sorted(items, key=lambda item: item.updated, reverse=True))
    return Channel(
        id=f"tag:aggregator,2026:{which.path.lstrip('/')}{query}",
        title=_title(which, parsed, settings),
        about=_ABOUT_UPDATES if which.updates else _ABOUT,
        home_url=f"{settings.base_url}/" + (f"?{page_query}" if page_query else ""),
        self_url=self_url,
        css_url=css_url,
        language=_language(ordered),
        items=ordered,
    )


def written(whole: Channel, form: Format) -> bytes:
    """Encode a feed."""
    return _WRITERS[form](whole)


def _title(which: FeedSelection, parsed: ParsedFilter, settings: PublishSettings) -> str:
    title = settings.title
    saved = which.saved or parsed.saved
    if saved is not None:
        title = saved.title or f"{title}: {saved.name}"
    elif parsed.filter.query:
        title = f"{title}: {parsed.filter.query}"
    title = feed_title(title) or "Stories"
    return feed_text(f"{title} (updates)") if which.updates else title


def _language(items: tuple[Item, ...]) -> str:
    """Return the most frequent language of the items, of several the first by name; "en" if none is known."""
    counts = Counter(item.language for item in items if item.language)
    return min(counts, key=lambda language: (-counts[language], language)) if counts else "en"
