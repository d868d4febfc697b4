"""The list of reports on a story page: one line for each, with its copies, in groups by kind."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from aggregator.model.core import OPINION_KINDS, ArticleView
from aggregator.stories.counts import originals_with_copies

LINES_SHOWN = 24  # of a group, the newest; the others are folded: more than two screens are not read


class ReportLine(msgspec.Struct, frozen=True):
    """One article of a story and the copies and excerpts of its text, the oldest first."""

    article: ArticleView
    copies: tuple[ArticleView, ...]
    is_first: bool  # the earliest of several reports
    is_new: bool  # it, or a copy of it, came since the last visit of this reader


class ReportGroup(msgspec.Struct, frozen=True):
    """Lines of one sort, the newest first; `heading` is "" for the reports."""

    heading: str
    lines: tuple[ReportLine, ...]


def report_groups(articles: Sequence[ArticleView], since: dt.datetime | None = None) -> list[ReportGroup]:
    """Return the reports, then opinion, then live blogs and roundups; no empty group."""
    originals = originals_with_copies(articles)
    first = _first([article for article, _ in originals if _heading(article) == ""])
    groups: dict[str, list[ReportLine]] = {heading: [] for heading in _HEADINGS}
    for article, same in sorted(originals, key=lambda one: (-one[0].effective_at.timestamp(), one[0].id)):
        is_new = since is not None and any(one.seen > since for one in (article, *same))
        groups[_heading(article)].append(ReportLine(article, tuple(same), article is first, is_new))
    return [ReportGroup(heading, tuple(lines)) for heading, lines in groups.items() if lines]


_HEADINGS = ("", "Opinion and background", "Live blogs and roundups")


def _heading(article: ArticleView) -> str:
    return _HEADINGS[2 if article.role == "container" else article.kind in OPINION_KINDS]


def _first(reports: Sequence[ArticleView]) -> ArticleView | None:
    """Return the earliest of several reports; None if a date without a time leaves it open."""
    dated = sorted((one for one in reports if one.is_dated), key=lambda one: one.effective_at)
    if len(reports) < 2 or len(dated) < 2 or dated[0].effective_at == dated[1].effective_at:
        return None
    if "day" in (dated[0].published_precision, dated[1].published_precision):
        is_earlier_day = dated[0].effective_at.date() < dated[1].effective_at.date()
        return dated[0] if is_earlier_day else None
    return dated[0]
