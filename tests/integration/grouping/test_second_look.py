"""The second look, carried out: what it changes is logged with its reasons, and done once."""

import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from aggregator.config.tuning import Tuning
from aggregator.grouping.story_options import StoryOptions
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.errors import AggregatorError
from aggregator.store.engine.database import Database
from aggregator.store.tables import (
    article,
    correction,
    link_constraint,
    story,
    story_log,
)
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Clock,
    Rig,
    record,
    settled,
)
from tests.support.rows import executed, queried, rename, value
from tests.support.story_checks import (
    assigned,
    by_title,
    evidence_of,
    fill,
    members,
    mistake,
    partition,
    recluster,
    redirects,
    rows_of,
    small_set,
    what_is_wrong,
)


def look(database: Database, every: int = 32) -> Rig:
    """The next look is due at inbox number 64 (or at the first one), before the first of these is placed."""
    tuning = Tuning({"events": {"reassess_every": every}})
    rig = Rig(database, Clock(days=9), tuning)
    rig.take(
        record("Late", "1", "Dock workers strike in Sennick", STRIKE, published=None)
    )
    return rig


def log_of(database: Database, id_: str, kind: str) -> list[dict[str, Any]]:
    chosen = select(story_log).where(story_log.c.story == id_, story_log.c.kind == kind)
    rows = queried(database, chosen.order_by(story_log.c.log_no)).all()
    return [{"article": row.article, **json.loads(row.detail or "{}")} for row in rows]


@pytest.mark.later
def test_two_stories_of_one_event_become_one_again_with_the_reason_in_both_logs(
    grouped: Database,
) -> None:
    (bridge,) = by_title(grouped, "Hollin Bridge")
    before = partition(grouped)
    new = mistake(
        grouped, "split", bridge, articles=tuple(members(grouped, bridge)[:2])
    )[1]
    rig = look(grouped)
    assert {
        home: ids for home, ids in partition(grouped).items() if home in before
    } == before
    assert redirects(grouped)[new] == bridge
    (merged,) = [
        line for line in log_of(grouped, bridge, "merged") if line.get("other") == new
    ]
    assert merged["reason"] == "second look"
    assert merged["score"] >= merged["need"]
    assert log_of(grouped, new, "merged")[-1]["into"] == bridge
    assert what_is_wrong(grouped, rig.pipeline.placer) == []


def test_an_undated_article_in_the_wrong_story_goes_where_it_belongs_and_says_why(
    grouped: Database,
) -> None:
    halden, goat = by_title(grouped, "Ostby ends", "goat cheese")
    before = partition(grouped)
    *_, moved = members(grouped, halden)
    mistake(grouped, "move", goat, articles=(moved,))
    rig = look(grouped)
    assert {
        home: ids for home, ids in partition(grouped).items() if home in before
    } == before
    why = evidence_of(grouped, moved)
    assert why.stage == "second look"
    assert why.score is not None
    assert why.need is not None
    assert why.score >= why.need
    assert why.runner_up is not None
    assert why.runner_up.story == goat
    (left,) = [line for line in log_of(grouped, goat, "moved") if line.get("to")]
    (came,) = [line for line in log_of(grouped, halden, "moved") if line.get("from")]
    assert (left["article"], left["to"], came["from"]) == (moved, halden, goat)
    assert left["score"] == came["score"] == pytest.approx(why.score)
    assert left["own"] < left["score"]
    assert what_is_wrong(grouped, rig.pipeline.placer) == []


def misplaced(database: Database) -> list[str]:
    """An undated report and its copy, which are with a report of another event, and one of their event."""
    title = "Levee breaks at Pennmouth, four dead"
    placed = Rig(database).take(
        record("Gazette", "1", title, FLOOD, published=None),
        record("Mirror", "1", title, FLOOD, published=None),
        record(
            "Herald",
            "1",
            "Pennmouth under water after levee breaks",
            FLOOD_ELSEWHERE,
            published=None,
        ),
        record(
            "Post",
            "1",
            "Prizes for bakers",
            "A jury in Oresk gave prizes to nine bakers of rye bread.",
            published=None,
        ),
    )
    first, _, event, other = ids = [one.article for one in placed]
    assert (
        assigned(database)[first]
        == assigned(database)[event]
        != assigned(database)[other]
    )
    mistake(database, "move", assigned(database)[other], articles=(first,))
    return ids


def test_silent_copies_go_along(database: Database) -> None:
    first, copy, event, other = misplaced(database)
    assert (
        assigned(database)[first]
        == assigned(database)[copy]
        == assigned(database)[other]
    )
    look(database, every=5)
    home = assigned(database)[event]
    assert partition(database)[home] == {first, copy, event}
    assert {line["article"] for line in log_of(database, home, "moved")} == {
        first,
        copy,
    }
    assert what_is_wrong(database) == []


