"""Stream history: periods of the inbox, counts of sources, and the terms of articles between two numbers."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from aggregator.store.engine.database import Database
from aggregator.store.stories import stream_history
from aggregator.store.stories.stream_history import StreamPeriod
from aggregator.store.tables import article, stream_period
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Clock,
    Rig,
    record,
)
from tests.support.deep_checks import faults
from tests.support.rows import read_by, written_by
from tests.support.tables import numbered

DAY = 20_000  # days since 1970


def period(number: int, terms: bytes = b"terms") -> StreamPeriod:
    return StreamPeriod(number, DAY + number, 10 * number, 10, terms)


def close(database: Database, *periods: StreamPeriod, keep: int = 100) -> None:
    for one in periods:
        written_by(database, stream_history.close_period, one, keep=keep)


def count(database: Database, **counts: tuple[int, int]) -> None:
    written_by(database, stream_history.count_sources, counts)


def closed(database: Database) -> dict[str, tuple[int, int]]:
    return read_by(database, stream_history.closed_sources)


def test_counts_grow_beyond_32_bits(database: Database) -> None:
    count(database, Herald=(2**40, 2**40))
    count(database, Herald=(1, 0))
    close(database, period(1))
    assert closed(database) == {"Herald": (2**40 + 1, 2**40)}


@pytest.mark.later
def test_terms_are_streamed_beside_other_statements(database: Database) -> None:
    Rig(database).take(record("Herald", "1", "Levee breaks", FLOOD))
    with database.write() as connection:
        row = connection.execute(select(article)).one()._asdict()
        more = [
            row | {"inbox_no": n, "id": str(n), "terms": str(n).encode()}
            for n in range(2, 1_502)
        ]
        connection.execute(article.insert(), more)
        seen = []
        for terms in stream_history.terms_between(connection, 1, 1_501, 2_000):
            seen.append(terms)
            if len(seen) % 700 == 0:
                stream_history.count_sources(connection, {"Herald": (700, 1)})
        assert seen == [str(n).encode() for n in range(2, 1_502)]
    close(database, period(2))  # placing has closed the first one
    assert closed(database) == {"Herald": (1_401, 2)}


@pytest.mark.later
def test_placing_ends_a_period_with_each_day_and_after_a_clock_that_was_wrong(
    database: Database,
) -> None:
    first = (NOON - datetime.fromisoformat("1970-01-01T00:00Z")).days
    place_on(database, [0, 0, 1, 4000, 4000, 2, 1, 3])
    periods = read_by(database, stream_history.periods_from, 0, first + 9_999)
    assert [(one.day - first, one.articles) for one in periods] == [
        (-1, 0),
        (0, 2),
        (3999, 1),
        (1, 2),
        (2, 2),
    ]
    assert closed(database) == {"Herald": (7, 0)}


def place_on(database: Database, days: list[int]) -> None:
    """Place an article on each of these days after the first."""
    clock = Clock()
    rig = Rig(database, clock)
    for number, day in enumerate(days):
        clock.time = NOON + timedelta(days=day, minutes=number)
        rig.take(
            record(
                "Herald",
                str(number),
                f"Number {number}",
                unlike(number),
            )
        )


# A clock that jumps; an entry that was queued again
@pytest.mark.later
@pytest.mark.parametrize("other", [4_000, -20])
def test_one_entry_of_another_time_leaves_the_frequencies_of_the_week(
    database: Database, other: int
) -> None:
    place_on(database, [0, 1, 2, 3, 4, 5, other, 5, 6])
    periods = read_by(database, stream_history.snapshot, 8).periods
    assert sum(count for count, _ in periods) >= 7, (
        "all but the one of the jump and the present day"
    )


def test_dropped_terms_can_be_counted_again(database: Database) -> None:
    close(
        database, period(1), StreamPeriod(2, DAY + 2, 20, 0, b""), period(3), period(4)
    )
    close(database, period(5), keep=1)
    with database.read() as connection:
        dropped = stream_history.dropped_from(connection, DAY + 1)
        assert [(after, one.number) for after, one in dropped] == [(-1, 1), (20, 3)]
        assert [
            one.number for _, one in stream_history.dropped_from(connection, DAY + 3)
        ] == [3]
    written_by(database, stream_history.restore_terms, 3, b"again")
    assert read_by(database, stream_history.periods_from, DAY + 3, DAY + 5) == [
        period(3, b"again"),
        period(4),
        period(5),
    ]


def unlike(number: int) -> str:
    return " ".join(numbered(f"word{number}x%n", 60))


@pytest.mark.later
def test_one_source_cannot_make_words_frequent(database: Database) -> None:
    """Copies do not count, and of each source only so many articles of a period."""
    rig = Rig(database)
    rig.take(*(record("Blog", str(n), f"Number {n}", unlike(n)) for n in range(5)))
    rig.take(
        *(
            record(name, "1", "Levee breaks", FLOOD)
            for name in ("Herald", "Echo", "Post")
        )
    )
    with database.read() as connection:
        assert len(list(stream_history.terms_between(connection, 0, 100, 3))) == 4
        assert len(list(stream_history.terms_between(connection, 0, 100, 20))) == 6


@pytest.mark.later
def test_a_feed_that_names_another_outlet_counts_for_itself(database: Database) -> None:
    rig = Rig(database)
    rig.take(
        *(
            record(
                "junk", str(n), f"Number {n}", unlike(n), outlet="Post", published=None
            )
            for n in range(40)
        )
    )
    close(database, StreamPeriod(9, DAY, 10_000, 0, b""))
    assert closed(database) == {"junk": (40, 0)}


@pytest.mark.later
def test_a_copy_had_a_partner_and_its_original_had_none_yet(database: Database) -> None:
    rig = Rig(database)
    for n in range(3):
        rig.take(record("agency", str(n), f"Word {n} is said", unlike(n)))
        rig.take(record("daily", str(n), f"Word {n} is said", unlike(n)))
    close(database, StreamPeriod(9, DAY, 10_000, 0, b""))
    assert closed(database) == {"agency": (3, 0), "daily": (3, 3)}


def test_a_period_of_the_far_future_has_no_effect_on_the_present(
    database: Database,
) -> None:
    close(database, period(1), period(2))
    close(database, StreamPeriod(3, DAY + 4_000, 30, 10, b"wrong"))
    close(
        database,
        StreamPeriod(4, DAY + 3, 40, 10, b"t"),
        StreamPeriod(5, DAY + 4, 50, 10, b"t"),
    )
    with database.read() as connection:
        assert (
            stream_history.snapshot(connection, 8).periods
            == [(10, b"terms")] * 2 + [(10, b"t")] * 2
        )
        assert stream_history.latest(connection) == StreamPeriod(
            5, DAY + 4, 50, 10, b"t"
        )


@pytest.mark.later
def test_damaged_frequencies_are_reported_and_counted_again(database: Database) -> None:
    clock = Clock()
    rig = Rig(database, clock)
    for days in (0, 1):
        clock.time = NOON + timedelta(days=days)
        rig.take(
            record(
                "Herald",
                str(days),
                f"Number {days}",
                unlike(days),
                published=clock.time,
            )
        )
    clock.time = NOON + timedelta(days=2)
    rig.take(record("Herald", "l", "Levee breaks", FLOOD, published=clock.time))
    with database.write() as connection:
        before = stream_history.snapshot(connection, 8)
        connection.execute(update(stream_period).values(terms=b"\0"))
    assert any(
        "stream_period.terms cannot be read" in one.what for one in faults(database)
    )
    rig.restart()
    rig.take(
        record(
            "Echo",
            "1",
            "Levee breaks in Pennmouth",
            FLOOD_ELSEWHERE,
            published=clock.time,
        )
    )
    with database.read() as connection:
        counted = [one for one in before.periods if one[0]]
        assert stream_history.snapshot(connection, 8).periods == counted != []
        assert len(set(connection.execute(select(article.c.story)).scalars())) == 3


def test_what_is_refused_at_midnight_ends_no_period(database: Database) -> None:
    """`recluster` reads articles only, and must decide at the same numbers with the same frequencies."""
    clock = Clock(NOON)
    rig = Rig(database, clock)
    rig.take(record("Herald", "1", "Levee breaks", FLOOD))
    clock.time = NOON + timedelta(days=1)
    (refused,) = rig.take(record("Herald", "2", "", "", published=None))
    assert refused.outcome == "refused"
    last = read_by(database, stream_history.latest)
    clock.time += timedelta(days=1)
    rig.take(record("Herald", "3", "Strike", STRIKE))
    assert last is None or last.last_inbox_no == 0
    assert read_by(database, stream_history.latest).last_inbox_no == 2


@pytest.mark.later
def test_a_lost_period_stops_nothing(database: Database) -> None:
    """After damage the number of the newest one is given again."""
    clock = Clock(NOON)
    rig = Rig(database, clock)
    for number in range(3):
        rig.take(
            record(
                "Herald",
                str(number),
                f"Levee breaks {number}",
                FLOOD,
                published=clock(),
            )
        )
        clock.time += timedelta(days=1)
    with database.write() as connection:
        newest = stream_history.latest(connection)
        connection.execute(
            delete(stream_period).where(stream_period.c.number == newest.number)
        )
    rig.restart()
    (placed,) = rig.take(
        record("Herald", "9", "Dock workers walk out", STRIKE, published=clock())
    )
    assert placed.outcome == "founded"
