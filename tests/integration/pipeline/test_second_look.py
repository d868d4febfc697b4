"""The second look, carried out: what it changes is logged with its reasons, and done once."""

import datetime as dt
import json
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import SQLAlchemyError

from aggregator.cluster.events.weights import shipped_model
from aggregator.config.tuning import Tuning
from aggregator.model.errors import AggregatorError
from aggregator.store.engine.database import Database
from aggregator.store.tables import article, correction, link_constraint, story, story_log
from tests.support.articles import NOON, STRIKE, Clock, Rig, record, settled
from tests.support.rows import queried, rename
from tests.support.story_checks import (
    assigned,
    by_title,
    correct,
    evidence_of,
    fill,
    members,
    mistake,
    partition,
    placing_of,
    reclustering,
    redirects,
    rows_of,
    what_is_wrong,
)


def look(database: Database) -> Rig:
    """The next look is due at inbox number 64, before the first of these is placed."""
    rig = Rig(database, Clock(NOON + dt.timedelta(days=9)))
    rig.take(record("Late", "1", "Dock workers strike in Sennick", STRIKE))
    return rig


def log_of(database: Database, id_: str, kind: str) -> list[dict[str, Any]]:
    chosen = select(story_log).where(story_log.c.story == id_, story_log.c.kind == kind)
    rows = queried(database, chosen.order_by(story_log.c.log_no)).all()
    return [{"article": row.article, **json.loads(row.detail or "{}")} for row in rows]


def test_two_stories_of_one_event_become_one_again_with_the_reason_in_both_logs(grouped: Database) -> None:
    (bridge,) = by_title(grouped, "Hollin Bridge")
    before = partition(grouped)
    new = mistake(grouped, "split", bridge, articles=tuple(members(grouped, bridge)[:2]))[1]
    rig = look(grouped)
    assert {home: ids for home, ids in partition(grouped).items() if home in before} == before
    assert redirects(grouped)[new] == bridge
    (merged,) = [line for line in log_of(grouped, bridge, "merged") if line.get("other") == new]
    assert merged["reason"] == "second look"
    assert merged["score"] >= merged["need"]
    assert log_of(grouped, new, "merged")[-1]["into"] == bridge
    assert what_is_wrong(grouped, rig.pipeline.placer) == []


def test_an_article_in_the_wrong_story_goes_where_it_belongs_and_says_why(grouped: Database) -> None:
    bridge, norvale = by_title(grouped, "Hollin Bridge", "Bank of Norvale")
    before = partition(grouped)
    moved = members(grouped, bridge)[1]
    mistake(grouped, "move", norvale, articles=(moved,))
    rig = look(grouped)
    assert {home: ids for home, ids in partition(grouped).items() if home in before} == before
    why = evidence_of(grouped, moved)
    assert why.stage == "second look"
    assert why.score is not None
    assert why.need is not None
    assert why.bias + sum(reason.share for reason in why.reasons) == pytest.approx(why.score, abs=1e-9)
    assert why.bias == shipped_model(Tuning()).bias
    assert why.score >= why.need
    assert why.runner_up is not None
    assert why.runner_up.story == norvale
    (left,) = [line for line in log_of(grouped, norvale, "moved") if line.get("to")]
    (came,) = [line for line in log_of(grouped, bridge, "moved") if line.get("from")]
    assert (left["article"], left["to"], came["from"]) == (moved, bridge, norvale)
    assert left["score"] == came["score"] == pytest.approx(why.score)
    assert left["own"] < left["score"]
    assert what_is_wrong(grouped, rig.pipeline.placer) == []


def test_a_report_that_fits_nowhere_stands_alone_with_an_id_of_its_own(grouped: Database) -> None:
    goat, norvale = by_title(grouped, "goat cheese", "Bank of Norvale")
    (moved,) = members(grouped, goat)
    mistake(grouped, "move", norvale, articles=(moved,))
    assert redirects(grouped)[goat] == norvale
    look(grouped)
    home = assigned(grouped)[moved]
    assert home not in (goat, norvale), "an address that led elsewhere is not taken away from there"
    assert partition(grouped)[home] == {moved}
    assert redirects(grouped)[goat] == norvale
    why = evidence_of(grouped, moved)
    assert why.stage == "second look"
    assert why.score is not None
    assert why.bias + sum(reason.share for reason in why.reasons) == pytest.approx(why.score, abs=1e-9)
    assert what_is_wrong(grouped) == []


def test_silent_copies_go_along_and_a_live_blog_stays(grouped: Database) -> None:
    ferry, goat = by_title(grouped, "ferry fire", "goat cheese")
    before = partition(grouped)[ferry]
    first, *copies, _ = members(grouped, ferry)
    assert len(copies) == 3
    mistake(grouped, "move", goat, articles=(first,))
    assert partition(grouped)[goat] >= {first, *copies}
    look(grouped)
    assert partition(grouped)[ferry] == before
    lines = log_of(grouped, ferry, "moved")
    assert {line["article"] for line in lines} == {first, *copies}
    assert what_is_wrong(grouped) == []


