"""Scores articles against stories and decides which event they report; writes nothing.

    article's terms . mean of the story's terms, by field     x  trained weight of the field
    dates, as the mean over the story's members               x  trained time curve
    + bias, + weight of an unknown date, + weight of a missing body
    = mean logit of the article with the story's reports  >= need of the story

The need is `max(threshold, cohesion share x mean logit inside the story)`, since a story whose reports agree
closely should require more. It is higher where other stories are nearly as close (the crowd). For an article
that is only a headline it is the threshold.

All products are sums of integers, so a score does not depend on the order of terms, members or candidates.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from aggregator.cluster.events.centroid import REASONS, CentroidMember, CentroidSummary
from aggregator.cluster.events.term_codec import (
    DOT_SCALE,
    FIELD_COUNT,
    HASH_BITS,
    WEIGHT_OF_CODE,
    Words,
    ids_of,
    read,
    weights_of,
)
from aggregator.cluster.events.weights import MINUTES_A_DAY, TIME_SCALE, EventModel, time_shares
from aggregator.model.core import Evidence, Reason, Role, RunnerUp

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

_SHARED_TERMS: Final = 12
_FILTER_BITS: Final = 16  # of a term's id; a larger filter would not fit into the processor's cache
_FILTER_MASK: Final = np.uint32((1 << _FILTER_BITS) - 1)


class ScoringInput(msgspec.Struct, frozen=True):
    """The part of an article that scoring needs."""

    terms: bytes
    minutes: int | None = None  # published, minutes since 1970; None: unknown
    body_words: int = 0
    is_container: bool = False
    inbox: int = 0  # its inbox number
    text_minutes: int | None = None  # the date read in its text where none was declared
    is_opinion: bool = False  # an opinion or an explainer, which is not counted as a report

    @property
    def stated_minutes(self) -> int | None:
        """The date, declared or read in the text."""
        return self.text_minutes if self.minutes is None else self.minutes

    def bodyless(self, model: EventModel) -> bool:
        """Return whether the article has so little text that it is scored by its title."""
        return self.body_words < model.tuning.bodyless_words

    def is_undated_text(self, model: EventModel) -> bool:
        """Return whether the article has a long text and no date, not even in the text."""
        return self.stated_minutes is None and self.body_words >= model.tuning.long_words

    def need(self, cohesion: float, model: EventModel) -> float:
        """Return the logits that a story with this mean internal logit requires of the article.

        Live blogs and roundups need `leave_below` more: a second look never splits them off again.
        """
        tuning = model.tuning
        more = tuning.leave_below if self.is_container else 0.0
        if self.bodyless(model):
            return tuning.threshold + more
        share = tuning.undated_cohesion if self.is_undated_text(model) else tuning.cohesion
        return max(tuning.threshold, share * cohesion) + more

    def member(self, model: EventModel) -> CentroidMember:
        """Return the article as a member of a centroid."""
        date = None if self.minutes is not None else self.text_minutes
        return CentroidMember(self.terms, self.minutes, self.bodyless(model), self.is_container, date)


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
    absorbed_stories: tuple[str, ...] = ()  # stories of live blogs and roundups, merged into this story
    shared: tuple[
        int, ...
    ] = ()  # ids of the shared terms with the largest shares; see TermPacker.readable_terms
    follows: str | None = None  # the earlier story that a new one continues


class ScoredCandidate(msgspec.Struct, frozen=True):
    """A candidate with its score, the sum of the reasons plus the bias."""

    candidate: Candidate
    score: float
    need: float
    reasons: tuple[Reason, ...]

    def corrected(self, reasons: tuple[Reason, ...]) -> "ScoredCandidate":
        """Return the candidate with corrections added to its score."""
        if not reasons:
            return self
        score = self.score + sum(reason.share for reason in reasons)
        return msgspec.structs.replace(self, score=score, reasons=(*self.reasons, *reasons))


class Scorer:
    """Scores articles against stories. Has 64 KB of scratch memory, all False between calls."""

    def __init__(self, model: EventModel) -> None:
        self.model = model
        self._term_filter = np.zeros(1 << _FILTER_BITS, dtype=np.bool_)
        self._weight_of_code = WEIGHT_OF_CODE.astype(np.float64)

    def score(self, article: ScoringInput, candidates: Sequence[Candidate]) -> list[ScoredCandidate]:
        """Return every candidate with its score and reasons, in the order given."""
        if not candidates:
            return []
        shares, values = self._shares(article, [candidate.summary for candidate in candidates])
        totals = np.full(len(candidates), self.model.bias)
        for column in shares:
            totals += column
        needs = (article.need(candidate.summary.cohesion, self.model) for candidate in candidates)
        columns = (
            candidates,
            totals.tolist(),
            needs,
            self._crowds(article, totals),
            _reasons(shares, values),
        )
        return [
            ScoredCandidate(candidate, score, need + crowd, reasons)
            for candidate, score, need, crowd, reasons in zip(*columns, strict=True)
        ]

    def rank(self, article: ScoringInput, candidates: Sequence[Candidate]) -> list[tuple[float, Candidate]]:
        """Return every candidate with its score only, the highest first.

        Much faster than `score`, where reasons take most of the time.
        """
        if not candidates:
            return []
        shares, _ = self._shares(article, [candidate.summary for candidate in candidates])
        totals = self.model.bias + np.sum(shares, axis=0)
        pairs = zip(totals.tolist(), candidates, strict=True)
        return sorted(pairs, key=lambda one: (-one[0], one[1].number))

    def crowd(self, others: Sequence[float]) -> float:
        """Return the extra need when other stories, with these scores, are nearly as close.

        The events of one saga share their words, so similarity is weaker evidence there. It is a share of the
        mean of the `rival_stories` highest scores, as far as they exceed `rival_from`.
        """
        tuning = self.model.tuning
        above = sorted((max(score - tuning.rival_from, 0.0) for score in others), reverse=True)
        return tuning.rival_share * sum(above[: tuning.rival_stories]) / tuning.rival_stories

    def _crowds(self, article: ScoringInput, scores: Floats) -> list[float]:
        """Return the crowd of each story; 0 for an article that is only a headline, or undated and long."""
        if article.bodyless(self.model) or article.is_undated_text(self.model):
            return [0.0] * len(scores)
        most = self.model.tuning.rival_stories + 1
        highest = np.argsort(-scores, kind="stable")[:most].tolist()
        crowds = [self.crowd([float(scores[place]) for place in highest[: most - 1]])] * len(scores)
        for place in highest:
            crowds[place] = self.crowd([float(scores[other]) for other in highest if other != place])
        return crowds

    def shared(self, article: ScoringInput, summary: CentroidSummary) -> tuple[int, ...]:
        """Return the ids of the shared terms that add most to the score, the largest first."""
        mine, theirs = read(article.terms), read(summary.trimmed)
        ids, at_mine, at_theirs = np.intersect1d(ids_of(mine), ids_of(theirs), return_indices=True)
        products = weights_of(mine[at_mine]) * weights_of(theirs[at_theirs])
        folded = products * self.model.field_weights[ids >> HASH_BITS]
        order = np.lexsort((ids, -folded))
        return tuple(int(ids[i]) for i in order[:_SHARED_TERMS])

    def _shares(
        self, article: ScoringInput, summaries: list[CentroidSummary]
    ) -> tuple[list[Floats], list[Floats]]:
        """Return the shares in logits and their values: one column per reason, in the order of REASONS."""
        reports = np.array([summary.reports for summary in summaries], dtype=np.float64)
        cosines = self._dots(article, summaries) / DOT_SCALE
        time, nearest_days, undated = self._times(article, summaries, reports)
        bodyless = np.array([summary.bodyless for summary in summaries]) / reports
        if article.bodyless(self.model):
            bodyless = np.ones(len(summaries))
        values = [*cosines.T, nearest_days, undated, bodyless]
        shares = [
            *(cosines * self.model.field_weights).T,
            time,
            undated * self.model.undated,
            bodyless * self.model.bodyless,
        ]
        return shares, values

    def _dots(self, article: ScoringInput, summaries: list[CentroidSummary]) -> Floats:
        """Return dot products by candidate and field, in units of 1/DOT_SCALE (exact integers)."""
        mine = read(article.terms)
        mine = mine[np.argsort(ids_of(mine), kind="stable")]
        words = read(b"".join(summary.trimmed for summary in summaries))
        owners = np.repeat(np.arange(len(summaries)), [len(summary.trimmed) // 4 for summary in summaries])
        hits, at_mine = self._shared_places(ids_of(mine), ids_of(words))
        ids = ids_of(words[hits])
        theirs = self._weight_of_code[words[hits] & (len(WEIGHT_OF_CODE) - 1)]
        products = weights_of(mine)[at_mine] * theirs
        places = owners[hits] * FIELD_COUNT + (ids >> HASH_BITS)
        size = len(summaries) * FIELD_COUNT
        dots: Floats = np.bincount(places, weights=products, minlength=size).astype(np.float64)
        return dots.reshape(-1, FIELD_COUNT)

    def _shared_places(self, mine: Words, theirs: Words) -> tuple[Places, Places]:
        """Return the positions in `theirs` of ids of `mine` (sorted), and their positions in `mine`.

        Few of the ids are shared: a bit filter removes all others but 1 in 200.
        """
        low = mine & _FILTER_MASK
        self._term_filter[low] = True
        through = np.flatnonzero(self._term_filter[theirs & _FILTER_MASK])
        self._term_filter[low] = False
        at_mine = np.searchsorted(mine, theirs[through], side="right") - 1
        same = mine[at_mine] == theirs[through]
        return through[same], at_mine[same]

    def _times(
        self, article: ScoringInput, summaries: list[CentroidSummary], reports: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Return the mean time share, days to the nearest dated report and share of undated pairs."""
        count = len(summaries)
        if article.minutes is None:
            return np.zeros(count), np.zeros(count), np.ones(count)
        lengths = np.array([len(summary.times) // 4 for summary in summaries])
        apart = np.abs(
            np.frombuffer(b"".join(f.times for f in summaries), "<i4").astype(np.int64) - article.minutes
        )
        owners = np.repeat(np.arange(count), lengths)
        summed = np.bincount(owners, weights=time_shares(self.model.time_table, apart), minlength=count)
        nearest = np.full(count, np.iinfo(np.int64).max)
        np.minimum.at(nearest, owners, apart)
        days = np.where(lengths > 0, nearest / MINUTES_A_DAY, 0.0)
        return summed / TIME_SCALE / reports, days, 1.0 - lengths / reports


def _reasons(shares: list[Floats], values: list[Floats]) -> Iterator[tuple[Reason, ...]]:
    """Yield the reasons of each candidate."""
    rows = (np.column_stack(columns).tolist() for columns in (shares, values))
    for shares_of_one, values_of_one in zip(*rows, strict=True):
        named = zip(REASONS, values_of_one, shares_of_one, strict=True)
        yield tuple(Reason(name=name, value=value, share=share) for name, value, share in named if share)


def _no_corrections(candidates: Sequence[Candidate]) -> list[tuple[Reason, ...]]:
    return [() for _ in candidates]


def decide(
    article: ScoringInput,
    candidates: Sequence[Candidate],
    scorer: Scorer,
    correct: Callable[[Sequence[Candidate]], Sequence[tuple[Reason, ...]]] = _no_corrections,
    *,
    most: int = 32,
) -> Decision:
    """Decide the story of the article: the highest score of those that reach their need, else its own.

    `correct` returns the corrections of the score of each story, in logits: the comparison with its reports,
    and vetoes. It is called for the `most` best stories that miss their need by at most `slack` of the
    tuning; no other is joined.
    """
    slack = scorer.model.tuning.slack
    ranked = _rank(scorer.score(article, [one for one in candidates if is_open(article, one, scorer.model)]))
    near = [one for one in ranked if one.score >= one.need - slack][:most]
    judged = [one for one in ranked if one.score < one.need - slack]
    names: dict[str, None] = {}
    for one, reasons in zip(near, correct([one.candidate for one in near]), strict=True):
        names.update(dict.fromkeys(reason.name for reason in reasons if reason.name.startswith("veto:")))
        judged.append(one.corrected(reasons))
    decision = _choose(article, _rank(judged), scorer)
    if not names:
        return decision
    evidence = msgspec.structs.replace(decision.evidence, vetoes=tuple(names))
    return msgspec.structs.replace(decision, evidence=evidence)


def _choose(article: ScoringInput, scored: list[ScoredCandidate], scorer: Scorer) -> Decision:
    role: Role = "container" if article.is_container else "report"
    fitting = [one for one in scored if one.score >= one.need]
    if not fitting:
        return Decision(
            story=None,
            role=role,
            counts_in_centroid=True,
            evidence=Evidence(
                stage="founded", bias=scorer.model.bias, runner_up=_rival(scored[0]) if scored else None
            ),
            follows=_followed(article, scored[0], scorer.model) if scored else None,
        )
    best, containers = fitting[0], []
    if not article.is_container:
        containers = [one for one in fitting if one.candidate.summary.is_container_only]
        best = next((one for one in fitting if not one.candidate.summary.is_container_only), best)
    is_best_container = best.candidate.summary.is_container_only
    rival = next((one for one in scored if one is not best), None)
    return Decision(
        story=None if containers and is_best_container else best.candidate.story,
        role=role,
        counts_in_centroid=not article.is_container or is_best_container,
        evidence=Evidence(
            stage="event",
            score=best.score,
            need=best.need,
            bias=scorer.model.bias,
            reasons=best.reasons,
            runner_up=_rival(rival) if rival else None,
        ),
        absorbed_stories=tuple(one.candidate.story for one in containers),
        shared=scorer.shared(article, best.candidate.summary),
    )


def _rank(scored: Sequence[ScoredCandidate]) -> list[ScoredCandidate]:
    return sorted(scored, key=lambda one: (-one.score, one.candidate.number))


def is_open(article: ScoringInput, candidate: Candidate, model: EventModel) -> bool:
    """Return whether window and member limit admit the article to the story."""
    summary = candidate.summary
    has_capacity = summary.reports > 0 and summary.members < model.tuning.story_cap
    return has_capacity and is_within_window(article, candidate, model)


def is_within_window(article: ScoringInput, candidate: Candidate, model: EventModel) -> bool:
    """Return whether the story is near enough in time, or in inbox numbers if a date is missing."""
    summary = candidate.summary
    date, times = article.stated_minutes, summary.times or summary.unscored_times
    if date is None or not times:
        return article.inbox - candidate.last_inbox <= model.tuning.undated_reach
    reach = model.tuning.window_days * MINUTES_A_DAY
    if abs(int.from_bytes(times[-4:], "little", signed=True) - date) <= reach:
        return True  # of most stories; the array of all dates takes ten times as long
    return int(np.abs(summary.dates - date).min()) <= reach


def _followed(article: ScoringInput, best: ScoredCandidate, model: EventModel) -> str | None:
    """Return the best story if it is nearly the same event, began earlier, and both have texts and dates."""
    times = np.frombuffer(best.candidate.summary.times, "<i4")
    has_text = best.candidate.summary.bodyless < best.candidate.summary.reports
    if not has_text or article.bodyless(model) or article.is_container or article.is_opinion:
        return None
    if article.minutes is None or not len(times):
        return None
    cosine = next((reason.value for reason in best.reasons if reason.name == REASONS[0]), 0.0)
    is_near = best.score >= best.need - model.tuning.slack and cosine >= model.tuning.follows_cosine
    return best.candidate.story if is_near and int(times.min()) < article.minutes else None


def _rival(scored: ScoredCandidate) -> RunnerUp:
    return RunnerUp(
        story=scored.candidate.story, score=scored.score, need=scored.need, reasons=scored.reasons
    )
