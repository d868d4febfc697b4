"""Writes the stories of a new grouping, in one transaction."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from aggregator.intake.recluster.regrouping import (
    GroupingDifference,
    Regrouping,
)
from aggregator.store.deliveries import recipients
from aggregator.store.engine.database import Connection
from aggregator.store.maintenance import recluster_rows
from aggregator.store.maintenance.row_stream import Advance
from aggregator.store.stories import story_rows
from aggregator.store.stories.story_rows import StoryRow
from aggregator.store.stories.unit_of_work import UnitOfWork
from aggregator.store.tables import counter_value


class FoundedStory(NamedTuple):
    """A story that only the new grouping has."""

    scratch_story: str
    founder: str
    founding_no: int  # the number of stories that its founder has founded before
    former: str  # the story of its founder in the old grouping


class ReclusterPlan(NamedTuple):
    """The new grouping, and how its stories are written."""

    # The ids of stories by their ids in the scratch database
    names: dict[str, str]
    # New stories by their ids
    founded: dict[str, FoundedStory]
    regrouping: Regrouping
    difference: GroupingDifference
    # New inbox numbers by the present numbers. If it is empty, the numbers stay, and the changes are news.
    order: Mapping[int, int]


def write_stories(
    unit_of_work: UnitOfWork, scratch: Connection, plan: ReclusterPlan, advance: Advance
) -> None:
    """Write the stories, and the story of each article; `advance` is called between parts, and may raise to stop."""
    live = unit_of_work.connection
    _insert_founded(unit_of_work, scratch, plan)
    recluster_rows.take_decisions(live, scratch, plan.names, advance)
    for scratch_story, story in plan.names.items():
        if story not in plan.founded:
            advance(0)
            _update_kept(
                unit_of_work, story, story_rows.row_of(scratch, scratch_story), plan
            )
    # Stories without articles redirect to their successors.
    losers: dict[str, list[str]] = {}
    for story, successor in plan.regrouping.retired().items():
        story_rows.redirect_story(live, story, successor)
        unit_of_work.log(successor, "merged", other=story, reason="recluster")
        unit_of_work.log(story, "merged", into=successor, reason="recluster")
        losers.setdefault(successor, []).append(story)
    for successor, others in losers.items():
        row = story_rows.row_of(live, successor)
        unit_of_work.change(
            successor, None, row, bump=row.bumped_at, others=others, kind="merged"
        )
    if plan.order:
        recluster_rows.forget_retired_numbers(live)
        newest = counter_value(live, "change")  # before this transaction
        recipients.skip(live, newest, newest + len(losers))


def _insert_founded(
    unit_of_work: UnitOfWork, scratch: Connection, plan: ReclusterPlan
) -> None:
    live = unit_of_work.connection
    for story, founding in plan.founded.items():
        row = story_rows.row_of(scratch, founding.scratch_story)
        bumped_at = row.bumped_at
        if plan.order:
            bumped_at = story_rows.row_of(live, founding.former).bumped_at
        # Stories and bumps of the scratch database have numbers of their own. The microseconds of a bump's time are its
        # number.
        bumped_at = bumped_at.replace(
            microsecond=unit_of_work.number("bump") % 1_000_000
        )
        row = replace(
            row,
            story_no=unit_of_work.number("story"),
            id=story,
            founding_article=founding.founder,
            founding_no=founding.founding_no,
            bumped_at=bumped_at,
        )
        story_rows.insert_story(live, row)
        unit_of_work.log(story, "created", reason="recluster")
        if not plan.order:
            unit_of_work.change(story, None, row, bump=bumped_at)


def _update_kept(
    unit_of_work: UnitOfWork, story: str, decided: StoryRow, plan: ReclusterPlan
) -> None:
    """Write the row of a story that goes on, which keeps its id, founder and time.

    If its articles are the same, it also keeps its title and summary.
    """
    known = story_rows.row_of(unit_of_work.connection, story)
    row = replace(
        decided,
        story_no=known.story_no,
        id=story,
        founding_article=known.founding_article,
        founding_no=known.founding_no,
        bumped_at=known.bumped_at,
    )
    came = len(plan.regrouping.came[story])
    went = len(plan.regrouping.went[story])
    if came or went:
        unit_of_work.log(story, "regrouped", came=came, went=went)
    else:
        row = replace(row, title=known.title, summary=known.summary)
        if not plan.order:
            row = replace(row, membership_changed_no=known.membership_changed_no)
    if row != known:
        story_rows.update_story(unit_of_work.connection, row)
