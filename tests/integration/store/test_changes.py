"""The stream of changes: what readers of a story are told, once each, and never of a copy."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.model.read_model import Change
from aggregator.store.engine.database import Database
from aggregator.store.read.change_stream import following
from aggregator.store.read.reader import StoryReader
from aggregator.store.read.story_filter import matching_stories
from aggregator.store.search.index import index_next
from tests.support.articles import (
    DAY,
    NOON,
    STRIKE,
    Rig,
    flood,
    flood_copied,
    flood_elsewhere,
    record,
    strike,
)
from tests.support.rows import read_by
from tests.support.story_checks import (
    by_title,
    correct,
    fill,
    partition,
    placing_of,
    recluster,
    reclustering,
    undo,
)


def stream(database: Database, *, after: int = 0, limit: int = 500) -> list[Change]:
    """The changes, oldest first."""
    return list(read_by(database, following, after, limit, indexed_to=2**62))


def kinds(changes: Sequence[Change]) -> list[str]:
    return [one.kind for one in changes]


def filled(database: Database) -> None:
    """The small set, searchable."""
    fill(database)
    with database.write() as connection:
        while index_next(connection, 500):
            pass


def test_a_story_a_report_and_a_copy(rig: Rig) -> None:
    rig.take(flood())
    (created,) = stream(rig.database)
    assert (created.kind, created.report_count, created.title_before) == (
        "created",
        1,
        None,
    )
    assert (created.article.outlet, created.article.text) == ("Gazette", "")
    rig.take(flood_copied())
    assert kinds(stream(rig.database)) == ["created"], "a copy is no news"
    rig.take(flood_elsewhere())
    came = stream(rig.database)[1:]
    assert kinds(came) == ["report"]
    assert (came[0].article.outlet, came[0].report_count) == ("Herald", 2)
    assert came[0].story == created.story
    assert came[0].at >= created.at


def test_a_change_of_headline_has_both_headlines(rig: Rig) -> None:
    rig.take(strike())
    other = "Forty ships wait as dock workers walk out in Sennick"
    rig.take(record("Herald", "strike", other, STRIKE))
    (change,) = stream(rig.database)[1:]
    assert (change.kind, change.title_before, change.title) == (
        "headline",
        "Dock workers strike in Sennick",
        other,
    )


def test_what_an_archive_brings_sorts_by_its_own_time(rig: Rig) -> None:
    rig.clock.time = NOON + 300 * DAY  # type: ignore[attr-defined]
    rig.take(strike())
    (change,) = stream(rig.database)
    assert change.updated.replace(microsecond=0) == NOON
    assert change.at > NOON + 299 * DAY


def test_merge_split_move_and_undo(database: Database) -> None:
    filled(database)
    two = by_title(database, "marathon", "goat cheese")
    from_here = max(one.n for one in stream(database, limit=500))
    (kept,) = correct(database, "merge", *two).stories
    (gone,) = set(two) - {kept}
    (merged,) = stream(database, after=from_here)
    assert (merged.kind, merged.story, merged.others) == ("merged", kept, (gone,))
    undo(database)
    split, left = sorted(
        stream(database, after=merged.n), key=lambda one: one.kind, reverse=True
    )
    assert (split.kind, split.story, split.others) == ("split", gone, (kept,))
    assert (left.kind, left.story) == ("corrected", kept)
    assert merged.n < min(split.n, left.n)


@pytest.mark.later
def test_recluster_under_other_rules_tells_of_what_came_to_be_and_what_gave_way(
    database: Database,
) -> None:
    filled(database)
    last = max(one.n for one in stream(database, limit=500))
    strict = Tuning({"events": {"threshold": 60.0}})
    reclustering(database, strict).take_over(placing_of(database), None)
    created = stream(database, after=last, limit=500)
    assert set(kinds(created)) == {"created"}
    assert {one.story for one in created} <= set(partition(database))
    back = max(one.n for one in created)
    recluster(database)
    merged = stream(database, after=back, limit=500)
    assert set(kinds(merged)) == {"merged"}
    assert {gone for one in merged for gone in one.others} == {
        one.was for one in created
    }


@pytest.mark.later
def test_the_matcher_and_the_lists_agree_on_what_fits(database: Database) -> None:
    """The filter is written down twice, for a list of stories and for a few of them."""
    filled(database)
    reading = StoryReader(database)
    listed = reading.stories(StoryFilter(limit=500)).stories
    ids = {one.id for one in listed}
    outlets = {
        article.outlet for one in listed for article in one.articles if article.outlet
    }
    times = some.none() | some.integers(-40, 40).map(lambda days: NOON + days * DAY)

    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(
        some.builds(
            StoryFilter,
            query=some.sampled_from(
                [
                    "",
                    "cheese",
                    "the goat",
                    '"goat cheese"',
                    "marath*",
                    "of",
                    "nobodysaid",
                ]
            ),
            since=times,
            until=times,
            min_outlets=some.integers(1, 3),
            min_reports=some.integers(1, 3),
            outlet=some.sampled_from(
                ["", *sorted(outlets), *map(str.upper, sorted(outlets))]
            ),
            language=some.sampled_from(["", "en", "de", "xx"]),
            limit=some.just(500),
        )
    )
    def agree(wanted: StoryFilter) -> None:
        fits = {one.id for one in reading.stories(wanted).stories}
        with database.read() as connection:
            assert matching_stories(connection, wanted, ids) == fits

    agree()
