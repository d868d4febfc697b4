"""The items of a feed: of stories or of digests.

The HTML body of an item has the lead of the story, its reports with what each says first, and their copies.
It is concatenated here, because a hundred items have to be written within milliseconds. No untrusted HTML
gets in: `escaped` is applied to every text, `feed_url` to every address.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from html import escape
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from aggregator.config.messages import counted, story_numbers
from aggregator.model.core import ArticleView, Enclosure, Quotation, StoryText, StoryView
from aggregator.model.read_model import Digest, DigestStory, StoryFilter
from aggregator.store.read.reader import StoryReader
from aggregator.stories.counts import COUNTED_ROLES, originals_with_copies
from aggregator.stories.plain_text import NO_OUTLET
from aggregator.web.excerpts import for_item
from aggregator.web.feeds import formats
from aggregator.web.filters import ParsedFilter
from aggregator.web.jinja import moment, paragraphs, short_day
from aggregator.web.settings import PublishSettings

LISTED_REPORTS = 8  # of an item, the newest; the story page has all
NAMED_COPIES = 3  # of one report


def story_body(story: StoryView, text: StoryText | None, story_url: str, *, is_whole: bool) -> str:
    """Return a story, limited by `excerpts.for_item`, as a fragment of HTML.

    With `is_whole` it has the whole text of its only original, or quotations, too.
    """
    originals = [one for one, _ in originals_with_copies(story.articles) if one.text]
    is_single = is_whole and len(originals) == 1
    if is_single:
        lead = [escaped(line) for line in paragraphs(originals[0].text)]
        lead.append(f"— {_outlet(originals[0])}")
    else:
        lead = _lead(story, text)
    parts = [_paragraph(html) for html in lead]
    parts.append(f"<p><em>{numbers(story)}</em></p>")
    parts.append(_reports(story.articles, text, is_single=is_single))
    if is_whole and text and not is_single and text.quotations:
        parts += ["<h3>Quotations</h3>", _list(_quoted(one, story.articles) for one in text.quotations)]
    parts.append(_linked_stories(story, story_url.removesuffix(story.id)))
    parts.append(f"<p>{link(story_url, 'Full story')}</p>")
    return "".join(parts)


def _lead(story: StoryView, text: StoryText | None) -> list[str]:
    """Return the paragraphs of the lead as HTML, the outlet behind the last; else the summary."""
    if text is None or not text.lead:
        return [escaped(story.summary)] if story.summary else []
    lead = [escaped(passage.text) for passage in text.lead]
    report = next((one for one in story.articles if one.id == text.lead[0].article_id), None)
    if report is not None:
        lead[-1] += f" — {_outlet(report)}"
    return lead


def _quoted(quotation: Quotation, articles: Iterable[ArticleView]) -> str:
    outlets = [_outlet(one) for one in articles if one.id in quotation.article_ids]
    return f"{escaped(quotation.speaker)}: {escaped(quotation.text)} — {', '.join(outlets)}"


def story_summary(story: StoryView, text: StoryText | None) -> str:
    """Return the first paragraph of the lead as plain text on one line; without any, the counts."""
    lead = text.lead[0].text if text and text.lead else story.summary
    return formats.feed_title(lead) or numbers(story)


def link(url: str, text: str) -> str:
    """Return a link; `url` has to be safe, and `text` is HTML."""
    return f'<a href="{escape(url)}" rel="noopener noreferrer nofollow ugc">{text}</a>'


def numbers(story: StoryView) -> str:
    """Return the numbers of articles, outlets and reports."""
    outlets = story.outlet_count, story.unknown_outlet_count
    return " · ".join(reversed(story_numbers(story.report_count, *outlets, story.article_count)))


def linked(article: ArticleView) -> str:
    """Return outlet, agency, time and title of an article; the title is a link if the address is safe."""
    if not article.is_dated:
        return _line(article, f", undated, seen {short_day(article.seen)}")
    if article.published is not None and article.published_precision != "day":
        return _line(article, f", {moment(article.published)} UTC")
    return _line(article)


def escaped(text: str) -> str:
    """Escape a text for HTML, on one line."""
    return escape(formats.feed_text(text))


def _outlet(article: ArticleView) -> str:
    name = escaped(article.outlet or NO_OUTLET)
    url = formats.feed_url(article.url)
    return link(url, name) if url else name


def _paragraph(html: str) -> str:
    return f'<p dir="auto">{html}</p>'


def _list(lines: Iterable[str]) -> str:
    listed = "".join(f'<li dir="auto">{line}</li>' for line in lines)
    return f"<ul>{listed}</ul>" if listed else ""


def _reports(articles: Sequence[ArticleView], text: StoryText | None, *, is_single: bool) -> str:
    """Return a list of the originals, the newest first, each with its copies and what it says first."""
    originals = originals_with_copies(articles)[::-1]
    lines: list[str] = []
    for article, copies in originals[:LISTED_REPORTS]:
        if is_single and not copies:
            continue
        opening = escaped(text.opening_of(article.id)) if text else ""
        lines.append(_line(article) + _copied(copies) + (_paragraph(opening) if opening else ""))
    if len(originals) > LISTED_REPORTS:
        lines.append(f"and {counted(len(originals) - LISTED_REPORTS, 'earlier article')}")
    return _list(lines)


def _line(article: ArticleView, when: str = "") -> str:
    """Return outlet, agency and title of an article, linked to it if the address is safe."""
    title = escaped(article.title) or "Untitled"
    url = formats.feed_url(article.url)
    agency = f" ({escaped(article.wire)})" if article.wire else ""
    return f"{escaped(article.outlet or NO_OUTLET)}{agency}{when}: {link(url, title) if url else title}"


def _linked_stories(story: StoryView, base: str) -> str:
    """Return a line with the nearest story before, after and related; `base` precedes an id."""
    kinds = (("Earlier", story.earlier), ("Later", story.later), ("Related", story.related))
    line = " · ".join(
        f"{name}: {link(base + linked[0].id, escaped(linked[0].title) or 'Untitled')}"
        for name, linked in kinds
        if linked
    )
    return _paragraph(line) if line else ""


def _copied(copies: Sequence[ArticleView]) -> str:
    copies = [one for one in copies if one.version is None]
    if not copies:
        return ""
    named = [_outlet(one) for one in copies[:NAMED_COPIES]]
    if len(copies) > NAMED_COPIES:
        named.append(f"{len(copies) - NAMED_COPIES:,} more")
    return f" — the same text: {', '.join(named)}"


MOST_PAGES = 20  # pages that are read for one feed, in case a filter matches few stories


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
) -> LoadedItems:
    """Return the items of a feed, the newest first.

    `patient`: render missing ones now; otherwise their items have the summary.
    """
    link = parsed.saved.link if parsed.saved else None
    stories = reader.with_links(tuple(_stories(reader, parsed.filter)))
    ids = tuple(story.id for story in stories)
    rendered: dict[str, StoryText] = reader.rendered(ids)
    missing = [id_ for id_ in ids if id_ not in rendered]
    if patient:
        for id_ in missing:
            text = reader.text(id_)
            if text is not None:
                rendered[id_] = text
    return LoadedItems(story_items(stories, rendered, settings, link), complete=patient or not missing)


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

    The excerpt limit also applies if the owner requests the feed, because feeds are shared; not if the items
    `are_whole`. `link` is the setting of the saved query for the target of items.
    """
    opens_article = (link or settings.link) == "article"
    return tuple(
        _item(story, rendered.get(story.id), settings, opens_article, are_whole) for story in stories
    )


