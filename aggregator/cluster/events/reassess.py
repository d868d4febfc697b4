"""Second look: repeat the decisions about recent articles after later ones arrived.

The first decision about an article knows only earlier articles. So the stories that changed since the last
second look are checked again, in two steps:

1. *Moves.* Compare a report with the other reports of its story and with nearby stories. Move it to a story
   that it fits clearly better, or to a story of its own if it fits nowhere.
2. *Merges.* Merge two stories whose reports agree on average, the closest pair first.

Pure: data is read through a `StoryLookup`, and nothing is written. The second look works on copies of the
centroids, so that a later change takes the earlier ones into account; apply the changes in their order.
`reassess_members` and `reassess_neighbours` limit the work for each story, whatever the size of the database.

Only reports that are counted in a centroid are checked. Copies, excerpts, and live blogs and roundups in a
story with reports are no evidence of their own: a copy moves with its report, a live blog or roundup moves
only when a report absorbs its story (scorer.decide). See ADR 10.
"""

import heapq
import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, Protocol

import msgspec
import numpy as np

from aggregator.cluster.events import centroid as centroids
from aggregator.cluster.events.centroid import Centroid, CentroidMember, ScoreShares
from aggregator.cluster.events.scorer import Candidate, Floats, Scorer, ScoringInput, is_within_window
from aggregator.cluster.events.term_codec import DOT_SCALE, FIELD_COUNT, HASH_BITS
from aggregator.cluster.events.weights import MINUTES_A_DAY, TIME_SCALE, EventModel, time_shares
from aggregator.model.core import Reason

# Screening uses trimmed means, which underestimate scores. Stories are scored exactly if the screened score
# is at most this far below the required one, in logits. With 0.75 the measures are the same, but between two
# shuffles of the days 2 % of the pairs of articles that are together in either disagree, instead of 1 %.
_SCREEN_SLACK: Final = 1.5


class CountedReport(msgspec.Struct, frozen=True):
    """A report that is counted in its story's centroid."""

    id: str
    article: ScoringInput


