"""The layout of lists of stories: the front page in groups, and the newest ones by day."""

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
# The stories of several outlets shown below the leading story
BESIDE = 3


class FrontGroup(msgspec.Struct, frozen=True):
    """Stories under one heading: what several outlets tell, then what one outlet tells, a line each."""

    heading: str
    blocks: tuple[StoryListItem, ...]
    lines: tuple[StoryListItem, ...]


class FrontPage(msgspec.Struct, frozen=True):
    """One page of ranked stories. `lead` and `beside` are empty except on the first page."""

    lead: StoryListItem | None
    beside: tuple[StoryListItem, ...]
    # Folders are ordered by their number of stories of several outlets, days from the newest.
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

    `several`: ids of stories that several outlets tell. `undated`: ids of stories in a group of their own, the
    last. `folders`, by story: if there are several, each is a group; else no older story is above those of
    these days.
    """
    rest = list(stories)
    lead = None
    if is_first and rest:
        lead = rest.pop(0)
    recent = [s for s in rest if _day_heading(s.updated, today) != "Earlier"]
    blocks = [s for s in recent or rest if s.id in several and s.id not in undated]
    beside = blocks[:BESIDE] if lead is not None else []
    reported = Counter[str]()
    for story in stories:
        if story.id in folders:
            reported[folders[story.id]] += story.id in several
    order = [folder for folder, _ in reported.most_common()]
    if len(order) < 2:
        order = ["Today", "Yesterday", "Earlier"]
        folders = {story.id: _day_heading(story.updated, today) for story in rest}
    groups: dict[str, list[StoryListItem]] = {
        heading: [] for heading in (*order, OTHERS, UNDATED)
    }
    for story in rest:
        if story not in beside:
            heading = UNDATED if story.id in undated else folders.get(story.id, OTHERS)
            groups[heading].append(story)
    filled = []
    for heading, group in groups.items():
        blocks_here = tuple(story for story in group if story.id in several)
        lines = tuple(story for story in group if story.id not in several)
        if group:
            filled.append(FrontGroup(heading, blocks_here, lines))
    return FrontPage(lead, tuple(beside), tuple(filled))


def by_day(
    stories: Sequence[StoryListItem],
) -> tuple[tuple[str, tuple[StoryListItem, ...]], ...]:
    """Group stories by day, in the given order."""
    days = groupby(stories, key=lambda story: day(story.updated))
    return tuple((title, tuple(group)) for title, group in days)


def _day_heading(moment: datetime, today: date) -> str:
    """Return the heading of a day in UTC; a time in the future counts as today."""
    days_ago = (today - in_utc(moment).date()).days
    if days_ago <= 0:
        return "Today"
    return "Yesterday" if days_ago == 1 else "Earlier"
