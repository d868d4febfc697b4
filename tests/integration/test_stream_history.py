"""Stream history: periods of the inbox, counts of outlets, and the terms of articles between two numbers."""

import datetime as dt

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from aggregator.store.engine.database import Database
from aggregator.store.stories import stream_history
from aggregator.store.stories.stream_history import StreamPeriod
from aggregator.store.tables import article, outlet_history
from tests.articles import FLOOD, FLOOD_ELSEWHERE, NOON, STRIKE, Clock, Rig, record

DAY = 20_000  # days since 1970


def period(number: int, terms: bytes = b"terms") -> StreamPeriod:
    return StreamPeriod(number, DAY + number, 10 * number, 10, terms)


def close(database: Database, *periods: StreamPeriod, keep_terms_from: int = 0) -> None:
    for one in periods:
        with database.write() as connection:
            stream_history.close_period(connection, one, keep_terms_from=keep_terms_from)


def count(database: Database, **counts: tuple[int, int]) -> None:
    with database.write() as connection:
        stream_history.count_outlets(connection, counts)


def closed(database: Database) -> dict[str, tuple[int, int]]:
    with database.read() as connection:
        return stream_history.closed_outlets(connection)


def test_periods_are_read_as_they_were_closed(database: Database) -> None:
    with database.read() as connection:
        assert stream_history.latest(connection) is None
        assert stream_history.periods_from(connection, 0) == []
    close(database, period(1), period(2, b"\0\xff"), period(3))
    with database.read() as connection:
        assert stream_history.latest(connection) == period(3)
        assert stream_history.periods_from(connection, DAY + 2) == [period(2, b"\0\xff"), period(3)]
        assert stream_history.periods_from(connection, DAY + 4) == []


def test_two_periods_of_one_day_are_in_the_order_of_their_numbers(database: Database) -> None:
    both = [StreamPeriod(number, DAY, number, 1, b"t") for number in (1, 2)]
    close(database, *both)
    with database.read() as connection:
        assert stream_history.periods_from(connection, DAY) == both


def test_a_period_is_closed_once(database: Database) -> None:
    close(database, period(1))
    with pytest.raises(IntegrityError):
        close(database, period(1, b"other"))
    with database.read() as connection:
        assert stream_history.latest(connection) == period(1)


def test_terms_of_old_periods_are_dropped_and_their_numbers_stay(database: Database) -> None:
    close(database, period(1), period(2))
    close(database, period(3), keep_terms_from=DAY + 2)
    with database.read() as connection:
        expected = [period(1, b""), period(2), period(3)]
        assert stream_history.periods_from(connection, 0) == expected


def test_counts_of_outlets_add_up_and_are_read_when_a_period_is_closed(database: Database) -> None:
    count(database, Herald=(2, 1), Echo=(1, 0))
    count(database, Herald=(3, 0), Gazette=(0, 1))
    count(database)
    assert closed(database) == {}
    close(database, period(1))
    assert closed(database) == {"Herald": (5, 1), "Echo": (1, 0)}
    count(database, Herald=(0, 1), New=(1, 1))
    assert closed(database) == {"Herald": (5, 1), "Echo": (1, 0)}
    close(database, period(2))
    assert closed(database) == {"Herald": (5, 2), "Echo": (1, 0), "New": (1, 1)}
    with database.read() as connection:
        rows = connection.execute(select(outlet_history).order_by(outlet_history.c.outlet)).all()
    assert [tuple(row) for row in rows] == [
        ("Echo", 1, 0, 1, 0),
        ("Gazette", 0, 1, 0, 1),
        ("Herald", 5, 2, 5, 2),
        ("New", 1, 1, 1, 1),
    ]


def test_counts_grow_beyond_32_bits(database: Database) -> None:
    count(database, Herald=(2**40, 2**40))
    count(database, Herald=(1, 0))
    close(database, period(1))
    assert closed(database) == {"Herald": (2**40 + 1, 2**40)}


def test_the_first_number_of_a_day(database: Database) -> None:
    close(database, period(1), period(2), period(3))  # the last numbers are 10, 20 and 30
    with database.read() as connection:
        found = [stream_history.first_accepted(connection, DAY + day) for day in range(1, 5)]
    assert found == [0, 0, 21, 31]  # the days of the first period are not known


