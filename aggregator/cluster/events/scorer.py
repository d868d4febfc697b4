"""Is this article a report of an event that we know? Scores stories and decides; touches nothing.

    article's terms . mean of the story's terms, by field     x  learnt weight of the field
    dates, as the mean over the story's members               x  learnt time curve
    + bias, + what an unknown date and a missing body are worth
    = mean logit of the article with the story's reports  >= what the story asks?

What a story asks is `max(threshold, cohesion share x its mean inner logit)`, and more where other stories are
nearly as close (the crowd): reports that agree closely ask
more of a newcomer. An article that is a headline only is asked for the threshold alone.

All products are sums of integers, so a score is the same in any order of terms, members and candidates.
"""

from collections.abc import Callable, Sequence
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
_FILTER_BITS: Final = 16  # of a term's id; where it is finer it no longer lies in the processor's cache
_FILTER_MASK: Final = np.uint32((1 << _FILTER_BITS) - 1)


class ScoringInput(msgspec.Struct, frozen=True):
    """What deciding needs of an article."""

    terms: bytes
    minutes: int | None = None  # published, minutes since 1970; None: unknown
    body_words: int = 0
    is_container: bool = False
    inbox: int = 0  # its inbox number

    def bodyless(self, model: EventModel) -> bool:
        """Whether it has so little text that only its title tells."""
        return self.body_words < model.tuning.bodyless_words

    def member(self, model: EventModel) -> CentroidMember:
        """What a story sums up of it."""
        return CentroidMember(self.terms, self.minutes, self.bodyless(model), self.is_container)


class Candidate(msgspec.Struct, frozen=True):
    """A story that shares terms with an article."""

    number: int  # running number of the story: decides ties, the older story first
    story: str
    last_inbox: int  # inbox number of the member that was placed last
    summary: CentroidSummary


class Decision(msgspec.Struct, frozen=True):
    """Where an article belongs. `story` is None when it opens one of its own."""

    story: str | None
    role: Role
    weighs: bool  # whether its terms enter the story's sums (sums.add), or it is silent (sums.add_silent)
    evidence: Evidence
    absorbed_stories: tuple[str, ...] = ()  # stories of containers that give way to the article's story
    shared: tuple[int, ...] = ()  # ids of the terms that say most; see TermPacker.readable_terms


class ScoredCandidate(msgspec.Struct, frozen=True):
    """A candidate with its score; `reasons` sum up to it together with the bias."""

    candidate: Candidate
    score: float
    need: float
    reasons: tuple[Reason, ...]

    @property
    def fits(self) -> bool:
        """Whether the score is as high as the story asks."""
        return self.score >= self.need

    def with_objections(self, objections: tuple[Reason, ...]) -> "ScoredCandidate":
        """The same with vetoes counted in."""
        if not objections:
            return self
        score = self.score + sum(reason.share for reason in objections)
        return msgspec.structs.replace(self, score=score, reasons=(*self.reasons, *objections))


