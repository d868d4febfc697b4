"""Decides which story an article joins, from its score with each; writes nothing.

The score of a story is the mean logit of the article with its newest reports (pair_model.py) plus the shift
of the stream; a guard may object. The story with the highest score that reaches the threshold takes the
article, else it begins a story of its own.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from aggregator.cluster.events.centroid import CentroidSummary, ScoringInput
from aggregator.cluster.events.term_codec import HASH_BITS, ids_of, read, weights_of
from aggregator.cluster.events.weights import MINUTES_A_DAY, EventModel, EventTuning
from aggregator.model.core import Evidence, Reason, Role, RunnerUp

_SHARED_TERMS = 12


class Candidate(msgspec.Struct, frozen=True):
    """A story that shares terms with an article."""

    number: int  # running number of the story; ties are won by the older story
    story: str
    last_inbox: int  # inbox number of the newest member
    summary: CentroidSummary


class Decision(msgspec.Struct, frozen=True):
    """The assigned story of an article. `story` is None when the article founds one."""

    story: str | None
    role: Role
    counts_in_centroid: bool  # whether it is counted in the centroid (centroid.add) or silent (add_silent)
    evidence: Evidence
    shared: tuple[int, ...] = ()  # ids of the shared terms with the largest products (readable_terms)
    follows: str | None = None  # the earlier story that a new one continues
    nearest: bytes | None = None  # see pair_features.read_nearest; None: it was not compared


class ScoredCandidate(msgspec.Struct, frozen=True):
    """A story with its score, the sum of the reasons plus the bias."""

    candidate: Candidate
    score: float
    reasons: tuple[Reason, ...]
    texts: float = 0.0  # mean cosine of whole texts


def shared_terms(article: ScoringInput, summary: CentroidSummary, model: EventModel) -> tuple[int, ...]:
    """Return the ids of the shared terms with the largest products, the largest first."""
    mine, theirs = read(article.terms), read(summary.trimmed)
    ids, at_mine, at_theirs = np.intersect1d(ids_of(mine), ids_of(theirs), return_indices=True)
    products = weights_of(mine[at_mine]) * weights_of(theirs[at_theirs])
    folded = products * model.field_weights[ids >> HASH_BITS]
    order = np.lexsort((ids, -folded))
    return tuple(int(ids[i]) for i in order[:_SHARED_TERMS])


def decide(
    article: ScoringInput, scored: Sequence[ScoredCandidate], model: EventModel, bias: float
) -> Decision:
    """Decide the story of the article: the highest score of those that reach the threshold, else its own.

    A story of live blogs and roundups only is joined where no other story reaches it.
    """
    need = model.tuning.threshold
    role: Role = "container" if article.is_container else "report"
    ranked = sorted(scored, key=lambda one: (-one.score, one.candidate.number))
    fitting = [one for one in ranked if one.score >= need]
    if not fitting:
        return Decision(
            story=None,
            role=role,
            counts_in_centroid=True,
            evidence=Evidence(
                stage="founded",
                bias=bias,
                runner_up=_rival(ranked[0], need) if ranked else None,
            ),
            follows=_followed(article, ranked[0], need, model) if ranked else None,
        )
    best = fitting[0]
    if not article.is_container:
        best = next((one for one in fitting if not one.candidate.summary.is_container_only), best)
    rival = next((one for one in ranked if one is not best), None)
    return Decision(
        story=best.candidate.story,
        role=role,
        counts_in_centroid=not article.is_container or best.candidate.summary.is_container_only,
        evidence=Evidence(
            stage="event",
            score=best.score,
            need=need,
            bias=bias,
            reasons=best.reasons,
            runner_up=_rival(rival, need) if rival else None,
        ),
        shared=shared_terms(article, best.candidate.summary, model),
    )


def is_open(article: ScoringInput, candidate: Candidate, tuning: EventTuning) -> bool:
    """Return whether window and member limit admit the article to the story."""
    summary = candidate.summary
    has_capacity = summary.reports > 0 and summary.members < tuning.story_cap
    return has_capacity and is_within_window(article, candidate, tuning)


def is_within_window(article: ScoringInput, candidate: Candidate, tuning: EventTuning) -> bool:
    """Return whether the story is near enough in time, or in inbox numbers if a date is missing."""
    summary = candidate.summary
    date, times = article.stated_minutes, summary.times or summary.unscored_times
    if date is None or not times:
        return article.inbox - candidate.last_inbox <= tuning.undated_reach
    reach = tuning.window_days * MINUTES_A_DAY
    if abs(int.from_bytes(times[-4:], "little", signed=True) - date) <= reach:
        return True  # of most stories; the array of all dates takes ten times as long
    return int(np.abs(summary.dates - date).min()) <= reach


def _followed(article: ScoringInput, best: ScoredCandidate, need: float, model: EventModel) -> str | None:
    """Return the best story if it is nearly the same event, began earlier, and both have texts and dates."""
    times = np.frombuffer(best.candidate.summary.times, "<i4")
    if article.body_words < model.stub_words or article.is_container or article.is_opinion:
        return None
    if article.minutes is None or not len(times):
        return None
    is_near = best.score >= need - model.tuning.slack and best.texts >= model.tuning.follows_cosine
    return best.candidate.story if is_near and int(times.min()) < article.minutes else None


def _rival(scored: ScoredCandidate, need: float) -> RunnerUp:
    return RunnerUp(story=scored.candidate.story, score=scored.score, need=need, reasons=scored.reasons)
