"""The items of a feed: of stories or of digests.

The HTML body of an item (templates/item.html) has the lead of the story, its reports with what each says
first, and their copies. No untrusted HTML gets in: the template escapes every text, and has every address of
others checked by `feed_url`.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from aggregator.config.messages import counted, story_numbers
from aggregator.model.core import ArticleView, Enclosure, StoryText, StoryView
from aggregator.model.read_model import Digest, StoryFilter
from aggregator.store.read.reader import StoryReader
from aggregator.stories.counting.copy_groups import COUNTED_ROLES
from aggregator.stories.counting.originals import originals_with_copies, with_originals
from aggregator.stories.plain_text import NO_OUTLET
from aggregator.web.excerpts import for_item
from aggregator.web.feeds import formats
from aggregator.web.filters import ParsedFilter
from aggregator.web.jinja import moment, short_day
from aggregator.web.settings import PublishSettings

LISTED_REPORTS = 8  # of an item, the newest; the story page has all
NAMED_COPIES = 3  # of one report


def story_body(
    story: StoryView,
    text: StoryText | None,
    story_url: str,
    *,
    is_whole: bool,
    with_pictures: bool,
) -> str:
    """Return a story, limited by `excerpts.for_item`, as a fragment of HTML.

    With `is_whole` it has the whole of its only original, or quotations, too.
    """
    originals = originals_with_copies(story.articles)
    texts = [article for article, _ in originals if article.text or article.html]
    single = texts[0] if is_whole and len(texts) == 1 else None
    body = _fragments().story_body(
        story,
        text,
        single,
        originals[::-1],
        story_url,
        numbers(story),
        is_whole,
        with_pictures,
    )
    return str(body)


@cache
def _fragments() -> Any:
    """Return the macros of item.html."""
    words = {
        "no_outlet": NO_OUTLET,
        "listed_reports": LISTED_REPORTS,
        "named_copies": NAMED_COPIES,
    }
    return formats.template("item.html").make_module(words)


def story_summary(story: StoryView, text: StoryText | None) -> str:
    """Return the first paragraph of the lead as plain text on one line; without any, the counts."""
    lead = text.lead[0].text if text and text.lead else story.summary
    return formats.feed_title(lead) or numbers(story)


def numbers(story: StoryView) -> str:
    """Return the numbers of articles, outlets and reports."""
    return " · ".join(reversed(_counts(story)))


def _counts(story: StoryView) -> tuple[str, str, str]:
    outlets = story.outlet_count, story.unknown_outlet_count
    return story_numbers(story.report_count, *outlets, story.article_count)


# Pages that are read for one feed, in case a filter matches few stories
MOST_PAGES = 20


class LoadedItems(msgspec.Struct, frozen=True):
    """The items of a feed; `complete` is False if a story is not yet rendered."""

    items: tuple[formats.Item, ...]
    complete: bool = True


def gather(
    reader: StoryReader,
    parsed: ParsedFilter,
    settings: PublishSettings,
    *,
    patient: bool = False,
    are_whole: bool = False,
) -> LoadedItems:
    """Return the items of a feed, the newest first, `are_whole` for the owner.

    `patient`: render missing ones now; otherwise their items have the summary.
    """
    link = parsed.saved.link if parsed.saved else None
    stories = reader.with_links(tuple(_stories(reader, parsed.filter)))
    if are_whole:
        stories = with_whole_articles(reader, stories)
    ids = tuple(story.id for story in stories)
    rendered: dict[str, StoryText] = reader.rendered(ids)
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
    """Return the stories, those of one report with its text and HTML."""
    alone = [one.id for one in stories if one.report_count == 1]
    whole = reader.articles_of(alone, "text", "html")
    return tuple(
        replace(one, articles=tuple(with_originals(whole[one.id])))
        if whole.get(one.id)
        else one
        for one in stories
    )


def _stories(reader: StoryReader, story_filter: StoryFilter) -> list[StoryView]:
    """Return up to `limit` stories; a page of the reader may be shorter than its limit."""
    stories: list[StoryView] = []
    for _ in range(MOST_PAGES):
        limit = story_filter.limit - len(stories)
        page = reader.stories(replace(story_filter, limit=limit))
        stories += page.stories
        if page.next is None or len(stories) >= story_filter.limit:
            break
        story_filter = replace(story_filter, after=page.next)
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
    rendered: Mapping[str, StoryText],
    settings: PublishSettings,
    link: str | None = None,
    *,
    are_whole: bool = False,
) -> tuple[formats.Item, ...]:
    """Return one item per story, in the same order; `rendered` are what stories show, by id.

    The excerpt limit applies unless the items `are_whole`. `link` is the setting of the saved query for the
    target of items.
    """
    opens_article = (link or settings.link) == "article"
    return tuple(
        _item(story, rendered.get(story.id), settings, opens_article, are_whole)
        for story in stories
    )


# All formats share it, and of a feed that changed most stories are as they were
@lru_cache(maxsize=256)
def _item(
    story: StoryView,
    text: StoryText | None,
    settings: PublishSettings,
    opens_article: bool,
    is_whole: bool,
) -> formats.Item:
    if not is_whole:
        story, text = for_item(story, text, settings.excerpt_words)
    story_url = f"{settings.base_url}/stories/{story.id}"
    best = best_article(story.articles)
    with_pictures = settings.images == "direct"
    article_url = formats.feed_url(best.url) if best else None
    return formats.Item(
        id=story_guid(story.id),
        url=article_url if opens_article and article_url else story_url,
        external_url=None if opens_article else article_url,
        title=formats.feed_title(story.title) or "Untitled",
        html=story_body(
            story, text, story_url, is_whole=is_whole, with_pictures=with_pictures
        ),
        summary=story_summary(story, text),
        updated=story.updated,
        published=min(story.first_published, story.updated),
        language=formats.feed_language(story.language),
        authors=outlets_of(story.articles),
        media=media_of(story.articles, with_pictures=with_pictures),
    )


def best_article(articles: tuple[ArticleView, ...]) -> ArticleView | None:
    """Return the article to link to: the newest report that is no copy, else the newest with an address."""
    linked = [article for article in articles if formats.feed_url(article.url)]
    reports = [
        article
        for article in linked
        if article.role in COUNTED_ROLES and article.copy_of is None
    ]
    return max(
        reports or linked,
        key=lambda article: (article.effective_at, article.id),
        default=None,
    )


def outlets_of(articles: Iterable[ArticleView]) -> tuple[str, ...]:
    """Return the first NAMED_OUTLETS outlets, reports before copies, without duplicates."""
    ordered = sorted(articles, key=lambda one: one.copy_of is not None)
    names = list(
        dict.fromkeys(formats.feed_title(one.outlet) for one in ordered if one.outlet)
    )
    return tuple(name for name in names if name)[:NAMED_OUTLETS]


def media_of(
    articles: Iterable[ArticleView], *, with_pictures: bool
) -> tuple[Enclosure, ...]:
    """Return images, audio and video of the articles as links, reports before copies, without duplicates."""
    ordered = sorted(articles, key=lambda one: one.copy_of is not None)
    media: dict[str, Enclosure] = {}
    for one in (enclosure for article in ordered for enclosure in article.media):
        url = formats.feed_url(one.url)
        if one.type.startswith("image") and not with_pictures:
            continue
        if url is not None and (one.type in _KINDS or formats.mime_type(one.type)):
            media.setdefault(
                url, replace(one, url=url, title=formats.feed_text(one.title))
            )
    return tuple(media.values())[:SHOWN_MEDIA]


DIGEST_REPORTS = 5  # listed of one story, the newest
DIGEST = "/digest"
FEED_DIGESTS = 30  # in the feed; finished deliveries are kept for two weeks


def digest_title(digest: Digest, settings: PublishSettings) -> str:
    """Return `Digest of 20 Nov 2026`, the day where it was due."""
    zone = (
        None if settings.digest_timezone is None else ZoneInfo(settings.digest_timezone)
    )
    local = digest.until.astimezone(zone)
    return f"Digest of {short_day(local.replace(tzinfo=dt.UTC))}"


def digest_html(digest: Digest, settings: PublishSettings) -> str:
    """Return the digest, limited by `excerpts.for_item`, as a fragment of HTML."""
    return str(_fragments().digest_body(_period(digest), _shown(digest, settings)))


def digest_text(digest: Digest, settings: PublishSettings) -> str:
    """Return the digest as plain text."""
    stories = _shown(digest, settings)
    template = formats.template("digest.txt")
    return template.render(period=_period(digest), stories=stories, no_outlet=NO_OUTLET)


def digest_channel(
    digests: Sequence[Digest], settings: PublishSettings, *, self_url: str
) -> formats.Channel:
    """Return the feed of digests, one item each."""
    return formats.Channel(
        id="tag:aggregator,2026:feeds/digest",
        title=formats.feed_title(f"{settings.title}: digest"),
        about="The stories with the most new independent reports.",
        home_url=settings.base_url + DIGEST,
        self_url=self_url,
        language="en",
        items=tuple(
            formats.Item(
                id=f"tag:aggregator,2026:digest/{one.until:%Y%m%dT%H%M%SZ}",
                url=settings.base_url + DIGEST,
                title=digest_title(one, settings),
                html=digest_html(one, settings),
                summary=_period(one),
                updated=one.until,
                published=one.until,
            )
            for one in digests
        ),
    )


def _period(digest: Digest) -> str:
    stories = counted(len(digest.stories), "story", "stories")
    period = f"from {moment(digest.since)} to {moment(digest.until)} UTC"
    return f"{stories} with the most new independent reports {period}"


class _DigestLines(msgspec.Struct, frozen=True):
    """What a digest shows of a story: within the excerpt limit, with its newest reports."""

    story: StoryView
    url: str
    numbers: str
    counts: str
    new: str
    reports: list[ArticleView]


def _shown(digest: Digest, settings: PublishSettings) -> list[_DigestLines]:
    shown = []
    for one in digest.stories:
        story, _ = for_item(one.story, None, settings.excerpt_words)
        reports = [
            article for article in story.articles if article.role == "report"
        ] or story.articles
        newest = sorted(
            reports,
            key=lambda article: (article.effective_at, article.id),
            reverse=True,
        )
        shown.append(
            _DigestLines(
                story=story,
                url=f"{settings.base_url}/stories/{story.id}",
                numbers=numbers(story),
                counts=", ".join(_counts(story)),
                new=f"{one.new_reports:,} new",
                reports=newest[:DIGEST_REPORTS],
            )
        )
    return shown
