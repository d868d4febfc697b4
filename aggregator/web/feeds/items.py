"""Stories → the items of a feed."""

from collections.abc import Iterable, Mapping

import msgspec

from aggregator.model.core import ArticleView, Enclosure, MergedStory, StoryView
from aggregator.web.excerpts import for_item
from aggregator.web.feeds.item_html import numbers, story_body
from aggregator.web.feeds.model import Item
from aggregator.web.feeds.xml import feed_language, feed_text, feed_title, feed_url, mime_type
from aggregator.web.settings import PublishSettings

NAMED_OUTLETS = 5  # as authors of an item
SHOWN_MEDIA = 4  # of one story
_KINDS = ("image", "audio", "video")


def story_guid(story_id: str) -> str:
    """The identity of a story in every feed, the same on every installation."""
    return f"tag:aggregator,2026:story/{story_id}"


def story_items(
    stories: Iterable[StoryView],
    rendered: Mapping[str, MergedStory],
    settings: PublishSettings,
    link: str | None = None,
) -> tuple[Item, ...]:
    """One item a story, in the same order. `rendered`: what reports say together, by story, where that is
    known.

    What an item carries of an article is bounded as for anyone (rights), whoever asks: feeds are passed on.
    `link`: what an item opens, where a saved query says so.
    """
    opens_article = (link or settings.link) == "article"
    return tuple(_item(story, rendered.get(story.id), settings, opens_article) for story in stories)


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
        summary=numbers(story),
        updated=story.updated,
        published=min(story.first_published, story.updated),
        language=feed_language(story.language),
        authors=outlets_of(story.articles),
        media=media_of(story.articles),
    )


def best_article(articles: tuple[ArticleView, ...]) -> ArticleView | None:
    """The article that a reader should open: the newest own report, else the newest that has an address."""
    linked = [article for article in articles if feed_url(article.url)]
    reports = [article for article in linked if article.role == "report" and article.copy_of is None]
    return max(reports or linked, key=lambda article: (article.effective, article.id), default=None)


def outlets_of(articles: Iterable[ArticleView]) -> tuple[str, ...]:
    """Who reports, own reports before copies, each once; the first of them."""
    ordered = sorted(articles, key=lambda one: one.copy_of is not None)
    names = list(dict.fromkeys(feed_title(one.outlet) for one in ordered if one.outlet))
    return tuple(name for name in names if name)[:NAMED_OUTLETS]


def media_of(articles: Iterable[ArticleView]) -> tuple[Enclosure, ...]:
    """Pictures, sound and film of the reports by reference, each once; own reports before copies."""
    ordered = sorted(articles, key=lambda one: one.copy_of is not None)
    found: dict[str, Enclosure] = {}
    for one in (enclosure for article in ordered for enclosure in article.media):
        url = feed_url(one.url)
        if url is not None and (one.type in _KINDS or mime_type(one.type)):
            kept = msgspec.structs.replace(one, url=url, title=feed_text(one.title))
            found.setdefault(url, kept)
    return tuple(found.values())[:SHOWN_MEDIA]
