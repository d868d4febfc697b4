"""Load the items of a feed: of stories, or of changes (an updates feed has one item per change)."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from html import escape

import msgspec

from aggregator.config.messages import counted
from aggregator.model.core import ArticleView, Enclosure, MergedStory, StoryView
from aggregator.model.read_model import Change, ChangeKind, StoryFilter
from aggregator.store.read.reader import StoryReader
from aggregator.stories.text.plain_text import NO_OUTLET
from aggregator.web.excerpts import count_words, first_words, for_change, for_item
from aggregator.web.feeds.formats import FeedSelection, Item
from aggregator.web.feeds.item_html import escaped, link, linked, story_body, story_summary
from aggregator.web.feeds.xml import feed_language, feed_text, feed_title, feed_url, mime_type
from aggregator.web.filters import ParsedFilter
from aggregator.web.settings import PublishSettings

# The value of `feeds.bump` that a kind of change requires; new and split stories are always included.
_BUMPED_BY: dict[ChangeKind, str] = {
    "report": "report",
    "merged": "report",
    "headline": "headline",
    "corrected": "correction",
}


def change_guid(change: Change) -> str:
    """Return the identifier of a change; it stays the same when the story is merged into another one."""
    return f"tag:aggregator,2026:change/{change.was}/{change.n}"


def change_items(
    changes: Iterable[Change], settings: PublishSettings, opens: str | None = None
) -> tuple[Item, ...]:
    """Return one item per change, in the same order, without those that `feeds.bump` excludes."""
    opens_article = (opens or settings.link) == "article"
    return tuple(
        _change_item(change, settings, opens_article) for change in changes if is_shown(change, settings)
    )


def is_shown(change: Change, settings: PublishSettings) -> bool:
    """Return whether `feeds.bump` includes a change of this kind."""
    needed = _BUMPED_BY.get(change.kind)
    has_new_headline = change.title_before is not None and "headline" in settings.bump
    return needed is None or needed in settings.bump or has_new_headline


def _change_item(change: Change, settings: PublishSettings, opens_article: bool) -> Item:
    words = settings.excerpt_words
    before = first_words(change.title_before or "", words)
    # The former headline may be a former title of this article.
    left = max(0, words - count_words(before))
    article = for_change(change.article, left) if change.article else None
    story_url = f"{settings.base_url}/stories/{change.story}"
    article_url = feed_url(article.url) if article else None
    title = feed_title(first_words(change.title, left)) or "Untitled"
    return Item(
        id=change_guid(change),
        url=article_url if opens_article and article_url else story_url,
        external_url=None if opens_article else article_url,
        title=feed_title(f"{_label(change, article)}: {title}"),
        html=_body(change, article, title, before, story_url),
        summary=_summary(change),
        updated=change.updated,
        published=change.updated,
        language=feed_language(article.language) if article else None,
        authors=outlets_of([article]) if article else (),
    )


def _label(change: Change, article: ArticleView | None) -> str:
    if change.kind == "report":
        outlet = feed_title(article.outlet) if article and article.outlet else ""
        return f"New report from {outlet}" if outlet else "New report"
    return {
        "created": "New story",
        "headline": "New headline",
        "corrected": "Corrected",
        "merged": "Merged",
        "split": "Split",
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
            f'<p>Old headline:</p><p dir="auto"><em>{escaped(before) or "Untitled"}</em></p>'
            f'<p>New headline:</p><p dir="auto"><strong>{escape(title)}</strong></p>'
        )
    if change.kind == "merged":
        parts.append(
            f"<p>{counted(max(1, len(change.others)), 'story', 'stories')} merged into this one.</p>"
        )
    elif change.kind == "split":
        parts.append("<p>The story was split off another one.</p>")
    elif change.kind == "corrected":
        parts.append("<p>An editor corrected the articles of this story.</p>")
    parts.append(f"<p><em>{_summary(change)}</em></p>")
    parts.append(f"<p>{link(story_url, 'Full story')}</p>")
    return "".join(parts)


MOST_PAGES = 20  # pages that are read for one feed, in case a filter matches few stories


class LoadedItems(msgspec.Struct, frozen=True):
    """The items of a feed; `complete` is False if a merged text is not yet rendered."""

    items: tuple[Item, ...]
    complete: bool = True


def gather(
    reader: StoryReader,
    which: FeedSelection,
    parsed: ParsedFilter,
    settings: PublishSettings,
    *,
    patient: bool = False,
) -> LoadedItems:
    """Return the items of a feed, the newest first.

    `patient`: render missing merged texts now; otherwise their items have the summary.
    """
    saved = which.saved or parsed.saved
    link = saved.link if saved else None
    if which.updates:
        return LoadedItems(change_items(reader.changes(parsed.filter), settings, link))
    stories = reader.with_links(tuple(_stories(reader, parsed.filter)))
    ids = tuple(story.id for story in stories)
    rendered: dict[str, MergedStory] = reader.rendered(ids)
    missing = [id_ for id_ in ids if id_ not in rendered]
    if patient:
        new = {id_: reader.merged(id_) for id_ in missing}
        rendered |= {id_: merged for id_, merged in new.items() if merged is not None}
    return LoadedItems(story_items(stories, rendered, settings, link), complete=patient or not missing)


def _stories(reader: StoryReader, story_filter: StoryFilter) -> list[StoryView]:
    """Return up to `limit` stories; a page of the reader may be shorter than its limit."""
    stories: list[StoryView] = []
    for _ in range(MOST_PAGES):
        limit = story_filter.limit - len(stories)
        page = reader.stories(msgspec.structs.replace(story_filter, limit=limit))
        stories += page.stories
        if page.next is None or len(stories) >= story_filter.limit:
            break
        story_filter = msgspec.structs.replace(story_filter, after=page.next)
    return stories


# --- convert stories to feed items -------------------------------------------------------------------------

NAMED_OUTLETS = 5  # as authors of an item
SHOWN_MEDIA = 4  # of one story
_KINDS = ("image", "audio", "video")


def story_guid(story_id: str) -> str:
    """Return the identifier of a story in feeds, which is the same on every installation."""
    return f"tag:aggregator,2026:story/{story_id}"


def story_items(
    stories: Iterable[StoryView],
    rendered: Mapping[str, MergedStory],
    settings: PublishSettings,
    link: str | None = None,
) -> tuple[Item, ...]:
    """Return one item per story, in the same order; `rendered` are the merged texts by story id.

    The excerpt limit also applies if the owner requests the feed, because feeds are shared. `link` is the
    setting of the saved query for the target of items.
    """
    opens_article = (link or settings.link) == "article"
    return tuple(_item(story, rendered.get(story.id), settings, opens_article) for story in stories)


@lru_cache(maxsize=256)  # all formats share it, and of a feed that changed most stories are as they were
def _item(
    story: StoryView, merged: MergedStory | None, settings: PublishSettings, opens_article: bool
) -> Item:
    story, merged = for_item(story, merged, settings.excerpt_words)
    story_url = f"{settings.base_url}/stories/{story.id}"
    best = best_article(story.articles)
    article_url = feed_url(best.url) if best else None
    return Item(
        id=story_guid(story.id),
        url=article_url if opens_article and article_url else story_url,
        external_url=None if opens_article else article_url,
        title=feed_title(story.title) or "Untitled",
        html=story_body(story, merged, story_url),
        summary=story_summary(story, merged),
        updated=story.updated,
        published=min(story.first_published, story.updated),
        language=feed_language(story.language),
        authors=outlets_of(story.articles),
        media=media_of(story.articles),
    )


def best_article(articles: tuple[ArticleView, ...]) -> ArticleView | None:
    """Return the article to link to: the newest report that is no copy, else the newest with an address."""
    linked = [article for article in articles if feed_url(article.url)]
    reports = [article for article in linked if article.role == "report" and article.copy_of is None]
    return max(reports or linked, key=lambda article: (article.effective_at, article.id), default=None)


def outlets_of(articles: Iterable[ArticleView]) -> tuple[str, ...]:
    """Return the first NAMED_OUTLETS outlets, reports before copies, without duplicates."""
    ordered = sorted(articles, key=lambda one: one.copy_of is not None)
    names = list(dict.fromkeys(feed_title(one.outlet) for one in ordered if one.outlet))
    return tuple(name for name in names if name)[:NAMED_OUTLETS]


def media_of(articles: Iterable[ArticleView]) -> tuple[Enclosure, ...]:
    """Return images, audio and video of the articles as links, reports before copies, without duplicates."""
    ordered = sorted(articles, key=lambda one: one.copy_of is not None)
    media: dict[str, Enclosure] = {}
    for one in (enclosure for article in ordered for enclosure in article.media):
        url = feed_url(one.url)
        if url is not None and (one.type in _KINDS or mime_type(one.type)):
            media.setdefault(url, msgspec.structs.replace(one, url=url, title=feed_text(one.title)))
    return tuple(media.values())[:SHOWN_MEDIA]
