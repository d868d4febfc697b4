"""`aggregator db check` and the deep checks of the tests: each kind of damage is named.

What follows from other rows is what it was once everything derived is computed again.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import (
    insert,
    select,
    text,
    update,
)

from aggregator.config.tuning import Tuning
from aggregator.extract.entry_identity import story_id
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.grouping.place import Placer
from aggregator.intake.recluster.rebuild import rebuild
from aggregator.store.engine.database import Database
from aggregator.store.maintenance.integrity_check import balance, faults_of_lines
from aggregator.store.maintenance.integrity_check import faults as plain_faults
from aggregator.store.read.health.row_counts import statistics
from aggregator.store.search import index, index_rows
from aggregator.store.search.match import find_newest
from aggregator.store.search.query import parse_query
from aggregator.store.tables import (
    counter,
    metadata,
    read_rows,
    story,
)
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Clock,
    Rig,
    record,
    render_all,
)
from tests.support.deep_checks import Fault, faults
from tests.support.rows import executed, queried, read_by
from tests.support.story_checks import assigned, correct
from tests.support.tables import rows

Contents = dict[str, list[dict[str, Any]]]


class Sound:
    """Two stories, one merged into the other, a copy, a revision, an entry that waits and one refused.

    It is made once; a test damages it, and `restore` makes it what it was.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        rig = Rig(database)
        rig.take(
            record("Herald", "1", "Levee breaks", FLOOD),
            record("Echo", "1", "Town under water", FLOOD_ELSEWHERE),
            record("Post", "1", "Levee breaks at Pennmouth", FLOOD),
            record("Port", "1", "Dock workers strike", STRIKE),
            record("Port", "2", "", "", published=None),
        )
        rig.take(
            record(
                "Port",
                "1",
                "Dock workers strike",
                f"{STRIKE} Ferries ran.",
            )
        )
        rig.pipeline.index_text()
        correct(database, "merge", *sorted(set(assigned(database).values())))
        rig.accept(record("Wharf", "1", "Ships wait", STRIKE))
        render_all(database)
        self.before = self.contents()

    def contents(self) -> Contents:
        """All rows of all tables."""
        return {
            table.name: [
                dict(row._mapping)
                for row in queried(
                    self.database, select(table).order_by(*table.primary_key)
                )
            ]
            for table in metadata.sorted_tables
        }

    def damage(self, statements: Iterable[str]) -> None:
        with self.database.write() as connection:
            for statement in statements:
                connection.execute(text(statement), {"no": b"no", "key": b"0" * 16})

    def found(self) -> list[Fault]:
        return faults(self.database, now=max(NOON, datetime.now(UTC)))

    def repair(self) -> None:
        rebuild(self.database, Tuning())

    def restore(self) -> None:
        if self.contents() != self.before:
            with self.database.write() as connection:
                for table in reversed(metadata.sorted_tables):
                    connection.execute(table.delete())
                for table in metadata.sorted_tables:
                    if rows := self.before[table.name]:
                        connection.execute(insert(table), rows)
        with self.database.write() as connection:
            emptied = "INSERT INTO article_search(article_search) VALUES ('delete-all')"
            connection.execute(
                text(
                    emptied if self.database.is_sqlite else "DELETE FROM article_search"
                )
            )
            connection.execute(
                counter.update().where(counter.c.name == "searchable").values(value=0)
            )
            index.index_next(connection, 100)


@pytest.fixture(scope="module")
def made(of_module: Database) -> Sound:
    return Sound(of_module)


@pytest.fixture
def sound(made: Sound) -> Iterator[Sound]:
    yield made
    made.restore()


# As where another transaction was in the way: the first change of the table is refused.
REFUSED_ONCE = """
CREATE SEQUENCE tries;
CREATE FUNCTION refuse_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF nextval('tries') = 1 THEN RAISE EXCEPTION 'in the way' USING ERRCODE = '40001'; END IF;
RETURN NEW;
END $$;
CREATE TRIGGER once BEFORE UPDATE ON counter FOR EACH ROW EXECUTE FUNCTION refuse_once();
CREATE TRIGGER once BEFORE INSERT ON tombstone FOR EACH ROW EXECUTE FUNCTION refuse_once()
"""


@pytest.mark.later
def test_forgetting_is_done_again_where_others_were_in_the_way(sound: Sound) -> None:
    if sound.database.is_sqlite:
        pytest.skip("SQLite has no serialisation failures")
    placing = Placer(sound.database, Tuning(), Clock())
    sound.damage([REFUSED_ONCE])
    try:
        assert placing.erase(ForgetCommand(name="Echo")).summary.articles == 1
    finally:
        sound.damage(["DROP FUNCTION refuse_once CASCADE", "DROP SEQUENCE tries"])


@pytest.mark.later
def test_a_sound_database_has_no_fault(sound: Sound) -> None:
    assert sound.found() == []
    reported = dict(statistics(sound.database))
    assert dict(rows("checking", "counted")).items() <= reported.items()
    assert reported["bytes"] > 0
    refused = queried(sound.database, text("SELECT verdict FROM v_refused")).all()
    assert refused == [("empty",)]
    where = balance(sound.database)
    assert (where.seen, where.stored, where.known) == (7, 7, 0)
    assert (where.placed, where.waiting, where.refused, where.articles) == (5, 1, 1, 4)


