"""A digest as a fragment of HTML, as text, and as the items of its feed."""

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from aggregator.config.messages import counted, story_numbers
from aggregator.model.core import ArticleView, StoryView
from aggregator.model.read_model import Digest, DigestStory
from aggregator.stories.text.plain_text import NO_OUTLET
from aggregator.web.excerpts import for_item
from aggregator.web.feeds.formats import Channel, Item
from aggregator.web.feeds.item_html import escaped, link, linked, numbers
from aggregator.web.feeds.xml import feed_text, feed_title, feed_url
from aggregator.web.jinja import moment, short_day
from aggregator.web.settings import PublishSettings

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
            f"{number}. {feed_text(story.title) or 'Untitled'}",
            f"   {counts} ({_new(one)})",
        ]
        for article in reports:
            lines.append(f"   - {feed_text(article.outlet or NO_OUTLET)}: {feed_text(article.title)}")
            lines += [f"     {url}" for url in [feed_url(article.url)] if url]
        lines.append(f"   All reports: {settings.base_url}/stories/{story.id}")
    return "\n".join(lines) + "\n"


def digest_channel(
    digests: Sequence[Digest], settings: PublishSettings, *, self_url: str, css_url: str
) -> Channel:
    """Return the feed of digests, one item each."""
    return Channel(
        id="tag:aggregator,2026:feeds/digest",
        title=feed_title(f"{settings.title}: digest"),
        about="The stories with the most new independent reports.",
        home_url=settings.base_url + DIGEST,
        self_url=self_url,
        css_url=css_url,
        language="en",
        items=tuple(
            Item(
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
