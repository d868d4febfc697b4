"""Stream history: document frequencies of past days, and how often sources agree with other sources.

The inbox is divided into stream periods. A decision reads closed periods only, and the counts of sources as
of the newest closed period, so it depends on the inbox number of its article and not on the time of placing.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, insert

from aggregator.store.tables import (
    read_row,
    read_rows,
    stream_period,
    stream_rows,
    struct_of,
    structs_of,
    write_each,
    write_sql,
)


class StreamPeriod(msgspec.Struct, frozen=True):
    """A closed stretch of the inbox."""

    number: int  # 1, 2, ...
    # Days since 1970, UTC: the day before the article that ended it was accepted
    day: int
    last_inbox_no: int  # the last inbox number it covers
    articles: int
    # Packed document frequencies, in the format of the caller; b"": no longer needed
    terms: bytes


def latest(connection: Connection) -> StreamPeriod | None:
    """Return the newest period; None if there is none."""
    newest = "SELECT * FROM stream_period ORDER BY number DESC LIMIT 1"
    return struct_of(StreamPeriod, read_row(connection, newest))


def first_accepted(connection: Connection, day: int) -> int:
    """Return the first inbox number that was accepted on this day or later; 0 if that is not known.

    The articles after a period were accepted on the day after it; of those in the first period, and of a
    database without periods, the day is not stored. The result has no upper bound: after a clock that was ahead the
    window is longer, never shorter.
    """
    first = "SELECT number, last_inbox_no FROM stream_period WHERE day >= :day ORDER BY number LIMIT 1"
    for number, last_inbox_no in read_rows(connection, first, day=day - 1):
        return 0 if number == 1 else int(last_inbox_no) + 1
    return 0


def periods_from(connection: Connection, day: int, present: int) -> list[StreamPeriod]:
    """Return the periods from `day` to `present`, oldest first."""
    closed = "SELECT * FROM stream_period WHERE day BETWEEN :day AND :present ORDER BY number"
    return structs_of(
        StreamPeriod, read_rows(connection, closed, day=day, present=present)
    )


class StreamHistory(NamedTuple):
    """The periods and counts of sources that make the newest snapshot."""

    # Number of the newest period; 0: no period is closed
    number: int
    # Articles and packed frequencies of the days that count
    periods: list[tuple[int, bytes]]
    sources: dict[str, tuple[int, int]]  # articles and matched articles


def snapshot(connection: Connection, days: int) -> StreamHistory:
    """Return the history as of the newest period, with the frequencies of so many days before the present."""
    newest = latest(connection)
    if newest is None:
        return StreamHistory(0, [], {})
    # Periods after the newest are left out: a clock that was wrong once may have left a period of the far future.
    periods = periods_from(connection, newest.day + 1 - days, newest.day)
    counted = [(period.articles, period.terms) for period in periods if period.terms]
    return StreamHistory(newest.number, counted, closed_sources(connection))


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
    added = """
        INSERT INTO source_history (source, articles, matched) VALUES (:source, :articles, :matched)
        ON CONFLICT (source) DO UPDATE SET articles = source_history.articles + excluded.articles,
          matched = source_history.matched + excluded.matched
        """
    rows = [
        {"source": source, "articles": articles, "matched": matched}
        for source, (articles, matched) in sorted(counts.items())
    ]
    write_each(connection, added, rows)


def close_period(connection: Connection, period: StreamPeriod, *, keep: int) -> None:
    """Insert a period and close the counts of sources. Keep the terms of so many periods before it."""
    connection.execute(insert(stream_period), msgspec.structs.asdict(period))
    # A period that was lost (a damaged file) may have left rows, and its number is given again.
    lost = "DELETE FROM source_period WHERE period >= :number"
    write_sql(connection, lost, number=period.number)
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
    """Return the periods from this day on whose terms were dropped, each with the last number before."""
    closed = "SELECT * FROM stream_period ORDER BY number"
    periods = structs_of(StreamPeriod, read_rows(connection, closed))
    dropped = []
    after = -1
    for period in periods:
        is_recent = day <= period.day <= periods[-1].day
        if is_recent and period.articles and not period.terms:
            dropped.append((after, period))
        after = period.last_inbox_no
    return dropped


def drop_terms(connection: Connection, up_to: int) -> None:
    """Drop the frequencies of all periods up to this number, to count them again; see `dropped_from`."""
    dropped = "UPDATE stream_period SET terms = :nothing WHERE number <= :up_to"
    write_sql(connection, dropped, nothing=b"", up_to=up_to)


def restore_terms(connection: Connection, number: int, terms: bytes) -> None:
    """Write the packed document frequencies of a period again."""
    restored = "UPDATE stream_period SET terms = :terms WHERE number = :number"
    write_sql(connection, restored, terms=terms, number=number)


def terms_between(
    connection: Connection, after: int, up_to: int, most: int
) -> Iterator[bytes]:
    """Yield `article.terms` of the articles after inbox number `after`, up to `up_to`, in order.

    Copies are left out, and each source gives only its first `most`, so that no feed alone decides which words are
    frequent. b"" stands for an article whose story is closed.
    """
    # The terms are joined to the numbers, and are not sorted with them.
    counted = """
        SELECT terms FROM article JOIN (
          SELECT inbox_no, row_number() OVER (PARTITION BY source ORDER BY inbox_no) AS place FROM article
          WHERE inbox_no > :after AND inbox_no <= :up_to AND role <> 'copy'
        ) AS placed ON placed.inbox_no = article.inbox_no
        WHERE placed.place <= :most ORDER BY article.inbox_no
        """
    for row in stream_rows(connection, counted, after=after, up_to=up_to, most=most):
        yield row.terms