@lru_cache(maxsize=256)  # all formats share it, and of a feed that changed most stories are as they were
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
    article_url = formats.feed_url(best.url) if best else None
    return formats.Item(
        id=story_guid(story.id),
        url=article_url if opens_article and article_url else story_url,
        external_url=None if opens_article else article_url,
        title=formats.feed_title(story.title) or "Untitled",
        html=story_body(story, text, story_url, is_whole=is_whole),
        summary=story_summary(story, text),
        updated=story.updated,
        published=min(story.first_published, story.updated),
        language=formats.feed_language(story.language),
        authors=outlets_of(story.articles),
        media=media_of(story.articles),
    )


def best_article(articles: tuple[ArticleView, ...]) -> ArticleView | None:
    """Return the article to link to: the newest report that is no copy, else the newest with an address."""
    linked = [article for article in articles if formats.feed_url(article.url)]
    reports = [article for article in linked if article.role in COUNTED_ROLES and article.copy_of is None]
    return max(reports or linked, key=lambda article: (article.effective_at, article.id), default=None)


def outlets_of(articles: Iterable[ArticleView]) -> tuple[str, ...]:
    """Return the first NAMED_OUTLETS outlets, reports before copies, without duplicates."""
    ordered = sorted(articles, key=lambda one: one.copy_of is not None)
    names = list(dict.fromkeys(formats.feed_title(one.outlet) for one in ordered if one.outlet))
    return tuple(name for name in names if name)[:NAMED_OUTLETS]


