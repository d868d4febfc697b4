"""A database with rows in every table that is kept: what copies, backups and exports have to carry."""

from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import insert, select

from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.grouping.corrections.correction_command import CorrectionCommand
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.grouping.pairs.snapshot import pack_frequencies
from aggregator.grouping.place import Placer
from aggregator.model.entry import Entry
from aggregator.store import codecs, tables
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import Source, add
from aggregator.store.read.browser_mutes import BrowserMutes
from aggregator.store.read.marks.read_marks import ReadMarks
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories import stream_history
from aggregator.store.stories.storyline_unions import note_union
from aggregator.store.stories.stream_history import StreamPeriod
from tests.support.articles import (
    DAY,
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Clock,
    Rig,
    record,
    trust,
)
from tests.support.fresh import sqlite_at
from tests.support.rows import executed, queried, written_by
from tests.support.story_checks import small_set

ALL_TUNING: Tuning = Tuning()
LATER = NOON + timedelta(days=9)


def rich(database: Database) -> Database:
    """The same SQLite database, which must be new, with rows in every table that is kept."""
    assert database.file is not None
    database.file.write_bytes(_file())
    return database


def rig_at(database: Database) -> Rig:
    """A test rig of the day after, with the same rules; two of them do the same things at the same times."""
    return Rig(database, Clock(LATER + DAY), ALL_TUNING)


def later_entries() -> list[Entry]:
    """What comes after: into stories that are there, a copy, a new story, a revision of what was there."""
    return [
        record("New", "n1", "Levee breaks at Pennmouth", FLOOD),
        record("New", "n2", "Ferry late", STRIKE[::-1], published=LATER),
        record(
            "Herald",
            "r1",
            "Pennmouth: the water falls",
            FLOOD_ELSEWHERE + " It falls.",
        ),
        record("Herald", "gone", "Forgotten once", STRIKE),
    ]


@cache
def _file() -> bytes:
    with TemporaryDirectory() as folder:
        with sqlite_at(Path(folder) / "rich.db") as database:
            _fill(database)
            database.checkpoint_log()
        return (Path(folder) / "rich.db").read_bytes()


def _fill(database: Database) -> None:
    clock = Clock(LATER)
    rig = Rig(database, clock, ALL_TUNING)
    _sources(database, clock)
    for start in range(0, len(small_set()), 7):
        rig.take(*small_set()[start : start + 7])
    rig.take(record("Herald", "r1", "Pennmouth under water", FLOOD_ELSEWHERE))
    rig.take(
        record(
            "Herald",
            "r1",
            "Pennmouth: five dead",
            FLOOD_ELSEWHERE + " Five died.",
        )
    )
    gone = rig.take(record("Herald", "gone", "Forgotten once", STRIKE))
    placing = Placer(database, ALL_TUNING, clock)
    found = [
        one.id for one in StoryReader(database).stories(StoryFilter(limit=100)).stories
    ]
    for pair in (found[:2], found[4:6], found[8:10]):
        placing.correct(CorrectionCommand(kind="merge", stories=tuple(pair)))
    placing.correct(CorrectionCommand(undo=None))
    placing.erase(ForgetCommand(name=gone[0].article))
    rig.render()
    rig.restart()
    rig.pipeline.index_text()
    with database.write() as connection:
        stream_history.count_sources(connection, {"Herald": (4, 2), "Ünder": (1, 0)})
        _, frequencies = pack_frequencies(
            connection.execute(select(tables.article.c.terms)).scalars()
        )
        old, new = (
            StreamPeriod(2, 20_800, 5, 5, frequencies),
            StreamPeriod(3, 20_801, 9, 4, frequencies),
        )
        for period in (old, new):
            stream_history.close_period(connection, period, keep=0)
        stream_history.count_sources(connection, {"Herald": (1, 1)})
    trust(database, ["Herald"])
    BrowserMutes(database).add("words", "advertorial")
    BrowserMutes(database).add("storylines", found[0])
    written_by(database, note_union, clock(), found[0], found[2], "Herald")
    marks = ReadMarks(database, clock)
    numbers = queried(
        database, select(tables.story.c.story_no).where(tables.story.c.id == found[-1])
    )
    starred = numbers.scalars().all()
    marks.edit(
        marks.sign_in("ada"),
        starred,
        read=True,
        starred=True,
        labels={"ports": True, "to read": True},
    )
    rig.accept(record("Echo", "waits", "Not placed yet", FLOOD))
    rig.waits(
        record(
            "Echo",
            "page",
            "Its page is to come",
            "",
            url="https://echo.example/p",
        )
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
        of_each = {
            "source": "news",
            "verdict": "empty",
            "reason": "no text",
            "at": clock(),
        }
        items = ("b.txt", "B.txt", "_a.txt", "ä.txt", "a b.txt", "a-b.txt", "ab.txt")
        connection.execute(
            insert(tables.rejected_input), [of_each | {"item": item} for item in items]
        )


def _installation(database: Database, clock: Clock) -> None:
    """What belongs to this installation: exports leave it out, backups and copies do not."""
    now = clock()
    webhook = {
        "name": "desk",
        "url_hash": b"p",
        "is_configured": True,
        "last_change_no": 3,
    }
    failing = {
        "state": "failing",
        "problem": "500",
        "failures": 2,
        "failing_since": now,
    }
    delivery = {
        "webhook": "desk",
        "change": 3,
        "id": "msg_1",
        "story": "s",
        "body": codecs.compress_bytes(b"{}"),
    }
    waiting = {"state": "waiting", "at": now, "attempts": 2, "next_attempt_at": now}
    correction = {
        "at": now,
        "kind": "correct",
        "payload": "{}",
        "state": "done",
        "result": "{}",
        "done_at": now,
    }
    token = {
        "id": "t",
        "name": "desk",
        "hash": b"\0\xff" * 16,
        "scopes": "push",
        "created_at": now,
    }
    rows = {
        tables.api_token: token,
        # Erasing forgot those of before
        tables.known_items: {"source": "f", "packed": b"i"},
        tables.source_access: {
            "source": "f",
            "address": "https://f.example",
            "headers": b"\x80",
            "selectors": b"\x90",
        },
        tables.command: correction | {"done_at": now},
        tables.webhook: webhook | failing,
        tables.outbox: delivery | waiting,
    }
    for table, row in rows.items():
        executed(database, insert(table).values(row))
