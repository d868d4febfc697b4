"""A database with rows in every table that is kept: what copies, backups and exports have to carry."""

import datetime as dt
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import insert, select

from aggregator.config.tuning import Tuning, effective_tuning
from aggregator.model.core import Entry
from aggregator.model.read_model import StoryFilter
from aggregator.pipeline.placement.apply_corrections import CorrectionCommand
from aggregator.pipeline.placement.erase import ForgetCommand
from aggregator.pipeline.placement.place import Placer
from aggregator.store import codecs, tables
from aggregator.store.engine.database import Database
from aggregator.store.intake.sources import Source, add
from aggregator.store.read.reader import DatabaseStoryReader
from aggregator.store.stories.merged_texts import render_next
from aggregator.stories.tuning import StoryTuning
from tests.articles import FLOOD, FLOOD_ELSEWHERE, NOON, STRIKE, Clock, Desk, record
from tests.fresh import with_tables
from tests.homes import small_set

BOOK: Tuning = effective_tuning({"across": {"mode": "names"}})
LATER = NOON + dt.timedelta(days=9)


def rich(database: Database) -> Database:
    """The same SQLite database, which must be new, with rows in every table that is kept."""
    assert database.file is not None
    database.file.write_bytes(_file())
    return database


def desk_at(database: Database) -> Desk:
    """A desk of the day after, with the same rules; two of them do the same things at the same times."""
    return Desk(database, Clock(LATER + dt.timedelta(days=1)), BOOK)


def later_entries() -> list[Entry]:
    """What comes after: into stories that are there, a copy, a new story, a revision of what was there."""
    return [
        record("New", "n1", "Levee breaks at Pennmouth", FLOOD, published=NOON),
        record("New", "n2", "Ferry late", STRIKE[::-1], published=LATER),
        record("Herald", "r1", "Pennmouth: the water falls", FLOOD_ELSEWHERE + " It falls.", published=NOON),
        record("Herald", "gone", "Forgotten once", STRIKE, published=NOON),
    ]


@cache
def _file() -> bytes:
    with TemporaryDirectory() as folder:
        database = with_tables(Database(f"sqlite:///{folder}/rich.db"))
        _fill(database)
        database.checkpoint_log()
        database.close()
        return (Path(folder) / "rich.db").read_bytes()


def _fill(database: Database) -> None:
    clock = Clock(LATER)
    desk = Desk(database, clock, BOOK)
    _sources(database, clock)
    for start in range(0, len(small_set()), 7):
        desk.take(*small_set()[start : start + 7])
    desk.take(record("Herald", "r1", "Pennmouth under water", FLOOD_ELSEWHERE, published=NOON))
    desk.take(record("Herald", "r1", "Pennmouth: five dead", FLOOD_ELSEWHERE + " Five died.", published=NOON))
    gone = desk.take(record("Herald", "gone", "Forgotten once", STRIKE, published=NOON))
    placing = Placer(database, BOOK, clock, summary_words=60)
    found = [one.id for one in DatabaseStoryReader(database).stories(StoryFilter(limit=100)).stories]
    for pair in (found[:2], found[4:6], found[8:10]):
        placing.correct(CorrectionCommand(kind="merge", stories=tuple(pair)))
    placing.correct(CorrectionCommand(undo=None))
    placing.erase(ForgetCommand(name=gone[0].article))
    while render_next(database, 50, BOOK.section("stories", StoryTuning)):
        pass
    desk.restart()
    desk.pipeline.index_text()
    with database.write() as connection:
        blog = connection.execute(select(tables.live_blog.c.article)).scalar_one()
        link = {"article": blog, "position": 0, "story": found[-1], "score": 1 / 3}
        connection.execute(insert(tables.entry_link).values(link))
    desk.accept(record("Echo", "waits", "Not placed yet", FLOOD, published=NOON))
    desk.accept(
        record("Echo", "page", "Its page is to come", "", published=NOON, url="https://echo.example/p"),
        wants_page=[True],
    )
    _installation(database, clock)


def _sources(database: Database, clock: Clock) -> None:
    with database.write() as connection:
        feed = Source(
            id="f", kind="feed", address="https://u:p@gazette.example/rss", interval_seconds=600,
            next_due_at=NOON, etag='"1"', body_hash=b"h", first_poll_done=True, health="ok",
        )  # fmt: skip
        add(connection, feed)
        connection.execute(insert(tables.folder).values(name="news", path="/srv/news"))
        connection.execute(
            insert(tables.host).values(name="gazette.example", held_until=clock(), gap_factor=1.5)
        )
        connection.execute(insert(tables.habit).values(source="f", guid_strikes=1, url_strikes=0))
        connection.execute(
            insert(tables.refusal),
            [
                {"source": "news", "item": item, "verdict": "empty", "reason": "no text", "at": clock()}
                for item in ("b.txt", "B.txt", "_a.txt", "ä.txt", "a b.txt", "a-b.txt", "ab.txt")
            ],
        )


def _installation(database: Database, clock: Clock) -> None:
    """What belongs to this installation: exports leave it out, backups and copies do not."""
    now = clock()
    with database.write() as connection:
        connection.execute(
            insert(tables.token).values(
                id="t", name="desk", hash=b"\0\xff" * 16, scopes="push", created_at=now
            )
        )
        connection.execute(
            insert(tables.push).values(
                token="t", key=b"k" * 16, body_hash=b"b", answer=codecs.compress_bytes(b"{}"), at=now
            )
        )
        connection.execute(
            insert(tables.request).values(
                at=now, kind="correct", payload="{}", state="done", answer="{}", done_at=now
            )
        )
        connection.execute(
            insert(tables.hook).values(
                name="desk",
                place=b"p",
                is_on=True,
                read_to=3,
                state="failing",
                problem="500",
                failures=2,
                failing_since=now,
            )
        )
        connection.execute(
            insert(tables.outbox).values(
                hook="desk",
                change=3,
                id="msg_1",
                story="s",
                body=codecs.compress_bytes(b"{}"),
                state="waiting",
                at=now,
                tries=2,
                next_at=now,
            )
        )
