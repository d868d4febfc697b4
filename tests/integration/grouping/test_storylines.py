"""Storylines: the stories of one affair stand together, on either database and whatever happens to them."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

import aggregator
from aggregator.cli.application import make_app
from aggregator.grouping.corrections.explanation import explain_storyline
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.grouping.place import Placer
from aggregator.grouping.placing.compare_stored import compare_stored
from aggregator.model.entry import Entry
from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories import storyline_rows
from aggregator.store.tables import affinity, story
from tests.support.articles import (
    DAY,
    DYKES,
    FLOOD,
    FLOOD_ELSEWHERE,
    FUND,
    NOON,
    STRIKE,
    Clock,
    Rig,
    record,
)
from tests.support.fresh import opened_at, sqlite_file, with_tables
from tests.support.rows import column, executed, queried, read_by, written_by
from tests.support.story_checks import (
    by_title,
    correct,
    members,
    placing_of,
    recluster,
    reclustering,
    rows_of,
    small_set,
    undo,
    what_is_wrong,
)

LEVEE, VOTE, STRUCK = (
    "Levee breaks at Pennmouth, four dead",
    "Parliament votes for dykes",
    "Dock workers walk out in Sennick",
)
# Another report of the vote, which does not mention why
VOTE_ALONE = """CALMOUTH - Finance minister Oda Renn lost a vote in parliament on Friday: members of all parties passed
a fund of two billion crowns, which she had refused until spring. The opposition called the fund too small. Towns
must pay a tenth of the costs, and the association of towns wants that share to be dropped before the law is
signed. Engineers are to begin their inspections by autumn. Renn, in office for two years, said that she would not
resign, and that the budget of next year would have to shrink elsewhere."""


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database, Clock(days=20))


def affair() -> list[Entry]:
    """A levee breaks, parliament votes for dykes, their fund is late; dock workers strike."""
    return [
        record("Herald", "1", LEVEE, FLOOD),
        record("Echo", "2", VOTE, DYKES, published=NOON + 5 * DAY),
        record("Post", "3", STRUCK, STRIKE, published=NOON + 5 * DAY),
        record(
            "Courier", "4", "Fund for dykes pays late", FUND, published=NOON + 9 * DAY
        ),
    ]


def lines(database: Database) -> dict[str, str]:
    """The headline of the story that founded the storyline of each story, by headline."""
    rows = queried(database, select(story.c.id, story.c.title, story.c.storyline)).all()
    titles = {row.id: row.title for row in rows}
    return {row.title: titles[row.storyline] for row in rows if row.storyline}


def kept(database: Database) -> tuple[object, ...]:
    """All that is stored of storylines."""
    of_stories = select(story.c.id, story.c.storyline).order_by(story.c.id)
    return rows_of(database, affinity), queried(database, of_stories).all()


def test_the_steps_of_an_affair_stand_together_under_the_oldest(rig: Rig) -> None:
    rig.take(*affair())
    assert lines(rig.database) == {
        LEVEE: LEVEE,
        VOTE: LEVEE,
        "Fund for dykes pays late": LEVEE,
    }
    assert what_is_wrong(rig.database) == []


@pytest.mark.parametrize(("outlet", "days"), [("Herald", 8), ("Echo", 5)])
def test_a_step_after_more_than_a_week_begins_another_storyline(
    rig: Rig, outlet: str, days: int
) -> None:
    """What one feed tells one after the other must be nearer."""
    rig.take(record(outlet, "1", LEVEE, FLOOD))
    rig.take(record("Echo", "2", VOTE, DYKES, published=NOON + days * DAY))
    assert lines(rig.database) == {}


def test_a_roundup_joins_no_affairs(rig: Rig) -> None:
    rig.take(*affair())
    titles = f"{LEVEE}. {STRUCK}."
    text_ = f"{FLOOD} {STRIKE}"
    rig.take(
        record(
            "Mail", "9", f"Morning briefing: {titles}", text_, published=NOON + 5 * DAY
        )
    )
    assert STRUCK not in lines(rig.database)
    assert 5 not in column(rig.database, affinity.c.article)


@pytest.mark.parametrize("title", ["By: Oda Renn", "Newsletter: dykes"])
def test_a_post_or_a_newsletter_joins_no_affair(rig: Rig, title: str) -> None:
    rig.take(affair()[0], record("Mail", "9", title, DYKES, published=NOON + DAY))
    assert queried(rig.database, select(affinity)).all() == []
    assert lines(rig.database) == {}


def test_one_broad_word_makes_no_affair(rig: Rig) -> None:
    """Headlines of one form share a month and a year only; before, they were nearer than steps of an affair."""
    rig.take(
        record("Wire", "1", "Harbour: All of Today - February 17, 2026", ""),
        record("Week", "2", "Printables - February 27, 2026", ""),
    )
    assert queried(rig.database, select(affinity)).all() == []


def test_batches_and_restarts_do_not_matter(rig: Rig, tmp_path: Path) -> None:
    rig.take(*small_set())
    assert lines(rig.database), "the set has affairs"
    with opened_at(tmp_path / "other.db") as database:
        with_tables(database)
        other = Rig(database, Clock(days=20))
        for first in range(0, len(small_set()), 5):
            other.take(*small_set()[first : first + 5])
            other.restart()
        assert kept(database) == kept(rig.database)


def test_reclustering_gives_the_same_storylines(rig: Rig) -> None:
    rig.take(*small_set())
    before = kept(rig.database)
    executed(rig.database, story.update().values(storyline=None))
    executed(rig.database, affinity.delete())
    recluster(rig.database)
    assert kept(rig.database) == before


def test_reclustering_of_the_last_articles_leaves_the_others(rig: Rig) -> None:
    for entry in affair():
        rig.take(entry)
        rig.clock.time += DAY  # type: ignore[attr-defined]
    before = kept(rig.database)
    since = NOON + 22 * DAY
    reclustering(rig.database).take_over(placing_of(rig.database), since)
    assert kept(rig.database) == before


# --- what people do ----------------------------------------------------------------------------------------


def test_a_story_that_a_person_took_out_stays_out(rig: Rig) -> None:
    rig.take(*affair()[:2])
    levee, vote = by_title(rig.database, "Levee", "Parliament")
    correct(rig.database, "leave", vote)
    assert lines(rig.database) == {}
    rig.restart()
    title = "Parliament in Calmouth votes for a fund for dykes"
    rig.take(record("Mail", "9", title, DYKES, published=NOON + 2 * DAY))
    assert lines(rig.database) == {}
    recluster(rig.database)
    assert lines(rig.database) == {}
    undo(rig.database)
    assert lines(rig.database) == {LEVEE: LEVEE, VOTE: LEVEE}
    with pytest.raises(UsageError, match="in no storyline"):
        correct(rig.database, "leave", *by_title_of_strike(rig))
    assert levee != vote


def by_title_of_strike(rig: Rig) -> list[str]:
    rig.take(affair()[2])
    return by_title(rig.database, "Dock")


def test_the_others_keep_a_storyline_without_its_founder(rig: Rig) -> None:
    rig.take(*affair())
    (levee,) = by_title(rig.database, "Levee")
    correct(rig.database, "leave", levee)
    assert lines(rig.database) == {VOTE: VOTE, "Fund for dykes pays late": VOTE}
    undo(rig.database)
    assert set(lines(rig.database).values()) == {LEVEE}


def test_a_person_joins_storylines_and_that_binds(rig: Rig) -> None:
    rig.take(*affair())
    vote, strike = by_title(rig.database, "Parliament", "Dock")
    correct(rig.database, "join", strike, vote)
    assert lines(rig.database)[STRUCK] == LEVEE
    before = lines(rig.database)
    recluster(rig.database)
    assert lines(rig.database) == before
    with pytest.raises(UsageError, match="in one storyline already"):
        correct(rig.database, "join", strike, vote)
    undo(rig.database)
    assert STRUCK not in lines(rig.database)


def test_a_merged_story_leaves_its_place_to_the_other(rig: Rig) -> None:
    rig.take(*affair()[:3])
    levee, strike = by_title(rig.database, "Levee", "Dock")
    correct(rig.database, "merge", strike, levee)
    (merged,) = by_title(rig.database, "Levee")
    rows = select(story.c.storyline).where(story.c.id == merged)
    assert queried(rig.database, rows).scalar_one() == levee


def test_a_part_that_is_split_off_stands_where_it_is_near(rig: Rig) -> None:
    rig.take(record("Herald", "1", LEVEE, FLOOD))
    rig.take(record("Mail", "2", LEVEE, FLOOD_ELSEWHERE))
    rig.take(affair()[2])
    (levee,) = by_title(rig.database, "Levee")
    assert len(members(rig.database, levee)) == 2
    correct(rig.database, "split", levee, articles=(members(rig.database, levee)[1],))
    rows = queried(rig.database, select(story.c.storyline).order_by(story.c.story_no))
    assert rows.scalars().all() == [levee, None, levee]


def test_a_storyline_outlives_its_founder(rig: Rig) -> None:
    rig.take(*affair())
    (levee,) = by_title(rig.database, "Levee")
    article = members(rig.database, levee)[0]
    placing_of(rig.database).erase(ForgetCommand(name=article))
    standing = select(story.c.title).where(
        story.c.storyline == levee, story.c.redirect_to.is_(None)
    )
    assert set(queried(rig.database, standing).scalars()) == {
        VOTE,
        "Fund for dykes pays late",
    }
    assert 1 not in set(column(rig.database, affinity.c.article))


# --- afterwards --------------------------------------------------------------------------------------------


def test_after_an_upgrade_the_last_days_are_compared_once(rig: Rig) -> None:
    rig.take(*affair())
    before = lines(rig.database)
    executed(rig.database, story.update().values(storyline=None))
    executed(rig.database, affinity.delete())
    written_by(rig.database, storyline_rows.compare_all)
    placer = Placer(rig.database, rig.all_tuning, Clock(days=12))
    remaining = [read_by(rig.database, storyline_rows.count_uncompared)]
    while compare_stored(placer):
        remaining.append(read_by(rig.database, storyline_rows.count_uncompared))
    assert remaining == sorted(remaining, reverse=True)
    assert read_by(rig.database, storyline_rows.count_uncompared) == 0
    assert lines(rig.database) == before
    rows = rows_of(rig.database, affinity)
    assert not compare_stored(placer)
    assert rows_of(rig.database, affinity) == rows


def test_what_is_older_stands_alone_after_an_upgrade(rig: Rig) -> None:
    rig.take(*affair())
    executed(rig.database, story.update().values(storyline=None))
    executed(rig.database, affinity.delete())
    written_by(rig.database, storyline_rows.compare_all)
    placer = Placer(rig.database, rig.all_tuning, Clock(days=40))
    while compare_stored(placer):
        pass
    assert lines(rig.database) == {}
    assert read_by(rig.database, storyline_rows.count_uncompared) == 0


# --- shown -------------------------------------------------------------------------------------------------


def test_it_is_explained_how_near_the_stories_are(rig: Rig) -> None:
    rig.take(*affair())
    reader = StoryReader(rig.database)
    levee, vote, fund, strike = by_title(
        rig.database, "Levee", "Parliament", "Fund", "Dock"
    )
    explained = explain_storyline(reader, vote)
    assert explained is not None
    assert {near.id for near in explained.near} == {levee, fund}
    assert all(near.affinity >= explained.need for near in explained.near)
    assert all(near.comparisons == 1 for near in explained.near)
    alone = explain_storyline(reader, strike)
    assert alone is not None
    assert alone.near == ()
    assert explain_storyline(reader, "nothing") is None


def test_a_report_that_is_far_from_a_story_makes_its_own_story_less_near(
    rig: Rig,
) -> None:
    """Only one report of the vote names the levee: the others count, too, but for copies."""
    rig.take(*affair()[:2])
    levee, vote = by_title(rig.database, "Levee", "Parliament")

    def nearness() -> tuple[float, int]:
        explained = explain_storyline(StoryReader(rig.database), levee)
        assert explained is not None
        (near,) = explained.near
        assert near.id == vote
        return near.affinity, near.comparisons

    alone, comparisons = nearness()
    assert comparisons == 1
    voted = NOON + 5 * DAY
    rig.take(record("Mail", "8", VOTE, DYKES, published=voted))
    assert nearness() == (alone, 1)
    rig.take(record("Courier", "9", "Renn loses vote", VOTE_ALONE, published=voted))
    assert nearness() == (pytest.approx((alone - 2) / 2, abs=0.001), 2)


def test_the_command_line_corrects_and_explains_storylines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(with_tables(sqlite_file(tmp_path / "aggregator.db"))) as file:
        Rig(file, Clock(days=20)).take(*affair())
        levee, vote = by_title(file, "Levee", "Parliament")

        def typed(*words: str) -> str:
            done = CliRunner().invoke(make_app(), ["--database", file.url, *words])
            assert done.exit_code == 0, done.output
            return done.output

        assert vote in typed("explain", levee)
        near = json.loads(typed("explain", levee, "--format", "json").splitlines()[-1])
        assert (near["storyline"], len(near["near"])) == (levee, 2)
        typed("correct", "storyline", "leave", vote)
        assert lines(file) == {LEVEE: LEVEE, "Fund for dykes pays late": LEVEE}
        typed("correct", "storyline", "join", vote, levee)
        assert lines(file)[VOTE] == LEVEE


def test_python_reads_storylines(rig: Rig) -> None:
    rig.take(*affair())
    with aggregator.open_database(rig.database.url) as opened:
        (line,) = opened.storylines()
    assert [one.title for one in line.stories] == [
        "Fund for dykes pays late",
        VOTE,
        LEVEE,
    ]
