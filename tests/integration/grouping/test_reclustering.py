"""Deciding again: the same input and rules give the same stories; what changes is shown first."""

import tempfile
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace
from sqlalchemy import delete, select, update

from aggregator.config.tuning import Tuning
from aggregator.grouping.mutes import Mutes
from aggregator.grouping.story_options import StoryOptions
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.polling.feed_entries import of_source
from aggregator.intake.recluster.recluster_job import Reclusterer
from aggregator.intake.recluster.regrouping import GroupingDifference
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.intake.workers.factory import open_executor
from aggregator.model.entry import Entry
from aggregator.sources.parse.files.input_items import InputEntry, ReadOptions
from aggregator.sources.parse.files.open_source import open_source
from aggregator.sources.source_limits import source_tuning
from aggregator.store.commands import Command, command_numbered, enqueue
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake.source_rows import add as add_source
from aggregator.store.maintenance import expired_rows, replay
from aggregator.store.stories import stream_history
from aggregator.store.tables import article, source_history, story, stream_period
from tests.conftest import Postgres
from tests.support.articles import (
    COLUMN,
    DAY,
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Clock,
    Rig,
    record,
)
from tests.support.fresh import sqlite_at, sqlite_file, with_tables
from tests.support.polling import feed_source
from tests.support.rows import column, executed, queried, read_by, value, written_by
from tests.support.story_checks import (
    assigned,
    by_title,
    correct,
    everything,
    fill,
    members,
    mistake,
    partition,
    placing_of,
    recluster,
    reclustering,
    redirects,
    rows_of,
    scratch_files,
    small_set,
    undo,
    what_is_wrong,
)
from tests.support.tables import numbered


def _command(connection: Connection, number: int) -> Command:
    command = command_numbered(connection, number)
    assert command is not None
    return command


# logits: only what is nearly one text is one event
STRICT = {"events": {"threshold": 30.0}}


def of_files(*paths: Path) -> list[Entry]:
    found = [
        item
        for path in paths
        for item in open_source(
            path, ReadOptions(tuning=source_tuning(Tuning()), seen=NOON)
        )
    ]
    return [item.entry for item in found if isinstance(item, InputEntry)]


def is_the_same(difference: GroupingDifference) -> bool:
    figures = (difference.moved, difference.changed_stories, difference.pairs_kept)
    return (
        figures == (0, 0, 1.0) and difference.stories_before == difference.stories_after
    )


def came_in(database: Database, n: int) -> datetime:
    """When the article of this inbox number was accepted."""
    return value(database, article.c.seen_at, article.c.inbox_no == n)


# --- the same again ----------------------------------------------------------------------------------------


@pytest.mark.later
def test_right_after_ingest_nothing_changes_and_nothing_is_written(
    grouped: Database,
) -> None:
    before = everything(grouped)
    assert is_the_same(reclustering(grouped).difference(None))
    assert everything(grouped) == before
    assert is_the_same(recluster(grouped))
    assert everything(grouped) == before, (
        "byte for byte, and nothing rendered is dropped"
    )


@pytest.mark.torture
@pytest.mark.parametrize(
    "name", ["events-fulltext.jsonl.gz", "events-headlines.jsonl.gz"]
)
def test_real_articles_are_decided_alike_with_the_second_looks_in_between(
    tmp_path: Path, data: Path, name: str
) -> None:
    database = with_tables(sqlite_file(tmp_path / "real.db"))
    entries = of_files(data / name)[:260]
    Random(19).shuffle(entries)
    Rig(database).take(*entries)
    before = everything(database)
    assert is_the_same(recluster(database))
    assert everything(database) == before
    assert what_is_wrong(database) == []
    database.close()


