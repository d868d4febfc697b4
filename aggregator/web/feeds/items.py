"""The items of a feed: of stories or of digests.

The HTML body of an item has the newest state of the story, its reports and their copies. It is concatenated
here, because a hundred items have to be written within milliseconds. No untrusted HTML gets in: `escaped` is
applied to every text, `feed_url` to every address.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from html import escape
from itertools import groupby
from zoneinfo import ZoneInfo

import msgspec

from aggregator.config.messages import counted, story_numbers
from aggregator.model.core import ArticleView, AttributedSentence, Enclosure, Fact, MergedStory, StoryView
from aggregator.model.read_model import Digest, DigestStory, StoryFilter
from aggregator.store.read.reader import StoryReader
from aggregator.stories.counts import originals_with_copies
from aggregator.stories.lexicon import Labels, labels
from aggregator.stories.text.newest_state import newest_state
from aggregator.stories.text.plain_text import NO_OUTLET, names_behind
from aggregator.text.lines import count_words
from aggregator.web.excerpts import for_item
from aggregator.web.feeds import formats
from aggregator.web.filters import ParsedFilter
from aggregator.web.jinja import moment, paragraphs, short_day
from aggregator.web.settings import PublishSettings

ITEM_WORDS = 150  # of an item: what one screen of a phone shows (390 x 844 pixels, 17 pixels a line)
STATE_SENTENCES, STATE_WORDS = 3, 75  # of them, at its beginning; a longer summary is not cut
_OTHER_WORDS = 12  # the counts, and the link to the story
LISTED_AT_LEAST = 3  # reports, the newest, however long their titles are; the story page has all
NAMED_COPIES = 3  # of one report
_TAG = re.compile("<[^<>]*>")


def story_body(
    story: StoryView, merged: MergedStory | None, story_url: str, *, is_whole: bool = False
) -> str:
    """Return a story, limited by `excerpts.for_item`, as a fragment of HTML of about ITEM_WORDS words.

    With `is_whole` it has the whole text, beside as many reports and links as fit into an item.
    """
    articles = {article.id: article for article in story.articles}
    words = labels(story.language)
    said = () if is_whole else item_state(merged)
    parts = [_paragraph(_said(fact, articles, words)) for fact in said]
    if is_whole:
        parts = _whole_text(story, merged, articles, words)
    if not parts and story.summary:
        parts.append(_paragraph(escaped(story.summary)))
    shown = " ".join(fact.said[0].text for fact in said) or ("" if is_whole else story.summary)
    parts.append(f"<p><em>{numbers(story)}</em></p>")
    linked = _linked_stories(story, story_url.removesuffix(story.id))
    left = ITEM_WORDS - _OTHER_WORDS - count_words(shown) - count_words(_TAG.sub(" ", linked))
    parts += [_reports(story.articles, left), linked]
    parts.append(f"<p>{link(story_url, 'Full story')}</p>")
    return "".join(parts)


def _whole_text(
    story: StoryView, merged: MergedStory | None, articles: Mapping[str, ArticleView], words: Labels
) -> list[str]:
    """Return the text of the only original, if the story has it, or else the merged text, as HTML."""
    originals = [one for one, _ in originals_with_copies(story.articles) if one.text]
    if len(originals) == 1:
        text = [_paragraph(escaped(line)) for line in paragraphs(originals[0].text)]
        return [*text, _paragraph(f"— {_outlet(originals[0])}")]
    if merged is None:
        return []
    opening = newest_state(merged, sentences=0, words=0)  # the summary
    single = [
        f"{' '.join(escaped(one.text) for one in said)} — {_who(said[0], articles)}"
        for said in (list(group) for _, group in groupby(opening.only, key=lambda one: one.article))
    ]
    facts = (opening.state, opening.facts, merged.quotations)
    sections = [[_said(fact, articles, words) for fact in some] for some in facts]
    parts: list[str] = []
    headings = ("", words.several, words.quotations, words.only)
    for heading, lines in zip(headings, [*sections, single], strict=True):
        parts += [f"<h3>{escaped(heading)}</h3>"] * bool(heading and lines) + list(map(_paragraph, lines))
    return parts


def item_state(merged: MergedStory | None) -> tuple[Fact, ...]:
    """Return the sentences with which an item opens."""
    if merged is None:
        return ()
    return newest_state(merged, sentences=STATE_SENTENCES, words=STATE_WORDS).state


def story_summary(story: StoryView, merged: MergedStory | None) -> str:
    """Return the newest state as plain text on one line; without any, the counts."""
    said = " ".join(fact.said[0].text for fact in item_state(merged))
    return formats.feed_title(said or story.summary) or numbers(story)


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


def _said(fact: Fact, articles: Mapping[str, ArticleView], words: Labels) -> str:
    """Return the first sentence of a fact with its outlet, and the others that state it in their words."""
    who: dict[str, str] = {}
    for one in fact.said:
        article = articles.get(one.article)
        if one is fact.said[0] or one.article not in fact.said[0].also:
            who.setdefault((article and article.outlet_key) or one.article, _who(one, articles))
    first, *others = who.values()
    sentence = f"{escaped(fact.said[0].text)} — {first}"
    if fact.outlets < 2:
        return sentence
    share = escaped(words.share.format(n=fact.outlets, of=fact.of))
    also = f"; {words.also.format(name=', '.join(others))}" if others else ""
    return f"{sentence} <em>({share}{also})</em>"


def _who(sentence: AttributedSentence, articles: Mapping[str, ArticleView]) -> str:
    """Return the outlets of the articles in which a sentence stands; unknown ones by title."""
    names = names_behind(sentence, articles, NO_OUTLET)
    url = formats.feed_url(articles[sentence.article].url) if sentence.article in articles else None
    first = escaped(names[0])
    return ", ".join((link(url, first) if url else first, *map(escaped, names[1:])))


def _reports(articles: Sequence[ArticleView], words: int) -> str:
    """Return a list of the originals, the newest first, each with its copies; as many as `words` allow."""
    originals = originals_with_copies(articles)[::-1]
    lines: list[str] = []
    for one, same in originals:
        named = " ".join(copy.outlet or NO_OUTLET for copy in (one, *same[:NAMED_COPIES]))
        words -= count_words(f"{named} {one.title}") + 4 * bool(same)
        if words < 0 and len(lines) >= LISTED_AT_LEAST:
            break
        lines.append(_line(one) + _copied(same))
    if len(originals) > len(lines):
        lines.append(f"and {counted(len(originals) - len(lines), 'earlier article')}")
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
    if not copies:
        return ""
    named = [_outlet(one) for one in copies[:NAMED_COPIES]]
    if len(copies) > NAMED_COPIES:
        named.append(f"{len(copies) - NAMED_COPIES:,} more")
    return f" — the same text: {', '.join(named)}"


MOST_PAGES = 20  # pages that are read for one feed, in case a filter matches few stories


class LoadedItems(msgspec.Struct, frozen=True):
    """The items of a feed; `complete` is False if a merged text is not yet rendered."""

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

    `patient`: render missing merged texts now; otherwise their items have the summary.
    """
    link = parsed.saved.link if parsed.saved else None
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
    *,
    are_whole: bool = False,
) -> tuple[formats.Item, ...]:
    """Return one item per story, in the same order; `rendered` are the merged texts by story id.

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
    merged: MergedStory | None,
    settings: PublishSettings,
    opens_article: bool,
    is_whole: bool,
) -> formats.Item:
    if not is_whole:
        story, merged = for_item(story, merged, settings.excerpt_words)
    story_url = f"{settings.base_url}/stories/{story.id}"
    best = best_article(story.articles)
    article_url = formats.feed_url(best.url) if best else None
    return formats.Item(
        id=story_guid(story.id),
        url=article_url if opens_article and article_url else story_url,
        external_url=None if opens_article else article_url,
        title=formats.feed_title(story.title) or "Untitled",
        html=story_body(story, merged, story_url, is_whole=is_whole),
        summary=story_summary(story, merged),
        updated=story.updated,
        published=min(story.first_published, story.updated),
        language=formats.feed_language(story.language),
        authors=outlets_of(story.articles),
        media=media_of(story.articles),
    )


def best_article(articles: tuple[ArticleView, ...]) -> ArticleView | None:
    """Return the article to link to: the newest report that is no copy, else the newest with an address."""
    linked = [article for article in articles if formats.feed_url(article.url)]
    reports = [article for article in linked if article.role == "report" and article.copy_of is None]
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
            media.setdefault(url, msgspec.structs.replace(one, url=url, title=formats.feed_text(one.title)))
    return tuple(media.values())[:SHOWN_MEDIA]


LISTED_REPORTS = 5  # of one story, the newest
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
    return bounded, newest[:LISTED_REPORTS]