# What is damaged by SQL, and what is said of it. Afterwards all rows are what they were.
DERIVED = rows("checking", "derived")


@pytest.mark.later
@pytest.mark.parametrize("damaged", DERIVED, ids=" ".join)
def test_what_follows_from_other_rows_is_found_and_repaired(
    sound: Sound, damaged: dict[str, list[str]]
) -> None:
    sound.damage(statement for statement, _ in damaged.values())
    found = sound.found()
    for name, (_, what) in damaged.items():
        assert any(what in one.what for one in found), name
    sound.repair()
    assert sound.found() == []
    assert sound.contents() == sound.before


def test_a_lost_counter_of_the_index_is_no_damage_where_rows_are_missing(
    sound: Sound,
) -> None:
    executed(
        sound.database,
        update(counter).where(counter.c.name == "searchable").values(value=99),
    )
    assert sound.found() == []


def test_the_full_text_index_is_made_right(sound: Sound) -> None:
    wanted = parse_query("town")
    search_row = f"{index_rows.INDEXED} WHERE inbox_no = :n"
    with sound.database.write() as connection:
        before = find_newest(connection, wanted, 10, reach=10)
        for row in [read_rows(connection, search_row, n=n)[0] for n in (1, 2)]:
            index.take_out(connection, row.inbox_no)
        index.put(
            connection,
            read_rows(
                connection,
                search_row.replace("title", "'Other words altogether' AS title"),
                n=1,
            ),
        )
    found = " ".join(one.what for one in sound.found())
    assert "not in the full-text index" in found
    assert "with other words" in found
    sound.repair()
    assert sound.found() == []
    assert read_by(sound.database, find_newest, wanted, 10, reach=10) == before


def test_a_torn_full_text_index_is_made_anew(sound: Sound) -> None:
    if not sound.database.is_sqlite:
        pytest.skip("Postgres keeps its words in a table of its own")
    executed(
        sound.database,
        text("UPDATE article_search_data SET block = x'0011' WHERE id > 10"),
    )
    assert "the full-text index cannot be read" in [one.what for one in sound.found()]
    sound.repair()
    assert sound.found() == []


# What is damaged and follows from nothing that is there.
LOST = rows("checking", "lost")


@pytest.mark.later
@pytest.mark.parametrize("damaged", LOST, ids=" ".join)
def test_what_cannot_be_repaired_is_named_again(
    sound: Sound, damaged: dict[str, list[str]]
) -> None:
    sound.damage(statement for statement, _ in damaged.values())
    for _ in range(2):
        found = sound.found()
        for name, (_, what) in damaged.items():
            assert any(what in one.what for one in found), (
                f"{name}: it cannot be repaired"
            )
        sound.repair()


# What `db check` itself names, with what to type.


@pytest.mark.parametrize(
    "damaged", ["entry's article", "entry", "waiting entry", "seen"]
)
def test_a_loss_is_named_with_what_to_type(sound: Sound, damaged: str) -> None:
    assert list(plain_faults(sound.database)) == []
    statement, what = {name: one for group in LOST for name, one in group.items()}[
        damaged
    ]
    sound.damage([statement])
    named = [one for one in plain_faults(sound.database) if what in one.what]
    assert named
    assert all("db restore" in one.advice and not one.is_damage for one in named)


def test_an_index_that_does_not_match_its_table_is_named_and_repaired(
    sound: Sound,
) -> None:
    if not sound.database.is_sqlite:
        pytest.skip("Postgres has no check of an index without an extension")
    file = sound.database.file
    assert file is not None
    swap = "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = 'ix_entry_article'"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(swap, ("(article)", "(entry_no)"))
        connection.commit()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("REINDEX ix_entry_article")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(swap, ("(entry_no)", "(article)"))
        connection.commit()
    sound.database.engine.dispose()  # its connections know the former schema
    [found] = plain_faults(sound.database)
    assert found.what == "the index ix_entry_article does not match its table"
    assert (found.advice, found.is_damage) == ("aggregator db check --repair", False)
    sound.repair()
    assert sound.found() == []


def test_newer_versions_of_sqlite_check_the_full_text_index_too() -> None:
    lines = (
        'fts5: corruption found reading blob 137438953476 from table "article_search"',
        "malformed inverted index for FTS5 table main.article_search",
    )
    [found] = faults_of_lines(lines)
    assert (found.what, found.rows, found.is_damage) == (
        "the full-text index is damaged",
        2,
        False,
    )


def test_chained_redirects_are_named(sound: Sound) -> None:
    with sound.database.write() as connection:
        row = dict(
            connection.execute(select(story).where(story.c.redirect_to.is_not(None)))
            .one()
            ._mapping
        )
        connection.execute(
            insert(story).values(
                row
                | {
                    "story_no": 3,
                    "id": story_id("x", 0),
                    "founding_article": "x",
                    "founding_no": 0,
                    "redirect_to": row["id"],
                }
            )
        )
        connection.execute(
            update(counter).where(counter.c.name == "story").values(value=3)
        )
    assert [
        "redirect to a story that redirects itself" in one.what for one in sound.found()
    ] == [True]


def test_a_rebuild_of_sound_rows_changes_none(sound: Sound) -> None:
    sound.repair()
    assert sound.contents() == sound.before
