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

from aggregator.cluster.events.centroid import REASONS, Front, Member
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
from aggregator.model.core import Evidence, Reason, Rival, Role

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

_SHARED_TERMS: Final = 12
_SIEVE_BITS: Final = 16  # of a term's id; where it is finer it no longer lies in the processor's cache
_SIEVE: Final = np.uint32((1 << _SIEVE_BITS) - 1)


class Article(msgspec.Struct, frozen=True):
    """What deciding needs of an article."""

    terms: bytes
    minutes: int | None = None  # published, minutes since 1970; None: unknown
    body_words: int = 0
    is_container: bool = False
    inbox: int = 0  # its inbox number

    def bodyless(self, model: EventModel) -> bool:
        """Whether it has so little text that only its title tells."""
        return self.body_words < model.rules.bodyless_words

    def member(self, model: EventModel) -> Member:
        """What a story sums up of it."""
        return Member(self.terms, self.minutes, self.bodyless(model), self.is_container)


class Candidate(msgspec.Struct, frozen=True):
    """A story that shares terms with an article."""

    number: int  # running number of the story: decides ties, the older story first
    story: str
    last_inbox: int  # inbox number of the member that was placed last
    front: Front


class Decision(msgspec.Struct, frozen=True):
    """Where an article belongs. `story` is None when it opens one of its own."""

    story: str | None
    role: Role
    weighs: bool  # whether its terms enter the story's sums (sums.add), or it is silent (sums.add_silent)
    evidence: Evidence
    takes_in: tuple[str, ...] = ()  # stories of containers that give way to the article's story
    shared: tuple[int, ...] = ()  # ids of the terms that say most; see TermPacker.readable_terms


class Scored(msgspec.Struct, frozen=True):
    """A candidate with its score; `reasons` sum up to it together with the bias."""

    candidate: Candidate
    score: float
    need: float
    reasons: tuple[Reason, ...]

    @property
    def fits(self) -> bool:
        """Whether the score is as high as the story asks."""
        return self.score >= self.need

    def with_objections(self, objections: tuple[Reason, ...]) -> "Scored":
        """The same with vetoes counted in."""
        if not objections:
            return self
        score = self.score + sum(reason.share for reason in objections)
        return msgspec.structs.replace(self, score=score, reasons=(*self.reasons, *objections))


