"""Compare articles with the compared reports of stories: pair model and guards."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from itertools import chain, islice

import numpy as np
from msgspec.structs import replace

from aggregator.grouping.copies.series import is_kept_apart
from aggregator.grouping.pairs.hours import HoursTuning
from aggregator.grouping.pairs.pair_article import (
    Floats,
    PairArticle,
    beside_title,
    shared_beside_title,
    shares_weighty_word,
    words_of_body,
)
from aggregator.grouping.pairs.pair_features import AT
from aggregator.grouping.pairs.pair_model import (
    ComparedPair,
    PairModel,
    PairTuning,
    compare_pairs,
    reasons_of,
    shift_between,
)
from aggregator.grouping.pairs.snapshot import StreamSnapshot
from aggregator.grouping.pairs.title_differences import are_alike
from aggregator.grouping.pairs.weights import EventModel
from aggregator.grouping.scores.scorer import ScoredCandidate
from aggregator.grouping.stream import NewsStream
from aggregator.model.article import Article, ComparedText
from aggregator.model.evidence import STREAM, Reason
from aggregator.store.engine.database import Connection
from aggregator.store.stories.live_stories import LiveStory

# Compared with limits of 2,000 and 100,000, these saved 13 of 183 MB at the end of a first reading of 59 feeds, and
# cost .3 ms an entry (one run each).
_ARTICLES_KEPT = 700  # decoded articles in memory, about 10 KB each
_PAIRS_KEPT = 30_000  # logits in memory, about 200 bytes each
_WITH_REASONS = 2  # stories with reasons in a decision: the best and the runner-up
# Features that say what an article and a story share (scorer.py)
_MOST_SHARED = [AT["text_rarest"], AT["stream_cosine"], AT["named_shared"]]
_NAMED_APART = AT["named_apart_min"]


def is_foreign_text(
    article: PairArticle,
    reports: Sequence[PairArticle],
    snapshot: StreamSnapshot,
    tuning: PairTuning,
    stub_words: int,
) -> bool:
    """Return whether an article has the headline of a report, but a body unlike all reports.

    Anyone can copy a headline, and "lifts its key rate to 4.25 per cent" may be about two banks. Bodies of fewer than
    `stub_words` words do not count. A body of one or two sentences has few words to share, so one weighty word is
    enough.
    """
    others = [report for report in reports if report.body_words >= stub_words]
    if article.body_words < stub_words or not any(
        are_alike(article.title_pieces, report.title_pieces, tuning.headline_share)
        for report in others
    ):
        return False
    if article.body_words < tuning.short_body_words:
        return not shares_weighty_word(
            words_of_body(article), reports, snapshot, tuning.short_body_idf
        )
    return (
        shared_beside_title(beside_title(article), others, snapshot) < tuning.agreement
    )


# The pair model takes 8 MB and is read for the first article.
_shipped_trees = cache(PairModel)


class ReportComparison:
    """Compares articles with stories. Keeps decoded articles, and the logits of the present snapshot."""

    def __init__(
        self,
        model: EventModel,
        tuning: PairTuning,
        hours: HoursTuning,
        stream: NewsStream,
    ) -> None:
        self.tuning = tuning
        self._model = model
        self._hours = hours
        self._stream = stream
        self._decoded: OrderedDict[int, PairArticle] = OrderedDict()
        # The logit of two articles by their inbox numbers, the lower number first
        self._logits: dict[tuple[int, int], float] = {}
        self._of_snapshot: object = None  # the snapshot of the logits

    @property
    def model(self) -> PairModel:
        """The pair model."""
        return _shipped_trees()

    def newest(self, story: LiveStory) -> list[Article]:
        """Return the reports of a story that an article is compared with, in the order of `decides_before`."""
        return story.reports[: self.tuning.compared_reports]

    def deciding(self, story: LiveStory) -> list[Article]:
        """Return the compared reports that decide which articles join; opinions only if there is nothing else."""
        newest = self.newest(story)
        return [article for article in newest if not article.is_opinion] or newest

    def decoded(self, article: Article) -> PairArticle:
        """Return an article decoded, from memory if possible."""
        decoded = self._decoded.get(article.inbox_no)
        # If it has no terms, retention has dropped them since the article was decoded.
        if decoded is None or not article.terms:
            decoded = self.keep(PairArticle(article))
        return decoded

    def keep(self, decoded: PairArticle) -> PairArticle:
        """Keep a decoded article, which will soon be compared again."""
        self._decoded[decoded.inbox] = decoded
        if len(self._decoded) > _ARTICLES_KEPT:
            self._decoded.popitem(last=False)
        return decoded

    def forget(self, inbox_no: int) -> None:
        """Forget an article whose text has changed."""
        self._decoded.pop(inbox_no, None)
        self._logits.clear()

    def score_stories(
        self,
        connection: Connection,
        article: PairArticle,
        text: ComparedText,
        stories: Sequence[LiveStory],
    ) -> list[ScoredCandidate]:
        """Compare a new article with the reports of each of these stories; return the stories, best first.

        Also set `article.nearest`. Stories are left out if none of their reports shares enough with the article, or if
        the article would join them, but a guard forbids it.
        """
        if not stories or not len(article.ids):
            return []
        stream = self._stream.shift(connection, article.source)
        deciding = [
            [report for report in self.deciding(story) if report.terms]
            for story in stories
        ]
        pairs = iter(
            self._compare(
                self._current(connection),
                article,
                [*chain.from_iterable(deciding)],
                has_come=True,
            )
        )
        others = [*chain.from_iterable(map(self.newest, stories))]
        candidates = []
        reasons_for = {}
        for story, reports in zip(stories, deciding, strict=True):
            story_pairs = list(islice(pairs, len(reports)))
            rows = [pair.features for pair in story_pairs if pair.is_compared]
            if not rows:
                continue  # none of its reports shares enough
            newest = self.newest(story)
            shift = shift_between(stream, [article, *newest], self.tuning)
            logit = sum(pair.logit for pair in story_pairs) / len(story_pairs)
            affinity = sum(pair.affinity for pair in story_pairs) / len(story_pairs)
            if logit + shift >= self._model.tuning.threshold and (
                is_kept_apart(connection, text, newest, others)
                # A report does not join a story of opinions and explainers only.
                or (not article.is_opinion and newest[0].is_opinion)
                or self.is_foreign(connection, article, newest)
            ):
                continue
            reasons_for[story.number] = story_pairs, shift
            rarest, cosine, named = np.max(rows, axis=0)[_MOST_SHARED].tolist()
            candidates.append(
                ScoredCandidate(
                    story,
                    logit + shift,
                    (),
                    affinity,
                    text_rarest=rarest,
                    stream_cosine=cosine,
                    named_shared=named,
                    named_apart=min(row[_NAMED_APART] for row in rows),
                )
            )
        candidates.sort(key=lambda scored: (-scored.score, scored.story.number))
        for place, candidate in enumerate(candidates[:_WITH_REASONS]):
            candidates[place] = replace(
                candidate, reasons=self._reasons(*reasons_for[candidate.story.number])
            )
        return candidates

    def reasons(
        self,
        connection: Connection,
        article: Article,
        others: Sequence[Article],
        shift: float,
    ) -> tuple[Reason, ...]:
        """Return the reasons that, with the bias, add up to the score of an article with others, including `shift`."""
        pairs = self._compare(
            self._stream.snapshot(connection), self.decoded(article), others
        )
        return self._reasons(pairs, shift)

    def _reasons(
        self, pairs: Sequence[ComparedPair], shift: float
    ) -> tuple[Reason, ...]:
        return (
            *reasons_of(self.model, pairs),
            Reason(name=STREAM, value=shift, share=shift),
        )

    def logits(
        self,
        connection: Connection,
        articles: Sequence[Article],
        others: Sequence[Article],
    ) -> Floats:
        """Return the logit of each article with each of the others: a row for each article."""
        rows = []
        snapshot = self._current(connection)
        for article in articles:
            pairs = {_pair(article.inbox_no, other.inbox_no): other for other in others}
            missing = [pairs[pair] for pair in pairs if pair not in self._logits]
            if missing:
                # Fills `_logits`
                self._compare(snapshot, self.decoded(article), missing)
            rows.append([self._logits[pair] for pair in pairs])
        return np.array(rows)

    def _current(self, connection: Connection) -> StreamSnapshot:
        """Return the present snapshot. Forget the logits if they are of a former snapshot, or too many."""
        snapshot = self._stream.snapshot(connection)
        if len(self._logits) >= _PAIRS_KEPT or self._of_snapshot is not snapshot:
            self._logits.clear()
            self._of_snapshot = snapshot
        return snapshot

    def _compare(
        self,
        snapshot: StreamSnapshot,
        article: PairArticle,
        reports: Sequence[Article],
        *,
        has_come: bool = False,
    ) -> list[ComparedPair]:
        """Compare an article with reports (`compare_pairs`), and remember the logits."""
        decoded = list(map(self.decoded, reports))
        pairs = compare_pairs(
            self.model,
            article,
            decoded,
            snapshot,
            self._hours,
            has_come=has_come,
        )
        for report, pair in zip(decoded, pairs, strict=True):
            self._logits[_pair(article.inbox, report.inbox)] = pair.logit
        return pairs

    def is_foreign(
        self, connection: Connection, article: PairArticle, reports: Sequence[Article]
    ) -> bool:
        """Return whether an article has the headline of a report over another text (`is_foreign_text`)."""
        return is_foreign_text(
            article,
            list(map(self.decoded, reports)),
            self._stream.snapshot(connection),
            self.tuning,
            self._model.stub_words,
        )


def _pair(inbox_no: int, other: int) -> tuple[int, int]:
    return min(inbox_no, other), max(inbox_no, other)
