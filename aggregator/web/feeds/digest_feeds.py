"""Digests as HTML, as plain text, as mail and as a feed."""

from collections.abc import Sequence
from datetime import UTC
from zoneinfo import ZoneInfo

from aggregator.config.messages import pluralise, story_numbers
from aggregator.deliver.apprise_process import Notice
from aggregator.model.article import ArticleView
from aggregator.model.read_model import Digest
from aggregator.model.story import StoryView
from aggregator.publish.excerpts.story_excerpts import for_item
from aggregator.publish.output_settings import PublishSettings
from aggregator.publish.sanitise import one_line
from aggregator.store.read.digests import DigestSpan
from aggregator.store.read.reader import StoryReader
from aggregator.stories.plain_text import NO_OUTLET
from aggregator.web.feeds.channel import Channel, Item
from aggregator.web.feeds.feed_texts import feed_title
from aggregator.web.feeds.formats import template
from aggregator.web.feeds.item_texts import fragments, numbers
from aggregator.web.jinja import moment, short_day

# The newest reports listed for one story
DIGEST_REPORTS = 5
DIGEST = "/digest"
# The most digests in the feed; finished deliveries are kept for `events.window_days`.
FEED_DIGESTS = 30


def digest_title(digest: Digest, settings: PublishSettings) -> str:
    """Return a title such as `Digest of 20 Nov 2026`, with the day in the time zone of the digest."""
    zone = (
        None if settings.digest_timezone is None else ZoneInfo(settings.digest_timezone)
    )
    local = digest.until.astimezone(zone)
    # `short_day` shows the day in UTC, so the local time is passed as if it were in UTC.
    return f"Digest of {short_day(local.replace(tzinfo=UTC))}"


def digest_html(digest: Digest, settings: PublishSettings) -> str:
    """Return the digest as a fragment of HTML, within the excerpt limit (`for_item`)."""
    return str(
        fragments().digest_body(
            _period(digest),
            _bounded_stories(digest, settings),
            settings.base_url,
            numbers,
            newest_reports,
        )
    )


def digest_text(digest: Digest, settings: PublishSettings) -> str:
    """Return the digest as plain text, within the excerpt limit."""
    return template("digest.txt").render(
        period=_period(digest),
        stories=_bounded_stories(digest, settings),
        base_url=settings.base_url,
        counts=story_numbers,
        newest_reports=newest_reports,
        no_outlet=NO_OUTLET,
    )


def digest_mail(
    reader: StoryReader, settings: PublishSettings, span: DigestSpan
) -> Notice | None:
    """Return the mail of a digest; None if none of its stories is left, because they were forgotten or muted."""
    digest = reader.digest(span, settings.digest_filter(span.until, reader.mutes()))
    if not digest.stories:
        return None
    return Notice(
        f"{one_line(settings.title)}: {digest_title(digest, settings)}",
        f"<!doctype html><html><body>{digest_html(digest, settings)}</body></html>",
        is_html=True,
    )


def digest_channel(
    digests: Sequence[Digest], settings: PublishSettings, *, self_url: str
) -> Channel:
    """Return the feed of digests, one item each."""
    items = (
        Item(
            id=f"tag:aggregator,2026:digest/{digest.until:%Y%m%dT%H%M%SZ}",
            url=settings.base_url + DIGEST,
            title=digest_title(digest, settings),
            html=digest_html(digest, settings),
            summary=_period(digest),
            updated=digest.until,
            published=digest.until,
        )
        for digest in digests
    )
    return Channel(
        id="tag:aggregator,2026:feeds/digest",
        title=feed_title(f"{settings.title}: digest"),
        about="The stories with the most new independent reports.",
        base_url=settings.base_url,
        page=DIGEST,
        self_url=self_url,
        items=tuple(items),
    )


def _period(digest: Digest) -> str:
    stories = pluralise(len(digest.stories), "story", "stories")
    period = f"from {moment(digest.since)} to {moment(digest.until)} UTC"
    return f"{stories} with the most new independent reports {period}"


def _bounded_stories(
    digest: Digest, settings: PublishSettings
) -> list[tuple[int, StoryView]]:
    """Return the number of new reports of each story, and the story within the excerpt limit."""
    words = settings.excerpt_words
    return [
        (digested.new_reports, for_item(digested.story, None, words)[0])
        for digested in digest.stories
    ]


def newest_reports(story: StoryView) -> list[ArticleView]:
    """Return the reports to list for a story, the newest first; if it has no report, its other articles."""
    reports = [a for a in story.articles if a.role == "report"] or story.articles
    newest = sorted(reports, key=lambda a: (a.effective_at, a.id), reverse=True)
    return newest[:DIGEST_REPORTS]
