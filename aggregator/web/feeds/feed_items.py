"""Build the items of feeds of stories: one item for each story, or for each storyline.

The items keep within the excerpt limit; only the owner gets whole articles (`are_whole`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice

import msgspec
from msgspec.structs import replace

from aggregator.model.article import ArticleView
from aggregator.model.entry import Enclosure
from aggregator.model.story import StoryText, StoryView
from aggregator.publish.excerpts.story_excerpts import for_item
from aggregator.publish.output_settings import PublishSettings
from aggregator.store.read.reader import StoryReader
from aggregator.stories.counting.copy_groups import COUNTED_ROLES
from aggregator.stories.counting.originals import with_originals
from aggregator.web.feeds.channel import STORYLINES, Item
from aggregator.web.feeds.feed_texts import (
    feed_text,
    feed_title,
    feed_url,
    mime_type,
)
from aggregator.web.feeds.item_texts import story_body, story_summary
from aggregator.web.list_query import Selection

# The most pages of stories that are read for one feed, in case a filter matches few stories
MOST_PAGES = 20
# The most outlets named as authors of an item
NAMED_OUTLETS = 5
# The most media shown for one story
SHOWN_MEDIA = 4
_KINDS = ("image", "audio", "video")


class LoadedItems(msgspec.Struct, frozen=True):
    """The items of a feed; `complete` is False if the text of a story is not rendered yet."""

    items: tuple[Item, ...]
    complete: bool = True


def gather(
    reader: StoryReader,
    selected: Selection,
    settings: PublishSettings,
    *,
    patient: bool = False,
    are_whole: bool = False,
) -> LoadedItems:
    """Return the items of the feed of a selection, the newest first.

    If the text of a story is not rendered yet, its item has the summary; with `patient` the text is rendered now.
    """
    link = selected.saved.link if selected.saved else None
    stories: list[StoryView] = []
    # A page of the reader may be shorter than its limit.
    for page in islice(reader.pages(selected.filter), MOST_PAGES):
        stories += page.stories
    loaded = items_of(
        reader, stories, settings, link, patient=patient, are_whole=are_whole
    )
    if not selected.filter.fold:
        return loaded
    items = []
    for story, item in zip(stories, loaded.items, strict=True):
        guid, url = item.id, item.url
        # A guest keeps its own id, so that it never replaces the storyline in a feed reader.
        if story.storyline is not None and story.id not in story.storyline.guests:
            # The item of a storyline always has the id of the story that founded it, so that no feed reader shows
            # the item again when another story of the storyline comes first.
            guid = story_guid(story.storyline.id)
            if url.startswith(f"{settings.base_url}/stories/"):
                url = f"{settings.base_url}{STORYLINES}/{story.storyline.id}"
        items.append(replace(item, id=guid, url=url))
    return replace(loaded, items=tuple(items))


def items_of(
    reader: StoryReader,
    stories: Sequence[StoryView],
    settings: PublishSettings,
    link: str | None = None,
    *,
    patient: bool = False,
    are_whole: bool = False,
) -> LoadedItems:
    """Return the items of these stories, in the same order; `gather` explains the options."""
    if are_whole:
        stories = with_whole_articles(reader, stories)
    ids = tuple(story.id for story in stories)
    rendered = reader.rendered(ids)
    missing = [id_ for id_ in ids if id_ not in rendered]
    if patient:
        for id_ in missing:
            text = reader.text(id_)
            if text is not None:
                rendered[id_] = text
    items = story_items(stories, rendered, settings, link, are_whole=are_whole)
    return LoadedItems(items, complete=patient or not missing)


def with_whole_articles(
    reader: StoryReader, stories: Sequence[StoryView]
) -> tuple[StoryView, ...]:
    """Return the stories; the articles of a story with a single report get their texts and HTML."""
    alone = [story.id for story in stories if story.report_count == 1]
    whole = reader.articles_of(alone, "text", "html")
    shown = []
    for story in stories:
        if articles := whole.get(story.id):
            story = replace(story, articles=tuple(with_originals(articles)))  # noqa: PLW2901
        shown.append(story)
    return tuple(shown)


def story_guid(story_id: str) -> str:
    """Return the identifier of a story in feeds, which is the same on every installation."""
    return f"tag:aggregator,2026:story/{story_id}"


def story_items(
    stories: Iterable[StoryView],
    rendered: Mapping[str, StoryText],
    settings: PublishSettings,
    link: str | None = None,
    *,
    are_whole: bool = False,
) -> tuple[Item, ...]:
    """Return the items of these stories; `rendered` has their texts, by id.

    `link` is the key of the saved query that decides whether items link to the story or to an article; None: the
    settings decide.
    """
    opens_article = (link or settings.link) == "article"
    return tuple(
        _item(story, rendered.get(story.id), settings, opens_article, are_whole)
        for story in stories
    )


# The items are cached, because all formats share them, and most stories of a changed feed are the same.
@lru_cache(maxsize=256)
def _item(
    story: StoryView,
    text: StoryText | None,
    settings: PublishSettings,
    opens_article: bool,
    is_whole: bool,
) -> Item:
    if not is_whole:
        story, text = for_item(story, text, settings.excerpt_words)
    story_url = f"{settings.base_url}/stories/{story.id}"
    best = best_article(story.articles)
    with_pictures = settings.images == "direct"
    article_url = feed_url(best.url) if best else None
    # The outlets, reports before copies
    ordered = sorted(story.articles, key=lambda article: article.copy_of is not None)
    names = dict.fromkeys(feed_title(article.outlet or "") for article in ordered)
    # Feeds state only the first part of a language tag, and only if it has two letters.
    language = re.match(r"[a-z]{2}(?![^-_])", (story.language or "").lower())
    return Item(
        id=story_guid(story.id),
        url=article_url if opens_article and article_url else story_url,
        external_url=None if opens_article else article_url,
        title=feed_title(story.title) or "Untitled",
        html=story_body(
            story, text, story_url, is_whole=is_whole, with_pictures=with_pictures
        ),
        summary=story_summary(story, text),
        updated=story.updated,
        published=min(story.first_published, story.updated),
        language=language and language[0],
        authors=tuple(filter(None, names))[:NAMED_OUTLETS],
        media=media_of(story.articles, with_pictures=with_pictures),
        storyline=story.storyline.id if story.storyline else None,
    )


def best_article(articles: tuple[ArticleView, ...]) -> ArticleView | None:
    """Return the newest report with an address, except copies; without one, the newest article with an address."""
    linked = [article for article in articles if feed_url(article.url)]
    counted = [a for a in linked if a.role in COUNTED_ROLES and a.copy_of is None]
    return max(counted or linked, key=lambda a: (a.effective_at, a.id), default=None)


def media_of(
    articles: Iterable[ArticleView], *, with_pictures: bool
) -> tuple[Enclosure, ...]:
    """Return the media of the articles with safe addresses, those of reports before those of copies, each once."""
    media: dict[str, Enclosure] = {}
    for article in sorted(articles, key=lambda article: article.copy_of is not None):
        for medium in article.media:
            url = feed_url(medium.url)
            kind = medium.type
            if kind.startswith("image") and not with_pictures:
                continue
            if url is not None and (kind in _KINDS or mime_type(kind)):
                shown = replace(medium, url=url, title=feed_text(medium.title))
                media.setdefault(url, shown)
    return tuple(media.values())[:SHOWN_MEDIA]
