"""Decide which story an article joins, from its score with each story; write nothing.

The score of a story is the mean logit of the article with its newest reports (pair_model.py) plus the shift
of the stream; a guard may object. The article joins the story with the highest score if this score reaches the
threshold. Otherwise it begins a story of its own.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec.structs import replace

from aggregator.grouping.pairs.term_codec import heaviest, ids_of, read, weights_of
from aggregator.grouping.pairs.weights import MINUTES_A_DAY, EventModel, EventTuning
from aggregator.grouping.window import mean_terms
from aggregator.model.article import Article
from aggregator.model.evidence import Evidence, Reason, RunnerUp
from aggregator.store.stories.live_stories import LiveStory
from aggregator.store.stories.stored_articles import StoredArticle

# The evidence names this many shared terms at most
_SHARED_TERMS = 12


class ScoredCandidate(msgspec.Struct, frozen=True):
    """A story with its score, the sum of the reasons plus the bias."""

    story: LiveStory
    score: float
    reasons: tuple[Reason, ...]
    # The score without the shift of the stream
    affinity: float = 0.0
    # The highest features of the article with one of the reports (pair_features.py): the idf of the three rarest
    # shared words, the cosine of the texts, and the idf of the names of one that the other has
    text_rarest: float = 0.0
    stream_cosine: float = 0.0
    named_shared: float = 0.0
    # The least value of the feature `named_apart_min`: the idf of names that the other lacks; -1 if either of a pair
    # names nothing
    named_apart: float = -1.0


def shared_terms(
    article: Article, story: LiveStory, model: EventModel
) -> tuple[int, ...]:
    """Return the ids of the terms that an article shares with the mean of a story, the heaviest first."""
    mine = read(article.terms)
    theirs = mean_terms(story, model, model.tuning.packed_terms)
    ids, at_mine, at_theirs = np.intersect1d(
        ids_of(mine), ids_of(theirs), return_indices=True
    )
    products = weights_of(mine[at_mine]) * weights_of(theirs[at_theirs])
    shared = heaviest(
        ids.astype(np.int64), products, model.field_weights, _SHARED_TERMS
    )
    return tuple(ids_of(shared).tolist())


def decide(
    article: StoredArticle,
    scored: Sequence[ScoredCandidate],
    model: EventModel,
    bias: float,
) -> StoredArticle:
    """Return the article with its story ("" if it founds one) and the evidence.

    The story is the one with the highest score, if this reaches the threshold. An article that is not a live blog or
    roundup joins a story of only live blogs and roundups if no other story reaches the threshold.
    """
    need = model.tuning.threshold
    ranked = sorted(
        scored, key=lambda candidate: (-candidate.score, candidate.story.number)
    )
    fitting = [candidate for candidate in ranked if candidate.score >= need]
    best = fitting[0] if fitting else None
    if not article.is_container:
        best = next(
            (other for other in fitting if not other.story.is_container_only), best
        )
    rival = next((candidate for candidate in ranked if candidate is not best), None)
    runner_up = None
    if rival is not None:
        runner_up = RunnerUp(
            story=rival.story.id, score=rival.score, need=need, reasons=rival.reasons
        )
    evidence = Evidence(stage="founded", bias=bias, runner_up=runner_up)
    if best is None:
        return replace(article, evidence=evidence)
    return replace(
        article,
        story=best.story.id,
        is_compared=not article.is_container or best.story.is_container_only,
        evidence=replace(
            evidence,
            stage="event",
            score=best.score,
            need=need,
            reasons=best.reasons,
            shared=shared_terms(article, best.story, model),
        ),
    )


def is_open(article: Article, story: LiveStory, tuning: EventTuning) -> bool:
    """Return whether the window and the limit of articles admit the article to the story.

    A source without standing that has many articles in the story is not admitted above the limit; others are, until
    the articles that count reach it.
    """
    articles = story.counted
    if story.has_enough_of(article):
        articles = story.article_count
    return articles < tuning.story_cap and is_within_window(article, story, tuning)


def is_within_window(article: Article, story: LiveStory, tuning: EventTuning) -> bool:
    """Return whether the story is near enough to the article in time, or in inbox numbers if a date is missing."""
    date = article.stated_minutes
    if date is None or not story.dates:
        return article.inbox_no - story.last_inbox_no <= tuning.undated_reach
    return story.is_near(date, int(tuning.window_days * MINUTES_A_DAY))
