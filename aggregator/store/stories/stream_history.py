"""Stream history: document frequencies of past days, and how often sources agree with other sources.

The inbox is divided into stream periods. A decision reads only closed periods, and the counts of sources as
of the newest closed period, so it depends on the inbox number of its article and not on the time of placing.

Standing is the trust that a sender earns when on three days others confirm what it had reported before them. An
article is confirmed by later reports of other outlets on that day, if they share words that no earlier report of the
story had. So neither copies nor scrambled copies, which add nothing, earn standing. A sender is a feed. For files,
mails and pushes, each outlet of a source is a sender of its own. Unconfirmed mails never have standing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from aggregator.model.article import Article
from aggregator.store.tables import (
    insert_rows,
    read_lists,
    read_rows,
    read_struct,
    read_structs,
    read_values,
    standing,
    stream_period,
    stream_rows,
    write_each,
    write_sql,
)
from aggregator.stories.counting.copy_groups import sender_of

# Days of agreement before a sender is believed (chosen, because anyone can open forty sites within an hour)
DAYS = 3
# SQL text: `sender_of` of an article, except for unconfirmed mails, which never have standing
SENDER = """CASE WHEN article.is_polled THEN article.source
    ELSE article.source || ' ' || coalesce(article.outlet, '') END"""
# SQL text: the senders that have standing as of the newest closed period
WITH_STANDING = f"SELECT sender FROM standing GROUP BY sender HAVING count(*) >= {DAYS}"  # noqa: S608


class StreamPeriod(msgspec.Struct, frozen=True):
    """A closed stretch of the inbox."""

    number: int  # 1, 2, ...
    # Days since 1970, UTC: the day before the article that ended it was accepted
    day: int
    last_inbox_no: int  # the last inbox number that it covers
    articles: int
    # Packed document frequencies, in the format of the caller; b"": no longer needed
    terms: bytes


# Stands for the period before the first one, so that the inbox begins at number 0 on the day -1.
_BEFORE_ALL = StreamPeriod(number=0, day=-2, last_inbox_no=-1, articles=0, terms=b"")


def latest(connection: Connection) -> StreamPeriod:
    """Return the newest period; `_BEFORE_ALL` if no period is closed."""
    newest = "SELECT * FROM stream_period ORDER BY number DESC LIMIT 1"
    return read_struct(connection, StreamPeriod, newest) or _BEFORE_ALL


def first_accepted(connection: Connection, day: int) -> int:
    """Return the first inbox number that was accepted on this day or later; 0 if that is not known.

    The articles after a period were accepted on the day after it. For articles in the first period, and in a database
    without periods, the day is not stored. If the clock was ahead, the window becomes longer, but never shorter.
    """
    for number, last_inbox_no in read_rows(
        connection,
        "SELECT number, last_inbox_no FROM stream_period WHERE day >= :day ORDER BY number LIMIT 1",
        day=day - 1,
    ):
        return 0 if number == 1 else last_inbox_no + 1
    return 0


def periods_from(connection: Connection, day: int, present: int) -> list[StreamPeriod]:
    """Return the periods from `day` to `present`, oldest first."""
    return read_structs(
        connection,
        StreamPeriod,
        "SELECT * FROM stream_period WHERE day BETWEEN :day AND :present ORDER BY number",
        day=day,
        present=present,
    )


class StreamHistory(NamedTuple):
    """The periods and the counts of sources that make up the newest snapshot."""

    # Articles and packed frequencies of the days that count
    periods: list[tuple[int, bytes]]
    sources: dict[str, tuple[int, int]]  # articles and matched articles


def snapshot(connection: Connection, days: int) -> StreamHistory:
    """Return the history as of the newest period, with the frequencies of its last `days` days."""
    newest = latest(connection)
    # Days after the newest period are left out, because a wrong clock may have left a period in the far future.
    periods = periods_from(connection, newest.day + 1 - days, newest.day)
    counted = [(period.articles, period.terms) for period in periods if period.terms]
    return StreamHistory(counted, closed_sources(connection))


def closed_sources(connection: Connection) -> dict[str, tuple[int, int]]:
    """Return articles and matched articles by source, as of the newest period; only sources with articles."""
    counted = "SELECT source, closed_articles, closed_matched FROM source_history WHERE closed_articles > 0"
    return {
        source: (articles, matched)
        for source, articles, matched in read_rows(connection, counted)
    }


def count_sources(
    connection: Connection, counts: Mapping[str, tuple[int, int]]
) -> None:
    """Add (articles, matched articles) to the counts of each source."""
    rows = [
        {"source": source, "articles": articles, "matched": matched}
        for source, (articles, matched) in sorted(counts.items())
    ]
    write_each(
        connection,
        """
        INSERT INTO source_history (source, articles, matched) VALUES (:source, :articles, :matched)
        ON CONFLICT (source) DO UPDATE SET articles = source_history.articles + excluded.articles,
          matched = source_history.matched + excluded.matched
        """,
        rows,
    )


def close_period(connection: Connection, period: StreamPeriod, *, keep: int) -> None:
    """Insert a period and close the counts of sources. Keep the terms of only `keep` periods before it."""
    insert_rows(connection, stream_period, [msgspec.structs.asdict(period)])
    # A period that was lost from a damaged file may have left rows, and its number is given again.
    write_sql(
        connection,
        "DELETE FROM source_period WHERE period >= :number",
        number=period.number,
    )
    write_sql(
        connection,
        """
        INSERT INTO source_period (period, source, articles, matched)
        SELECT CAST(:number AS BIGINT), source, articles - closed_articles, matched - closed_matched
        FROM source_history WHERE articles <> closed_articles OR matched <> closed_matched
        """,
        number=period.number,
    )
    write_sql(
        connection,
        """
        UPDATE source_history SET closed_articles = articles, closed_matched = matched
        WHERE articles <> closed_articles OR matched <> closed_matched
        """,
    )
    # Terms are dropped by number, not by day: a clock that is wrong for a moment must not empty the days before
    # it.
    drop_terms(connection, period.number - keep - 1)


def dropped_from(connection: Connection, day: int) -> list[tuple[int, StreamPeriod]]:
    """Return the periods from this day on whose terms were dropped, each after the last inbox number before it."""
    periods = read_structs(
        connection, StreamPeriod, "SELECT * FROM stream_period ORDER BY number"
    )
    dropped = []
    after = -1
    for period in periods:
        is_recent = day <= period.day <= periods[-1].day
        if is_recent and period.articles and not period.terms:
            dropped.append((after, period))
        after = period.last_inbox_no
    return dropped


def drop_terms(connection: Connection, up_to: int) -> None:
    """Drop the frequencies of all periods up to this number. `dropped_from` finds those to count again."""
    write_sql(
        connection,
        "UPDATE stream_period SET terms = :nothing WHERE number <= :up_to",
        nothing=b"",
        up_to=up_to,
    )


def restore_terms(connection: Connection, number: int, terms: bytes) -> None:
    """Write the packed document frequencies of a period again."""
    write_sql(
        connection,
        "UPDATE stream_period SET terms = :terms WHERE number = :number",
        terms=terms,
        number=number,
    )


def terms_between(
    connection: Connection, after: int, up_to: int, most: int
) -> Iterator[bytes]:
    """Yield `article.terms` of the articles after inbox number `after`, up to `up_to`, in order.

    Copies are left out, and each source gives only its first `most`, so that no feed alone decides which words are
    frequent. b"" stands for an article whose story is closed.
    """
    # The terms are joined to the chosen numbers, so that the window function does not sort them.
    for row in stream_rows(
        connection,
        """
        SELECT terms FROM article JOIN (
          SELECT inbox_no, row_number() OVER (PARTITION BY source ORDER BY inbox_no) AS place FROM article
          WHERE inbox_no > :after AND inbox_no <= :up_to AND role <> 'copy'
        ) AS placed ON placed.inbox_no = article.inbox_no
        WHERE placed.place <= :most ORDER BY article.inbox_no
        """,
        after=after,
        up_to=up_to,
        most=most,
    ):
        yield row.terms


def senders_with_standing(connection: Connection) -> frozenset[str]:
    """Return the senders that have standing as of the newest closed period."""
    return frozenset(read_values(connection, WITH_STANDING))


def reported_before_others(
    connection: Connection, after: int, last: int
) -> dict[str, list[str]]:
    """Return the articles after inbox number `after`, up to `last`, that reports of other outlets followed, by story.

    Only reports of senders without standing are returned.
    """
    # The LIKE conditions leave out unconfirmed mails (`is_mail_address`).
    return read_lists(
        connection,
        f"""
        SELECT article.story, article.id FROM article
        WHERE article.inbox_no > :after AND article.inbox_no <= :last AND article.role = 'report'
        AND (article.counts_as_report OR article.body_words = 0)
        AND (article.outlet NOT LIKE '%@%' OR article.outlet LIKE '%/%') AND {SENDER} NOT IN ({WITH_STANDING})
        AND EXISTS (
          SELECT 1 FROM article AS other WHERE other.story = article.story
          AND other.inbox_no > article.inbox_no AND other.inbox_no <= :last
          AND other.role = 'report' AND other.counts_as_report AND other.outlet <> article.outlet
        )
        ORDER BY article.inbox_no
        """,  # noqa: S608
        after=after,
        last=last,
    )


def note_day(connection: Connection, period: int, senders: Iterable[str]) -> None:
    """Store the senders that were confirmed in a period."""
    # The number of a lost period is given again.
    write_sql(connection, "DELETE FROM standing WHERE period >= :period", period=period)
    days = [{"sender": sender, "period": period} for sender in sorted(senders)]
    insert_rows(connection, standing, days)


def forget_senders(connection: Connection, erased: Iterable[Article]) -> None:
    """Forget senders without remaining articles, because the name of a sender may be the name of a person."""
    gone = f"""
        DELETE FROM standing WHERE sender = :sender AND NOT EXISTS (
          SELECT 1 FROM article WHERE source = :source AND {SENDER} = :sender)
        """  # noqa: S608
    for of in erased:
        write_sql(connection, gone, sender=sender_of(of), source=of.source)
