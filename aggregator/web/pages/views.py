"""What pages show of stories, as values for the templates: tabs, lists, reports, scores and days."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from urllib.parse import urlencode

import msgspec

from aggregator.config.settings import SavedQuery
from aggregator.grouping.corrections.decision_words import reason_name, reason_value
from aggregator.model.core import OPINION_KINDS, ArticleView, Reason, StoryView, in_utc
from aggregator.model.read_model import StoryListItem
from aggregator.stories.counting.copy_groups import is_unconfirmed
from aggregator.stories.counting.originals import originals_with_copies
from aggregator.web.jinja import day, iso, moment, short_day, time_of_day

DEPTHS = (2, 3)  # reports: what two newsrooms found worth telling, and three
SECTIONS_SHOWN = 12  # folders and topics; the form "Filter" has all


class Tab(msgspec.Struct, frozen=True):
    """A link to a list."""

    label: str
    href: str
    is_current: bool = False


def _href(parameters: Mapping[str, str], **changed: str) -> str:
    kept = {name: value for name, value in {**parameters, **changed}.items() if value}
    return f"/?{urlencode(kept)}" if kept else "/"


def section_tabs(
    parameters: Mapping[str, str],
    folders: Iterable[str],
    topics: Iterable[str],
    queries: Iterable[SavedQuery],
) -> list[Tab]:
    """Return "All", folders, topics and saved queries; each keeps the other filters."""
    found = [("folder", one, one) for one in folders] + [
        ("topic", one, one) for one in topics
    ]
    found = found[:SECTIONS_SHOWN] + [
        ("saved", one.name, one.title or one.name) for one in queries
    ]
    none = {"folder": "", "topic": "", "saved": ""}
    tabs = [
        Tab(
            label,
            _href(parameters, **{**none, name: value}),
            parameters.get(name) == value,
        )
        for name, value, label in found
    ]
    is_all = not any(parameters.get(name) for name in none)
    return [Tab("All", _href(parameters, **none), is_all), *tabs] if tabs else []


def depth_tabs(parameters: Mapping[str, str], chosen: int) -> list[Tab]:
    """Return "All stories", "2+ reports" and "3+ reports".

    `chosen` is the least number of reports in force, which a saved query may have.
    """
    every = "1" if "saved" in parameters else ""
    tabs = [
        Tab(
            f"{least}+ reports",
            _href(parameters, min_reports=str(least)),
            chosen == least,
        )
        for least in DEPTHS
    ]
    return [
        Tab("All stories", _href(parameters, min_reports=every), chosen == 1),
        *tabs,
    ]


# Of a group, the newest; the others are folded: more than two screens are not read
LINES_SHOWN = 24


class ReportLine(msgspec.Struct, frozen=True):
    """One article of a story and the copies and excerpts of its text, the oldest first."""

    article: ArticleView
    copies: tuple[ArticleView, ...]
    versions: tuple[ArticleView, ...]  # other versions of its text, the newest first
    is_first: bool  # the earliest of several reports
    is_new: bool  # it, or a copy of it, came since the last visit of this reader


class ReportGroup(msgspec.Struct, frozen=True):
    """Lines of one sort, the newest first; `heading` is "" for the reports."""

    heading: str
    lines: tuple[ReportLine, ...]

    @property
    def is_folded(self) -> bool:
        """Whether readers see it only when they ask for it."""
        return self.heading == UNCONFIRMED


def report_groups(
    articles: Sequence[ArticleView], since: dt.datetime | None
) -> list[ReportGroup]:
    """Return the reports, then opinion, then live blogs and roundups; no empty group.

    Of sources without standing that nobody confirms the newest line is shown, last.
    """
    originals = originals_with_copies(articles)
    has_standing = any(not article.is_little_known for article in articles)
    headings = {
        article.id: _heading(article, has_standing=has_standing)
        for article, _ in originals
    }
    first = _first([article for article, _ in originals if headings[article.id] == ""])
    groups: dict[str, list[ReportLine]] = {heading: [] for heading in _HEADINGS}
    for article, same in sorted(
        originals, key=lambda one: (-one[0].effective_at.timestamp(), one[0].id)
    ):
        is_new = since is not None and any(one.seen > since for one in (article, *same))
        line = ReportLine(
            article,
            copies=tuple(one for one in same if one.version is None),
            versions=tuple(one for one in reversed(same) if one.version),
            is_first=article is first,
            is_new=is_new,
        )
        groups[headings[article.id]].append(line)
    if len(originals) > len(groups[UNCONFIRMED]):
        del groups[UNCONFIRMED][1:]
    return [
        ReportGroup(heading, tuple(lines)) for heading, lines in groups.items() if lines
    ]


def single_text(articles: Sequence[ArticleView]) -> ArticleView | None:
    """Return the only original of a story if its text may be read: then the page is that article."""
    originals = originals_with_copies(articles)
    if len(originals) == 1 and (originals[0][0].text or originals[0][0].html):
        return originals[0][0]
    return None


UNCONFIRMED = "Not confirmed by other reports"
_HEADINGS = ("", "Opinion and background", "Live blogs and roundups", UNCONFIRMED)


def _heading(article: ArticleView, *, has_standing: bool) -> str:
    """Return the heading of an article; `has_standing`: of a story that has one of a known source."""
    if article.is_little_known and not article.counts_as_report:
        return UNCONFIRMED
    if has_standing and is_unconfirmed(article):
        return UNCONFIRMED
    return _HEADINGS[
        2 if article.role == "container" else article.kind in OPINION_KINDS
    ]


def _first(reports: Sequence[ArticleView]) -> ArticleView | None:
    """Return the earliest of several reports; None if a date without a time leaves it open."""
    dated = sorted(
        (one for one in reports if one.is_dated), key=lambda one: one.effective_at
    )
    if (
        len(reports) < 2
        or len(dated) < 2
        or dated[0].effective_at == dated[1].effective_at
    ):
        return None
    if "day" in (dated[0].published_precision, dated[1].published_precision):
        is_earlier_day = dated[0].effective_at.date() < dated[1].effective_at.date()
        return dated[0] if is_earlier_day else None
    return dated[0]


NO_FOLDERS: Mapping[str, str] = {}
OTHERS = "Other stories"  # of no folder
UNDATED = "Undated"
BESIDE = 3  # further stories with several reports beside the leading one


class FrontPage(msgspec.Struct, frozen=True):
    """One page of ranked stories. `lead` and `beside` are empty except on the first page."""

    lead: StoryListItem | None
    beside: tuple[StoryListItem, ...]
    # Heading, stories: of folders those with most stories of several reports first, else the newest day.
    groups: tuple[tuple[str, tuple[StoryListItem, ...]], ...]


def arranged(
    stories: Sequence[StoryListItem],
    today: dt.date,
    *,
    is_first: bool,
    undated: Collection[str] = (),
    folders: Mapping[str, str] = NO_FOLDERS,
) -> FrontPage:
    """Return the layout of a page; `stories` are in the order of their rank, which each group keeps.

    `undated`: ids of stories in a group of their own, the last. `folders`, by story: if there are several,
    each is a group; else no older story is above those of these days.
    """
    rest = list(stories)
    lead = rest.pop(0) if is_first and rest else None
    recent = [
        story for story in rest if _day_heading(story.updated, today) != "Earlier"
    ]
    several = (
        one for one in recent or rest if one.report_count > 1 and one.id not in undated
    )
    beside = tuple(several)[:BESIDE] if lead is not None else ()
    shown = {story.id for story in beside}
    left = [story for story in rest if story.id not in shown]
    order = _folders_in_order(stories, folders)
    if len(order) < 2:
        order, folders = ["Today", "Yesterday", "Earlier"], _day_headings(left, today)
    groups: dict[str, list[StoryListItem]] = {
        heading: [] for heading in (*order, OTHERS, UNDATED)
    }
    for story in left:
        heading = UNDATED if story.id in undated else folders.get(story.id, OTHERS)
        groups[heading].append(story)
    filled = tuple(
        (heading, tuple(group)) for heading, group in groups.items() if group
    )
    return FrontPage(lead, beside, filled)


def _day_headings(stories: Sequence[StoryListItem], today: dt.date) -> dict[str, str]:
    return {story.id: _day_heading(story.updated, today) for story in stories}


def _folders_in_order(
    stories: Sequence[StoryListItem], folders: Mapping[str, str]
) -> list[str]:
    """Return the folders of these stories: news first, which is what several outlets report."""
    reported: dict[str, int] = {}
    for story in stories:
        if story.id in folders:
            folder = folders[story.id]
            reported[folder] = reported.get(folder, 0) + (
                1 if story.report_count > 1 else 0
            )
    return sorted(reported, key=lambda folder: -reported[folder])


def time_span(story: StoryView) -> list[tuple[str, str]]:
    """Return the first and the last date of a story for `<time>`: value and words, equal ones once.

    A date without a time is a day; a story without any date shows when it was seen.
    """
    if story.undated_seen is not None:
        return [
            (iso(story.undated_seen), f"undated, seen {short_day(story.undated_seen)}")
        ]
    dated = [one for one in story.articles if one.is_dated]
    ends = [dated[0], dated[-1]] if dated else []
    first_and_last = [one.effective_at for one in ends]
    if any(one.published_precision == "day" for one in ends):
        days = [(iso(in_utc(time).date()), short_day(time)) for time in first_and_last]
        return list(dict.fromkeys(days))
    times = [(iso(time), moment(time)) for time in dict.fromkeys(first_and_last)]
    if len(times) > 1 and short_day(first_and_last[0]) == short_day(first_and_last[1]):
        times[1] = (times[1][0], time_of_day(first_and_last[1]))
    return times


def by_day(
    stories: Sequence[StoryListItem],
) -> tuple[tuple[str, tuple[StoryListItem, ...]], ...]:
    """Group stories by day, in the given order."""
    days = groupby(stories, key=lambda story: day(story.updated))
    return tuple((title, tuple(group)) for title, group in days)


def first_old_story(
    stories: Sequence[StoryListItem],
    since: dt.datetime | None,
    above: dt.datetime | None,
) -> str | None:
    """Return the id of the story above which what is new since the last visit ends; None if not on this page.

    `above`: the bump of the last story on the page before; None on the first page.
    """
    for story in stories:
        if since is not None and story.updated <= since:
            return story.id if above is not None and above > since else None
        above = story.updated
    return None


def _day_heading(moment: dt.datetime, today: dt.date) -> str:
    """Return the heading of a day in UTC; a time in the future counts as today."""
    days_ago = (today - in_utc(moment).date()).days
    return "Today" if days_ago <= 0 else "Yesterday" if days_ago == 1 else "Earlier"


# The classes .w0 to .w20; the Content-Security-Policy forbids style attributes
BAR_STEPS = 20


class ScorePart(msgspec.Struct, frozen=True):
    """One part of a score: `share` in logits, `bar` from 0 to BAR_STEPS, `value` formatted for people."""

    label: str
    value: str
    share: float
    bar: int


class ScoreBreakdown(msgspec.Struct, frozen=True):
    """A score and its parts, the largest first; `need` is the threshold, None if there was none."""

    score: float
    need: float | None
    shares: tuple[ScorePart, ...]


def breakdown(
    score: float,
    need: float | None,
    bias: float,
    reasons: Sequence[Reason],
    *,
    is_of_day: bool,
) -> ScoreBreakdown:
    """Return a score and its parts; none if they are not stored. `is_of_day`: see `reason_value`."""
    longest = max([abs(bias), 1.0, *(abs(reason.share) for reason in reasons)])

    def bar(share: float) -> int:
        return min(BAR_STEPS, round(abs(share) / longest * BAR_STEPS))

    parts = [
        ScorePart(
            reason_name(reason),
            reason_value(reason, is_of_day=is_of_day),
            reason.share,
            bar(reason.share),
        )
        for reason in sorted(
            reasons, key=lambda reason: (-abs(reason.share), reason.name)
        )
    ]
    start = (
        [ScorePart("start value of two articles", "", bias, bar(bias))] if bias else []
    )
    return ScoreBreakdown(score, need, (*start, *parts))
