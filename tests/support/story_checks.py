"""What must hold of stories at every moment, whatever was merged, split, moved or undone."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select

from aggregator.config.tuning import Tuning
from aggregator.grouping.corrections.apply_corrections import (
    CorrectionCommand,
    CorrectionResult,
)
from aggregator.grouping.pairs.weights import shipped_model
from aggregator.grouping.place import Placer
from aggregator.grouping.story_options import StoryOptions
from aggregator.grouping.window import Window
from aggregator.intake.recluster.recluster_job import Reclusterer
from aggregator.intake.recluster.regrouping import GroupingDifference
from aggregator.intake.workers.executor import Executor, InlineExecutor
from aggregator.model.entry import Entry
from aggregator.model.evidence import Evidence
from aggregator.sources.parse.files.input_items import InputEntry, ReadOptions
from aggregator.sources.parse.files.open_source import open_source
from aggregator.sources.source_limits import source_tuning
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.stories import stored_articles
from aggregator.store.stories.live_stories import LiveStory
from aggregator.store.tables import (
    article,
    correction,
    counter,
    link_constraint,
    metadata,
    story,
)
from aggregator.stories.story_tuning import StoryTuning
from tests.conftest import REPOSITORY
from tests.support import deep_references, deep_story_rows
from tests.support.articles import NOON, Clock, Rig
from tests.support.deep_story_rows import StoryCheckTuning
from tests.support.fresh import emptied, numbered_on, sqlite_file, with_tables
from tests.support.rows import queried, read_by, value

TRIPWIRE = REPOSITORY / "tests" / "data" / "tripwire" / "events.jsonl"


@cache
def small_set() -> tuple[Entry, ...]:
    """63 invented articles: events, look-alikes, copies, headlines, a live blog, a briefing."""
    found = open_source(
        TRIPWIRE, ReadOptions(tuning=source_tuning(Tuning()), seen=NOON)
    )
    return tuple(one.entry for one in found if isinstance(one, InputEntry))


@cache
def _placed_rows() -> dict[str, list[dict[str, Any]]]:
    """The small set, placed: rows by table. Seven articles come at a time, so they differ in `seen`."""
    with TemporaryDirectory() as folder:
        database = sqlite_file(f"{folder}/small.db")
        with_tables(database)
        rig = Rig(database, Clock(days=9))
        for start in range(0, len(small_set()), 7):
            rig.take(*small_set()[start : start + 7])
        rows = {
            table.name: read_by(database, _rows, table)
            for table in metadata.sorted_tables
        }
        database.close()
    return rows


def fill(database: Database) -> None:
    """The small set, placed, in an empty database with tables."""
    _insert(database, _placed_rows())


def by_title(database: Database, *words: str) -> list[str]:
    """The ids of the live stories whose headlines hold these words, one for each."""
    rows = queried(
        database, select(story.c.id, story.c.title).where(story.c.redirect_to.is_(None))
    )
    titles = {row.title: row.id for row in rows}
    found = [[id_ for title, id_ in titles.items() if word in title] for word in words]
    assert all(len(ids) == 1 for ids in found), (
        f"{words} are not one story each: {sorted(titles)}"
    )
    return [ids[0] for ids in found]


def members(database: Database, story_id: str) -> list[str]:
    """The articles of a story, in the order of their placing."""
    return [
        one.id for one in read_by(database, stored_articles.read_articles_of, story_id)
    ]


def placing_of(database: Database, all_tuning: Tuning | None = None) -> Placer:
    """A writer that has nothing in memory yet."""
    return Placer(database, all_tuning or Tuning(), Clock(days=9))


def correct(
    database: Database, kind: Any, *stories: str, **more: Any
) -> CorrectionResult:
    """A correction by a writer of its own."""
    return placing_of(database).correct(
        CorrectionCommand(kind=kind, stories=stories, **more)
    )


def undo(database: Database, number: int | None = None) -> CorrectionResult:
    """Undo, by a writer of its own."""
    return placing_of(database).correct(CorrectionCommand(undo=number))


def reclustering(
    database: Database,
    all_tuning: Tuning | None = None,
    executor: Executor | None = None,
) -> Reclusterer:
    """Ready to decide again."""
    clock = Clock(days=10)
    return Reclusterer(
        database,
        executor or InlineExecutor(),
        all_tuning or Tuning(),
        StoryOptions(),
        now=clock,
    )


def recluster(database: Database) -> GroupingDifference:
    """Decide all again, as the command does, and take it over."""
    return reclustering(database).take_over(placing_of(database), None)


def assigned(database: Database) -> dict[str, str]:
    """Article to story."""
    return {
        row.id: row.story
        for row in queried(database, select(article.c.id, article.c.story))
    }


def partition(database: Database) -> dict[str, frozenset[str]]:
    """Story to its articles."""
    found = defaultdict(set)
    for one, home in assigned(database).items():
        found[home].add(one)
    return {home: frozenset(ids) for home, ids in found.items()}


def redirects(database: Database) -> dict[str, str | None]:
    """Where the address of every story leads; None: it is one itself."""
    rows = queried(database, select(story.c.id, story.c.redirect_to))
    return {row.id: row.redirect_to for row in rows}


def rows_of(database: Database, table: Any, *leave_out: str) -> list[tuple[Any, ...]]:
    """All rows of a table, in the order of their first key."""
    columns = [column for column in table.c if column.name not in leave_out]
    order = list(table.primary_key.columns)
    return [tuple(row) for row in queried(database, select(*columns).order_by(*order))]


def what_is_wrong(database: Database, placing: Placer | None = None) -> list[str]:
    """Everything that the rows of stories and articles, and memory, do not agree on; nothing may be."""
    of_stories = StoryCheckTuning(None, Tuning().section("stories", StoryTuning))
    found = chain(
        deep_references.faults(database), deep_story_rows.faults(database, of_stories)
    )
    wrong = [f"{key}: {what}" for what, key in found]
    if placing is not None:
        with database.read() as connection:
            fresh = placing_of(database).services.window.current(connection)
            wrong += differences(placing.services.window.current(connection), fresh)
    return wrong


def out_of_reach(connection: Connection) -> list[str]:
    """The dated articles further than the window from every other date of their story, also read ones.

    A person may put such articles together: stories of which a correction names an article are left out.
    """
    reach = timedelta(days=shipped_model(Tuning()).tuning.window_days)
    corrected = select(article.c.story).join(
        link_constraint, link_constraint.c.article == article.c.id
    )
    dated = select(article.c.story, article.c.published).where(
        article.c.published.is_not(None), article.c.story.not_in(corrected)
    )
    dates = defaultdict(list)
    for row in connection.execute(dated.order_by(article.c.story, article.c.published)):
        dates[row.story].append(row.published.replace(second=0, microsecond=0))
    return [
        f"{home} has an article of {before:%Y-%m-%d} and the next one of {after:%Y-%m-%d}"
        for home, times in dates.items()
        for before, after in pairwise(times)
        if after - before > reach
    ]


def differences(kept: Window, fresh: Window) -> list[str]:
    """What a window in memory says otherwise than one that was read from the rows."""
    found = []
    for number in sorted({*kept.numbers(), *fresh.numbers()}):
        mine, theirs = kept.get(number), fresh.get(number)
        if mine is None or theirs is None:
            found.append(
                f"story {number} is in {'the rows' if mine is None else 'memory'} only"
            )
            continue
        found += [
            f"memory has another {name} of story {number} than the rows"
            for name in LiveStory.__slots__
            if getattr(mine, name) != getattr(theirs, name)
        ]
        if numbers_of(kept.neighbours(number)) != numbers_of(fresh.neighbours(number)):
            found.append(f"memory finds other neighbours of story {number}")
        for report in theirs.reports[:1]:
            if numbers_of(kept.candidates(report)) != numbers_of(
                fresh.candidates(report)
            ):
                found.append(
                    f"memory finds other candidates for a report of story {number}"
                )
    return found


def numbers_of(stories: Iterable[LiveStory]) -> list[int]:
    """The numbers of live stories, in their order."""
    return [live.number for live in stories]


def copied(source: Database, target: Database) -> None:
    """Every row of one database into an empty one, whatever kind each is; running numbers go on."""
    with source.read() as old:
        rows = {table.name: _rows(old, table) for table in metadata.sorted_tables}
    _insert(target, rows)


def _rows(connection: Connection, table: Table) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(table)).mappings()]


def _insert(target: Database, rows: Mapping[str, list[dict[str, Any]]]) -> None:
    emptied(target)
    with target.write() as new:
        new.execute(counter.delete())
        for table in metadata.sorted_tables:
            if rows[table.name]:
                new.execute(insert(table), rows[table.name])
        numbered_on(new)


def scratch_files(folder: Path) -> list[str]:
    """What a recluster has left in the folder of a database."""
    return sorted(path.name for path in folder.glob(".recluster*"))


def mistake(database: Database, kind: str, *stories: str, **more: Any) -> list[str]:
    """What a correction would do, as if the program had done it by itself: nothing is bound."""
    done = correct(database, kind, *stories, **more)
    with database.write() as connection:
        connection.execute(delete(link_constraint))
        connection.execute(delete(correction))
    return list(done.stories)


def evidence_of(database: Database, article_id: str) -> Evidence:
    """Why an article is where it is."""
    blob = value(database, article.c.evidence, article.c.id == article_id)
    return codecs.unpack(blob, Evidence)


def everything(database: Database) -> dict[str, object]:
    """All rows of all tables."""
    return {table.name: rows_of(database, table) for table in metadata.sorted_tables}