class Scorer:
    """Scores articles against stories. Keeps 64 KB of scratch memory, all false between calls."""

    def __init__(self, model: EventModel) -> None:
        self.model = model
        self._sieve = np.zeros(1 << _SIEVE_BITS, dtype=np.bool_)
        self._weight_of_code = WEIGHT_OF_CODE.astype(np.float64)

    def score(self, article: Article, candidates: Sequence[Candidate]) -> list[Scored]:
        """Every candidate with its score, in the order given."""
        if not candidates:
            return []
        shares, values = self._shares(article, [candidate.front for candidate in candidates])
        totals = np.full(len(candidates), self.model.bias)
        for column in shares:
            totals += column
        crowds = self._crowds(article, totals)
        return [
            Scored(
                candidate,
                float(totals[i]),
                self.need(article, candidate.front) + crowds[i],
                _reasons(shares, values, i),
            )
            for i, candidate in enumerate(candidates)
        ]

    def ranked(self, article: Article, candidates: Sequence[Candidate]) -> list[tuple[float, Candidate]]:
        """Every candidate with its bare score, the highest first; reasons are most of the work of `score`."""
        if not candidates:
            return []
        shares, _ = self._shares(article, [candidate.front for candidate in candidates])
        totals = self.model.bias + np.sum(shares, axis=0)
        found = zip(totals.tolist(), candidates, strict=True)
        return sorted(found, key=lambda one: (-one[0], one[1].number))

    def crowd(self, others: Sequence[float]) -> float:
        """What a story asks in addition, because other stories of these scores are nearly as close.

        The events of one saga share their words, so there a likeness says less. It is a share of the mean of
        the `crowd_stories` highest, counted from `crowd_from`.
        """
        rules = self.model.rules
        above = sorted((max(score - rules.crowd_from, 0.0) for score in others), reverse=True)
        return rules.crowd * sum(above[: rules.crowd_stories]) / rules.crowd_stories

    def _crowds(self, article: Article, scores: Floats) -> list[float]:
        """The crowd of each of these stories; where only a headline tells, none."""
        if article.bodyless(self.model):
            return [0.0] * len(scores)
        most = self.model.rules.crowd_stories + 1
        highest = np.argsort(-scores, kind="stable")[:most].tolist()
        crowds = [self.crowd([float(scores[place]) for place in highest[: most - 1]])] * len(scores)
        for place in highest:
            crowds[place] = self.crowd([float(scores[other]) for other in highest if other != place])
        return crowds

    def need(self, article: Article, front: Front) -> float:
        """The logits that the story asks of the article."""
        rules = self.model.rules
        if article.bodyless(self.model):
            return rules.threshold
        return max(rules.threshold, rules.cohesion * front.cohesion)

    def shared(self, article: Article, front: Front) -> tuple[int, ...]:
        """Ids of the shared terms that add most to the score, heaviest first."""
        mine, theirs = read(article.terms), read(front.trimmed)
        ids, at_mine, at_theirs = np.intersect1d(ids_of(mine), ids_of(theirs), return_indices=True)
        products = weights_of(mine[at_mine]) * weights_of(theirs[at_theirs])
        folded = products * self.model.field_weights[ids >> HASH_BITS]
        order = np.lexsort((ids, -folded))
        return tuple(int(ids[i]) for i in order[:_SHARED_TERMS])

    def _shares(self, article: Article, fronts: list[Front]) -> tuple[list[Floats], list[Floats]]:
        """Shares in logits and the values behind them: a column a reason, in the order of REASONS."""
        reports = np.array([front.reports for front in fronts], dtype=np.float64)
        cosines = self._dots(article, fronts) / DOT_SCALE
        time, nearest_days, undated = self._times(article, fronts, reports)
        bodyless = np.array([front.bodyless for front in fronts]) / reports
        if article.bodyless(self.model):
            bodyless = np.ones(len(fronts))
        values = [*cosines.T, nearest_days, undated, bodyless]
        shares = [
            *(cosines * self.model.field_weights).T,
            time,
            undated * self.model.undated,
            bodyless * self.model.bodyless,
        ]
        return shares, values

    def _dots(self, article: Article, fronts: list[Front]) -> Floats:
        """Dot products by candidate and field, in steps of 1/DOT_SCALE: integers, so exact in any order."""
        mine = read(article.terms)
        mine = mine[np.argsort(ids_of(mine), kind="stable")]
        words = read(b"".join(front.trimmed for front in fronts))
        owners = np.repeat(np.arange(len(fronts)), [len(front.trimmed) // 4 for front in fronts])
        hits, at_mine = self._shared_places(ids_of(mine), ids_of(words))
        ids = ids_of(words[hits])
        theirs = self._weight_of_code[words[hits] & (len(WEIGHT_OF_CODE) - 1)]
        products = weights_of(mine)[at_mine] * theirs
        places = owners[hits] * FIELD_COUNT + (ids >> HASH_BITS)
        size = len(fronts) * FIELD_COUNT
        dots: Floats = np.bincount(places, weights=products, minlength=size).astype(np.float64)
        return dots.reshape(-1, FIELD_COUNT)

    def _shared_places(self, mine: Words, theirs: Words) -> tuple[Places, Places]:
        """Where in `theirs` an id of `mine` (sorted) stands, and where that one is in `mine`.

        Nearly all ids of theirs are shared with nobody: a sieve lets the others through, and one in 200.
        """
        low = mine & _SIEVE
        self._sieve[low] = True
        through = np.flatnonzero(self._sieve[theirs & _SIEVE])
        self._sieve[low] = False
        at_mine = np.searchsorted(mine, theirs[through], side="right") - 1
        same = mine[at_mine] == theirs[through]
        return through[same], at_mine[same]

    def _times(self, article: Article, fronts: list[Front], reports: Floats) -> tuple[Floats, Floats, Floats]:
        """Mean time share, days to the nearest dated report and share of undated pairs, by candidate."""
        count = len(fronts)
        if article.minutes is None:
            return np.zeros(count), np.zeros(count), np.ones(count)
        lengths = np.array([len(front.times) // 4 for front in fronts])
        apart = np.abs(
            np.frombuffer(b"".join(f.times for f in fronts), "<i4").astype(np.int64) - article.minutes
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
    article: Article,
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
    scored, vetoes = _objected(_ranked(scorer.score(article, open_ones)), objections)
    decision = _decided(article, scored, scorer)
    if not vetoes:
        return decision
    evidence = msgspec.structs.replace(decision.evidence, vetoes=vetoes)
    return msgspec.structs.replace(decision, evidence=evidence)


def _decided(article: Article, scored: list[Scored], scorer: Scorer) -> Decision:
    fitting = [one for one in scored if one.fits]
    if not fitting:
        return _founds(article, scored, scorer)
    if article.is_container:
        return _joins(article, fitting[0], scored, scorer)
    with_reports = [one for one in fitting if not one.candidate.front.is_container_only]
    containers = [one for one in fitting if one.candidate.front.is_container_only]
    best = (with_reports or containers)[0]
    decision = _joins(article, best, scored, scorer)
    return msgspec.structs.replace(
        decision,
        story=best.candidate.story if with_reports else None,
        weighs=True,
        takes_in=tuple(one.candidate.story for one in containers),
    )


def _ranked(scored: Sequence[Scored]) -> list[Scored]:
    return sorted(scored, key=lambda one: (-one.score, one.candidate.number))


def _objected(
    scored: list[Scored], objections: Callable[[Candidate], tuple[Reason, ...]]
) -> tuple[list[Scored], tuple[str, ...]]:
    """The stories with their vetoes counted in, ranked again; and the names of these vetoes.

    A story below the best one left cannot win any more and is not asked, but one of containers alone may be
    taken in beside it.
    """
    judged: list[Scored] = []
    names: dict[str, None] = {}
    best = -np.inf
    for one in scored:
        only_containers = one.candidate.front.is_container_only
        if not one.fits or (one.score <= best and not only_containers):
            judged.append(one)
            continue
        against = objections(one.candidate)
        names.update(dict.fromkeys(reason.name for reason in against))
        after = one.with_objections(against)
        if after.fits and not only_containers:
            best = max(best, after.score)
        judged.append(after)
    return _ranked(judged), tuple(names)


def is_open(article: Article, candidate: Candidate, model: EventModel) -> bool:
    """Whether window and cap let the article into the story at all."""
    front = candidate.front
    has_room = front.reports > 0 and front.members < model.rules.story_cap
    return has_room and is_within_window(article, candidate, model)


def is_within_window(article: Article, candidate: Candidate, model: EventModel) -> bool:
    """Whether the story is near enough in time, or in inbox numbers where a date is missing."""
    front = candidate.front
    if article.minutes is None or not (front.times or front.silent_times):
        return article.inbox - candidate.last_inbox <= model.rules.undated_reach
    dates = np.frombuffer(front.times + front.silent_times, "<i4").astype(np.int64)
    nearest = int(np.abs(dates - article.minutes).min())
    return nearest <= model.rules.window_days * MINUTES_A_DAY


def _founds(article: Article, scored: list[Scored], scorer: Scorer) -> Decision:
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


def _joins(article: Article, best: Scored, scored: list[Scored], scorer: Scorer) -> Decision:
    evidence, shared = _evidence(article, best, scored, scorer)
    return Decision(
        story=best.candidate.story,
        role="container" if article.is_container else "report",
        weighs=not article.is_container or best.candidate.front.is_container_only,
        evidence=evidence,
        shared=shared,
    )


def _evidence(
    article: Article, best: Scored, scored: list[Scored], scorer: Scorer
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
    return evidence, scorer.shared(article, best.candidate.front)


def _rival(scored: Scored) -> Rival:
    return Rival(story=scored.candidate.story, score=scored.score, need=scored.need, reasons=scored.reasons)