def test_a_live_blog_stays_when_its_reports_go(grouped: Database) -> None:
    bridge, norvale = by_title(grouped, "Hollin Bridge", "Bank of Norvale")
    blog = queried(
        grouped, select(article.c.id).where(article.c.story == bridge, article.c.role == "container")
    ).scalar_one()
    mistake(grouped, "move", norvale, articles=(blog,))
    look(grouped)
    assert assigned(grouped)[blog] == norvale, "it says nothing of its own"
    assert what_is_wrong(grouped) == []


def test_what_a_correction_holds_is_not_moved(grouped: Database) -> None:
    bridge, norvale, goat = by_title(grouped, "Hollin Bridge", "Bank of Norvale", "goat cheese")
    one = members(grouped, bridge)[1]
    correct(grouped, "move", norvale, articles=(one,))
    correct(grouped, "merge", goat, norvale)
    before = partition(grouped)
    look(grouped)
    now = partition(grouped)
    assert all(now[home] == ids for home, ids in before.items())


def test_a_copy_that_is_bound_holds_its_report_back(grouped: Database) -> None:
    ferry, goat = by_title(grouped, "ferry fire", "goat cheese")
    first, copy, *_ = members(grouped, ferry)
    (held,) = members(grouped, goat)
    mistake(grouped, "move", goat, articles=(first,))
    with grouped.write() as connection:
        connection.execute(
            insert(correction), [{"correction_no": 1, "at": NOON, "kind": "merge", "detail": "{}"}]
        )
        rows = [{"correction": 1, "article": id_, "relation": "together", "side": 0} for id_ in (copy, held)]
        connection.execute(insert(link_constraint), rows)
    look(grouped)
    assert assigned(grouped)[first] == assigned(grouped)[copy] == assigned(grouped)[held]
    assert what_is_wrong(grouped) == []


def test_looks_are_due_by_numbers_and_once(grouped: Database) -> None:
    (bridge,) = by_title(grouped, "Hollin Bridge")
    mistake(grouped, "split", bridge, articles=(members(grouped, bridge)[1],))
    look(grouped)
    merged = rows_of(grouped, story_log)
    rig = Rig(grouped, Clock(NOON + dt.timedelta(days=9)))
    junk = [record("Junk", str(n), "", "...") for n in range(200)]
    rig.take(*junk)
    assert rows_of(grouped, story_log) == merged, "nothing was left to say"


def test_a_look_after_a_restart_or_a_crash_gives_the_same_rows(
    database: Database,
) -> None:
    late = [
        record("Late", str(n), f"Sennick {n}", f"{STRIKE} That was day {n}.", published=NOON)
        for n in range(34)
    ]
    held = []
    for way in ("through", "restarted", "crashed"):
        fill(database)
        (bridge,) = by_title(database, "Hollin Bridge")
        (norvale,) = by_title(database, "Bank of Norvale")
        mistake(database, "split", bridge, articles=tuple(members(database, bridge)[:2]))
        mistake(database, "move", norvale, articles=(members(database, bridge)[0],))
        rig = Rig(database, Clock(NOON + dt.timedelta(days=9)))
        if way == "through":
            rig.take(*late)
        for one in late if way == "restarted" else ():
            rig.take(one)
            rig.restart()
        if way == "crashed":
            rig.accept(*late)
            rename(database, "lsh_band", "away")  # the first article of the batch fails, after the look
            with pytest.raises((SQLAlchemyError, AggregatorError)):
                rig.place()
            rename(database, "away", "lsh_band")
            assert redirects(database)[bridge] is None
            rig.place()
        assert what_is_wrong(database, rig.pipeline.placer) == []
        rows = settled(database)
        rows.pop("sightings")
        held.append(rows)
    for part, rows in held[0].items():
        assert rows == held[1][part] == held[2][part]


def test_deciding_again_takes_the_moves_of_the_second_look_too(grouped: Database) -> None:
    """Both ways end alike here: a mistake that a look puts right, and one that deciding again puts right."""
    bridge, norvale = by_title(grouped, "Hollin Bridge", "Bank of Norvale")
    before = partition(grouped)
    mistake(grouped, "move", norvale, articles=(members(grouped, bridge)[1],))
    difference = reclustering(grouped).take_over(placing_of(grouped), None)
    assert difference.moved == 1
    assert partition(grouped) == before
    touched = dict(queried(grouped, select(story.c.id, story.c.membership_changed_no)).all())
    assert touched[bridge] <= 63
    assert what_is_wrong(grouped) == []
