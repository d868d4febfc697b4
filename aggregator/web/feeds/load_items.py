"""A feed's items from the shelf.

What is new about stories → the items of an updates feed: an item a change, each with an id of its own.
"""

from collections.abc import Iterable
from html import escape

import msgspec

from aggregator.config.messages import counted
from aggregator.model.core import ArticleView, MergedStory, StoryView
from aggregator.model.read_model import Change, ChangeKind, StoryFilter, StoryReader
from aggregator.stories.text.plain_text import NO_OUTLET
from aggregator.web.excerpts import count_words, first_words, for_change
from aggregator.web.feeds.formats import FeedSelection
from aggregator.web.feeds.item_html import escaped, link, linked
from aggregator.web.feeds.items import outlets_of, story_items
from aggregator.web.feeds.model import Item
from aggregator.web.feeds.xml import feed_language, feed_title, feed_url
from aggregator.web.filters import ParsedFilter
from aggregator.web.settings import PublishSettings

# What `feeds.bump` must have for a change to be told; a story that is new or split off is always told.
_BUMPED_BY: dict[ChangeKind, str] = {
    "report": "report",
    "merged": "report",
    "headline": "headline",
    "corrected": "correction",
}


def change_guid(change: Change) -> str:
    """The identity of a change; it keeps it when its story is merged into another one."""
    return f"tag:aggregator,2026:change/{change.was}/{change.n}"


def change_items(
    changes: Iterable[Change], settings: PublishSettings, opens: str | None = None
) -> tuple[Item, ...]:
    """One item a change, in the same order, but for those that do not bump a story as it is configured."""
    opens_article = (opens or settings.link) == "article"
    return tuple(_item(change, settings, opens_article) for change in changes if is_told(change, settings))


def is_told(change: Change, settings: PublishSettings) -> bool:
    """Whether the change is one that `feeds.bump` asks for."""
    needed = _BUMPED_BY.get(change.kind)
    has_new_headline = change.title_before is not None and "headline" in settings.bump
    return needed is None or needed in settings.bump or has_new_headline


def _item(change: Change, settings: PublishSettings, opens_article: bool) -> Item:
    words = settings.excerpt_words
    before = first_words(change.title_before or "", words)
    # The former headline may be a former title of this very article.
    room = max(0, words - count_words(before))
    article = for_change(change.article, room) if change.article else None
    story_url = f"{settings.base_url}/stories/{change.story}"
    article_url = feed_url(article.url) if article else None
    title = feed_title(first_words(change.title, room)) or "Untitled"
    return Item(
        id=change_guid(change),
        url=article_url if opens_article and article_url else story_url,
        external_url=None if opens_article else article_url,
        title=feed_title(f"{_what(change, article)}: {title}"),
        html=_body(change, article, title, before, story_url),
        summary=_summary(change),
        updated=change.updated,
        published=change.updated,
        language=feed_language(article.language) if article else None,
        authors=outlets_of([article]) if article else (),
    )


def _what(change: Change, article: ArticleView | None) -> str:
    if change.kind == "report":
        outlet = feed_title(article.outlet) if article and article.outlet else ""
        return f"New report by {outlet}" if outlet else "New report"
    return {
        "created": "New story",
        "headline": "New headline",
        "corrected": "Corrected",
        "merged": "Merged",
        "split": "Split off",
    }[change.kind]


def _summary(change: Change) -> str:
    return counted(change.report_count, "independent report")


def _body(change: Change, article: ArticleView | None, title: str, before: str, story_url: str) -> str:
    parts = []
    if article is not None:
        parts.append(f'<p dir="auto">{linked(article)}</p>')
        if article.lead:
            parts.append(
                f'<p dir="auto">{escaped(article.lead)} — {escaped(article.outlet or NO_OUTLET)}</p>'
            )
    if change.title_before is not None:
        parts.append(
            f'<p>The headline was:</p><p dir="auto"><em>{escaped(before) or "Untitled"}</em></p>'
            f'<p>It is now:</p><p dir="auto"><strong>{escape(title)}</strong></p>'
        )
    if change.kind == "merged":
        parts.append(
            f"<p>{counted(max(1, len(change.others)), 'story', 'stories')} became part of this one.</p>"
        )
    elif change.kind == "split":
        parts.append("<p>It was part of another story before.</p>")
    elif change.kind == "corrected":
        parts.append("<p>A person corrected which articles belong to this story.</p>")
    parts.append(f"<p><em>{_summary(change)}</em></p>")
    parts.append(f"<p>{link(story_url, 'The whole story')}</p>")
    return "".join(parts)


MOST_PAGES = 20  # asked of the shelf for one feed: a filter that hardly any story fits ends there


class Gathered(msgspec.Struct, frozen=True):
    """`complete`: nothing about these items is still to be worked out."""

    items: tuple[Item, ...]
    complete: bool = True


def gather(
    shelf: StoryReader,
    which: FeedSelection,
    wanted: ParsedFilter,
    settings: PublishSettings,
    *,
    patient: bool = False,
) -> Gathered:
    """The items of a feed, the newest first.

    `patient`: work out now what a story's reports say together, where that is not done yet.
    """
    saved = which.saved or wanted.saved
    link = saved.link if saved else None
    if which.updates:
        return Gathered(change_items(shelf.changes(wanted.filter), settings, link))
    stories = _stories(shelf, wanted.filter)
    ids = tuple(story.id for story in stories)
    told: dict[str, MergedStory] = shelf.rendered(ids)
    missing = [id_ for id_ in ids if id_ not in told]
    if patient:
        found = {id_: shelf.merged(id_) for id_ in missing}
        told |= {id_: merged for id_, merged in found.items() if merged is not None}
    return Gathered(story_items(stories, told, settings, link), complete=patient or not missing)


def _stories(shelf: StoryReader, wanted: StoryFilter) -> list[StoryView]:
    """As many as are wanted: a page of the shelf may be shorter although others follow."""
    found: list[StoryView] = []
    for _ in range(MOST_PAGES):
        page = shelf.stories(msgspec.structs.replace(wanted, limit=wanted.limit - len(found)))
        found += page.stories
        if page.next is None or len(found) >= wanted.limit:
            break
        wanted = msgspec.structs.replace(wanted, after=page.next)
    return found
