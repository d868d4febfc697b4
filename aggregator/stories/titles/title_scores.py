"""Scores of titles: the words shared with other reports and with its own opening, and faults of the title."""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from aggregator.config.shipped import ShippedTable
from aggregator.extract.wire.agencies import outlet_key
from aggregator.model.article import ArticleView
from aggregator.stories.counting.copy_groups import printer_of
from aggregator.stories.lexicon import word_list
from aggregator.stories.story_tuning import StoryTuning
from aggregator.stories.story_words import dice, heads, tokens
from aggregator.stories.titles.title_text import (
    TITLE_CHARS,
    clean_title,
    clean_title_text,
)

# Seldom more than two sentences of a lead
LEAD_CHARS = 500
# The weight of a title's words in its own lead; words in other reports weigh 1
OWN_LEAD = 0.25
# The gain of a title that tells an outcome
OUTCOME = 0.25
# The cost of each unit of style (`style_cost`). The cost begins STYLE_BELOW below the limit for opinions and
# explainers (chosen on story-titles; a lead costs .3).
STYLE_COST = 0.1
STYLE_BELOW = 3.1
# The words before an outcome that may say that it has not happened
PENDING_WORDS = 3
# A title with fewer heads counts as if it had so many
FEWEST_HEADS = 6


def is_fit(raw: str, title: str, language: str | None) -> bool:
    """Return whether a title is not clickbait, a label or damaged; `raw` is the title before cleaning."""
    return not (
        fault_pattern("clickbait", language).search(title)
        or fault_pattern("label", language).search(raw)
    )


def style_cost(article: ArticleView) -> float:
    """Return how close the style of an article is to opinions and explainers; 0 for most reports."""
    return 0.0 if article.style is None else max(0.0, article.style + STYLE_BELOW)


_FAULTS = ShippedTable(
    "aggregator.stories", "faults.yaml", dict[str, dict[str, list[str]]]
)


@cache
def fault_pattern(name: str, language: str | None) -> re.Pattern[str]:
    lists = _FAULTS.content
    patterns = lists["any"][name] + lists.get(language or "en", {}).get(name, [])
    return re.compile("|".join(patterns), re.IGNORECASE)


def preference_of(article: ArticleView, prefer: Sequence[str]) -> int:
    """Return the place of the article's outlet in `prefer`, by name or key; the length if it is not there."""
    keys = {
        outlet_key(name)
        for name in (article.outlet, article.outlet_key)
        if name and prefer
    }
    ranks = (rank for rank, outlet in enumerate(prefer) if outlet_key(outlet) in keys)
    return next(ranks, len(prefer))


class _Words(NamedTuple):
    """The words of an article for scoring, as heads (`aggregator.stories.story_words`)."""

    title: frozenset[str]
    # The heads of title and lead
    all: frozenset[str]
    # The part of the score that depends on the title and its own lead only
    quality: float
    is_fit: bool


class ScoredTitle(NamedTuple):
    title: str
    article: ArticleView
    # 0: the most preferred outlet
    preference: int
    quality: float
    is_fit: bool


def scored_titles(
    articles: Sequence[ArticleView], prefer: Sequence[str], tuning: StoryTuning
) -> list[ScoredTitle]:
    """Return the titles with their scores, by time."""
    reads = []
    for article in articles:
        words = _read(
            article.title[:TITLE_CHARS],
            article.outlet,
            article.lead[:LEAD_CHARS],
            article.language,
        )
        reads.append((article, printer_of(article), words))
    scored = []
    for article, origin, words in reads:
        # A title may be in the titles of others, and in their titles and leads together: 0 to 2
        shares = [
            dice(words.title, other.title)
            + len(words.title & other.all) / max(FEWEST_HEADS, len(words.title))
            for _, of_other, other in reads
            if of_other != origin
        ]
        quality = words.quality + sum(shares) / max(1, len(shares))
        quality -= STYLE_COST * style_cost(article)
        if not words.is_fit:
            quality -= tuning.headline_fault
        scored.append(
            ScoredTitle(
                title=clean_title(article),
                article=article,
                preference=preference_of(article, prefer),
                quality=quality,
                is_fit=words.is_fit,
            )
        )
    return scored


# Cached, since a title is chosen for each added article, and all other articles were read before
@lru_cache(maxsize=1024)
def _read(raw: str, outlet: str | None, lead: str, language: str | None) -> _Words:
    title = clean_title_text(raw, outlet)
    in_title = frozenset(heads(title, language))
    in_lead = frozenset(heads(lead, language))
    in_own = len(in_title & in_lead) / max(FEWEST_HEADS, len(in_title))
    return _Words(
        title=in_title,
        all=in_title | in_lead,
        quality=OWN_LEAD * in_own + OUTCOME * tells_outcome(title, language),
        is_fit=is_fit(raw, title, language),
    )


def tells_outcome(sentence: str, language: str | None) -> bool:
    """Return whether a sentence tells an outcome as done: "signs", "died"; not "will sign".

    It has one of the `outcomes` of languages.yaml, and none of `pending` shortly before it.
    """
    outcomes, pending = word_list(language, "outcomes"), word_list(language, "pending")
    words = [word for word, _ in tokens(sentence, language)]
    return any(
        word in outcomes
        and pending.isdisjoint(words[max(0, place - PENDING_WORDS) : place])
        for place, word in enumerate(words)
    )