@pytest.mark.later
def test_refused_entries_in_between_change_nothing(database: Database) -> None:
    """A second look is due by inbox numbers, also by those of which no article came."""
    junk = [record("Junk", str(n), "", "...", published=None) for n in range(150)]
    rig = Rig(database, Clock(days=9), QUICK_LOOKS)
    rig.take(*small_set()[:30], *junk[:40])
    mistake(
        database,
        "split",
        *by_title(database, "Hollin Bridge"),
        articles=_second(database),
    )
    rig.restart()
    rig.take(*small_set()[30:], *junk[40:])
    before = partition(database)
    assert is_the_same(reclustering(database, QUICK_LOOKS).difference(None))
    assert partition(database) == before


@pytest.fixture
def of_days(database: Database) -> Database:
    """Articles that came in on five days; refused entries begin two of them."""
    clock = Clock(days=9)
    rig = Rig(database, clock, QUICK_LOOKS)
    entries = small_set()
    for day in range(5):
        junk = [
            record("Junk", f"{day} {n}", "", "...", published=None)
            for n in range(3 * (day % 2))
        ]
        rig.take(
            *junk, *entries[day * len(entries) // 5 : (day + 1) * len(entries) // 5]
        )
        clock.time += DAY
    with database.read() as connection:
        assert len(stream_history.periods_from(connection, 0, 1_000_000)) == 5
        assert stream_history.closed_sources(connection)
    return database


@pytest.mark.later
def test_articles_of_several_days_are_decided_alike(of_days: Database) -> None:
    """The word frequencies of a day are those of the days before it was accepted, not published.

    Since a day the earlier days are known: their counts of sources are stored by period.
    """
    before = everything(of_days)
    placing = placing_of(of_days, QUICK_LOOKS)
    for since in (None, *(came_in(of_days, n) for n in (18, 31, 62))):
        assert is_the_same(
            reclustering(of_days, QUICK_LOOKS).take_over(placing, since)
        ), since
        assert everything(of_days) == before, since
    later = reclustering(of_days, QUICK_LOOKS).take_over(placing, NOON + 99 * DAY)
    assert (later.articles, everything(of_days)) == (0, before), "the future"


@pytest.mark.later
def test_since_a_time_sources_are_known_as_they_were(
    database: Database, tmp_path: Path
) -> None:
    """What a source reports changes from day to day: nothing is spread over its articles."""
    clock = Clock()
    rig = Rig(database, clock)
    known: dict[int, dict[str, tuple[int, int]]] = {}  # by inbox number
    for day in range(4):
        clock.time = NOON + timedelta(days=day)
        for number in range(6):
            # Echo copies it every other day
            of_herald = number - number % 2 if day % 2 else number
            words = " ".join(numbered(f"w{day}x{of_herald}y%n", 60))
            rig.take(
                record(
                    ("Herald", "Echo")[number % 2],
                    f"{day}-{number}",
                    words[:20],
                    words,
                    published=None,
                )
            )
            with database.read() as connection:
                known[expired_rows.last_inbox_number(connection)] = (
                    stream_history.closed_sources(connection)
                )
    assert known[24]["Echo"] == (9, 3)
    for n, sources in known.items():
        with (
            sqlite_at(tmp_path / f"{n}.db") as scratch,
            database.read() as live,
            scratch.write() as connection,
        ):
            replay.seed(live, connection, n, lambda _rows: None, corrected=True)
            assert stream_history.closed_sources(connection) == sources, n


QUICK_LOOKS = Tuning({"events": {"reassess_every": 8}})


def _second(database: Database) -> tuple[str, ...]:
    (bridge,) = by_title(database, "Hollin Bridge")
    return (members(database, bridge)[1],)


def test_an_outlet_that_was_unknown_stays_unknown(database: Database) -> None:
    """The page names its address; that says nothing of who sent the file."""
    page = (
        "<html><head><title>Levee breaks at Pennmouth, four dead</title>"
        '<link rel="canonical" href="https://gazette.example/levee"></head>'
        f"<body><article><h1>Levee breaks at Pennmouth, four dead</h1><p>{FLOOD}</p></article></body></html>"
    )
    Rig(database).take(Entry(source="files", guid="a.html", html=page, is_page=True))
    assert value(database, article.c.outlet) is None
    before = everything(database)
    recluster(database)
    assert everything(database) == before


def test_the_words_of_today_are_decided_about(database: Database) -> None:
    rig = Rig(database, Clock(days=3))
    rig.take(
        record(
            "Gazette",
            "1",
            "Levee breaks at Pennmouth, four dead",
            FLOOD,
        ),
        record("Herald", "2", "Dock workers strike in Sennick", STRIKE),
    )
    rig.take(
        record(
            "Gazette",
            "1",
            "Levee breaks at Pennmouth, five dead",
            FLOOD + " A fifth was found.",
            published=None,
        )
    )
    recluster(database)
    assert column(database, article.c.title)[0].endswith("five dead")
    assert what_is_wrong(database) == []


def test_a_mute_leaves_articles_that_are_placed_where_they_are(
    grouped: Database,
) -> None:
    """It applies to new entries. An article that is not decided again would have no story."""
    before = everything(grouped)
    options = StoryOptions(
        mutes=Mutes(everywhere=(("words", "Pennmouth"), ("words", "bridge")))
    )
    run = Reclusterer(grouped, InlineExecutor(), Tuning(), options, now=Clock())
    assert is_the_same(run.take_over(placing_of(grouped), None))
    assert everything(grouped) == before


def test_what_is_read_from_texts_is_restored(database: Database) -> None:
    entries = [
        record("Gazette", text[:9], "The dock", text, published=None)
        for text in (FLOOD, STRIKE, COLUMN)
    ]
    Rig(database).take(*entries)
    before = rows_of(database, article)
    assert set(column(database, article.c.kind)) == {
        "report",
        "opinion",
    }
    damaged = {
        "kind": "report",
        "kind_evidence": None,
        "lead": "",
        "language": None,
        "terms": b"\x90",
    }
    executed(database, update(article).values(damaged))
    recluster(database)
    assert rows_of(database, article) == before


def test_the_language_that_the_user_set_for_a_source_is_kept(
    database: Database,
) -> None:
    source = feed_source("https://gazette.example/feed", language="de-AT")
    written_by(database, add_source, source)
    entry = record(
        source.id, "1", "Levee breaks at Pennmouth, four dead", FLOOD, published=None
    )
    Rig(database).take(of_source(entry, source))
    recluster(database)
    assert column(database, article.c.language) == ["de"]


# --- other rules -------------------------------------------------------------------------------------------


@pytest.mark.later
def test_other_rules_give_other_stories_and_a_second_run_none(
    grouped: Database,
) -> None:
    all_tuning = Tuning(STRICT)
    before = partition(grouped)
    dry = reclustering(grouped, all_tuning).difference(None)
    assert partition(grouped) == before
    real = reclustering(grouped, all_tuning).take_over(
        placing_of(grouped, all_tuning), None
    )
    assert (dry.moved, dry.changed_stories, dry.changes) == (
        real.moved,
        real.changed_stories,
        real.changes,
    )
    assert real.stories_after > real.stories_before
    assert real.pairs_kept < 1.0
    after = partition(grouped)
    assert set(before) <= set(after), (
        "every old id lives on with a part of its articles"
    )
    assert all(after[one] & before[one] for one in before)
    assert what_is_wrong(grouped) == []
    rows = everything(grouped)
    assert is_the_same(
        reclustering(grouped, all_tuning).take_over(
            placing_of(grouped, all_tuning), None
        )
    )
    assert everything(grouped) == rows


@pytest.mark.later
def test_back_under_the_old_rules_the_old_stories_have_their_ids_again(
    grouped: Database,
) -> None:
    before = partition(grouped)
    strict = Tuning(STRICT)
    reclustering(grouped, strict).take_over(placing_of(grouped, strict), None)
    torn = set(partition(grouped)) - set(before)
    recluster(grouped)
    assert partition(grouped) == before
    assert torn
    assert all(redirects(grouped)[one] in before for one in torn), (
        "the ids in between lead on"
    )
    assert what_is_wrong(grouped) == []


@pytest.mark.later
def test_a_group_keeps_the_id_that_most_of_its_articles_had(grouped: Database) -> None:
    (bridge,) = by_title(grouped, "Hollin Bridge")
    before = partition(grouped)
    two = members(grouped, bridge)[:2]
    new = mistake(grouped, "split", bridge, articles=tuple(two))[1]
    assert recluster(grouped).written
    assert partition(grouped) == before
    assert redirects(grouped)[new] == bridge
    assert what_is_wrong(grouped) == []


@pytest.mark.later
def test_stories_that_stay_the_same_keep_title_time_and_text(grouped: Database) -> None:
    bridge, goat = by_title(grouped, "Hollin Bridge", "goat cheese")
    with grouped.write() as connection:
        values = {"text": "as told", "title": "A title of older rules: goat cheese"}
        connection.execute(update(story).where(story.c.id == goat).values(**values))
    kept = [row for row in rows_of(grouped, story) if row[1] != bridge]
    mistake(grouped, "split", bridge, articles=(members(grouped, bridge)[1],))
    recluster(grouped)
    assert [
        row for row in rows_of(grouped, story) if row[0] in {old[0] for old in kept}
    ] == kept


# --- only what came in since -------------------------------------------------------------------------------


def history_of(database: Database) -> list[tuple[object, ...]]:
    tables = (source_history, stream_period)
    return [
        tuple(row)
        for table in tables
        for row in queried(database, select(table).order_by(*table.primary_key.columns))
    ]


def test_the_stream_history_is_that_of_the_new_grouping(database: Database) -> None:
    """As after an upgrade that begins to count anew: what is placed next is decided with what was counted."""
    clock = Clock()
    rig = Rig(database, clock)
    for day in range(3):
        clock.time = NOON + timedelta(days=day)
        for number in range(4):
            words = " ".join(numbered(f"w{day}x{number}y%n", 60))
            rig.take(
                record(
                    "Blog",
                    f"{day}-{number}",
                    f"Entry{day}x{number}",
                    words,
                )
            )
    before = history_of(database)
    with database.write() as connection:
        connection.execute(delete(stream_period))
        connection.execute(delete(source_history))
    recluster(database)
    assert history_of(database) == before


def test_since_touches_only_what_came_in_since(grouped: Database) -> None:
    strict = Tuning(STRICT)
    since = came_in(grouped, 29)
    before = partition(grouped)
    difference = reclustering(grouped, strict).take_over(
        placing_of(grouped, strict), since
    )
    rows = queried(
        grouped, select(article.c.id, article.c.inbox_no, article.c.seen_at)
    ).all()
    later = {row.id for row in rows if row.seen_at >= since}
    assert difference.articles == len(later) < len(rows)
    assert difference.changed_stories > 0
    now = assigned(grouped)
    assert all(now[one] == home for home, ids in before.items() for one in ids - later)
    assert what_is_wrong(grouped) == []


@pytest.mark.later
def test_since_with_corrections_and_older_foundings_in_it(grouped: Database) -> None:
    """An article may have founded before: a story that gave way counts, too."""
    bridge, goat, marathon = by_title(
        grouped, "Hollin Bridge", "goat cheese", "Lund marathon"
    )
    founder = members(grouped, bridge)[0]
    correct(grouped, "split", bridge, articles=(founder,))
    undo(grouped)
    correct(grouped, "split", bridge, articles=(founder,))
    correct(grouped, "merge", goat, marathon)
    for n in (4, 40):
        assert is_the_same(
            reclustering(grouped).take_over(placing_of(grouped), came_in(grouped, n))
        )
    strict = Tuning(STRICT)
    reclustering(grouped, strict).take_over(
        placing_of(grouped, strict), came_in(grouped, 4)
    )
    assert what_is_wrong(grouped) == []


# --- stopped, and side by side -----------------------------------------------------------------------------


class StoppedError(Exception):
    """As somebody presses Ctrl-C."""


@pytest.mark.later
def test_a_stopped_run_leaves_nothing_and_gives_the_same_when_it_is_repeated(
    grouped: Database, tmp_path: Path
) -> None:
    def stops(*_: int) -> None:
        raise StoppedError

    if grouped.file is None:
        pytest.skip("the folder of a server is shared with other tests")
    strict = Tuning(STRICT)
    expected = reclustering(grouped, strict).difference(None)
    with pytest.raises(StoppedError):
        reclustering(grouped, strict).take_over(
            placing_of(grouped, strict), None, stops
        )
    assert scratch_files(grouped.file.parent) == []
    done = reclustering(grouped, strict).take_over(placing_of(grouped, strict), None)
    assert done == replace(expected, written=True)
    assert what_is_wrong(grouped) == []


@pytest.mark.later
def test_two_runs_at_once_do_not_meet(grouped: Database) -> None:
    inner: list[GroupingDifference] = []

    def step(*_: int) -> None:
        inner.append(reclustering(grouped).difference(None))

    assert is_the_same(reclustering(grouped).difference(None, step))
    assert len(inner) == 1
    assert is_the_same(inner[0])


@pytest.mark.later
def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    database = with_tables(sqlite_file(tmp_path / "stories.db"))
    fill(database)
    strict = Tuning(STRICT)
    with closing(open_executor("processes", 2, strict)) as executor:
        run = Reclusterer(database, executor, strict, StoryOptions(), now=Clock())
        spread = run.take_over(placing_of(database, strict), None)
    rows = everything(database)
    assert is_the_same(
        reclustering(database, strict).take_over(placing_of(database, strict), None)
    )
    assert everything(database) == rows
    assert spread.changed_stories > 0
    database.close()


def test_a_request_is_answered_with_the_difference_in_its_transaction(
    grouped: Database,
) -> None:
    number = written_by(grouped, enqueue, NOON, "recluster", "{}")
    strict = Tuning(STRICT)
    done = reclustering(grouped, strict).take_over(
        placing_of(grouped, strict), None, request=number
    )
    request = read_by(grouped, _command, number)
    assert request.state == "done"
    assert f'"changed_stories":{done.changed_stories}' in str(request.result)


def test_a_request_without_a_folder_for_its_files_is_refused_and_placing_goes_on(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    address = postgres.lend(has_tables=True)
    with closing(Database(address)) as database:
        number = written_by(database, enqueue, NOON, "recluster", "{}")
        assert Rig(database).pipeline.run_commands() == 1
        answer = read_by(database, _command, number)
        assert (answer.state, "missing cannot be written" in str(answer.result)) == (
            "refused",
            True,
        )
    postgres.take_back(address)


@pytest.mark.later
def test_a_request_whose_workers_ended_with_the_daemon_goes_on_at_the_next_start(
    grouped: Database,
) -> None:
    number = written_by(grouped, enqueue, NOON, "recluster", "{}")
    executor = open_executor("processes", 1, Tuning())
    executor.close()
    asked = iter([False])  # then the stop is heard of: the workers were ended first
    pipeline = Pipeline(grouped, executor, Tuning(), Clock(days=1))
    answered = pipeline.run_commands(lambda: next(asked, True))
    assert (answered, read_by(grouped, _command, number).state) == (0, "waiting")
    assert Rig(grouped, Clock(days=1)).pipeline.run_commands() == 1
    assert read_by(grouped, _command, number).state == "done"


def test_articles_that_come_in_during_a_dry_run_do_not_disturb_it(
    grouped: Database,
) -> None:
    rig = Rig(grouped, Clock(days=20))

    def step(*_: int) -> None:
        rig.take(
            record(
                "Herald",
                "late",
                "Pennmouth under water",
                FLOOD_ELSEWHERE,
            )
        )

    assert is_the_same(reclustering(grouped).difference(None, step))
