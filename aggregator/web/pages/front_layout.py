"""Arrange lists of stories on pages: the front page in groups under headings, other lists by day."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from itertools import groupby

import msgspec

from aggregator.model.clock import in_utc
from aggregator.model.read_model import StoryListItem
from aggregator.web.jinja import day

NO_FOLDERS: Mapping[str, str] = {}
# The heading of stories without a folder
OTHERS = "Other stories"
UNDATED = "Undated"
# The most stories beside the leading story
BESIDE = 3


class FrontGroup(msgspec.Struct, frozen=True):
    """Stories under one heading."""

    heading: str
    # Stories of several outlets or of a storyline, shown with their summaries
    blocks: tuple[StoryListItem, ...]
    # The other stories, shown in a line each, below the blocks
    lines: tuple[StoryListItem, ...]


class FrontPage(msgspec.Struct, frozen=True):
    """One page of ranked stories. Only the first page has a leading story and stories beside it."""

    lead: StoryListItem | None
    beside: tuple[StoryListItem, ...]
    groups: tuple[FrontGroup, ...]


def arrange_stories(
    stories: Sequence[StoryListItem],
    today: date,
    *,
    is_first: bool,
    several: Collection[str] = (),
    undated: Collection[str] = (),
    folders: Mapping[str, str] = NO_FOLDERS,
) -> FrontPage:
    """Return the layout of a page; `stories` are in the order of their rank, which each group keeps.

    `folders` has the folder of each story, into which the owner filed its sources. If the page has several folders,
    each becomes a group, and those with the most stories of `several` come first. Otherwise the groups are today,
    yesterday and earlier. `several`: ids of the stories that several outlets report, or that belong to a storyline.
    `undated`: ids of the stories for the last group.
    """
    rest = list(stories)
    lead = rest.pop(0) if is_first and rest else None
    beside: list[StoryListItem] = []
    if lead is not None:
        recent = [s for s in rest if _day_heading(s.updated, today) != "Earlier"]
        beside = [s for s in recent or rest if s.id in several and s.id not in undated]
        beside = beside[:BESIDE]
    several_in_folder = Counter[str]()
    for story in stories:
        if story.id in folders:
            several_in_folder[folders[story.id]] += story.id in several
    headings = [folder for folder, _ in several_in_folder.most_common()]
    if len(headings) < 2:
        headings = ["Today", "Yesterday", "Earlier"]
        folders = {story.id: _day_heading(story.updated, today) for story in rest}
    stories_under: dict[str, list[StoryListItem]] = {
        heading: [] for heading in (*headings, OTHERS, UNDATED)
    }
    for story in rest:
        if story not in beside:
            heading = UNDATED if story.id in undated else folders.get(story.id, OTHERS)
            stories_under[heading].append(story)
    groups = []
    for heading, group in stories_under.items():
        blocks = tuple(story for story in group if story.id in several)
        lines = tuple(story for story in group if story.id not in several)
        if group:
            groups.append(FrontGroup(heading, blocks, lines))
    return FrontPage(lead, tuple(beside), tuple(groups))


def by_day(
    stories: Sequence[StoryListItem],
) -> tuple[tuple[str, tuple[StoryListItem, ...]], ...]:
    """Return the headings of days, each with its stories in the given order."""
    days = groupby(stories, key=lambda story: day(story.updated))
    return tuple((heading, tuple(group)) for heading, group in days)


def _day_heading(moment: datetime, today: date) -> str:
    """Return the heading for the day of a time in UTC; a time in the future counts as today."""
    days_ago = (today - in_utc(moment).date()).days
    if days_ago <= 0:
        return "Today"
    return "Yesterday" if days_ago == 1 else "Earlier"