def media_of(articles: Iterable[ArticleView]) -> tuple[Enclosure, ...]:
    """Return images, audio and video of the articles as links, reports before copies, without duplicates."""
    ordered = sorted(articles, key=lambda one: one.copy_of is not None)
    media: dict[str, Enclosure] = {}
    for one in (enclosure for article in ordered for enclosure in article.media):
        url = formats.feed_url(one.url)
        if url is not None and (one.type in _KINDS or formats.mime_type(one.type)):
            media.setdefault(url, replace(one, url=url, title=formats.feed_text(one.title)))
    return tuple(media.values())[:SHOWN_MEDIA]


DIGEST_REPORTS = 5  # listed of one story, the newest
DIGEST = "/digest"
FEED_DIGESTS = 30  # in the feed; finished deliveries are kept for two weeks


def digest_title(digest: Digest, settings: PublishSettings) -> str:
    """Return `Digest of 20 Nov 2026`, the day where it was due."""
    zone = None if settings.digest_timezone is None else ZoneInfo(settings.digest_timezone)
    local = digest.until.astimezone(zone)
    return f"Digest of {short_day(local.replace(tzinfo=dt.UTC))}"


def digest_html(digest: Digest, settings: PublishSettings) -> str:
    """Return the digest, limited by `excerpts.for_item`, as a fragment of HTML."""
    parts = [f"<p>{_period(digest)}</p>"]
    for one in digest.stories:
        story, reports = _shown(one.story, settings)
        url = f"{settings.base_url}/stories/{story.id}"
        title = escaped(story.title) or "Untitled"
        listed = "".join(f'<li dir="auto">{linked(article)}</li>' for article in reports)
        parts.append(f'<h2 dir="auto">{link(url, title)}</h2>')
        parts.append(f"<p><em>{numbers(story)} ({_new(one)})</em></p><ul>{listed}</ul>")
    return "".join(parts)


def digest_text(digest: Digest, settings: PublishSettings) -> str:
    """Return the digest as plain text."""
    lines = [_period(digest)]
    for number, one in enumerate(digest.stories, 1):
        story, reports = _shown(one.story, settings)
        outlets = story.outlet_count, story.unknown_outlet_count
        counts = ", ".join(story_numbers(story.report_count, *outlets, story.article_count))
        lines += [
            "",
            f"{number}. {formats.feed_text(story.title) or 'Untitled'}",
            f"   {counts} ({_new(one)})",
        ]
        for article in reports:
            lines.append(
                f"   - {formats.feed_text(article.outlet or NO_OUTLET)}: {formats.feed_text(article.title)}"
            )
            lines += [f"     {url}" for url in [formats.feed_url(article.url)] if url]
        lines.append(f"   All reports: {settings.base_url}/stories/{story.id}")
    return "\n".join(lines) + "\n"


def digest_channel(digests: Sequence[Digest], settings: PublishSettings, *, self_url: str) -> formats.Channel:
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


def _new(one: DigestStory) -> str:
    return f"{one.new_reports:,} new"


def _shown(story: StoryView, settings: PublishSettings) -> tuple[StoryView, list[ArticleView]]:
    """Return a story within the excerpt limit, and its newest reports."""
    bounded, _ = for_item(story, None, settings.excerpt_words)
    reports = [one for one in bounded.articles if one.role == "report"] or bounded.articles
    newest = sorted(reports, key=lambda one: (one.effective_at, one.id), reverse=True)
    return bounded, newest[:DIGEST_REPORTS]