class ReportMove(msgspec.Struct, frozen=True):
    """A report leaves its story. `score` is the sum of the reasons plus the model's bias."""

    article: str
    source: int
    target: int | None  # None: a story of its own; then `score` is that with the story it leaves
    own: float  # mean logit with the other reports of the story it leaves
    score: float
    need: float  # required: the target's need with the margin or, without a target, the need it failed
    reasons: tuple[Reason, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The stories that change."""
        return (self.source,) if self.target is None else (self.source, self.target)


class StoryMerge(msgspec.Struct, frozen=True):
    """Two stories become one. `score` is the sum of the reasons plus the model's bias.

    Which story id survives is decided elsewhere. Later changes of the same second look refer to the story as
    `kept`.
    """

    kept: int
    gone: int
    score: float  # mean logit of a report of one with a report of the other
    need: float
    reasons: tuple[Reason, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The stories that change."""
        return (self.kept, self.gone)


Reassignment = ReportMove | StoryMerge


class StoryLookup(Protocol):
    """Read access to stories and articles as they were before the second look."""

    def story(self, number: int) -> Candidate | None:
        """Return a live story, or None if there is none with this number (any more)."""

    def read(self, numbers: Iterable[int], /) -> None:
        """Read the reports of these stories at once: they will be asked for."""

    def story_centroids(self, numbers: Iterable[int], /) -> Mapping[int, Centroid]:
        """Return the centroid over all members of each story."""

    def counted_reports(self, number: int, newest: int) -> Sequence[CountedReport]:
        """Return the counted reports with the largest inbox numbers, at most `newest`, in any order."""

    def neighbours(self, number: int) -> Sequence[Candidate]:
        """Return other live stories that share terms with the story and are in its window (story_index)."""

    def candidates(self, article: ScoringInput) -> Sequence[Candidate]:
        """Return live stories that share terms with the article (story_index)."""

    def has_report(self, number: int, /) -> bool:
        """Return whether a counted article of the story is a report, no opinion and no explainer."""

    def may_leave(self, article: str, /) -> bool:
        """Return False if a correction keeps the article in its story."""

    def may_join(self, article: str, number: int, /) -> bool:
        """Return False if a correction keeps the article out of the story."""

    def may_merge(self, one: int, other: int, /) -> bool:
        """Return False if a correction keeps the two stories apart."""

    def compare(self, reports: Sequence[CountedReport], number: int, /) -> None:
        """Compare these reports of a story with its others at once: their corrections will be asked for."""

    def corrections(self, report: CountedReport, number: int, /) -> Sequence[Reason]:
        """Return the corrections of the report's score in the story, in logits: by report, and vetoes.

        In its own story the report is compared with the other reports, without vetoes.
        """


def reassess_stories(
    changed_numbers: Iterable[int], lookup: StoryLookup, scorer: Scorer
) -> tuple[Reassignment, ...]:
    """Return the changes to the stories in `changed_numbers`, which changed since the last second look.

    Numbers of stories that no longer exist are skipped. Stories changed here should be checked again in the
    next second look. The result depends on the set of numbers and the lookup, not on any order.
    """
    copies = _WorkingCopies(lookup, scorer)
    numbers = sorted(set(changed_numbers))
    copies.read(numbers)
    for number in numbers:
        copies.move_members(number)
    copies.merge_stories(numbers)
    return tuple(copies.changes)


@lru_cache(maxsize=1_000)  # 7 MB: a large story is looked at again and again
def _single(member: CentroidMember, model: EventModel) -> Centroid:
    """Return the centroid of one report."""
    return centroids.add(Centroid(), member, model)


class _ReportMatrix:
    """Reports as arrays, to be compared with a story at once."""

    def __init__(self, counted_reports: Sequence[CountedReport], model: EventModel) -> None:
        self._model = model
        members = [report.article.member(model) for report in counted_reports]
        self.singles = [_single(member, model) for member in members]
        self._ids = np.concatenate([one.ids for one in self.singles])
        self._weights = np.concatenate([one.weights for one in self.singles])
        owners = np.repeat(np.arange(len(counted_reports)), [len(one.ids) for one in self.singles])
        self._places = owners * FIELD_COUNT + (self._ids >> HASH_BITS)
        self._squares = np.array([one.squares for one in self.singles], dtype=np.float64)
        self._bodyless = np.array([member.bodyless for member in members])
        self._dated = np.array([member.minutes is not None for member in members])
        self._minutes = np.array([member.minutes or 0 for member in members], dtype=np.int64)

    def scores(self, story: Centroid, *, inside: bool) -> Floats:
        """Return the mean logit of each report with the story's reports; `inside`: without itself."""
        model, count = self._model, len(self.singles)
        others = story.reports - inside
        cosines = self._dots(story) - (self._squares if inside else 0.0)
        cosines /= DOT_SCALE * others
        shares = time_shares(model.time_table, story.times[None, :] - self._minutes[:, None]).sum(axis=1)
        own_share = int(model.time_table[0]) if inside else 0
        time = np.where(self._dated, (shares - own_share) / TIME_SCALE / others, 0.0)
        dated = np.where(self._dated, (len(story.times) - (self._dated & inside)) / others, 0.0)
        bodyless = np.where(self._bodyless, 1.0, story.bodyless / others)
        totals: Floats = np.full(count, model.bias) + cosines @ model.field_weights + time
        totals += (1.0 - dated) * model.undated + bodyless * model.bodyless
        return totals

    def _dots(self, story: Centroid) -> Floats:
        size = len(self.singles) * FIELD_COUNT
        if not len(story.ids):
            return np.zeros((len(self.singles), FIELD_COUNT))
        spots = np.minimum(np.searchsorted(story.ids, self._ids), len(story.ids) - 1)
        hits = np.flatnonzero(story.ids[spots] == self._ids)
        products = self._weights[hits] * story.weights[spots[hits]]
        dots: Floats = np.bincount(self._places[hits], weights=products, minlength=size).astype(np.float64)
        return dots.reshape(-1, FIELD_COUNT)


class _WorkingCopies:
    """Working copies of the stories of one second look."""

    def __init__(self, lookup: StoryLookup, scorer: Scorer) -> None:
        self._lookup = lookup
        self._scorer = scorer
        self._model = scorer.model
        self._tuning = scorer.model.tuning
        self._centroids: dict[int, Centroid] = {}
        self._changed: dict[int, Candidate | None] = {}  # None: merged into another story
        self._moved: set[str] = set()
        self._nearest: dict[int, list[Candidate]] = {}
        self._scores_near: dict[int, dict[int, float]] = {}
        self.changes: list[Reassignment] = []

    # --- current state of the stories -----------------------------------------------------------------------

    def _story(self, number: int) -> Candidate | None:
        return self._changed[number] if number in self._changed else self._lookup.story(number)

    def _current(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Return the current state of the candidates; only stories with reports proper."""
        current = (self._changed.get(one.number, one) for one in candidates)
        return [one for one in current if one and one.summary.reports and not one.summary.is_container_only]

    def _centroid_of(self, number: int) -> Centroid:
        if number not in self._centroids:
            self.read_centroids([number])
        return self._centroids[number]

    def read(self, numbers: Iterable[int]) -> None:
        """Read at once what `move_members` asks of these stories."""
        found = [story for story in map(self._story, numbers) if story is not None]
        several = [one.number for one in found if _may_lose_members(one)]
        self._lookup.read(several)
        self.read_centroids(several)

    def read_centroids(self, numbers: Iterable[int]) -> None:
        """Read the centroids of these stories that were not read yet, at once."""
        missing = [number for number in numbers if number not in self._centroids]
        if missing:
            self._centroids |= self._lookup.story_centroids(missing)

    def _set(self, number: int, total: Centroid, last_inbox: int) -> None:
        story = self._story(number)
        assert story is not None, "the caller has just read this story"
        self._centroids[number] = total
        summary = centroids.read_summary(centroids.to_bytes(total, self._model))
        last_inbox = max(story.last_inbox, last_inbox)
        self._changed[number] = msgspec.structs.replace(story, summary=summary, last_inbox=last_inbox)

    # --- moves ----------------------------------------------------------------------------------------------

    def move_members(self, number: int) -> None:
        """Move the story's newest reports where they fit better, the largest gain first."""
        story = self._story(number)
        if story is None or not _may_lose_members(story):
            return
        counted_reports = sorted(
            self._lookup.counted_reports(number, self._tuning.reassess_members),
            key=lambda report: (report.article.inbox, report.id),
        )
        counted_reports = [report for report in counted_reports if report.id not in self._moved]
        if not counted_reports:
            return
        matrix = _ReportMatrix(counted_reports, self._model)
        own = matrix.scores(self._centroid_of(number), inside=True)
        self._lookup.compare(counted_reports, number)
        own += [
            sum(reason.share for reason in self._lookup.corrections(report, number))
            for report in counted_reports
        ]
        near = self._near(story)
        self.read_centroids(candidate.number for candidate in near)
        best = np.full(len(counted_reports), -np.inf)
        for candidate in near:
            best = np.maximum(best, matrix.scores(self._centroid_of(candidate.number), inside=False))
        need = self._tuning.cohesion * story.summary.cohesion
        leaves = own < max(self._tuning.threshold, need) - self._tuning.leave_below + _SCREEN_SLACK
        hopeful = np.flatnonzero((best + _SCREEN_SLACK > own + self._tuning.move_gain) | leaves)
        for place in sorted(hopeful.tolist(), key=lambda place: (own[place] - best[place], place)):
            self._reassess_report(number, counted_reports[place], matrix.singles[place], near)

    def _reassess_report(
        self, number: int, report: CountedReport, single: Centroid, near: Sequence[Candidate]
    ) -> None:
        """Move one report of the story if another story, or one of its own, is clearly better."""
        tuning, model = self._tuning, self._model
        total = self._centroid_of(number)
        if total.reports < 2:
            return
        remainder = centroids.remove(total, report.article.member(model), model)
        own = centroids.pair_shares(single, remainder, model)
        own_corrections = tuple(self._lookup.corrections(report, number))
        own_score = own.score(model) + sum(reason.share for reason in own_corrections)
        own_need = report.article.need(centroids.cohesion(remainder, model), model)
        if own_score < own_need:
            near = [*near, *self._beside(report.article)]
        move = self._best_story(report, number, single, own_score, near)
        if move is not None and move.target is not None and self._will_merge(number, remainder, move.target):
            return
        if move is None and own_score < own_need - tuning.leave_below:
            need = own_need - tuning.leave_below
            reasons = (*own.reasons(), *own_corrections)
            move = ReportMove(report.id, number, None, own_score, own_score, need, reasons)
        if move is not None and self._lookup.may_leave(report.id):
            self._carry_out(move, report, remainder)

    def _best_story(
        self, report: CountedReport, source: int, single: Centroid, own: float, near: Iterable[Candidate]
    ) -> ReportMove | None:
        """Return the move to the story that the report fits best, if clearly better than its own."""
        tuning = self._tuning
        best: ReportMove | None = None
        for candidate in sorted(self._current(near), key=lambda one: one.number):
            shares = centroids.pair_shares(single, self._centroid_of(candidate.number), self._model)
            score = shares.score(self._model)
            need = max(
                own + tuning.move_gain,
                report.article.need(candidate.summary.cohesion, self._model) + tuning.move_above,
            )
            least = need if best is None else max(need, best.score)
            if (
                candidate.number == source
                or score + _SCREEN_SLACK < least
                or not self._fits(report.article, candidate)
            ):
                continue
            if not self._lookup.may_join(report.id, candidate.number):
                continue
            corrections = tuple(self._lookup.corrections(report, candidate.number))
            score += sum(reason.share for reason in corrections)
            if score >= need and (best is None or score > best.score):
                reasons = (*shares.reasons(), *corrections)
                best = ReportMove(report.id, source, candidate.number, own, score, need, reasons)
        return best

    def _will_merge(self, number: int, remainder: Centroid, other: int) -> bool:
        """Return whether the remaining reports belong to that story too; then merge instead of moving."""
        story, beside = self._story(number), self._story(other)
        if story is None or beside is None or not self._may_be_one(story, beside):
            return False
        need = self._merge_need(story, beside)
        return all(
            centroids.pair_shares(one, self._centroid_of(other), self._model).score(self._model) >= need
            for one in (remainder, self._centroid_of(number))
        )

    def _beside(self, article: ScoringInput) -> list[Candidate]:
        """Return the stories that fit the article best, as if it had just arrived."""
        screened = self._scorer.rank(article, self._current(self._lookup.candidates(article)))
        return [candidate for _, candidate in screened[: self._tuning.reassess_neighbours]]

    def _carry_out(self, move: ReportMove, report: CountedReport, remainder: Centroid) -> None:
        self.changes.append(move)
        self._moved.add(report.id)
        self._set(move.source, remainder, 0)
        if move.target is not None:
            grown = centroids.add(
                self._centroid_of(move.target), report.article.member(self._model), self._model
            )
            self._set(move.target, grown, report.article.inbox)

    def _fits(self, article: ScoringInput, candidate: Candidate) -> bool:
        has_capacity = candidate.summary.members < self._tuning.story_cap
        return has_capacity and is_within_window(article, candidate, self._model)

    def _crowd(self, one: Candidate, other: Candidate) -> float:
        """Return the extra need of a merge when other stories are nearly as close to one of the two."""
        crowds = []
        for story, beside in ((one, other), (other, one)):
            scores = self._scores_near.get(story.number, {}).items()
            others = (
                score
                for number, score in scores
                if number != beside.number and self._changed.get(number, beside) is not None
            )
            crowds.append(self._scorer.crowd(list(itertools.islice(others, self._tuning.rival_stories))))
        return max(crowds)

    def _near(self, story: Candidate) -> list[Candidate]:
        """Return the stories nearest to `story` by their trimmed means, at most `reassess_neighbours`."""
        if story.number in self._nearest and story.number not in self._changed:
            return self._current(self._nearest[story.number])
        summary = story.summary
        dates = np.frombuffer(summary.times, "<i4")
        middle = int(dates[len(dates) // 2]) if len(dates) else None
        body_words = 0 if 2 * summary.bodyless > summary.reports else self._tuning.bodyless_words
        mean = ScoringInput(summary.trimmed, middle, body_words, inbox=story.last_inbox)
        others = [
            one for one in self._current(self._lookup.neighbours(story.number)) if one.number != story.number
        ]
        screened = self._scorer.rank(mean, others)
        self._scores_near[story.number] = {candidate.number: score for score, candidate in screened}
        least = self._tuning.threshold - _SCREEN_SLACK
        nearest = [
            candidate for score, candidate in screened[: self._tuning.reassess_neighbours] if score >= least
        ]
        self._nearest[story.number] = nearest
        return nearest

    # --- merges ---------------------------------------------------------------------------------------------

    def merge_stories(self, changed_numbers: Sequence[int]) -> None:
        """Merge stories as long as a pair is close enough, the closest first."""
        pairs: dict[tuple[int, int], ScoreShares] = {}
        waiting: list[tuple[float, int, int]] = []
        near: dict[int, set[int]] = {}

        def propose(one: Candidate, other: Candidate) -> None:
            pair = (min(one.number, other.number), max(one.number, other.number))
            near.setdefault(one.number, set()).add(other.number)
            near.setdefault(other.number, set()).add(one.number)
            if pair in pairs:
                return
            shares = centroids.pair_shares(
                self._centroid_of(pair[0]), self._centroid_of(pair[1]), self._model
            )
            pairs[pair] = shares
            if shares.score(self._model) >= self._merge_need(one, other):
                heapq.heappush(waiting, (-shares.score(self._model), *pair))

        # First all neighbours, then the pairs: a pair's need depends on what is near to either (`_crowd`).
        beside_changed = []
        for number in changed_numbers:
            story = self._story(number)
            if story is not None and story.summary.reports and not story.summary.is_container_only:
                beside_changed += [(story, candidate) for candidate in self._near(story)]
        self.read_centroids({one.number for pair in beside_changed for one in pair})
        for story, candidate in beside_changed:
            propose(story, candidate)
        self._lookup.read({number for _, *pair in waiting for number in pair})
        while waiting:
            score, *pair = heapq.heappop(waiting)
            one, other = self._story(pair[0]), self._story(pair[1])
            shares = pairs.get((pair[0], pair[1]))
            if one is None or other is None or shares is None or shares.score(self._model) != -score:
                continue
            merged_pair = self._merge(one, other, shares)
            if merged_pair is None:
                continue
            kept, gone = merged_pair
            around = sorted((near[kept.number] | near[gone.number]) - {kept.number, gone.number})
            near[kept.number] = set()
            pairs = {
                pair_numbers: value
                for pair_numbers, value in pairs.items()
                if kept.number not in pair_numbers
            }
            merged = self._story(kept.number)
            assert merged is not None, "the surviving story exists"
            for number in around:
                beside = self._story(number)
                if beside is not None:
                    propose(merged, beside)

    def _merge(
        self, one: Candidate, other: Candidate, shares: ScoreShares
    ) -> tuple[Candidate, Candidate] | None:
        """Merge the two unless a constraint, a veto or a score prevents it.

        Return the surviving story and the other. A story with a report survives one of opinions only, then
        that with more reports, then the older one.
        """
        need = self._merge_need(one, other)
        reasons = shares.reasons()
        if not self._may_be_one(one, other):
            return None
        kept, gone = sorted(
            (one, other),
            key=lambda story: (
                not self._lookup.has_report(story.number),
                -story.summary.reports,
                story.number,
            ),
        )
        corrections = self._corrections(gone.number, kept.number)
        score = shares.score(self._model) + sum(reason.share for reason in corrections)
        if score < need or not (self._most_fit(one, other) and self._most_fit(other, one)):
            return None
        total = centroids.merge(self._centroid_of(kept.number), self._centroid_of(gone.number), self._model)
        self._set(kept.number, total, gone.last_inbox)
        self._changed[gone.number] = None
        self.changes.append(StoryMerge(kept.number, gone.number, score, need, (*reasons, *corrections)))
        return kept, gone

    def _most_fit(self, story: Candidate, other: Candidate) -> bool:
        """Return whether more than half of the newest reports fit the other story.

        A single roundup must not connect two stories.
        """
        if story.summary.reports < 2:
            return True
        counted_reports = self._lookup.counted_reports(story.number, self._tuning.reassess_members)
        scores = _ReportMatrix(counted_reports, self._model).scores(
            self._centroid_of(other.number), inside=False
        )
        return float(np.sort(scores)[(len(scores) - 1) // 2]) >= self._tuning.threshold

    def _merge_need(self, one: Candidate, other: Candidate) -> float:
        tuning = self._tuning
        if any(story.summary.bodyless == story.summary.reports for story in (one, other)):
            return tuning.merge_threshold
        closer = max(one.summary.cohesion, other.summary.cohesion)
        need = tuning.merge_threshold + max(0.0, tuning.merge_cohesion * closer) + self._crowd(one, other)
        if 1 in (one.summary.reports, other.summary.reports):
            # One report: a story that it would leave again at once must not absorb it.
            need = max(need, tuning.cohesion * closer - tuning.leave_below)
        return need

    def _may_be_one(self, one: Candidate, other: Candidate) -> bool:
        if one.summary.members + other.summary.members > self._tuning.story_cap:
            return False
        return self._lookup.may_merge(one.number, other.number) and _are_in_one_window(
            one, other, self._model
        )

    def _corrections(self, smaller: int, larger: int) -> tuple[Reason, ...]:
        """Return the mean corrections of the smaller story's newest reports in the larger story."""
        counted_reports = self._lookup.counted_reports(smaller, self._tuning.reassess_veto_checks)
        counted_reports = sorted(counted_reports, key=lambda report: (report.article.inbox, report.id))
        reasons_by_name: dict[str, list[Reason]] = {}
        for report in counted_reports:
            for reason in self._lookup.corrections(report, larger):
                reasons_by_name.setdefault(reason.name, []).append(reason)
        return tuple(
            Reason(
                name=name,
                value=sum(one.value for one in several) / len(several),
                share=sum(one.share for one in several) / len(counted_reports),
            )
            for name, several in sorted(reasons_by_name.items())
        )


def _may_lose_members(story: Candidate) -> bool:
    """Return whether the story has reports that may belong elsewhere."""
    return story.summary.reports > 1 and not story.summary.is_container_only


def _are_in_one_window(one: Candidate, other: Candidate, model: EventModel) -> bool:
    """Return whether the nearest dates (inbox numbers if one has no dates) are within the window."""
    left, right = one.summary.dates, other.summary.dates
    if not len(left) or not len(right):
        return abs(one.last_inbox - other.last_inbox) <= model.tuning.undated_reach
    spots = np.searchsorted(left, right)
    below = np.abs(left[np.maximum(spots - 1, 0)] - right)
    above = np.abs(left[np.minimum(spots, len(left) - 1)] - right)
    return int(np.minimum(below, above).min()) <= model.tuning.window_days * MINUTES_A_DAY
