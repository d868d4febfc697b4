"""The reports of a story as its page lists them, and their time span."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from aggregator.model.article import ArticleView
from aggregator.model.clock import in_utc
from aggregator.model.prepared import OPINION_KINDS
from aggregator.model.story import StoryText, StoryView
from aggregator.stories.counting.copy_groups import is_unconfirmed
from aggregator.stories.counting.originals import originals_with_copies
from aggregator.stories.plain_text import shown_order
from aggregator.web.jinja import iso, moment, short_day, time_of_day

# A group shows its newest lines and folds the others, because more than two screens are not read.
LINES_SHOWN = 24


class ReportLine(msgspec.Struct, frozen=True):
    """One article of a story and the copies and excerpts of its text, the oldest first."""

    article: ArticleView
    copies: tuple[ArticleView, ...]
    versions: tuple[ArticleView, ...]  # other versions of its text, the newest first
    is_first: bool  # the earliest of several reports
    is_new: bool  # it, or a copy of it, came since the last visit of this reader


class ReportGroup(msgspec.Struct, frozen=True):
    """Lines of one sort in the order of the page; `heading` is "" for the reports."""

    heading: str
    lines: tuple[ReportLine, ...]

    @property
    def is_folded(self) -> bool:
        """Whether readers see it only when they ask for it."""
        return self.heading == LITTLE_KNOWN


def report_groups(
    articles: Sequence[ArticleView], text: StoryText, since: dt.datetime | None
) -> list[ReportGroup]:
    """Return the reports, then opinion, then live blogs and roundups; no empty group.

    Sources without standing are last, beside others: those that nobody confirms by their newest line.
    """
    originals = originals_with_copies(articles)
    has_standing = any(not article.is_little_known for article in articles)
    of_heading: dict[str, list[tuple[ArticleView, list[ArticleView]]]] = {
        heading: [] for heading in _HEADINGS
    }
    unconfirmed = []
    for article, same in originals:
        heading = _REPORTS
        if has_standing and article.is_little_known:
            heading = LITTLE_KNOWN
            if is_unconfirmed(article) or not article.counts_as_report:
                unconfirmed.append((article, same))
                continue
        elif article.role == "container":
            heading = _LIVE
        elif article.kind in OPINION_KINDS:
            heading = _OPINION
        of_heading[heading].append((article, same))
    of_heading[LITTLE_KNOWN] += unconfirmed[-1:]
    first = _first([article for article, _ in of_heading[_REPORTS]])
    groups = []
    for heading, pairs in of_heading.items():
        lines = [
            ReportLine(
                article,
                copies=tuple(a for a in same if a.version is None),
                versions=tuple(a for a in reversed(same) if a.version),
                is_first=article is first,
                is_new=since is not None
                and any(a.seen > since for a in (article, *same)),
            )
            for article, same in shown_order(pairs, text)
        ]
        if lines:
            groups.append(ReportGroup(heading, tuple(lines)))
    return groups


def single_text(articles: Sequence[ArticleView]) -> ArticleView | None:
    """Return the only original of a story if its text may be read: then the page is that article."""
    originals = originals_with_copies(articles)
    if len(originals) == 1 and (originals[0][0].text or originals[0][0].html):
        return originals[0][0]
    return None


LITTLE_KNOWN = "Sources without standing"
_REPORTS, _OPINION, _LIVE = "", "Opinion and background", "Live blogs and roundups"
_HEADINGS = (_REPORTS, _OPINION, _LIVE, LITTLE_KNOWN)


def _first(reports: Sequence[ArticleView]) -> ArticleView | None:
    """Return the earliest of several reports; None if a date without a time leaves it open."""
    dated = [article for article in reports if article.is_dated]
    dated.sort(key=lambda article: article.effective_at)
    if len(dated) < 2:
        return None
    first, second = dated[:2]
    is_first = first.effective_at < second.effective_at
    if "day" in (first.published_precision, second.published_precision):
        is_first = first.effective_at.date() < second.effective_at.date()
    return first if is_first else None


def time_span(story: StoryView) -> list[tuple[str, str]]:
    """Return the first and the last date of a story for `<time>`: value and words, equal ones once.

    A date without a time is a day; a story without any date shows when it was seen.
    """
    if story.undated_seen is not None:
        return [
            (iso(story.undated_seen), f"undated, seen {short_day(story.undated_seen)}")
        ]
    dated = [article for article in story.articles if article.is_dated]
    if not dated:
        return []
    first = dated[0].effective_at
    last = dated[-1].effective_at
    if "day" in (dated[0].published_precision, dated[-1].published_precision):
        days = [(iso(in_utc(time).date()), short_day(time)) for time in (first, last)]
        return list(dict.fromkeys(days))
    if first == last:
        return [(iso(first), moment(first))]
    is_one_day = short_day(first) == short_day(last)
    words = time_of_day(last) if is_one_day else moment(last)
    return [(iso(first), moment(first)), (iso(last), words)]
