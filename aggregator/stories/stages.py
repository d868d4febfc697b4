"""The stages of a story: what has happened since its first reports.

A stage begins with a report whose title tells an outcome as done ("signs", "died", "was acquitted") that no
earlier report tells as done, some hours after the beginning of the stage before. Outcomes are words of
languages.yaml; one after "to", "will", "urges ... to" has not happened yet.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from aggregator.model.core import ArticleView
from aggregator.stories.lexicon import clean_title, word_list
from aggregator.stories.tuning import StoryTuning
from aggregator.stories.words import head_of, heads, tokens

LEAD_CHARS = 300  # about the first two sentences of a lead
PENDING_WORDS = 3  # words before an outcome that may say that it has not happened
KEY_TERMS = 2  # of the story, which the title of a new stage has


class StoryStage(NamedTuple):
    """The reports from a new outcome on that tell it; `outcome` is "" for the first stage."""

    articles: list[ArticleView]
    outcome: str = ""


def latest_stage(
    articles: Sequence[ArticleView], keys: Mapping[str, float], tuning: StoryTuning
) -> StoryStage:
    """Return the latest stage of a story: `articles` by time, with titles; `keys` as `headline.key_terms`."""
    stated: set[str] = set()
    begun: dt.datetime | None = None
    stage = StoryStage(list(articles))
    for place, article in enumerate(articles):
        title = clean_title(article)
        done, in_title = _done(title, article.lead[:LEAD_CHARS], article.language)
        new = [head for head in in_title if head not in stated]
        later = begun is not None and article.effective_at - begun >= dt.timedelta(
            hours=tuning.headline_stage_hours
        )
        if begun is None:
            begun = article.effective_at
        elif later and new and len(keys.keys() & heads(title, article.language)) >= KEY_TERMS:
            begun = article.effective_at
            members = [a for a in articles[place:] if in_title[new[0]] and new[0] in _done_heads(a)]
            stage = StoryStage(members, in_title[new[0]])
        stated |= done
    return stage


def tells_outcome(title: str, language: str | None) -> bool:
    """Whether the title tells an outcome as done."""
    return bool(_outcomes(title, language))


def _done_heads(article: ArticleView) -> frozenset[str]:
    return _done(clean_title(article), article.lead[:LEAD_CHARS], article.language)[0]


@lru_cache(maxsize=1024)  # a story is read again with each report
def _done(title: str, lead: str, language: str | None) -> tuple[frozenset[str], dict[str, str]]:
    """Return the heads of outcomes in title and lead stated as done; those of the title with words."""
    in_title = _outcomes(title, language)
    return frozenset(in_title) | frozenset(_outcomes(lead, language)), in_title


def _outcomes(text: str, language: str | None) -> dict[str, str]:
    outcomes, pending = _outcome_words(language), word_list(language, "pending")
    words = tokens(text, language)
    found: dict[str, str] = {}
    for place, token in enumerate(words):
        head = outcomes.get(token.lower)
        before = words[max(0, place - PENDING_WORDS) : place]
        if head and not any(one.lower in pending for one in before):
            found.setdefault(head, token.lower)
    return found


@cache
def _outcome_words(language: str | None) -> dict[str, str]:
    return {word: head_of(word, language or "en") or word for word in word_list(language, "outcomes")}