class Scorer:
    """Scores articles against stories. Keeps 64 KB of scratch memory, all false between calls."""

    def __init__(self, model: EventModel) -> None:
        self.model = model
        self._term_filter = np.zeros(1 << _FILTER_BITS, dtype=np.bool_)
        self._weight_of_code = WEIGHT_OF_CODE.astype(np.float64)

    def score(self, article: ScoringInput, candidates: Sequence[Candidate]) -> list[ScoredCandidate]:
        """Every candidate with its score, in the order given."""
        if not candidates:
            return []
        shares, values = self._shares(article, [candidate.summary for candidate in candidates])
        totals = np.full(len(candidates), self.model.bias)
        for column in shares:
            totals += column
        crowds = self._crowds(article, totals)
        return [
            ScoredCandidate(
                candidate,
                float(totals[i]),
                self.need(article, candidate.summary) + crowds[i],
                _reasons(shares, values, i),
            )
            for i, candidate in enumerate(candidates)
        ]

    def rank(self, article: ScoringInput, candidates: Sequence[Candidate]) -> list[tuple[float, Candidate]]:
        """Every candidate with its bare score, the highest first; reasons are most of the work of `score`."""
        if not candidates:
            return []
        shares, _ = self._shares(article, [candidate.summary for candidate in candidates])
        totals = self.model.bias + np.sum(shares, axis=0)
        found = zip(totals.tolist(), candidates, strict=True)
        return sorted(found, key=lambda one: (-one[0], one[1].number))

    def crowd(self, others: Sequence[float]) -> float:
        """What a story asks in addition, because other stories of these scores are nearly as close.

        The events of one saga share their words, so there a likeness says less. It is a share of the mean of
        the `crowd_stories` highest, counted from `crowd_from`.
        """
        tuning = self.model.tuning
        above = sorted((max(score - tuning.crowd_from, 0.0) for score in others), reverse=True)
        return tuning.crowd * sum(above[: tuning.crowd_stories]) / tuning.crowd_stories

    def _crowds(self, article: ScoringInput, scores: Floats) -> list[float]:
        """The crowd of each of these stories; where only a headline tells, none."""
        if article.bodyless(self.model):
            return [0.0] * len(scores)
        most = self.model.tuning.crowd_stories + 1
        highest = np.argsort(-scores, kind="stable")[:most].tolist()
        crowds = [self.crowd([float(scores[place]) for place in highest[: most - 1]])] * len(scores)
        for place in highest:
            crowds[place] = self.crowd([float(scores[other]) for other in highest if other != place])
        return crowds

    def need(self, article: ScoringInput, summary: CentroidSummary) -> float:
        """The logits that the story asks of the article."""
        tuning = self.model.tuning
        if article.bodyless(self.model):
            return tuning.threshold
        return max(tuning.threshold, tuning.cohesion * summary.cohesion)

    def shared(self, article: ScoringInput, summary: CentroidSummary) -> tuple[int, ...]:
        """Ids of the shared terms that add most to the score, heaviest first."""
        mine, theirs = read(article.terms), read(summary.trimmed)
        ids, at_mine, at_theirs = np.intersect1d(ids_of(mine), ids_of(theirs), return_indices=True)
        products = weights_of(mine[at_mine]) * weights_of(theirs[at_theirs])
        folded = products * self.model.field_weights[ids >> HASH_BITS]
        order = np.lexsort((ids, -folded))
        return tuple(int(ids[i]) for i in order[:_SHARED_TERMS])

    def _shares(
        self, article: ScoringInput, summaries: list[CentroidSummary]
    ) -> tuple[list[Floats], list[Floats]]:
        """Shares in logits and the values behind them: a column a reason, in the order of REASONS."""
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
        """Dot products by candidate and field, in steps of 1/DOT_SCALE: integers, so exact in any order."""
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
        """Where in `theirs` an id of `mine` (sorted) stands, and where that one is in `mine`.

        Nearly all ids of theirs are shared with nobody: a sieve lets the others through, and one in 200.
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
        """Mean time share, days to the nearest dated report and share of undated pairs, by candidate."""
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


def _reasons(shares: list[Floats], values: list[Floats], row: int) -> tuple[Reason, ...]:
    return tuple(
        Reason(name=name, value=float(value[row]), share=float(share[row]))
        for name, share, value in zip(REASONS, shares, values, strict=True)
        if share[row] != 0.0
    )


def _no_objections(_: Candidate) -> tuple[Reason, ...]:
    return ()


def _never_barred(_: Candidate) -> bool:
    return False


def decide(
    article: ScoringInput,
    candidates: Sequence[Candidate],
    scorer: Scorer,
    objections: Callable[[Candidate], tuple[Reason, ...]] = _no_objections,
    barred: Callable[[Candidate], bool] = _never_barred,
) -> Decision:
    """The home of the article: the story with the highest score that is as high as it asks, else its own.

    `objections` are the vetoes against the article in a story, as negative shares of its score. They are
    asked only for stories that the article would fit, the best first, as long as one may still win. `barred`
    is True for a story that a correction keeps the article out of.
    """
    open_ones = [one for one in candidates if is_open(article, one, scorer.model) and not barred(one)]
    scored, vetoes = _apply_objections(_rank(scorer.score(article, open_ones)), objections)
    decision = _choose(article, scored, scorer)
    if not vetoes:
        return decision
    evidence = msgspec.structs.replace(decision.evidence, vetoes=vetoes)
    return msgspec.structs.replace(decision, evidence=evidence)


def _choose(article: ScoringInput, scored: list[ScoredCandidate], scorer: Scorer) -> Decision:
    fitting = [one for one in scored if one.fits]
    if not fitting:
        return _found_story(article, scored, scorer)
    if article.is_container:
        return _join_story(article, fitting[0], scored, scorer)
    with_reports = [one for one in fitting if not one.candidate.summary.is_container_only]
    containers = [one for one in fitting if one.candidate.summary.is_container_only]
    best = (with_reports or containers)[0]
    decision = _join_story(article, best, scored, scorer)
    return msgspec.structs.replace(
        decision,
        story=best.candidate.story if with_reports else None,
        weighs=True,
        absorbed_stories=tuple(one.candidate.story for one in containers),
    )


def _rank(scored: Sequence[ScoredCandidate]) -> list[ScoredCandidate]:
    return sorted(scored, key=lambda one: (-one.score, one.candidate.number))


def _apply_objections(
    scored: list[ScoredCandidate], objections: Callable[[Candidate], tuple[Reason, ...]]
) -> tuple[list[ScoredCandidate], tuple[str, ...]]:
    """The stories with their vetoes counted in, ranked again; and the names of these vetoes.

    A story below the best one left cannot win any more and is not asked, but one of containers alone may be
    taken in beside it.
    """
    judged: list[ScoredCandidate] = []
    names: dict[str, None] = {}
    best = -np.inf
    for one in scored:
        only_containers = one.candidate.summary.is_container_only
        if not one.fits or (one.score <= best and not only_containers):
            judged.append(one)
            continue
        against = objections(one.candidate)
        names.update(dict.fromkeys(reason.name for reason in against))
        after = one.with_objections(against)
        if after.fits and not only_containers:
            best = max(best, after.score)
        judged.append(after)
    return _rank(judged), tuple(names)


def is_open(article: ScoringInput, candidate: Candidate, model: EventModel) -> bool:
    """Whether window and cap let the article into the story at all."""
    summary = candidate.summary
    has_capacity = summary.reports > 0 and summary.members < model.tuning.story_cap
    return has_capacity and is_within_window(article, candidate, model)


def is_within_window(article: ScoringInput, candidate: Candidate, model: EventModel) -> bool:
    """Whether the story is near enough in time, or in inbox numbers where a date is missing."""
    summary = candidate.summary
    if article.minutes is None or not (summary.times or summary.silent_times):
        return article.inbox - candidate.last_inbox <= model.tuning.undated_reach
    dates = np.frombuffer(summary.times + summary.silent_times, "<i4").astype(np.int64)
    nearest = int(np.abs(dates - article.minutes).min())
    return nearest <= model.tuning.window_days * MINUTES_A_DAY


def _found_story(article: ScoringInput, scored: list[ScoredCandidate], scorer: Scorer) -> Decision:
    return Decision(
        story=None,
        role="container" if article.is_container else "report",
        weighs=True,
        evidence=Evidence(
            stage="founded",
            bias=scorer.model.bias,
            runner_up=_rival(scored[0]) if scored else None,
        ),
    )


def _join_story(
    article: ScoringInput, best: ScoredCandidate, scored: list[ScoredCandidate], scorer: Scorer
) -> Decision:
    evidence, shared = _evidence(article, best, scored, scorer)
    return Decision(
        story=best.candidate.story,
        role="container" if article.is_container else "report",
        weighs=not article.is_container or best.candidate.summary.is_container_only,
        evidence=evidence,
        shared=shared,
    )


def _evidence(
    article: ScoringInput, best: ScoredCandidate, scored: list[ScoredCandidate], scorer: Scorer
) -> tuple[Evidence, tuple[int, ...]]:
    rival = next((one for one in scored if one is not best), None)
    evidence = Evidence(
        stage="event",
        score=best.score,
        need=best.need,
        bias=scorer.model.bias,
        reasons=best.reasons,
        runner_up=_rival(rival) if rival else None,
    )
    return evidence, scorer.shared(article, best.candidate.summary)


def _rival(scored: ScoredCandidate) -> RunnerUp:
    return RunnerUp(
        story=scored.candidate.story, score=scored.score, need=scored.need, reasons=scored.reasons
    )
