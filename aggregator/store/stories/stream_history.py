"""Stream history: document frequencies of the days before, and how often sources report what others report.

The inbox is divided into stream periods. A decision reads closed periods only, and the counts of sources as
of the newest closed one, so it depends on the inbox number of its article and not on the time of placing.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from aggregator.store.tables import (
    article,
    delete_rows,
    execute_each,
    fields_of,
    insert_or,
    source_history,
    source_period,
    stream_period,
    struct_of,
    structs_of,
    update_rows,
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


_PERIOD = select(*fields_of(stream_period, StreamPeriod))
_LATEST = _PERIOD.order_by(stream_period.c.number.desc()).limit(1)
# Not later than the newest one: a clock that was wrong once may have left a period of the far future.
_PERIODS_FROM = _PERIOD.where(
    stream_period.c.day.between(bindparam("from_day"), bindparam("present"))
).order_by(stream_period.c.number)
_FIRST_FROM = (
    select(stream_period.c.number, stream_period.c.last_inbox_no)
    .where(stream_period.c.day >= bindparam("day"))
    .order_by(stream_period.c.number)
    .limit(1)
)
_INSERT_PERIOD = insert(stream_period)
# By number, not by day: a clock that is wrong for a moment must not empty the days before it.
_DROP_TERMS = (
    update(stream_period)
    .where(
        stream_period.c.number < bindparam("before_number"),
        stream_period.c.terms != b"",
    )
    .values(terms=b"")
)
_CLOSED_SOURCES = select(
    source_history.c.source,
    source_history.c.closed_articles,
    source_history.c.closed_matched,
).where(source_history.c.closed_articles > 0)
_SINCE_CLOSED = or_(
    source_history.c.closed_articles != source_history.c.articles,
    source_history.c.closed_matched != source_history.c.matched,
)
_INSERT_SOURCES = insert(source_period).from_select(
    ["period", "source", "articles", "matched"],
    select(
        bindparam("number", type_=BigInteger),
        source_history.c.source,
        source_history.c.articles - source_history.c.closed_articles,
        source_history.c.matched - source_history.c.closed_matched,
    ).where(_SINCE_CLOSED),
)
_CLOSE_SOURCES = (
    update(source_history)
    .where(_SINCE_CLOSED)
    .values(
        closed_articles=source_history.c.articles,
        closed_matched=source_history.c.matched,
    )
)
_RANKED = (  # without the terms, which would be sorted with the numbers
    select(
        article.c.inbox_no,
        func.row_number()
        .over(partition_by=article.c.source, order_by=article.c.inbox_no)
        .label("rank"),
    )
    .where(
        article.c.inbox_no > bindparam("after_no"),
        article.c.inbox_no <= bindparam("last_no"),
        article.c.role != "copy",
    )
    .subquery()
)
_TERMS = (
    select(article.c.terms)
    .join(_RANKED, _RANKED.c.inbox_no == article.c.inbox_no)
    .where(_RANKED.c.rank <= bindparam("most"))
    .order_by(article.c.inbox_no)
    .execution_options(yield_per=500)
)


def latest(connection: Connection) -> StreamPeriod | None:
    """Return the newest period; None if there is none."""
    return struct_of(StreamPeriod, connection.execute(_LATEST).first())


def first_accepted(connection: Connection, day: int) -> int:
    """Return the first inbox number that was accepted on this day or later; 0 if that is not known.

    The articles after a period were accepted on the day after it; of those in the first period, and of a
    database without periods, the day is not stored. Without an upper bound: after a wrong clock of the future
    the window is longer, never shorter.
    """
    row = connection.execute(_FIRST_FROM, {"day": day - 1}).first()
    return 0 if row is None or row.number == 1 else int(row.last_inbox_no) + 1


def periods_from(connection: Connection, day: int, present: int) -> list[StreamPeriod]:
    """Return the periods from this day to the present one, oldest first."""
    bounds = {"from_day": day, "present": present}
    return structs_of(StreamPeriod, connection.execute(_PERIODS_FROM, bounds))


class StreamHistory(NamedTuple):
    """What the newest snapshot consists of."""

    number: int  # of the newest period; 0: there is none
    # Articles and packed frequencies of the days that count
    periods: list[tuple[int, bytes]]
    sources: dict[str, tuple[int, int]]  # articles and matched articles


def snapshot(connection: Connection, days: int) -> StreamHistory:
    """Return the history as of the newest period, with the frequencies of so many days before the present."""
    newest = latest(connection)
    if newest is None:
        return StreamHistory(0, [], {})
    periods = periods_from(connection, newest.day + 1 - days, newest.day)
    counted = [(period.articles, period.terms) for period in periods if period.terms]
    return StreamHistory(newest.number, counted, closed_sources(connection))


def closed_sources(connection: Connection) -> dict[str, tuple[int, int]]:
    """Return articles and matched articles by source, as of the newest period; only sources with articles."""
    rows = connection.execute(_CLOSED_SOURCES)
    return {row.source: (row.closed_articles, row.closed_matched) for row in rows}


def count_sources(
    connection: Connection, counts: Mapping[str, tuple[int, int]]
) -> None:
    """Add (articles, matched articles) to the counts of each source."""
    statement = insert_or(connection, source_history)
    added = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["source"],
        set_={
            "articles": source_history.c.articles + added.articles,
            "matched": source_history.c.matched + added.matched,
        },
    )
    rows = [
        {"source": source, "articles": articles, "matched": matched}
        for source, (articles, matched) in sorted(counts.items())
    ]
    execute_each(connection, statement, rows)


def close_period(connection: Connection, period: StreamPeriod, *, keep: int) -> None:
    """Insert a period and close the counts of sources. Keep the terms of so many periods before it."""
    connection.execute(_INSERT_PERIOD, msgspec.structs.asdict(period))
    # Of a period that was lost (a damaged file), whose number is given again.
    delete_rows(connection, source_period, source_period.c.period >= period.number)
    connection.execute(_INSERT_SOURCES, {"number": period.number})
    connection.execute(_CLOSE_SOURCES)
    connection.execute(_DROP_TERMS, {"before_number": period.number - keep})


def dropped_from(connection: Connection, day: int) -> list[tuple[int, StreamPeriod]]:
    """Return the periods from this day on whose terms were dropped, each with the last number before."""
    stored = _PERIOD.order_by(stream_period.c.number)
    periods = structs_of(StreamPeriod, connection.execute(stored))
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
    update_rows(connection, stream_period, stream_period.c.number <= up_to, terms=b"")


def restore_terms(connection: Connection, number: int, terms: bytes) -> None:
    """Write the packed document frequencies of a period again."""
    update_rows(
        connection, stream_period, stream_period.c.number == number, terms=terms
    )


def terms_between(
    connection: Connection, after: int, up_to: int, most: int
) -> Iterator[bytes]:
    """Yield `article.terms` of the articles after one inbox number, up to another one, in order.

    Without copies, and of each source the first `most`: no feed decides alone which words are frequent. b""
    for an article whose story is closed.
    """
    yield from connection.scalars(
        _TERMS, {"after_no": after, "last_no": up_to, "most": most}
    )
