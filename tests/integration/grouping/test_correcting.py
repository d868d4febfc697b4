"""Corrections: a person's word is done at once, binds every later decision, and can be taken back."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select

from aggregator.admin.labelled_data import labelled_records, labels
from aggregator.grouping.corrections.correction_command import CorrectionCommand
from aggregator.model.entry import Published
from aggregator.model.errors import UsageError
from aggregator.model.read_model import StoryRedirect
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import (
    article,
    correction,
    counter,
    link_constraint,
    story,
    story_log,
)
from tests.support.articles import (
    BLOG,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    STRIKE_ELSEWHERE,
    Clock,
    Rig,
    flood,
    flood_elsewhere,
    record,
    strike,
)
from tests.support.fresh import with_tables
from tests.support.rows import queried, value
from tests.support.story_checks import (
    assigned,
    by_title,
    copied,
    correct,
    everything,
    evidence_of,
    members,
    partition,
    placing_of,
    recluster,
    reclustering,
    redirects,
    small_set,
    undo,
    what_is_wrong,
)
from tests.support.tables import each_row


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database, Clock(days=3))


def blog() -> object:
    title = "Live blog: levee breaks at Pennmouth on the Arrel"
    return record("Live Desk", "1", title, BLOG)


def logged(database: Database, id_: str) -> list[tuple[str, dict[str, object]]]:
    rows = queried(
        database,
        select(story_log).where(story_log.c.story == id_).order_by(story_log.c.log_no),
    )
    return [(row.kind, json.loads(row.detail or "{}")) for row in rows]


# --- merge -------------------------------------------------------------------------------------------------


def test_the_story_with_more_reports_keeps_its_id_and_the_other_one_leads_to_it(
    grouped: Database,
) -> None:
    bridge, goat = by_title(grouped, "Hollin Bridge", "goat cheese")
    both = set(members(grouped, bridge)) | set(members(grouped, goat))
    assert correct(grouped, "merge", goat, bridge).stories == (bridge,)
    assert partition(grouped)[bridge] == both
    assert StoryReader(grouped).story(goat) == StoryRedirect(to=bridge)
    assert redirects(grouped)[goat] == bridge
    assert (
        "corrected",
        {"correction": 1, "words": f"merged {goat} into {bridge}"},
    ) in logged(grouped, bridge)
    assert ("merged", {"into": bridge, "reason": "correction"}) in logged(grouped, goat)
    assert what_is_wrong(grouped) == []


def test_of_two_equals_the_older_keeps_its_id(grouped: Database) -> None:
    marathon, goat = by_title(grouped, "Lund marathon", "goat cheese")
    assert correct(grouped, "merge", goat, marathon).stories == (marathon,)


def test_the_story_of_a_live_blog_gives_way_even_to_a_younger_one(rig: Rig) -> None:
    opened, walkout = rig.take(blog(), strike())
    assert correct(rig.database, "merge", opened.story, walkout.story).stories == (
        walkout.story,
    )
    assert what_is_wrong(rig.database) == []


# --- split and move ----------------------------------------------------------------------------------------


def test_what_is_split_off_is_a_story_of_its_own_and_undo_gives_the_id_back(
    grouped: Database,
) -> None:
    (bridge,) = by_title(grouped, "Hollin Bridge")
    before = partition(grouped)
    leaving = members(grouped, bridge)[1]
    reasons = evidence_of(grouped, leaving)
    done = correct(grouped, "split", bridge, articles=(leaving,))
    assert done.stories[0] == bridge
    assert partition(grouped)[done.stories[1]] == {leaving}
    assert evidence_of(grouped, leaving).stage == "correction"
    assert what_is_wrong(grouped) == []
    undo(grouped)
    assert partition(grouped) == before
    assert redirects(grouped)[done.stories[1]] == bridge
    assert evidence_of(grouped, leaving) == reasons, "why it is there is what it was"
    assert what_is_wrong(grouped) == []


def test_the_founder_may_leave_and_the_story_keeps_its_id(grouped: Database) -> None:
    (bridge,) = by_title(grouped, "Hollin Bridge")
    founder, *others = members(grouped, bridge)
    done = correct(grouped, "split", bridge, articles=(founder,))
    assert done.stories[0] == bridge
    assert done.stories[1] != bridge
    assert partition(grouped)[bridge] == set(others)
    again = correct(grouped, "split", bridge, articles=(others[0],))
    assert len({bridge, done.stories[1], again.stories[1]}) == 3
    assert what_is_wrong(grouped) == []


def test_a_story_may_be_left_with_a_live_blog_alone(grouped: Database) -> None:
    (bridge,) = by_title(grouped, "Hollin Bridge")
    reports = queried(
        grouped,
        select(article.c.id).where(
            article.c.story == bridge, article.c.role == "report"
        ),
    )
    correct(grouped, "split", bridge, articles=tuple(reports.scalars()))
    row = queried(grouped, select(story).where(story.c.id == bridge)).one()
    assert (row.article_count, row.report_count, row.container_only) == (1, 1, True)
    assert what_is_wrong(grouped) == []


def test_a_report_takes_its_copies_along(grouped: Database) -> None:
    (ferry,) = by_title(grouped, "ferry fire")
    first, *copies, last = members(grouped, ferry)
    done = correct(grouped, "split", ferry, articles=(first,))
    assert partition(grouped)[done.stories[1]] == {first, *copies}
    assert partition(grouped)[ferry] == {last}


def test_what_was_wrongly_found_to_be_a_copy_leaves_alone(grouped: Database) -> None:
    (ferry,) = by_title(grouped, "ferry fire")
    copy = members(grouped, ferry)[1]
    done = correct(grouped, "split", ferry, articles=(copy,))
    assert partition(grouped)[done.stories[1]] == {copy}
    assert what_is_wrong(grouped) == []
    assert reclustering(grouped).difference(None).changed_stories == 0, (
        "a copy's twin does not pull it back"
    )


def test_a_story_whose_last_article_moves_away_gives_way(grouped: Database) -> None:
    bridge, goat = by_title(grouped, "Hollin Bridge", "goat cheese")
    before = partition(grouped)
    (only,) = members(grouped, goat)
    assert correct(grouped, "move", bridge, articles=(only,)).stories == (bridge,)
    assert redirects(grouped)[goat] == bridge
    undo(grouped)
    assert partition(grouped) == before
    assert redirects(grouped)[goat] is None


# --- what cannot be done -----------------------------------------------------------------------------------


@each_row(
    "correcting",
    "what cannot be done is said and changes nothing",
    "words",
    "kind",
    "titles",
    "leaving",
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    grouped: Database, words: str, kind: str, titles: list[str], leaving: str
) -> None:
    """The titles name stories; a number of their articles, or one that is nowhere, is to leave."""
    stories = [by_title(grouped, title)[0] for title in titles] or ["nowhere", "else"]
    articles = members(grouped, stories[0])
    chosen = {"": (), "all": articles, "one": articles[:1], "none": ["no such one"]}
    asked = {"stories": tuple(stories), "articles": tuple(chosen[leaving])}
    before = everything(grouped)
    placing = placing_of(grouped)
    with pytest.raises(UsageError, match=words) as caught:
        placing.correct(CorrectionCommand(**({"kind": kind} | asked if kind else {})))
    assert caught.value.exit_code == 2
    assert everything(grouped) == before
    assert what_is_wrong(grouped, placing) == []


def test_an_undo_shows_the_headline_of_before(rig: Rig) -> None:
    titles = (
        "In Pennmouth dockers strike at harbour over pay",
        "Over pay dockers strike at Pennmouth harbour",
        # Too little better to replace the one before
        "Dockers strike at Pennmouth harbour over pay",
    )
    told = [
        record(f"Outlet {number}", str(number), title, text)
        for number, (title, text) in enumerate(
            zip(titles, (STRIKE, STRIKE_ELSEWHERE, FLOOD_ELSEWHERE), strict=True)
        )
    ]
    first, *others = rig.take(*told)
    for one in others:
        if one.story != first.story:
            correct(rig.database, "merge", first.story, one.story)

    def titled() -> set[str]:
        live = select(story.c.title).where(story.c.redirect_to.is_(None))
        return {row.title for row in queried(rig.database, live)}

    (before,) = titled()
    shown = (first, *others)[titles.index(before)]
    correct(rig.database, "split", first.story, articles=(shown.article,))
    assert titled() == {before, titles[2]}
    undo(rig.database)
    assert titled() == {before}


def test_an_undone_correction_is_not_undone_twice_and_an_unknown_one_never(
    grouped: Database,
) -> None:
    correct(grouped, "merge", *by_title(grouped, "Lund marathon", "goat cheese"))
    with pytest.raises(UsageError, match="there is no correction 7"):
        undo(grouped, 7)
    undo(grouped, 1)
    with pytest.raises(UsageError, match="is already undone"):
        undo(grouped, 1)


def test_an_id_that_gave_way_means_the_story_that_it_leads_to(
    grouped: Database,
) -> None:
    goat, marathon, bridge = by_title(
        grouped, "goat cheese", "Lund marathon", "Hollin Bridge"
    )
    correct(grouped, "merge", goat, marathon)
    with pytest.raises(UsageError, match="one story already"):
        correct(grouped, "merge", goat, marathon)
    assert correct(grouped, "merge", goat, bridge).stories == (bridge,)
    assert (
        correct(
            grouped, "split", goat, articles=(members(grouped, bridge)[0],)
        ).stories[0]
        == bridge
    )


# --- one correction on top of another ----------------------------------------------------------------------


def test_what_a_later_correction_holds_is_not_torn_by_undoing_an_older_one(
    grouped: Database,
) -> None:
    goat, marathon, bridge = by_title(
        grouped, "goat cheese", "Lund marathon", "Hollin Bridge"
    )
    start = partition(grouped), redirects(grouped)
    correct(grouped, "merge", goat, marathon)
    correct(grouped, "merge", marathon, bridge)
    before = everything(grouped)
    with pytest.raises(UsageError, match=r"later correction 2 .* undo 2"):
        undo(grouped, 1)
    assert everything(grouped) == before
    undo(grouped, 2)
    undo(grouped, 1)
    assert (partition(grouped), redirects(grouped)) == start


def test_a_split_is_undone_where_its_story_gave_way_meanwhile(
    grouped: Database,
) -> None:
    goat, marathon, bridge = by_title(
        grouped, "goat cheese", "Lund marathon", "Hollin Bridge"
    )
    (talmir,) = by_title(grouped, "Talmir valley")
    one = members(grouped, talmir)[1]
    new = correct(grouped, "split", talmir, articles=(one,)).stories[1]
    correct(grouped, "merge", talmir, bridge)
    assert undo(grouped, 1).stories == (bridge,)
    assert assigned(grouped)[one] == redirects(grouped)[new] == bridge, (
        "where those are that it was with"
    )
    assert what_is_wrong(grouped) == []
    assert redirects(grouped)[goat] is redirects(grouped)[marathon] is None


def test_an_article_that_went_elsewhere_since_stays_there(grouped: Database) -> None:
    goat, marathon, bridge = by_title(
        grouped, "goat cheese", "Lund marathon", "Hollin Bridge"
    )
    (only,) = members(grouped, goat)
    correct(grouped, "merge", goat, marathon)
    correct(grouped, "move", bridge, articles=(only,))
    undo(grouped, 1)
    assert assigned(grouped)[only] == bridge
    assert what_is_wrong(grouped) == []


# --- it binds ----------------------------------------------------------------------------------------------


def test_a_live_blog_that_was_taken_out_is_not_taken_in_again_by_a_later_report(
    rig: Rig,
) -> None:
    first, silent = rig.take(flood(), blog())
    assert first.story == silent.story
    correct(rig.database, "split", first.story, articles=(silent.article,))
    rig.restart()
    assert rig.take(flood_elsewhere())[0].story == first.story
    assert assigned(rig.database)[silent.article] != first.story
    assert what_is_wrong(rig.database) == []


def test_a_copy_of_what_was_split_off_goes_with_it_and_not_back(rig: Rig) -> None:
    first, second = rig.take(flood(), flood_elsewhere())
    assert first.story == second.story
    new = correct(
        rig.database, "split", first.story, articles=(second.article,)
    ).stories[1]
    rig.restart()
    copy = rig.take(record("Post", "1", "Pennmouth under water", FLOOD_ELSEWHERE))
    assert copy[0].story == new
    assert assigned(rig.database)[second.article] == new


def test_what_was_split_off_keeps_apart_where_the_second_look_would_join_it(
    grouped: Database,
) -> None:
    def look_again(database: Database) -> None:
        junk = [
            record("Junk", f"{turn}-{n}", "", "...", published=None) for n in range(64)
        ]
        Rig(database, Clock(days=9)).take(
            *junk, record("Late", turn, "Heron", STRIKE + turn, published=None)
        )

    (bridge,) = by_title(grouped, "Hollin Bridge")
    one = members(grouped, bridge)[1]
    correct(grouped, "split", bridge, articles=(one,))
    turn = "first"
    look_again(grouped)
    assert assigned(grouped)[one] != bridge
    with grouped.write() as connection:
        connection.execute(delete(link_constraint))
        connection.execute(
            story.update()
            .where(story.c.id == bridge)
            .values(membership_changed_no=10_000)
        )
        connection.execute(
            counter.update().where(counter.c.name == "inbox").values(value=10_020)
        )
    turn = "second"
    look_again(grouped)
    assert assigned(grouped)[one] == bridge, "without the bond the look does join it"


@pytest.fixture
def corrected(grouped: Database) -> Database:
    """One of each: two merged, one split off, one moved, one merge that was taken back."""
    bridge, goat, marathon, ferry = by_title(
        grouped, "Hollin Bridge", "goat cheese", "Lund marathon", "ferry fire"
    )
    norvale, sorrin = by_title(grouped, "Bank of Norvale", "Sorrin's central bank")
    correct(grouped, "merge", goat, marathon)
    correct(grouped, "split", bridge, articles=(members(grouped, bridge)[1],))
    correct(grouped, "move", norvale, articles=(members(grouped, sorrin)[1],))
    correct(grouped, "split", ferry, articles=(members(grouped, ferry)[1],))
    correct(grouped, "merge", bridge, ferry)
    undo(grouped)
    assert what_is_wrong(grouped) == []
    return grouped


@pytest.mark.later
def test_without_them_all_would_be_as_before(corrected: Database) -> None:
    recluster = reclustering(corrected)
    groups = []
    for is_corrected in (True, False):
        stories: dict[str, set[str]] = {}
        for id_, name in recluster.assignments(corrected=is_corrected).items():
            stories.setdefault(name, set()).add(id_)
        groups.append({frozenset(ids) for ids in stories.values()})
    bound, free = groups
    assert len(free - bound) >= 6, "so that the test before this one can fail"


@pytest.fixture
def other_kind(
    database: Database, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Database]:
    """An empty database of the other kind."""
    server = request.getfixturevalue("postgres") if database.is_sqlite else None
    address = server.lend() if server else f"sqlite:///{tmp_path / 'other.db'}"
    with closing(with_tables(Database(address))) as other:
        yield other
    if server:
        server.take_back(address)


@pytest.mark.later
def test_a_copy_in_a_database_of_the_other_kind_is_bound(
    corrected: Database, other_kind: Database
) -> None:
    copied(corrected, other_kind)
    assert what_is_wrong(other_kind) == []
    recluster(other_kind)
    assert partition(other_kind) == partition(corrected)
    undo(other_kind)
    undo(corrected)
    assert partition(other_kind) == partition(corrected)
    assert what_is_wrong(other_kind) == []


@pytest.mark.later
def test_the_same_input_again_with_the_corrections_gives_the_same_groups(
    corrected: Database, other_kind: Database
) -> None:
    with corrected.read() as old, other_kind.write() as new:
        for table in (correction, link_constraint):
            rows = [dict(row) for row in old.execute(select(table)).mappings()]
            new.execute(insert(table), rows)
    Rig(other_kind, Clock(days=9)).take(*small_set())
    assert set(partition(other_kind).values()) == set(partition(corrected).values())
    assert what_is_wrong(other_kind) == []


# --- live blogs in stories that a person made --------------------------------------------------------------


def test_a_report_that_belongs_to_a_live_blog_silences_it(rig: Rig) -> None:
    """The report comes to the blog's story by a correction made elsewhere; then the blog gets new words."""
    other = record(
        "Live Desk",
        "1",
        "Live blog: council of Sennick votes on budget",
        BLOG,
    )
    (opened,) = rig.take(other)
    assert value(rig.database, story.c.container_only)
    ids = [one.article for one in rig.accept(strike())]
    with rig.database.write() as connection:
        detail = {
            "correction_no": 1,
            "at": NOON,
            "kind": "merge",
            "detail": '{"words":"elsewhere"}',
        }
        connection.execute(insert(correction), [detail])
        rows = [
            {"correction": 1, "article": one, "relation": "together", "side": 0}
            for one in (opened.article, *ids)
        ]
        connection.execute(insert(link_constraint), rows)
    rig.restart()
    (joined,) = rig.place()
    assert joined.story == opened.story
    assert what_is_wrong(rig.database) == []
    longer = record(
        "Live Desk",
        "1",
        other.title,
        "10 p.m.: All is quiet now.\n\n" + BLOG,
    )
    assert [one.outcome for one in rig.take(longer)] == ["revised"]
    assert what_is_wrong(rig.database) == []


# --- labels ------------------------------------------------------------------------------------------------


def test_labels_name_the_articles_of_corrections_in_force_and_where_they_are(
    corrected: Database,
) -> None:
    named = labels(corrected)
    assert named
    assert named == {
        one: home for one, home in assigned(corrected).items() if one in named
    }
    while True:
        try:
            undo(corrected)
        except UsageError:
            break
    assert labels(corrected) == {}


def test_what_is_exported_has_the_ids_and_the_days_of_its_records(
    database: Database,
) -> None:
    """A day that was written as a midnight would be read as the minute of a report."""
    day = Published(time=datetime.fromisoformat("2026-10-11T00:00Z"), precision="day")
    founded = Rig(database).take(
        record("Ada", "1", "Walkout", STRIKE, record_id="a-1", published=day),
        record("Bo", "2", "Levee", FLOOD_ELSEWHERE, record_id="b-2"),
    )
    correct(database, "merge", *(result.story for result in founded if result.story))
    rows = [json.loads(line) for line in labelled_records(database)]
    published = {row["record_id"]: row["published"] for row in rows}
    assert published["a-1"] == "2026-10-11"
    assert published["b-2"].startswith(f"{NOON:%Y-%m-%dT%H:%M}")
