"""No floods: what a feed reader shows as new and as changed, whatever happens to stories."""

from datetime import datetime
from typing import Any

import pytest

from aggregator.config.tuning import Tuning
from aggregator.grouping.corrections.correction_command import CorrectionCommand
from aggregator.grouping.place import Placer
from aggregator.grouping.story_options import BUMPS, StoryOptions
from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    STRIKE,
    Clock,
    Rig,
    record,
)
from tests.support.feeds import channel_of
from tests.support.story_checks import (
    by_title,
    correct,
    fill,
    members,
    placing_of,
    reclustering,
    undo,
)


class Reader:
    """A feed reader: an item is new by its id, and changed by its time."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.seen: dict[str, datetime] = {}

    def look(self) -> tuple[list[str], list[str]]:
        """What it shows as new, and what it puts first again."""
        items = channel_of(self.database).items
        new = [item.id for item in items if item.id not in self.seen]
        moved = [
            item.id
            for item in items
            if self.seen.get(item.id, item.updated) != item.updated
        ]
        self.seen |= {item.id: item.updated for item in items}
        return new, moved


def guid(story: str) -> str:
    return f"tag:aggregator,2026:story/{story}"


def flood(outlet: str = "Gazette", text: str = FLOOD, **more: Any) -> Entry:
    title = more.pop("title", "Levee breaks at Pennmouth, four dead")
    return record(outlet, "flood", title, text, **more)


@pytest.mark.later
def test_a_merge_shows_once_and_a_split_shows_one_story(database: Database) -> None:
    fill(database)
    reader = Reader(database)
    before, _ = reader.look()
    one, other = by_title(database, "ferry fire", "Bank of Norvale")
    correct(database, "merge", one, other)
    new, bumped = reader.look()
    assert (new, len(bumped)) == ([], 1), "the winner moves, nothing is new"
    gone = set(before) - {item.id for item in channel_of(database).items}
    assert gone == {guid(one), guid(other)} - set(bumped)
    undo(database)
    new, bumped = reader.look()
    assert new == [], "what comes back has the id that it had"
    assert {*bumped} <= {guid(one), guid(other)}
    assert {item.id for item in channel_of(database).items} == set(before)
    out = correct(database, "split", other, articles=(members(database, other)[-1],))
    new, bumped = reader.look()
    assert len(new) == 1, "one story is new, once"
    assert new[0] in {guid(story) for story in out.stories}
    assert set(bumped) <= {guid(other)}
    assert reader.look() == ([], [])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("bumps", [(), ("headline",), ("report",)])
def test_only_what_is_chosen_bumps_and_nothing_else_depends_on_it(
    database: Database, bumps: tuple[str, ...]
) -> None:
    assert set(bumps) <= BUMPS
    rig = Rig(database, options=StoryOptions(bumps=bumps))
    rig.take(
        flood(),
        record("Herald", "strike", "Dock workers strike in Sennick", STRIKE),
    )
    reader = Reader(database)
    new, _ = reader.look()
    titles = {item.title for item in channel_of(database).items}
    rig.take(
        flood(
            "Herald", FLOOD_ELSEWHERE, title="Pennmouth under water after levee fails"
        )
    )
    items = channel_of(database).items
    assert {item.id for item in items} == set(new)
    assert any("2 independent reports" in item.html for item in items)
    _, bumped = reader.look()
    has_new_title = {item.title for item in items} != titles
    assert bool(bumped) == (
        "report" in bumps or ("headline" in bumps and has_new_title)
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("bumps", [("report", "headline"), ("correction",)])
def test_a_correction_bumps_where_that_is_chosen(
    database: Database, bumps: tuple[str, ...]
) -> None:
    rig = Rig(database)
    rig.take(
        flood(),
        flood("Mirror", FLOOD, title="Levee breaks at Pennmouth, four dead, again"),
    )
    reader = Reader(database)
    (whole,), _ = reader.look()
    later = Clock(days=9)
    placing = Placer(database, Tuning(), later, StoryOptions(bumps=bumps))
    story = whole.rsplit("/", 1)[1]
    placing.correct(
        CorrectionCommand(
            kind="split", stories=(story,), articles=(members(database, story)[-1],)
        )
    )
    new, bumped = reader.look()
    assert len(new) == 1
    assert bumped == ([whole] if "correction" in bumps else [])


@pytest.mark.later
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_two_stories_have_one_time_after_deciding_again(database: Database) -> None:
    fill(database)
    strict = Tuning({"events": {"threshold": 60.0}})
    reclustering(database, strict).take_over(placing_of(database, strict), None)
    times = [item.updated for item in channel_of(database).items]
    assert len(times) > 30
    assert len(set(times)) == len(times)
