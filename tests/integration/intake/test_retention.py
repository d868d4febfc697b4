"""Retention: old articles give up what they are not to keep, step by step, and nothing comes back."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from aggregator.admin.export_file import export_lines
from aggregator.admin.import_rows import import_into
from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.grouping.deletion.retention import Retention, RetentionPlan
from aggregator.model.prepared import ArticleHtml
from aggregator.model.story import StoryText, StoryView
from aggregator.store import codecs, steady_clock
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox, rejected
from aggregator.store.maintenance import expired_rows
from aggregator.store.read.reader import StoryReader
from aggregator.store.search import index
from aggregator.store.stories.rendered_stories import render_next
from aggregator.store.tables import (
    article,
    change,
    entry,
    rejected_input,
    sketch,
    standing,
    story,
    story_log,
    tombstone,
)
from aggregator.stories.story_tuning import StoryTuning
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    HOUR,
    NOON,
    STRIKE,
    Clock,
    Rig,
    record,
    trust,
)
from tests.support.deep_checks import faults
from tests.support.forgetting import forget, plain, settle
from tests.support.fresh import sqlite_file, with_tables
from tests.support.rows import executed, queried, read_by, value
from tests.support.story_checks import (
    correct,
    differences,
    fill,
    placing_of,
    undo,
    what_is_wrong,
)

DAY = 86_400
YEAR = NOON + timedelta(days=400)


@pytest.fixture
def rig(database: Database) -> Rig:
    """The small set, placed and told."""
    fill(database)
    made = Rig(database, Clock(days=10))
    settle(made)
    return made


def kept(
    rig: Rig,
    *,
    at: datetime = YEAR,
    all_tuning: Tuning | None = None,
    steady: bool = True,
    **ages: int | None,
) -> Retention:
    """All of it done, as far as it is due at `at`."""
    rig.clock, rig.all_tuning = Clock(at), all_tuning or Tuning()
    rig.restart()
    retention_job = Retention(rig.pipeline.placer, RetentionPlan(**ages))
    if steady:  # the clock has gone on for a day without a jump
        with rig.database.write() as connection:
            steady_clock.record_time(
                connection, at - timedelta(days=1.5), timedelta(days=1)
            )
            steady_clock.record_time(
                connection, at - timedelta(days=0.6), timedelta(days=1)
            )
    while retention_job.step():
        pass
    return retention_job


def stored(database: Database, *columns: Any) -> list[Any]:
    return [
        tuple(row) for row in queried(database, select(*columns).order_by(columns[0]))
    ]


def bytes_of(database: Database, table: Any) -> int:
    return len(stored(database, *table.primary_key.columns))


def no_progress(*_: object) -> None:
    """Nobody looks."""


def wrong(database: Database) -> list[str]:
    """What the deep checks find, and what rows and memory do not agree on."""
    return checked(database) + what_is_wrong(database)


def checked(database: Database) -> list[str]:
    """What the deep checks find, but that these tests live in the future."""
    return [
        fault.what for fault in faults(database) if "in the future" not in fault.what
    ]


# --- texts -------------------------------------------------------------------------------------------------


def texts_of(rig: Rig) -> list[str | None]:
    return [row[1] for row in stored(rig.database, article.c.inbox_no, article.c.text)]


@pytest.mark.later
def test_what_is_not_old_enough_is_left_alone(rig: Rig) -> None:
    before = stored(rig.database, article.c.inbox_no, article.c.text, article.c.terms)
    kept(rig)  # where no age is given
    at = NOON + timedelta(days=38)
    kept(rig, at=at, text_after=30 * DAY, stories_after=90 * DAY)
    assert (
        stored(rig.database, article.c.inbox_no, article.c.text, article.c.terms)
        == before
    )
    kept(rig, at=at + timedelta(days=2, minutes=1), text_after=30 * DAY)
    assert {*texts_of(rig)} == {None}


def test_the_html_of_an_article_goes_with_its_text(rig: Rig) -> None:
    rig.take(
        record(
            "Blog",
            "html",
            "A post",
            "",
            html="<h2>Head</h2><p>Some words below it.</p>",
        )
    )
    html = select(article.c.html).where(article.c.source == "Blog")
    (before,) = queried(rig.database, html)
    assert (
        codecs.decompress_struct(before.html, ArticleHtml).html
        == "<h2>Head</h2><p>Some words below it.</p>"
    )
    kept(rig, text_after=30 * DAY)
    (after,) = queried(rig.database, html)
    assert after.html is None


@pytest.mark.later
def test_search_and_the_views_have_the_texts_until_they_are_deleted(rig: Rig) -> None:
    words = f"A quiet evening at first.\n\n{FLOOD} Then zyzzogeton came."
    (placed,) = rig.take(
        record("Herald", "x", "Levee gives way", words, published=None)
    )
    settle(rig)

    def found(words: str) -> int:
        return len(StoryReader(rig.database).search(words, 10, StoryFilter()).hits)

    def shown() -> str | None:
        of_article = text(
            "SELECT text FROM v_story_articles WHERE article_id = :id"
        ).bindparams(id=placed.article)
        return queried(rig.database, of_article).scalar_one()

    assert [found("zyzzogeton"), found("levee gives way"), found("quiet evening")] == [
        1,
        1,
        1,
    ]
    kept(rig, text_after=500 * DAY)
    assert [found("zyzzogeton"), found("levee gives way"), found("quiet evening")] == [
        1,
        1,
        1,
    ]
    assert "zyzzogeton" in (shown() or "")
    kept(rig, text_after=30 * DAY)
    assert [found("zyzzogeton"), found("levee gives way"), found("quiet evening")] == [
        0,
        1,
        0,
    ]
    assert shown() is None
    with rig.database.write() as connection:  # made anew it holds the same
        index.take_out(connection, expired_rows.last_inbox_number(connection))
        index.put_back(connection, expired_rows.last_inbox_number(connection))
    assert [found("zyzzogeton"), found("levee gives way")] == [0, 1]
    assert wrong(rig.database) == []


@pytest.mark.later
def test_words_that_were_taken_out_leave_the_index_when_they_are_many(rig: Rig) -> None:
    if not rig.database.is_sqlite:
        pytest.skip("Postgres drops them by VACUUM")
    rig.take(
        record(
            "Herald",
            "x",
            "Levee gives way",
            f"A quiet evening.\n\n{FLOOD} Then zyzzogeton came.",
            published=None,
        )
    )
    settle(rig)

    def holds() -> bool:
        blocks = queried(
            rig.database, text("SELECT block FROM article_search_data")
        ).scalars()
        # Without its first letters
        return any(b"yzzog" in bytes(block) for block in blocks)

    with rig.database.write() as connection:  # else SQLite merges some of it by itself
        for option, value in (("automerge", 0), ("crisismerge", 1_000)):
            put = text(
                "INSERT INTO article_search(article_search, rank) VALUES (:option, :value)"
            )
            connection.execute(put, {"option": option, "value": value})
    assert holds()
    kept(
        rig,
        text_after=30 * DAY,
        all_tuning=Tuning({"retention": {"merge_min_rows": 10_000}}),
    )
    assert holds()
    kept(
        rig,
        text_after=30 * DAY,
        all_tuning=Tuning({"retention": {"merge_min_rows": 20}}),
    )
    assert not holds()
    assert wrong(rig.database) == []


def test_corrections_work_on_stories_without_texts(rig: Rig) -> None:
    live = (
        select(story.c.id)
        .where(story.c.redirect_to.is_(None))
        .order_by(story.c.story_no)
    )
    first, second, *_ = queried(rig.database, live).scalars()
    kept(rig, text_after=30 * DAY)
    correct(rig.database, "merge", first, second)
    assert what_is_wrong(rig.database) == []
    undo(rig.database)
    assert what_is_wrong(rig.database) == []


@pytest.mark.later
def test_texts_go_and_the_beginnings_of_stories_stay(rig: Rig) -> None:
    reading = StoryReader(rig.database)
    stories = reading.stories(StoryFilter(limit=100)).stories
    shown = {one.id: reading.text(one.id) for one in stories}
    kept(rig, text_after=180 * DAY)
    assert {*texts_of(rig)} == {None}
    words = article.c.lead, article.c.terms, article.c.signature
    assert {row[1:] for row in stored(rig.database, article.c.inbox_no, *words)} == {
        ("", b"", b"")
    }
    assert bytes_of(rig.database, sketch) == 0
    with rig.database.read() as connection:
        window = placing_of(rig.database).services.window.current(connection)
        assert not any(map(window.neighbours, window.numbers()))
        assert (
            differences(rig.pipeline.placer.services.window.current(connection), window)
            == []
        )
    counts = dict(stored(rig.database, story.c.id, story.c.article_count))
    assert all(
        window.story(n).article_count == counts[window.story(n).id]
        for n in window.numbers()
    )
    assert {one.id: reading.text(one.id) for one in stories} == {
        key: stays(text) for key, text in shown.items()
    }
    assert any(text is not None and text.openings for text in shown.values()), (
        "and one had such"
    )
    after = reading.stories(StoryFilter(limit=100)).stories
    assert [(s.id, s.title, s.report_count, s.article_count) for s in after] == [
        (s.id, s.title, s.report_count, s.article_count) for s in stories
    ]
    whole = [reading.story(one.id) for one in stories]
    assert all(isinstance(one, StoryView) and one.texts_gone for one in whole), (
        "which its page says"
    )
    one = stories[0].articles[0]
    assert reading.explained_article(one.id) is not None
    assert (
        render_next(rig.database, 5, rig.all_tuning.section("stories", StoryTuning))
        == 0
    ), "and not told again"
    assert wrong(rig.database) == []


def stays(shown: StoryText | None) -> StoryText | None:
    """The title and the first paragraph of the lead stay; all else goes with the texts of the articles."""
    return (
        None
        if shown is None
        else StoryText(title=shown.title, lead=shown.lead[:1], version=shown.version)
    )


@pytest.mark.later
def test_a_text_that_went_does_not_come_back(rig: Rig) -> None:
    def given(body: str) -> Any:
        return record(
            "Herald",
            "x",
            "Levee gives way",
            body,
            url="https://herald.example/x",
            published=None,
        )

    (placed,) = rig.take(given(FLOOD))
    kept(rig, text_after=180 * DAY)
    assert [one.outcome for one in rig.accept(given(FLOOD))] == ["known"]
    assert [one.outcome for one in rig.take(given(f"{FLOOD} Late."))] == ["unchanged"]
    of_it = select(article.c.text).where(article.c.id == placed.article)
    assert queried(rig.database, of_it).scalar_one() is None


@pytest.mark.later
def test_texts_go_from_stories_that_are_still_live_where_a_person_says_so(
    rig: Rig,
) -> None:
    at = NOON + timedelta(days=20)
    kept(rig, at=at, text_after=7 * DAY)
    assert {*texts_of(rig)} == {None}
    after = rig.take(record("Herald", "x", "Levee gives way", FLOOD))
    assert [one.outcome for one in after] == ["founded"], (
        "what has no words is like nothing"
    )
    before = homes_of(rig)
    rig.restart()
    rig.take(record("Echo", "y", "Dockers walk out", STRIKE))
    assert before.items() <= homes_of(rig).items()
    assert what_is_wrong(rig.database) == []


def homes_of(rig: Rig) -> dict[str, str]:
    return {
        row[0]: row[1] for row in stored(rig.database, article.c.id, article.c.story)
    }


# --- stories -----------------------------------------------------------------------------------------------


@pytest.mark.later
def test_stories_go_for_good_and_are_known_when_they_come_again(rig: Rig) -> None:
    given = record(
        "Herald",
        "x",
        "Levee gives way",
        FLOOD,
        url="https://herald.example/x",
        published=None,
    )
    (placed,) = rig.take(given)
    assert placed.story is not None
    ids = [row[1] for row in stored(rig.database, story.c.story_no, story.c.id)]
    kept(rig, stories_after=300 * DAY)
    reading = StoryReader(rig.database)
    assert stored(rig.database, article.c.inbox_no) == []
    assert reading.stories(StoryFilter(limit=10)).stories == ()
    assert reading.story(placed.story) is None
    assert [
        reading.gone(placed.story),
        reading.gone(placed.article),
        reading.gone("a" * 16),
    ] == [
        True,
        True,
        False,
    ]
    assert {
        row[1] for row in stored(rig.database, tombstone.c.article, tombstone.c.kind)
    } == {"retention"}
    assert [one.outcome for one in rig.accept(given)] == ["known"]
    changed = record(
        "Herald",
        "x",
        "Levee gives way",
        f"{FLOOD} Late.",
        url="https://herald.example/x",
        published=None,
    )
    moved = record(
        "Echo",
        "9",
        "Levee gives way",
        FLOOD_ELSEWHERE,
        url="https://echo.example/9",
        published=None,
    )
    assert [one.outcome for one in rig.accept(changed, moved)] == ["known", "new"]
    rig.place()
    fresh = {row[1] for row in stored(rig.database, story.c.story_no, story.c.id)}
    assert len(fresh) == len(ids) + 1, "ids are not given again"
    assert checked(rig.database) == []


@pytest.mark.later
def test_a_large_story_goes_in_parts_and_keeps_its_headline_to_the_last(
    rig: Rig,
) -> None:
    largest = select(story.c.id, story.c.title, story.c.article_count).order_by(
        story.c.article_count.desc()
    )
    old = queried(rig.database, largest.limit(1)).one()
    assert old.article_count > 4
    rig.clock = Clock(YEAR)
    rig.all_tuning = Tuning({"retention": {"rows_a_step": 2}})
    rig.restart()
    with rig.database.write() as connection:
        for days in (1.5, 0.6):
            steady_clock.record_time(
                connection, YEAR - timedelta(days=days), timedelta(days=1)
            )
    retention_job = Retention(
        rig.pipeline.placer, RetentionPlan(stories_after=300 * DAY)
    )
    seen = set()
    state = select(story.c.title, story.c.article_count).where(story.c.id == old.id)
    while retention_job.step():
        now = tuple(queried(rig.database, state).one())
        if now not in seen:  # a part of it went
            seen.add(now)
            assert checked(rig.database) == []
    assert checked(rig.database) == []
    assert {title for title, count in seen if count} == {old.title}
    assert sorted(count for _, count in seen)[:2] == [0, old.article_count % 2 or 2]
    assert stored(rig.database, article.c.inbox_no) == []
    assert stored(rig.database, change.c.change_no) == []


@pytest.mark.later
def test_a_story_that_goes_in_equal_parts_leaves_no_history(rig: Rig) -> None:
    late = YEAR + timedelta(days=30)
    paired_copies = [
        record(name, "x", "Levee gives way", FLOOD, published=late)
        for name in ("Herald", "Echo")
    ]
    rig.clock = Clock(late)
    assert len({placed.story for placed in rig.take(*paired_copies)}) == 1
    all_tuning = Tuning({"retention": {"rows_a_step": 2}})
    kept(
        rig,
        at=late + timedelta(days=400),
        all_tuning=all_tuning,
        stories_after=300 * DAY,
    )
    assert set(stored(rig.database, story_log.c.kind)) == {("forgotten",)}, (
        "only that they are gone"
    )


@pytest.mark.later
def test_a_large_story_goes_wholly_though_others_grew_beside_it(rig: Rig) -> None:
    late = YEAR + timedelta(days=30)
    rig.clock = Clock(late)
    names = ("Herald", "Echo", "Lantern", "Courier", "Gazette")
    flood = [
        record(name, "x", "Levee gives way", FLOOD, published=late) for name in names
    ]
    strike = record("Post", "y", "Dock workers strike", STRIKE, published=late)
    placed = rig.take(*flood[:4], strike, flood[4])
    assert [len({one.story for one in placed}), placed[3].story == placed[5].story] == [
        2,
        True,
    ]
    with rig.database.write() as connection:  # the newest ones go first
        of_first = update(story).where(story.c.id == placed[0].story)
        connection.execute(of_first.values(title_article=placed[0].article))
    all_tuning = Tuning({"retention": {"rows_a_step": 2}})
    kept(
        rig,
        at=late + timedelta(days=400),
        all_tuning=all_tuning,
        stories_after=300 * DAY,
    )
    assert stored(rig.database, article.c.inbox_no, article.c.title) == []
    assert checked(rig.database) == []


@pytest.mark.later
def test_texts_go_from_a_story_whose_newest_article_was_forgotten(rig: Rig) -> None:
    later = NOON + timedelta(days=200)
    rig.clock = Clock(later)
    rig.restart()
    names = ("Herald", "Echo", "Lantern")
    old = rig.take(
        *(
            record(name, "x", "Levee gives way", FLOOD, published=later)
            for name in names
        )
    )
    strike = rig.take(
        record("Post", "y", "Dock workers strike", STRIKE, published=later)
    )
    newest = record(
        "Courier",
        "z",
        "Levee gives way",
        FLOOD,
        url="https://c.example/z",
        published=later,
    )
    assert rig.take(newest)[0].story == old[0].story
    with rig.database.write() as connection:  # all but the newest is so old
        last = (
            select(article.c.inbox_no)
            .where(article.c.id == strike[0].article)
            .scalar_subquery()
        )
        connection.execute(
            update(article).where(article.c.inbox_no <= last).values(placed_at=NOON)
        )
    kept(rig, at=later + timedelta(days=20), text_after=100 * DAY)
    assert None not in texts_in(rig, old[0].story)
    forget(rig, "https://c.example/z")
    kept(rig, at=later + timedelta(days=20), text_after=100 * DAY)
    assert texts_in(rig, old[0].story) == [None] * 3
    assert checked(rig.database) == []


def texts_in(rig: Rig, story_id: str | None) -> list[str | None]:
    rows = stored(rig.database, article.c.inbox_no, article.c.text, article.c.story)
    return [text for _, text, at in rows if at == story_id]


@pytest.mark.later
def test_damaged_terms_hold_up_no_retention(rig: Rig) -> None:
    executed(rig.database, update(article).values(terms=b"noise"))
    rig.restart()
    kept(rig, text_after=180 * DAY)
    assert {*texts_of(rig)} == {None}


@pytest.mark.later
def test_a_copy_of_what_went_is_an_original(rig: Rig) -> None:
    rig.take(record("Herald", "x", "Levee gives way", FLOOD))
    rig.clock = Clock(YEAR)
    rig.restart()
    # With news of its own it is a copy, and not the old text printed again
    text = f"{FLOOD} {' '.join(STRIKE.split()[:25])}"
    copy = record("Echo", "y", "Levee gives way", text, published=YEAR - HOUR)
    (placed,) = rig.take(copy)
    assert None not in stored(rig.database, article.c.copy_of)[1:]
    kept(rig, at=YEAR + timedelta(days=1), stories_after=100 * DAY)
    assert stored(rig.database, article.c.id, article.c.copy_of) == [
        (placed.article, None)
    ]
    assert what_is_wrong(rig.database) == []


@pytest.mark.later
def test_with_its_last_article_the_standing_of_a_sender_goes(rig: Rig) -> None:
    letter = record(
        "letters",
        "1",
        "Ferry aground near Calmouth",
        "A ferry ran aground.",
        outlet="Anna Holm",
        published=None,
    )
    rig.take(letter)
    trust(rig.database, ["letters Anna Holm"])
    kept(rig, at=YEAR + timedelta(days=400), stories_after=300 * DAY)
    assert stored(rig.database, standing.c.sender) == []


# --- the clock, the size, the streams ----------------------------------------------------------------------


@pytest.mark.later
def test_nothing_is_deleted_on_the_word_of_a_clock_that_jumped(rig: Rig) -> None:
    kept(rig, text_after=180 * DAY, stories_after=300 * DAY, steady=False)
    assert None not in texts_of(rig)
    clock = Clock(YEAR)
    rig.clock = clock
    rig.restart()
    retention_job = Retention(rig.pipeline.placer, RetentionPlan(text_after=180 * DAY))
    for _ in range(4):  # eight hours each: the clock was right
        clock.time += timedelta(hours=8)
        while retention_job.step():
            pass
    assert {*texts_of(rig)} == {None}


def test_streams_are_kept_for_some_time_and_by_no_clock_that_jumped(rig: Rig) -> None:
    before = stored(rig.database, change.c.change_no)
    kept(rig, at=NOON + timedelta(days=60))
    assert stored(rig.database, change.c.change_no) == before
    kept(rig, steady=False)
    assert stored(rig.database, change.c.change_no) == before
    kept(rig)
    assert not stored(rig.database, change.c.change_no)


@pytest.mark.later
def test_free_pages_leave_the_file_in_small_steps(rig: Rig) -> None:
    database = rig.database
    if not database.is_sqlite:
        pytest.skip("Postgres sees to free pages by itself")
    with database.write() as connection:
        connection.execute(text("CREATE TABLE ballast (a BLOB)"))
        connection.execute(text("INSERT INTO ballast VALUES (zeroblob(16000000))"))
    executed(database, text("DROP TABLE ballast"))
    database.checkpoint_log()
    before = database.file.stat().st_size
    kept(rig, at=NOON + timedelta(days=12))
    database.checkpoint_log()
    assert database.file.stat().st_size < before - 4_000_000


def test_what_could_not_be_read_is_noted_for_some_time(rig: Rig) -> None:
    with rig.database.write() as connection:
        for days, item in ((0, "old.html"), (350, "new.html")):
            at = NOON + timedelta(days=days)
            rejected.note(
                connection,
                source="f",
                item=item,
                verdict="empty",
                reason="no words",
                at=at,
            )
    kept(rig)
    assert [row[0] for row in stored(rig.database, rejected_input.c.item)] == [
        "new.html"
    ]


def test_what_was_placed_while_the_clock_ran_ahead_holds_up_nothing(rig: Rig) -> None:
    rig.take(
        *(
            record("Herald", str(n), f"Report {n}", f"{FLOOD} {n}", published=None)
            for n in range(6)
        )
    )
    now = NOON + timedelta(days=400)
    with rig.database.write() as connection:
        numbers = list(
            connection.execute(
                select(article.c.inbox_no).order_by(article.c.inbox_no)
            ).scalars()
        )
        wrong = update(article).where(article.c.inbox_no.in_(numbers[2:4]))
        connection.execute(wrong.values(placed_at=now + timedelta(days=300)))
        assert (
            expired_rows.last_expired_number(connection, "all", 30 * DAY, now)
            == numbers[-1]
        )


def test_what_was_placed_while_the_clock_was_behind_takes_nothing_young_along(
    rig: Rig,
) -> None:
    begin = NOON + timedelta(days=10)
    with rig.database.write() as connection:
        numbers = list(
            connection.execute(
                select(article.c.inbox_no).order_by(article.c.inbox_no)
            ).scalars()
        )
        for place, n in enumerate(numbers):
            at = begin + timedelta(days=place)
            connection.execute(
                update(article).where(article.c.inbox_no == n).values(placed_at=at)
            )
        now = begin + timedelta(days=len(numbers))
        for wrong in range(len(numbers) - 2):
            stretch = article.c.inbox_no.in_(numbers[wrong : wrong + 2])
            connection.execute(update(article).where(stretch).values(placed_at=NOON))
            bound = numbers[len(numbers) - 31]
            found = expired_rows.last_expired_number(connection, "text", 30 * DAY, now)
            assert bound - 2 <= found <= bound + 2, wrong
            for place in (wrong, wrong + 1):
                at = begin + timedelta(days=place)
                connection.execute(
                    update(article)
                    .where(article.c.inbox_no == numbers[place])
                    .values(placed_at=at)
                )


# --- with the rest -----------------------------------------------------------------------------------------


@pytest.mark.later
def test_forgetting_reaches_what_is_left_of_an_article_without_text(rig: Rig) -> None:
    mark = "zyzzogeton"
    given = record(
        "Herald",
        "x",
        f"{mark} gives way",
        f"{FLOOD} {mark}",
        url=f"https://h.example/{mark}",
        published=None,
    )
    (placed,) = rig.take(given)
    settle(rig)
    kept(rig, at=rig.clock() + timedelta(days=200), text_after=30 * DAY)
    placing_of(rig.database).erase(ForgetCommand(name=placed.article))
    settle(rig)
    with rig.database.read() as connection:
        for table in article.metadata.sorted_tables:
            for row in connection.execute(text(f"SELECT * FROM {table.name}")):
                assert not any(mark in plain(value).lower() for value in row), (
                    table.name
                )


@pytest.mark.later
def test_an_export_says_which_texts_are_deleted(
    rig: Rig, database: Database, tmp_path: Any
) -> None:
    kept(rig, at=NOON + timedelta(days=60), text_after=30 * DAY)
    first = b"".join(export_lines(database, no_progress))
    assert b'"text":null' in first
    target = with_tables(sqlite_file(tmp_path / "other.db"))
    import_into(target, first.splitlines(keepends=True), no_progress)
    assert b"".join(export_lines(target, no_progress)) == first
    settle(Rig(target, Clock(YEAR)))
    assert checked(target) == []


@pytest.mark.later
def test_an_entry_keeps_nothing_that_its_article_has_and_is_forgotten_all_the_same(
    rig: Rig,
) -> None:
    address = "https://herald.example/x"
    (placed,) = rig.take(
        record("Herald", "x", "Levee gives way", FLOOD, url=address, published=None)
    )
    kept(
        rig,
        at=NOON + timedelta(days=11),
        all_tuning=Tuning({"retention": {"rows_a_step": 1}}),
    )
    rows = stored(
        rig.database, entry.c.entry_no, entry.c.article, entry.c.payload, entry.c.url
    )
    assert rows[-1][1:] == (placed.article, b"", None)
    assert [one.url for one in results_of(rig.database)][-1] == address
    placing_of(rig.database).erase(ForgetCommand(name=address))
    assert stored(rig.database, tombstone.c.article) == [(placed.article,)]
    assert wrong(rig.database) == []


def results_of(database: Database) -> list[inbox.EntryResult]:
    numbers = [row[0] for row in stored(database, entry.c.entry_no)]
    return read_by(database, inbox.results, numbers)


def test_each_entry_that_was_placed_holds_no_words_but_its_headline(rig: Rig) -> None:
    (placed,) = rig.take(
        record("Herald", "x", "Levee gives way", FLOOD, published=None)
    )
    size = value(
        rig.database, func.length(entry.c.payload), entry.c.article == placed.article
    )
    assert size < 200 < len(FLOOD) // 2
