"""The front page as a value: what leads, what stands beside it, what follows under which heading. Pure."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from aggregator.model.core import StoryView
from aggregator.model.read_model import Teaser
from aggregator.web.jinja import day

BESIDE = 3  # further stories of several reports beside the one that leads


class FrontPage(msgspec.Struct, frozen=True):
    """One page of stories by weight. `lead` and `beside` are empty on all but the first."""

    lead: Teaser | None
    beside: tuple[Teaser, ...]
    groups: tuple[tuple[str, tuple[Teaser, ...]], ...]  # heading, stories; the newest group first


def arranged(stories: Sequence[Teaser], today: dt.date, *, is_first: bool) -> FrontPage:
    """`stories` are in the order of their weight, which is kept within each group."""
    rest = list(stories)
    lead = rest.pop(0) if is_first and rest else None
    beside = tuple(story for story in rest if story.report_count > 1)[:BESIDE] if lead is not None else ()
    named = {story.id for story in beside}
    groups: dict[str, list[Teaser]] = {}
    headings = sorted(
        {_heading(story.updated, today) for story in rest if story.id not in named},
        key=("Today", "Yesterday", "Earlier").index,
    )
    for heading in headings:
        groups[heading] = [
            story for story in rest if story.id not in named and _heading(story.updated, today) == heading
        ]
    return FrontPage(lead, beside, tuple((heading, tuple(them)) for heading, them in groups.items()))


def teaser_of(story: StoryView) -> Teaser:
    """A story as a list shows it."""
    shared = {name: getattr(story, name) for name in Teaser.__struct_fields__ if name != "outlets"}
    outlets = dict.fromkeys(article.outlet for article in story.articles if article.outlet)
    return Teaser(**shared, outlets=tuple(outlets))


def by_day(stories: Sequence[Teaser]) -> tuple[tuple[str, tuple[Teaser, ...]], ...]:
    """The newest view: stories under their days, in the order they come."""
    days: dict[str, list[Teaser]] = {}
    for story in stories:
        days.setdefault(day(story.updated), []).append(story)
    return tuple((title, tuple(them)) for title, them in days.items())


def _heading(moment: dt.datetime, today: dt.date) -> str:
    """By the day in UTC; what a file or a wrong clock dates ahead of us is of today."""
    before = (today - moment.astimezone(dt.UTC).date()).days
    return "Today" if before <= 0 else "Yesterday" if before == 1 else "Earlier"
