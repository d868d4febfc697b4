"""The list of reports on a story page: one line for each, with its copies, in groups by kind."""

import datetime as dt
from collections.abc import Sequence

import msgspec

from aggregator.model.core import OPINION_KINDS, ArticleView

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
    ids = {article.id for article in articles}
    copies: dict[str, list[ArticleView]] = {}
    groups: dict[str, list[ArticleView]] = {
        "": [],
        "Opinion and background": [],
        "Live blogs and roundups": [],
    }
    for article in articles:
        if article.copy_of in ids and article.copy_of != article.id:
            copies.setdefault(str(article.copy_of), []).append(article)
        elif article.role == "container":
            groups["Live blogs and roundups"].append(article)
        else:
            groups["Opinion and background" if article.kind in OPINION_KINDS else ""].append(article)
    first = _first(groups[""])

    def line(article: ArticleView) -> ReportLine:
        same = sorted(copies.get(article.id, ()), key=lambda one: (one.effective_at, one.id))
        is_new = since is not None and any(one.seen > since for one in (article, *same))
        return ReportLine(article, tuple(same), article is first, is_new)

    return [
        ReportGroup(heading, tuple(map(line, sorted(them, key=_newest_first))))
        for heading, them in groups.items()
        if them
    ]


def _newest_first(article: ArticleView) -> tuple[float, str]:
    return -article.effective_at.timestamp(), article.id


def _first(reports: Sequence[ArticleView]) -> ArticleView | None:
    """Return the earliest of several reports; None if a date without a time leaves it open."""
    dated = sorted((one for one in reports if one.is_dated), key=lambda one: one.effective_at)
    if len(reports) < 2 or len(dated) < 2 or dated[0].effective_at == dated[1].effective_at:
        return None
    if "day" in (dated[0].published_precision, dated[1].published_precision):
        is_earlier_day = dated[0].effective_at.date() < dated[1].effective_at.date()
        return dated[0] if is_earlier_day else None
    return dated[0]
