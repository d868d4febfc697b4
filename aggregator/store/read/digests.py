"""Digests: the stories that gained the most independent reports since the last digest.

A digest is a span of the change stream. Its stories are read when it is shown or sent, so that it contains
nothing that was forgotten meanwhile, and links to stories as they are now.
"""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection

from aggregator.config.story_query import StoryFilter
from aggregator.config.webhook_settings import DIGEST
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.read.story_filter import matching_stories
from aggregator.store.search.progress import indexed_to
from aggregator.store.tables import (
    in_parts,
    lock_rows,
    read_rows,
    read_value,
    read_values,
)

# A change whose bump is earlier than the change itself by more than this comes from an archive, and is not sent. For a
# digest, the bump is compared with the beginning of the span. The value is the same as polling.flood_age_hours.
OLD_NEWS = timedelta(hours=48)


class DigestSpan(FrozenStruct):
    """The changes of one digest, with numbers above `after` and up to `to`, and the period that they cover."""

    after: int
    to: int
    since: datetime
    until: datetime


def lock_digests(connection: Connection) -> None:
    """Keep other transactions from making a digest until this transaction ends."""
    read_rows(
        connection,
        lock_rows(connection, "SELECT name FROM webhook WHERE name = :name"),
        name=DIGEST,
    )


def next_span(connection: Connection, name: str, until: datetime) -> DigestSpan | None:
    """Return the changes up to `until` that the recipient `name` has not received; None if there are none."""
    after = read_value(
        connection,
        "SELECT last_change_no FROM webhook WHERE name = :name AND is_configured",
        name=name,
    )
    since = read_value(
        connection, "SELECT max(at) AS at FROM outbox WHERE webhook = :name", name=name
    )
    if after is None or (since is not None and since >= until):
        return None
    ((_, to, first),) = read_rows(
        connection,
        f"{_CHANGES_OF_SPAN} WHERE change_no > :after AND at <= :until",
        after=after,
        until=until,
    )
    if to is None:
        return None
    return DigestSpan(after=after, to=to, since=since or first, until=until)


_CHANGES_OF_SPAN = "SELECT min(change_no), max(change_no), min(at) AS at FROM change"


def span_since(
    connection: Connection, since: datetime, until: datetime
) -> DigestSpan | None:
    """Return the changes after `since` and up to `until`; None if there are none."""
    ((first, to, _),) = read_rows(
        connection,
        f"{_CHANGES_OF_SPAN} WHERE at > :since AND at <= :until",
        since=since,
        until=until,
    )
    if to is None:
        return None
    return DigestSpan(after=first - 1, to=to, since=since, until=until)


def is_span_indexed(connection: Connection, span: DigestSpan) -> bool:
    """Return whether the full-text index has all articles of the span, because a recipient may have a query."""
    missing = """
        SELECT 1 FROM article JOIN change ON change.article = article.id
        WHERE change_no > :after AND change_no <= :to AND inbox_no > :indexed_to LIMIT 1
        """
    return not read_rows(
        connection,
        missing,
        after=span.after,
        to=span.to,
        indexed_to=indexed_to(connection),
    )


def stored_digests(connection: Connection, most: int) -> list[DigestSpan]:
    """Return the spans of the newest digests, newest first."""
    kept = (
        "SELECT body FROM outbox WHERE webhook = :name ORDER BY change DESC LIMIT :most"
    )
    return [
        msgspec.json.decode(codecs.decompress_bytes(body), type=DigestSpan)
        for body in read_values(connection, kept, name=DIGEST, most=most)
    ]


def ranked_for_digest(
    connection: Connection, span: DigestSpan, filters: StoryFilter
) -> dict[str, int]:
    """Return the numbers of new reports by story: the stories with the most, at most `filters.limit`."""
    rows = read_rows(
        connection,
        """
        SELECT story.id, count(*) AS reports
        FROM change JOIN story AS story_then ON story_then.id = change.story
        JOIN story ON story.id = coalesce(story_then.redirect_to, story_then.id)
        WHERE change_no > :after AND change_no <= :to AND change.kind IN ('created', 'report')
        AND change.bumped_at > :oldest
        GROUP BY story.id, story.report_count
        ORDER BY reports DESC, story.report_count DESC, story.id
        """,
        after=span.after,
        to=span.to,
        oldest=span.since - OLD_NEWS,
    )
    reports_of: dict[str, int] = {}
    for part in in_parts(rows):
        matches = matching_stories(connection, filters, {row.id for row in part})
        reports_of |= {row.id: row.reports for row in part if row.id in matches}
        if len(reports_of) >= filters.limit:
            break
    return dict(list(reports_of.items())[: filters.limit])
