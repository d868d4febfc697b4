"""Digests: which stories gained the most independent reports since the last one.

A digest is a span of the change stream. Its stories are read when it is shown or sent, so that it contains
nothing that was forgotten meanwhile, and links to stories as they are.
"""

import datetime as dt

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from aggregator.config.story_query import StoryFilter
from aggregator.config.webhooks import DIGEST
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.read.change_stream import CHANGES_TODAY
from aggregator.store.read.story_filter import StoryMatcher
from aggregator.store.search.progress import indexed_to
from aggregator.store.tables import (
    article,
    change,
    has_row,
    in_parts,
    outbox,
    story,
    webhook,
)

# A change that sorts longer before its time is of an archive, and not sent (as polling.flood_age_hours).
OLD_NEWS = dt.timedelta(hours=48)


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
    new = _CHANGES_OF_SPAN.where(change.c.change_no > after, change.c.at <= until)
    _, to, first = connection.execute(new).one()
    if to is None:
        return None
    return DigestSpan(after=after, to=to, since=since or first, until=until)


_CHANGES_OF_SPAN = select(
    func.min(change.c.change_no), func.max(change.c.change_no), func.min(change.c.at)
)


def span_since(
    connection: Connection, since: dt.datetime, until: dt.datetime
) -> DigestSpan | None:
    """Return the changes after `since` and up to `until`; None without any."""
    new = _CHANGES_OF_SPAN.where(change.c.at > since, change.c.at <= until)
    first, to, _ = connection.execute(new).one()
    if to is None:
        return None
    return DigestSpan(after=first - 1, to=to, since=since, until=until)


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
    counted = (
        select(story.c.id, reports)
        .select_from(CHANGES_TODAY)
        .where(
            *_within(span),
            change.c.kind.in_(("created", "report")),
            change.c.bumped_at > span.since - OLD_NEWS,
        )
        .group_by(story.c.id, story.c.report_count)
        .order_by(reports.desc(), story.c.report_count.desc(), story.c.id)
    )
    matcher = StoryMatcher(connection, wanted)
    reports_of: dict[str, int] = {}
    for part in in_parts(connection.execute(counted).all()):
        matches = matcher.matching(connection, {row.id for row in part})
        reports_of |= {row.id: row.reports for row in part if row.id in matches}
        if len(reports_of) >= wanted.limit:
            break
    return dict(list(reports_of.items())[: wanted.limit])


def _within(span: DigestSpan) -> tuple[ColumnElement[bool], ...]:
    return change.c.change_no > span.after, change.c.change_no <= span.to