@pytest.mark.parametrize(("days", "stories"), [(13, 2), (16, 3)])
def test_an_undated_article_is_as_old_as_its_arrival(database: Database, days: int, stories: int) -> None:
    clock = Clock()
    rig = Rig(database, clock)
    rig.take(record("Herald", "3", "Trains stand still", STRIKE))
    clock.time += dt.timedelta(days=1)
    rig.take(record("Herald", "1", "Levee breaks", FLOOD))
    clock.time += dt.timedelta(days=days)  # nothing arrives meanwhile
    rig.take(record("Echo", "2", "Levee breaks in Pennmouth", FLOOD_ELSEWHERE))
    with database.read() as connection:
        assert len(set(connection.execute(select(article.c.story)).scalars())) == stories


def test_terms_are_read_in_the_order_of_inbox_numbers(database: Database) -> None:
    texts = (FLOOD, STRIKE, FLOOD[::-1], STRIKE[::-1])
    Rig(database, Clock()).take(
        *(record("Herald", str(n), f"Number {n}", body, published=NOON) for n, body in enumerate(texts))
    )
    with database.write() as connection:
        rows = connection.execute(select(article.c.inbox_no).order_by(article.c.inbox_no.desc())).scalars()
        numbers = sorted(rows.all())
        for n in reversed(numbers):  # rows of a server move when they are updated
            statement = update(article).where(article.c.inbox_no == n)
            connection.execute(statement.values(terms=f"terms {n}".encode()))
        connection.execute(update(article).where(article.c.inbox_no == numbers[2]).values(terms=b""))
    assert len(numbers) == 4
    first, second, _, last = numbers
    with database.read() as connection:
        between = list(stream_history.terms_between(connection, first, last))
        assert between == [f"terms {second}".encode(), b"", f"terms {last}".encode()]
        assert list(stream_history.terms_between(connection, 0, second - 1)) == [f"terms {first}".encode()]
        assert list(stream_history.terms_between(connection, last, last + 100)) == []


def test_terms_are_streamed_beside_other_statements(database: Database) -> None:
    rig = Rig(database, Clock())
    rig.take(record("Herald", "1", "Levee breaks", FLOOD, published=NOON))
    with database.write() as connection:
        row = connection.execute(select(article)).one()._asdict()
        more = [row | {"inbox_no": n, "id": str(n), "terms": str(n).encode()} for n in range(2, 1_502)]
        connection.execute(article.insert(), more)
        seen = []
        for terms in stream_history.terms_between(connection, 1, 1_501):
            seen.append(terms)
            if len(seen) % 700 == 0:
                stream_history.count_outlets(connection, {"Herald": (700, 1)})
        assert seen == [str(n).encode() for n in range(2, 1_502)]
    close(database, period(2))  # placing has closed the first one
    assert closed(database) == {"Herald": (1_401, 2)}


def test_placing_ends_a_period_with_each_day_and_after_a_clock_that_was_wrong(database: Database) -> None:
    clock = Clock()
    rig = Rig(database, clock)
    first = (NOON - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)).days
    for number, days in enumerate((0, 0, 1, 4000, 4000, 2, 1, 3)):
        clock.time = NOON + dt.timedelta(days=days, minutes=number)
        rig.take(record("Herald", str(number), f"Number {number}", f"{STRIKE} {number}", published=NOON))
    with database.read() as connection:
        periods = stream_history.periods_from(connection, 0)
    assert [(one.day - first, one.articles) for one in periods] == [
        (-1, 0),
        (0, 2),
        (3999, 1),
        (1, 2),
        (2, 2),
    ]
    assert closed(database) == {"Herald": (7, 0)}


def test_dropped_terms_can_be_counted_again(database: Database) -> None:
    close(database, period(1), StreamPeriod(2, DAY + 2, 20, 0, b""), period(3), period(4))
    close(database, period(5), keep_terms_from=DAY + 4)
    with database.read() as connection:
        dropped = stream_history.dropped_from(connection, DAY + 1)
        assert [(after, one.number) for after, one in dropped] == [(-1, 1), (20, 3)]
        assert [one.number for _, one in stream_history.dropped_from(connection, DAY + 3)] == [3]
    with database.write() as connection:
        stream_history.restore_terms(connection, 3, b"again")
    with database.read() as connection:
        assert stream_history.periods_from(connection, DAY + 3) == [period(3, b"again"), period(4), period(5)]
