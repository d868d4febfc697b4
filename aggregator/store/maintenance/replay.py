"""For `recluster`: reads placed articles as input for placing them again, and copies earlier articles."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Table

from aggregator.model.entry import Entry, Outlet, Published
from aggregator.model.prepared import CleanArticle, Fingerprint, Prepared
from aggregator.store import codecs
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.maintenance import expired_rows
from aggregator.store.maintenance.row_stream import Advance, parts
from aggregator.store.stories.stored_articles import ArticleDetails
from aggregator.store.tables import (
    affinity,
    article,
    correction,
    counter_value,
    insert_rows,
    link_constraint,
    read_rows,
    read_value,
    read_values,
    set_counter,
    sketch,
    source_history,
    source_period,
    standing,
    story,
    stream_period,
    write_sql,
)
from aggregator.text.language import primary_tag


def first_seen_since(connection: Connection, since: datetime | None) -> int:
    """Return the lowest inbox number of an article seen at `since` or later; one past the last number if none was.

    `since` is None for all articles. The result is above all articles whose text was deleted by retention, because
    they cannot be decided again.
    """
    first = read_value(
        connection,
        "SELECT coalesce(max(inbox_no), -1) + 1 FROM article WHERE text IS NULL",
    )
    if since is None:
        return first
    number = read_value(
        connection,
        "SELECT min(inbox_no) FROM article WHERE seen_at >= :since",
        since=since,
    )
    return max(first, number or expired_rows.last_inbox_number(connection) + 1)


def numbers_from(connection: Connection, n: int) -> list[int]:
    """Return the inbox numbers of the articles from number `n` on, in order."""
    return read_values(
        connection,
        "SELECT inbox_no FROM article WHERE inbox_no >= :n ORDER BY inbox_no",
        n=n,
    )


def placed_articles(
    connection: Connection, numbers: Sequence[int], order: Mapping[int, int]
) -> list[tuple[InboxEntry, Prepared]]:
    """Return the articles with these inbox numbers as input for another placing, in the order of `numbers`.

    Their fingerprints have no sketches, because these are stored only in part. `order`: new numbers for articles that
    are placed in a new order. An article that was erased meanwhile is left out.
    """
    stored = """
        SELECT article.*, source.language AS source_language
        FROM article LEFT JOIN source ON source.id = article.source WHERE inbox_no IN :numbers
        """
    rows = {row.inbox_no: row for row in read_rows(connection, stored, numbers=numbers)}
    replayed = []
    for n in numbers:
        if n not in rows:
            continue
        row = rows[n]
        feed_outlet = None
        if row.claimed_outlet:
            feed_outlet = Outlet(key=row.outlet, name=row.outlet)
        # The entry needs no address, because the row has the outlet that was derived from the address.
        declared = Entry(
            source=row.source,
            title=row.title,
            outlet=row.claimed_outlet or row.outlet,
            feed_outlet=feed_outlet,
            author=row.author,
            record_id=row.record_id,
            authority="foreign" if row.is_polled else "handed",
        )
        number = order.get(n, n)
        received = InboxEntry(
            entry_no=number,
            inbox_no=number,
            article=row.id,
            is_revision=False,
            bump_by_clock=False,
            accepted_at=row.seen_at,
            entry=declared,
            effective_at=row.effective_at,  # a revision may have set it
            page_url=row.url,
        )
        fingerprint = Fingerprint(
            signature=row.signature,
            terms=row.terms,
            body_words=row.body_words,
            text_hash=row.text_hash,
        )
        prepared = Prepared(article=_clean_article(row), fingerprint=fingerprint)
        replayed.append((received, prepared))
    return replayed


def _clean_article(row: Any) -> CleanArticle:
    """Return the article as it was extracted, without the properties that were copied from its original."""
    details = codecs.unpack(row.details, ArticleDetails)
    if details.wire and details.wire.kind == "copy":
        details = replace(details, wire=None)
    kind = row.kind
    kind_evidence = row.kind_evidence
    # Programs before version 0.1 gave a copy the kind of its original, with this evidence.
    if kind_evidence and kind_evidence.startswith("copy of "):
        kind = "report"
        kind_evidence = None
    published = row.published and Published(
        time=row.published,
        precision=row.published_precision or "minute",
        origin=row.published_origin or "feed",
        timezone_assumed=row.timezone_assumed,
    )
    same = msgspec.structs.asdict(details)
    del same["fingerprint_checksum"]
    return CleanArticle(
        verdict=row.verdict,
        title=row.title,
        lead=row.lead,
        text=row.text,
        language=row.language,
        source_language=primary_tag(row.source_language),
        author=row.author,
        outlet=row.outlet,
        published=published,
        is_container=row.role == "container",
        kind=kind,
        kind_evidence=kind_evidence,
        **same,
    )


def seed(
    live: Connection, scratch: Connection, n: int, advance: Advance, *, corrected: bool
) -> int:
    """Copy the articles before inbox number `n`, all stories, and the stream history into the scratch database.

    `corrected`: copy the corrections, too. Return the last inbox number that the copied counts of sources include; 0
    if they end before `n`.
    """
    copy = partial(copy_rows, live, scratch, advance)
    if corrected:
        copy(correction)
        copy(link_constraint)
    if n == 0:
        return 0
    for name in ("story", "bump"):
        set_counter(scratch, name, counter_value(live, name))
    copy(story)
    # The second look then examines only stories that later articles change.
    write_sql(scratch, "UPDATE story SET membership_changed_no = -1")
    copy(article, "inbox_no < :n", n=n)
    # The stories of later articles are copied only so that their ids are not given again. Nothing may join them.
    write_sql(
        scratch,
        "UPDATE story SET redirect_to = '' WHERE id NOT IN (SELECT story FROM article)",
    )
    for table in (sketch, affinity):
        copy(table, "article < :n", n=n)
    copy(stream_period, "last_inbox_no < :n", n=n)
    # The copied counts also include the period after the last one that was closed before `n`.
    closed = read_value(scratch, "SELECT coalesce(max(number), 0) FROM stream_period")
    copy(source_history)
    copy(source_period)
    copy(standing, "period <= :closed", closed=closed)
    # Matches are stored by period. So `closed_articles` and `closed_matched` become the counts as of the period
    # `closed`; `articles` and `matched` become those as of the next period, which no decision reads before its end.
    write_sql(
        scratch,
        """
        UPDATE source_history SET
          closed_articles = closed_articles - coalesce((SELECT sum(articles) FROM source_period AS later
            WHERE later.source = source_history.source AND later.period > :closed), 0),
          closed_matched = closed_matched - coalesce((SELECT sum(matched) FROM source_period AS later
            WHERE later.source = source_history.source AND later.period > :closed), 0),
          articles = closed_articles - coalesce((SELECT sum(articles) FROM source_period AS later
            WHERE later.source = source_history.source AND later.period > :closed + 1), 0),
          matched = closed_matched - coalesce((SELECT sum(matched) FROM source_period AS later
            WHERE later.source = source_history.source AND later.period > :closed + 1), 0)
        """,
        closed=closed,
    )
    next_period = "SELECT last_inbox_no FROM stream_period WHERE number = :number"
    return read_value(live, next_period, number=closed + 1) or 0


def split_stories(live: Connection, n: int) -> list[str]:
    """Return the stories that have articles on both sides of inbox number `n`."""
    split = """
        SELECT story FROM article GROUP BY story
        HAVING min(inbox_no) < :n AND max(inbox_no) >= :n ORDER BY story
        """
    return sorted(read_values(live, split, n=n))


def copy_rows(
    source: Connection,
    target: Connection,
    advance: Advance,
    table: Table,
    condition: str = "true",
    **values: Any,
) -> None:
    """Copy the rows of a table that meet a condition, which names `values`."""
    for part in parts(
        source,
        f"SELECT * FROM {table.name} WHERE {condition}",  # noqa: S608
        **values,
    ):
        insert_rows(target, table, part)
        advance(0)
