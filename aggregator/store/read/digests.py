"""Digests: which stories gained the most independent reports since the last one.

A digest is a span of the change stream. Its stories are read when it is shown or sent, so that it contains
nothing that was forgotten meanwhile, and links to stories as they are.
"""

import datetime as dt

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from aggregator.config.webhooks import DIGEST
from aggregator.model.read_model import StoryFilter
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.read.change_stream import STORY_THEN
from aggregator.store.read.story_filter import StoryMatcher
from aggregator.store.search.progress import indexed_to
from aggregator.store.tables import article, change, has_row, outbox, story, webhook

# A change that sorts longer before its time is of an archive, and not sent (as polling.flood_age_hours).
OLD_NEWS = dt.timedelta(hours=48)

_MATCHED_AT_ONCE = 500  # stories that are compared with the filter in one step


class DigestSpan(FrozenStruct):
    """The changes of one digest: their numbers are above `after` and at most `to`."""

    after: int
    to: int
    since: dt.datetime
    until: dt.datetime


def lock_digests(connection: Connection) -> None:
    """Let no other transaction make a digest until this one ends."""
    connection.execute(
        select(webhook.c.name).where(webhook.c.name == DIGEST).with_for_update()
    )


def next_span(
    connection: Connection, name: str, until: dt.datetime
) -> DigestSpan | None:
    """Return the changes up to `until` that the recipient `name` has not received; None without any."""
    of_name = select(webhook.c.last_change_no).where(
        webhook.c.name == name, webhook.c.is_configured
    )
    after = connection.scalar(of_name)
    since = connection.scalar(
        select(func.max(outbox.c.at)).where(outbox.c.webhook == name)
    )
    if after is None or (since is not None and since >= until):
        return None
    new = select(func.max(change.c.change_no), func.min(change.c.at))
    to, first = connection.execute(
        new.where(change.c.change_no > after, change.c.at <= until)
    ).one()
    return (
        None
        if to is None
        else DigestSpan(after=after, to=to, since=since or first, until=until)
    )


def span_since(
    connection: Connection, since: dt.datetime, until: dt.datetime
) -> DigestSpan | None:
    """Return the changes after `since` and up to `until`; None without any."""
    new = select(func.min(change.c.change_no), func.max(change.c.change_no))
    first, to = connection.execute(
        new.where(change.c.at > since, change.c.at <= until)
    ).one()
    return (
        None
        if to is None
        else DigestSpan(after=first - 1, to=to, since=since, until=until)
    )


def is_span_indexed(connection: Connection, span: DigestSpan) -> bool:
    """Return whether the full-text index has the articles of the span, which a query needs."""
    missing = (
        select(article.c.id)
        .join(change, change.c.article == article.c.id)
        .where(*_within(span), article.c.inbox_no > indexed_to(connection))
    )
    return not has_row(connection, missing)


def stored_digests(connection: Connection, most: int) -> list[DigestSpan]:
    """Return the newest digests, newest first."""
    kept = (
        select(outbox.c.body)
        .where(outbox.c.webhook == DIGEST)
        .order_by(outbox.c.change.desc())
    )
    bodies = connection.scalars(kept.limit(most))
    return [
        msgspec.json.decode(codecs.decompress_bytes(body), type=DigestSpan)
        for body in bodies
    ]


def ranked_for_digest(
    connection: Connection, span: DigestSpan, wanted: StoryFilter
) -> dict[str, int]:
    """Return the stories with the most new reports, at most `wanted.limit`, with the numbers of those."""
    reports = func.count().label("reports")
    rows = connection.execute(
        select(story.c.id, reports)
        .select_from(change)
        .join(STORY_THEN, STORY_THEN.c.id == change.c.story)
        .join(
            story,
            story.c.id == func.coalesce(STORY_THEN.c.redirect_to, STORY_THEN.c.id),
        )
        .where(
            *_within(span),
            change.c.kind.in_(("created", "report")),
            change.c.bumped_at > span.since - OLD_NEWS,
        )
        .group_by(story.c.id, story.c.report_count)
        .order_by(reports.desc(), story.c.report_count.desc(), story.c.id)
    ).all()
    matcher = StoryMatcher(connection, wanted)
    reports_of: dict[str, int] = {}
    for start in range(0, len(rows), _MATCHED_AT_ONCE):
        part = rows[start : start + _MATCHED_AT_ONCE]
        matches = matcher.matching(connection, {row.id for row in part})
        reports_of |= {row.id: row.reports for row in part if row.id in matches}
        if len(reports_of) >= wanted.limit:
            break
    return dict(list(reports_of.items())[: wanted.limit])


def _within(span: DigestSpan) -> tuple[ColumnElement[bool], ...]:
    return change.c.change_no > span.after, change.c.change_no <= span.to