def test_a_story_that_a_report_leaves_gets_no_bump_of_the_other_story(
    database: Database,
) -> None:
    _, _, event, other = misplaced(database)
    home, left = assigned(database)[event], assigned(database)[other]
    for id_, hour in ((left, 0), (home, 1)):
        bumped = update(story).where(story.c.id == id_)
        bumped_at = NOON + timedelta(hours=hour)
        executed(database, bumped.values(bumped_at=bumped_at))
    before = queried(database, select(story).where(story.c.id == left)).one()
    rig = Rig(database, Clock(days=9))
    rig.pipeline = Pipeline(
        database,
        InlineExecutor(),
        Tuning({"events": {"reassess_every": 5}}),
        rig.clock,
        StoryOptions(bumps=("headline",)),
    )
    rig.take(
        record("Late", "1", "Dock workers strike in Sennick", STRIKE, published=None)
    )
    after = queried(database, select(story).where(story.c.id == left)).one()
    assert after.title != before.title, "its headline has left"
    assert after.bumped_at == before.bumped_at


def test_a_live_blog_stays_when_its_reports_go(grouped: Database) -> None:
    bridge, norvale = by_title(grouped, "Hollin Bridge", "Bank of Norvale")
    blog = value(
        grouped, article.c.id, article.c.story == bridge, article.c.role == "container"
    )
    mistake(grouped, "move", norvale, articles=(blog,))
    look(grouped)
    assert assigned(grouped)[blog] == norvale, "it says nothing of its own"
    assert what_is_wrong(grouped) == []


def test_a_copy_that_is_bound_holds_its_report_back(database: Database) -> None:
    first, copy, _, other = misplaced(database)
    with database.write() as connection:
        connection.execute(
            insert(correction),
            [{"correction_no": 1, "at": NOON, "kind": "merge", "detail": "{}"}],
        )
        rows = [
            {"correction": 1, "article": id_, "relation": "together", "side": 0}
            for id_ in (copy, other)
        ]
        connection.execute(insert(link_constraint), rows)
    look(database, every=5)
    assert (
        assigned(database)[first]
        == assigned(database)[copy]
        == assigned(database)[other]
    )
    assert what_is_wrong(database) == []


def test_looks_are_due_by_numbers_and_once(grouped: Database) -> None:
    (bridge,) = by_title(grouped, "Hollin Bridge")
    mistake(grouped, "split", bridge, articles=(members(grouped, bridge)[1],))
    look(grouped)
    merged = rows_of(grouped, story_log)
    rig = Rig(grouped, Clock(days=9))
    junk = [record("Junk", str(n), "", "...", published=None) for n in range(200)]
    rig.take(*junk)
    assert rows_of(grouped, story_log) == merged, "nothing was left to say"


def test_a_revision_does_not_put_a_look_off(grouped: Database) -> None:
    (bridge,) = by_title(grouped, "Hollin Bridge")
    new = mistake(
        grouped, "split", bridge, articles=tuple(members(grouped, bridge)[:2])
    )[1]
    old = next(one for one in small_set() if one.text and "Norvale" in one.title)
    rig = Rig(grouped, Clock(days=9))
    placed = rig.take(replace(old, text=f"{old.text} The bank had no more to say."))
    assert [one.outcome for one in placed] == ["revised"]
    assert redirects(grouped)[new] == bridge
    assert what_is_wrong(grouped, rig.pipeline.placer) == []


@pytest.mark.later
def test_a_look_after_a_restart_or_a_crash_gives_the_same_rows(
    database: Database,
) -> None:
    late = [
        record(
            "Late",
            str(n),
            f"Sennick {n}",
            f"{STRIKE} That was day {n}.",
        )
        for n in range(34)
    ]
    held = []
    for way in ("through", "restarted", "crashed"):
        fill(database)
        (bridge,) = by_title(database, "Hollin Bridge")
        (norvale,) = by_title(database, "Bank of Norvale")
        mistake(
            database, "split", bridge, articles=tuple(members(database, bridge)[:2])
        )
        mistake(database, "move", norvale, articles=(members(database, bridge)[0],))
        rig = Rig(database, Clock(days=9))
        if way == "through":
            rig.take(*late)
        for one in late if way == "restarted" else ():
            rig.take(one)
            rig.restart()
        if way == "crashed":
            rig.accept(*late)
            # The first article of the batch fails, after the look
            rename(database, "sketch", "away")
            with pytest.raises((SQLAlchemyError, AggregatorError)):
                rig.place()
            rename(database, "away", "sketch")
            assert redirects(database)[bridge] is None
            rig.place()
        assert what_is_wrong(database, rig.pipeline.placer) == []
        rows = settled(database)
        rows.pop("sightings")
        held.append(rows)
    for part, rows in held[0].items():
        assert rows == held[1][part] == held[2][part]


@pytest.mark.later
def test_deciding_again_takes_the_moves_of_the_second_look_too(
    grouped: Database,
) -> None:
    """Both ways end alike here: a mistake that a look puts right, and one that deciding again puts right."""
    halden, norvale = by_title(grouped, "Ostby ends", "Bank of Norvale")
    before = partition(grouped)
    mistake(grouped, "move", norvale, articles=(members(grouped, halden)[-1],))
    assert recluster(grouped).moved == 1
    assert partition(grouped) == before
    touched = dict(
        queried(grouped, select(story.c.id, story.c.membership_changed_no)).all()
    )
    assert touched[halden] <= 63
    assert what_is_wrong(grouped) == []
