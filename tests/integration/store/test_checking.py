"""`aggregator db check` and the deep checks of the tests: each kind of damage is named.

What follows from other rows is what it was once everything derived is computed again.
"""

import datetime as dt
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import (
    Executable,
    delete,
    func,
    insert,
    literal,
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
from aggregator.store.search.match import newest
from aggregator.store.search.query import parse_query
from aggregator.store.tables import (
    article,
    change,
    counter,
    entry,
    identity_key,
    metadata,
    observation,
    read_rows,
    sketch,
    story,
    story_log,
    tombstone,
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

Contents = dict[str, list[dict[str, Any]]]


class Sound:
    """Two stories, one merged into the other, a copy, a revision, an entry that waits and one refused.

    It is made once; a test damages it, and `restore` makes it what it was.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        rig = Rig(database)
        rig.take(
            record("Herald", "1", "Levee breaks", FLOOD, published=NOON),
            record("Echo", "1", "Town under water", FLOOD_ELSEWHERE, published=NOON),
            record("Post", "1", "Levee breaks at Pennmouth", FLOOD, published=NOON),
            record("Port", "1", "Dock workers strike", STRIKE, published=NOON),
            record("Port", "2", "", ""),
        )
        rig.take(
            record(
                "Port",
                "1",
                "Dock workers strike",
                f"{STRIKE} Ferries ran.",
                published=NOON,
            )
        )
        rig.pipeline.index_text()
        correct(database, "merge", *sorted(set(assigned(database).values())))
        rig.accept(record("Wharf", "1", "Ships wait", STRIKE, published=NOON))
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

    def damage(self, statements: Iterable[Executable]) -> None:
        with self.database.write() as connection:
            for statement in statements:
                connection.execute(statement)

    def found(self) -> list[Fault]:
        return list(faults(self.database, now=max(NOON, dt.datetime.now(dt.UTC))))

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
    sound.damage([text(REFUSED_ONCE)])
    try:
        assert placing.erase(ForgetCommand(name="Echo")).summary.articles == 1
    finally:
        sound.damage(
            [text("DROP FUNCTION refuse_once CASCADE"), text("DROP SEQUENCE tries")]
        )


@pytest.mark.later
def test_a_sound_database_has_no_fault(sound: Sound) -> None:
    assert sound.found() == []
    reported = dict(statistics(sound.database))
    assert (reported["articles"], reported["stories"], reported["merged stories"]) == (
        4,
        1,
        1,
    )
    assert (
        reported["entries done"],
        reported["entries ready"],
        reported["entries refused"],
    ) == (5, 1, 1)
    assert reported["bytes"] > 0
    where = balance(sound.database)
    assert (where.seen, where.stored, where.known) == (7, 7, 0)
    assert (where.placed, where.waiting, where.refused, where.articles) == (5, 1, 1, 4)


LIVE = story.c.redirect_to.is_(None)
RETIRED = story.c.redirect_to.is_not(None)
OF_STORY = update(story).where(LIVE)
OTHER_SKETCH = select(sketch.c.hashes).where(sketch.c.article == 4).scalar_subquery()
NOBODY_SEEN = {
    "article": "nobody",
    "source": "s",
    "contents": b"1",
    "is_authoritative": True,
    "changed_at": NOON,
}

# What is damaged, and what is said of it. Afterwards all rows are what they were.
DERIVED: tuple[dict[str, tuple[Executable, str]], ...] = (
    {
        "articles": (
            OF_STORY.values(article_count=9),
            "an article count that does not match",
        ),
        "outlets": (OF_STORY.values(outlet_count=7), "outlet counts"),
        "reports": (OF_STORY.values(report_count=9), "report counts"),
        "dates": (
            OF_STORY.values(first_published=NOON.replace(hour=1)),
            "stories have times",
        ),
        "kind": (OF_STORY.values(container_only=True), "stories have kinds"),
        "text": (OF_STORY.values(text="Nothing."), "what stories show does not match"),
        "sketch": (
            delete(sketch).where(sketch.c.article == 1),
            "lack sampled shingles",
        ),
        "identity": (
            insert(identity_key).values(key=b"0" * 16, article="nobody"),
            "identity keys belong to",
        ),
        "look": (insert(observation).values(**NOBODY_SEEN), "observations belong to"),
    },
    {
        "last article": (OF_STORY.values(last_inbox_no=1), "last inbox numbers"),
        "merged": (OF_STORY.values(rendered=b"no"), "story.rendered cannot be read"),
        "part of a sketch": (
            update(sketch)
            .where(sketch.c.article == 2)
            .values(hashes=func.substr(sketch.c.hashes, 1, 12)),
            "lack sampled shingles",
        ),
        "other sketch": (
            update(sketch).where(sketch.c.article == 1).values(hashes=OTHER_SKETCH),
            "sampled shingles do not match",
        ),
        "story counter": (
            update(counter).where(counter.c.name == "story").values(value=1),
            "story numbers",
        ),
    },
    {
        "original": (
            update(article).values(original=None),
            "an original that does not match",
        ),
        "inbox counter": (
            update(counter).where(counter.c.name == "inbox").values(value=1),
            "inbox numbers",
        ),
    },
)


@pytest.mark.later
@pytest.mark.parametrize("damaged", DERIVED, ids=" ".join)
def test_what_follows_from_other_rows_is_found_and_repaired(
    sound: Sound, damaged: dict[str, tuple[Executable, str]]
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
        before = newest(connection, wanted, 10, reach=10)
        rows = [read_rows(connection, search_row, n=n)[0] for n in (1, 2)]
        for row in rows:
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
    assert read_by(sound.database, newest, wanted, 10, reach=10) == before


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


OF_FIRST = update(article).where(article.c.inbox_no == 1)
OF_FOURTH = update(article).where(article.c.inbox_no == 4)
OF_ENTRY = update(entry).where(entry.c.entry_no == 1)
OF_RETIRED = update(story).where(RETIRED)
ERASED = select(
    article.c.id, article.c.seen_at, literal("forgotten"), literal(0)
).where(article.c.inbox_no == 1)
RETIRED_ID = select(story.c.id).where(RETIRED).scalar_subquery()

# What is damaged and follows from nothing that is there.
LOST: tuple[dict[str, tuple[Executable, str]], ...] = (
    {
        "redirect": (
            OF_RETIRED.values(redirect_to="nowhere"),
            "redirect to a story that does not exist",
        ),
        "entry's article": (OF_ENTRY.values(article="nobody"), "have no article"),
        "words": (
            OF_FIRST.values(text="Other words."),
            "a hash that does not match their text",
        ),
        "payload": (
            update(entry).where(entry.c.state == "ready").values(payload=b"no"),
            "payload cannot be read",
        ),
        "future": (
            update(entry).values(accepted_at=NOON.replace(year=2099)),
            "is in the future",
        ),
        "log": (
            delete(story_log).where(story_log.c.log_no == 1),
            "articles have no log line",
        ),
        "seen": (
            update(counter).where(counter.c.name == "entry").values(value=99),
            "entries were received, but",
        ),
        "middle change": (
            delete(change).where(change.c.change_no == 2),
            "changes are missing after",
        ),
    },
    {
        "story without articles": (
            OF_RETIRED.values(redirect_to=None),
            "have no article",
        ),
        "entry's state": (OF_ENTRY.values(outcome=None), "a state that contradicts"),
        "name": (OF_FOURTH.values(generation=3), "does not match their identity"),
        "past": (
            update(article).values(effective_at=NOON.replace(year=1970)),
            "an impossible time",
        ),
        "stone": (
            insert(tombstone).from_select(
                ["article", "at", "kind", "rejected_count"], ERASED
            ),
            "although they were erased",
        ),
        "later twin": (
            OF_FIRST.values(
                copy_of=select(article.c.id)
                .where(article.c.inbox_no == 3)
                .scalar_subquery()
            ),
            "an article that was placed later",
        ),
        "word": (OF_FIRST.values(role="king"), "role has a value"),
    },
    {
        "home": (OF_FIRST.values(story=RETIRED_ID), "in a story that was merged"),
        "evidence": (OF_FIRST.values(evidence=b"no"), "evidence cannot be read"),
        "entry": (
            delete(entry).where(entry.c.inbox_no == 1),
            "that were stored are missing",
        ),
        "terms": (OF_FIRST.values(terms=b"no"), "article.terms cannot be read"),
    },
    {
        "bond": (OF_FOURTH.values(story=RETIRED_ID), "that are in different stories"),
        "waiting entry": (
            delete(entry).where(entry.c.state == "ready"),
            "that were stored are missing",
        ),
        "doubled": (
            update(article).values(root_article="one", generation=0),
            "articles are stored twice",
        ),
    },
)


@pytest.mark.later
@pytest.mark.parametrize("damaged", LOST, ids=" ".join)
def test_what_cannot_be_repaired_is_named_again(
    sound: Sound, damaged: dict[str, tuple[Executable, str]]
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


def test_rows_that_refer_to_nothing_are_named(sound: Sound) -> None:
    if not sound.database.is_sqlite:
        pytest.skip("Postgres refuses to write such rows")
    file = sound.database.file
    assert file is not None
    # Which does not check foreign keys
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO sketch (article, hashes) VALUES (99, x'')")
        connection.commit()
    [found] = plain_faults(sound.database)
    assert (found.rows, found.advice) == (1, "aggregator db check --repair")
    assert "rows of sketch refer to rows of article that do not exist" in found.what
    sound.repair()
    assert sound.found() == []


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
        row = dict(connection.execute(select(story).where(RETIRED)).one()._mapping)
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
