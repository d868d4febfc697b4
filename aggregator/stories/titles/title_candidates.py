"""Candidates: the articles of a story whose titles are compared."""

import re
from collections.abc import Callable, Sequence
from operator import attrgetter

from aggregator.extract.kind import is_by_style
from aggregator.model.article import ArticleView
from aggregator.model.prepared import UNCOUNTED_KINDS
from aggregator.stories.counting.copy_groups import COUNTED_ROLES, speaker_of
from aggregator.stories.counting.originals import (
    of_standing,
    originals_with_copies,
    with_originals,
)
from aggregator.stories.story_tuning import StoryTuning
from aggregator.stories.titles.title_scores import preference_of
from aggregator.stories.titles.title_text import clean_title

# CUT is searched for in the last characters of a text
CUT_CHARS = 20
CUT = re.compile(r"(?:\.\.\.|…)\W*$")  # the end of a text that a feed cut, "[…]" too
BY_TIME = attrgetter("effective_at", "id")


def title_candidates(
    articles: Sequence[ArticleView],
    tuning: StoryTuning,
    text_of: Callable[[ArticleView], str] = clean_title,
) -> list[ArticleView]:
    """Return the articles whose titles are compared, by time: the newest of each sender, at most `reports_cap`.

    These are the reports, or all articles if the story has only others. If some reports have standing, only those
    are compared. A text with versions is compared in its current version, and a group of copies in its
    original, or in a copy that has the whole `text_of` if that of the original is cut. `text_of` is the title, or
    the opening for the choice of a lead.
    """
    articles = with_originals(articles)
    titled = [
        article for article in articles if text_of(article) and article.version is None
    ]
    reports = of_standing([article for article in titled if is_news(article)])
    ids = {report.id for report in reports}
    chosen: list[ArticleView] = []
    for original, copies in originals_with_copies(articles):
        group = [article for article in (original, *copies) if article.id in ids]
        whole = [
            article
            for article in group
            if not CUT.search(text_of(article)[-CUT_CHARS:])
        ]
        chosen += (whole or group)[:1]
    chosen = (
        chosen
        or [article for article in titled if article.role in COUNTED_ROLES]
        or [article for article in titled if article.role == "container"]
        or list(titled)
    )
    chosen.sort(key=BY_TIME)
    newest = {speaker_of(article): article for article in chosen}
    return sorted(newest.values(), key=BY_TIME)[-tuning.reports_cap :]


def is_news(article: ArticleView) -> bool:
    """Return whether the article is a report or a copy of a report, not an opinion or explainer.

    An article that differs from reports only in style counts as a report; its title and lead pay for its style
    (`style_cost`).
    """
    return article.role in COUNTED_ROLES and (
        article.kind not in UNCOUNTED_KINDS or is_by_style(article.kind_evidence)
    )


def compared_titles(
    articles: Sequence[ArticleView],
    shown: str | None,
    tuning: StoryTuning,
    prefer: Sequence[str],
) -> list[ArticleView]:
    """Return the compared articles by time: candidates, articles of preferred outlets, that with `shown`.

    A preferred outlet may print the text of an agency. The shown title remains a candidate when there are 24
    newer titles or its article becomes a copy, but not when a first report comes to a story of columns.
    """
    compared = {article.id: article for article in title_candidates(articles, tuning)}
    has_report = any(map(is_news, compared.values()))
    for article in articles:
        may_stay = is_news(article) or not has_report
        is_shown = may_stay and clean_title(article) == shown
        is_preferred = preference_of(article, prefer) < len(prefer)
        is_current = article.version is None and article.role in COUNTED_ROLES
        if is_current and article.title and (is_shown or is_preferred):
            compared[article.id] = article
    return sorted(compared.values(), key=BY_TIME)
