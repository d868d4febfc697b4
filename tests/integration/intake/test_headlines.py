"""The title of a story as it is kept, changed and logged while articles come, on both databases."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from aggregator.grouping.story_options import StoryOptions
from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.tables import article, story, story_log
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Clock,
    Rig,
    record,
)
from tests.support.fresh import sqlite_file, with_tables
from tests.support.rows import queried

BAIT = "Why did the levee at Pennmouth break?"
PLAIN = "Levee on the Arrel breaks at Pennmouth, four people killed"
OTHER = "Pennmouth under water after levee on the Arrel gives way"
FLOOD_ON_ROOFS = (
    "Five people died when the levee on the Arrel broke at Pennmouth, rescue services said on Monday. "
    "One of the missing was found in a cellar of the lower town. Mayor Ilse Brandt let the quarters "
    "below the market square be cleared, and hundreds of residents left their roofs in boats."
)
FLOOD_BY_BOAT = (
    "Boats are bringing food to the lower town of Pennmouth, where the Arrel stands in the streets since its "
    "levee broke on Sunday. Soldiers close the gap with sacks of sand. The school on the hill shelters three "
    "hundred families, and the mayor, Ilse Brandt, expects the water to fall by Thursday."
)


def report(outlet: str, title: str, text: str, hours: int) -> Entry:
    return record(
        outlet,
        f"{outlet} {hours}",
        title,
        text,
        published=NOON + timedelta(hours=hours),
    )


class Newsroom(Rig):
    """A test rig whose operator prefers some outlets."""

    def __init__(self, database: Database, prefer: Sequence[str] = ()) -> None:
        clock = Clock(days=2)
        super().__init__(database, clock, options=StoryOptions(prefer=prefer))

    def titles(self) -> list[tuple[str, str | None]]:
        """Of each story its title, and the outlet that has it."""
        statement = select(story.c.title, article.c.outlet).outerjoin(
            article, article.c.id == story.c.title_article
        )
        return [
            (row.title, row.outlet)
            for row in queried(self.database, statement.order_by(story.c.story_no))
        ]

    def changes(self) -> list[dict[str, Any]]:
        rows = queried(
            self.database,
            select(story_log.c.detail)
            .where(story_log.c.kind == "headline")
            .order_by(story_log.c.log_no),
        )
        return [json.loads(row.detail) for row in rows]


def test_a_title_changes_for_a_reason_that_is_logged(database: Database) -> None:
    rig = Newsroom(database)
    rig.take(report("Echo", BAIT, FLOOD, 0))
    assert (rig.titles(), rig.changes()) == ([(BAIT, "Echo")], [])
    rig.take(report("Gazette", PLAIN, FLOOD_ELSEWHERE, 1))
    assert rig.titles() == [(PLAIN, "Gazette")]
    reason = "the previous title was clickbait, a label or damaged"
    assert rig.changes() == [{"before": BAIT, "after": PLAIN, "reason": reason}]
    rig.take(report("Herald", "Pennmouth after the flood", FLOOD, 2))
    assert len(rig.changes()) == 1


def test_a_title_is_chosen_afresh_each_time_the_reports_have_doubled(
    database: Database,
) -> None:
    rig = Newsroom(database)
    shown = []
    for hour, (title, text) in enumerate(
        [
            ("Pennmouth after the flood", FLOOD),
            ("Mayor Brandt says levee at Pennmouth broke", FLOOD_ELSEWHERE),
            ("Levee on the Arrel broke at Pennmouth on Sunday", FLOOD_ON_ROOFS),
            ("Boats on the Arrel bring food to Pennmouth", FLOOD_BY_BOAT),
        ]
    ):
        rig.take(report(f"Paper {hour}", title, text, hour))
        shown += rig.titles()
        rig.restart()
    assert [outlet for _, outlet in shown] == [
        "Paper 0",
        "Paper 1",
        "Paper 1",
        "Paper 2",
    ]


@pytest.mark.later
def test_copies_in_a_large_story_name_it_the_same_after_a_restart(
    database: Database, tmp_path: Path
) -> None:
    """Only its originals are read again, so copies must not stay in memory."""
    steady = Newsroom(with_tables(sqlite_file(tmp_path / "steady.db")))
    restarted = Newsroom(database)
    copies = [
        report(f"Paper {number}", "Pennmouth after the flood", FLOOD, 0)
        for number in range(80)
    ]
    own = report("Gazette", "Levee on the Arrel broke at Pennmouth", FLOOD_ELSEWHERE, 1)
    later = report(
        "Herald", "Levee on the Arrel broke at Pennmouth on Sunday", FLOOD_ON_ROOFS, 2
    )
    for batch in (copies[:66], [own], copies[66:], [later]):
        for rig in (steady, restarted):
            rig.take(*batch)
        assert restarted.titles() == steady.titles()
        restarted.restart()
    assert len(steady.titles()) == 1
    steady.database.close()


def test_the_outlet_that_is_preferred_names_the_story_whenever_it_comes(
    database: Database,
) -> None:
    rig = Newsroom(database, prefer=("Herald", "Gazette"))
    rig.take(report("Echo", PLAIN, FLOOD, 0))
    rig.take(report("Gazette", OTHER, FLOOD_ELSEWHERE, 1))
    assert rig.titles() == [(OTHER, "Gazette")]
    reason = "it is of a preferred outlet"
    assert rig.changes() == [{"before": PLAIN, "after": OTHER, "reason": reason}]
    rig.take(report("Sennick Sun", "Dock workers walk out in Sennick", STRIKE, 1))
    assert len(rig.titles()) == 2


def test_the_title_of_a_large_story_is_not_forgotten_when_newer_articles_came(
    database: Database,
) -> None:
    rig = Newsroom(database)
    rig.take(report("Gazette", PLAIN, FLOOD, 0))
    with database.write() as connection:
        row = dict(connection.execute(select(article)).one()._mapping)
        later = [
            row
            | {
                "inbox_no": 1000 + number,
                "id": f"later{number}",
                "root_article": f"later{number}",
                "outlet": f"Paper {number}",
                "title": f"What the levee of Pennmouth means to me, part {number}",
                "effective_at": NOON + timedelta(minutes=number),
            }
            for number in range(80)
        ]
        connection.execute(insert(article), later)
        connection.execute(update(story).values(article_count=81))
    rig.restart()
    rig.take(report("Herald", "What now, Pennmouth?", FLOOD_ELSEWHERE, 3))
    assert rig.titles() == [(PLAIN, "Gazette")]
    assert rig.changes() == []
