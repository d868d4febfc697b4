"""Which feed is meant, and its head."""

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
_ABOUT = "One item an event: what several outlets report, brought together."
_ABOUT_UPDATES = "What is new about each event: new reports, other headlines, corrections, mergers."


class FeedSelection(msgspec.Struct, frozen=True):
    """One feed, whatever its format: of stories or of what is new about them; all, or those of a query."""

    updates: bool = False
    saved: SavedQuery | None = None

    @property
    def path(self) -> str:
        """Its address below the server's, without the ending."""
        if self.saved is None:
            return f"/feeds/{UPDATES if self.updates else STORIES}"
        return f"/feeds/{self.saved.name}" + (f"/{UPDATES}" if self.updates else "")


def address(which: FeedSelection, form: Format) -> str:
    """Path and ending of a feed."""
    ending = next(ending for ending, other in ENDINGS.items() if other == form)
    return f"{which.path}.{ending}"


def channel(
    which: FeedSelection,
    wanted: ParsedFilter,
    items: tuple[Item, ...],
    settings: PublishSettings,
    *,
    self_url: str,
    css_url: str,
) -> Channel:
    """The feed with its head. `self_url`: where it is read, filters included and no token in it."""
    query = f"?{wanted.query_string}" if wanted.query_string else ""
    asked = "&".join(
        part for part in (f"{SAVED}={which.saved.name}" if which.saved else "", wanted.query_string) if part
    )
    ordered = tuple(sorted(items, key=lambda item: item.updated, reverse=True))
    return Channel(
        id=f"tag:aggregator,2026:{which.path.lstrip('/')}{query}",
        title=_title(which, wanted, settings),
        about=_ABOUT_UPDATES if which.updates else _ABOUT,
        home_url=f"{settings.base_url}/" + (f"?{asked}" if asked else ""),
        self_url=self_url,
        css_url=css_url,
        language=_language(ordered),
        items=ordered,
    )


def written(whole: Channel, form: Format) -> bytes:
    """The feed in one of the formats."""
    return _WRITERS[form](whole)


def _title(which: FeedSelection, wanted: ParsedFilter, settings: PublishSettings) -> str:
    title = settings.title
    saved = which.saved or wanted.saved
    if saved is not None:
        title = saved.title or f"{title}: {saved.name}"
    elif wanted.filter.query:
        title = f"{title}: {wanted.filter.query}"
    title = feed_title(title) or "Stories"
    return feed_text(f"{title} (what is new)") if which.updates else title


def _language(items: tuple[Item, ...]) -> str:
    """That of most items (a tie: the first by name); English, as our own words, where none is known."""
    tally = Counter(item.language for item in items if item.language)
    return min(tally, key=lambda language: (-tally[language], language)) if tally else "en"
