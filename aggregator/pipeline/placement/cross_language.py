"""Guest reports: articles that join a story of another language, if no story of their own language fits.

Only if the configuration enables it. A guest report is counted but not part of the centroid, so reports in
the language of the story are scored as before. Later articles in the language of the guest are scored against
the guests.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from aggregator.cluster.cross_language.features import (
    CrossLanguageFeatures,
    CrossLanguageTuning,
    mean_score,
    score_similarity,
    unpack,
)
from aggregator.cluster.cross_language.index import CrossLanguageIndex
from aggregator.cluster.events import centroid
from aggregator.cluster.events.centroid import Centroid, read_summary
from aggregator.cluster.events.scorer import Candidate, Decision, Scorer, ScoringInput, decide, is_open
from aggregator.cluster.events.story_index import StoryIndex
from aggregator.cluster.events.weights import MINUTES_A_DAY
from aggregator.cluster.vetoes.vetoes import VetoInput, VetoTuning, objections
from aggregator.config.tuning import Tuning
from aggregator.model.core import Evidence, Reason
from aggregator.store.engine.database import Connection
from aggregator.store.stories import articles, cross_language, stories

_MARGIN = 1_000  # inbox numbers: a failed batch is repeated from its first article


class DecidedArticle(NamedTuple):
    """The incoming article."""

    article: ScoringInput
    features: bytes  # packed; b"" where its language is unknown, then nothing is compared
    veto_input: VetoInput


class CrossLanguageMatcher:
    """Finds stories of other languages. For one thread of the writer."""

    def __init__(self, all_tuning: Tuning, scorer: Scorer) -> None:
        self._tuning = all_tuning.section("cross_language", CrossLanguageTuning)
        self._scorer = scorer
        self._veto_tuning = all_tuning.section("vetoes", VetoTuning)
        self._index: CrossLanguageIndex | None = None

    @property
    def is_on(self) -> bool:
        return self._tuning.is_on

    def forget(self) -> None:
        """Drop the index in memory; it is built again from the rows."""
        self._index = None

    def commit_batch(self, newest: int) -> None:
        """Record the commit of a batch; `newest` is its highest number."""
        if self._index is not None:
            self._index.sweep(newest)

    def put(self, connection: Connection, n: int, features: bytes) -> None:
        """Store the features of a new or revised article."""
        cross_language.put(connection, n, features)
        if self._index is not None:
            self._index.remove(n)
            if features:
                self._index.add(n, unpack(features))

    def decide(
        self,
        connection: Connection,
        own: DecidedArticle,
        live: StoryIndex,
        *,
        barred: Collection[str],
        founds: Decision,
    ) -> Decision:
        """Return the join across languages, else `founds`: the article founds a story."""
        article = own.article
        if not own.features or article.is_container:
            return founds
        features = unpack(own.features)
        find_nearest = self._built(connection, article.inbox).find_nearest(article.inbox, features)
        found: list[tuple[float, int, Decision]] = []
        for row in (
            stories.row_of(connection, one) for one in cross_language.stories_of(connection, *find_nearest)
        ):
            if row is None or row.id in barred or not live.is_live(row.story_no, article.inbox):
                continue
            story = live.story(row.story_no)
            if not is_open(article, story, self._scorer.model):
                continue
            joins = self._join_other_language(connection, own, features, story)
            if joins is not None:
                found.append((-(joins.evidence.score or 0.0), row.story_no, joins))
        return min(found)[2] if found else founds

    def _join_other_language(
        self, connection: Connection, own: DecidedArticle, features: CrossLanguageFeatures, story: Candidate
    ) -> Decision | None:
        """Return the join of a story of another language; None if none fits."""
        tuning = self._tuning
        guests = cross_language.reports(connection, story.story, tuning.members)
        read = [(unpack(one.features), one.minutes) for one in guests]
        if not read or any(theirs.language == features.language for theirs, _ in read):
            return None
        beside = self._score_same_language(connection, own, features.language, story)
        if beside is not None:
            return beside
        apart = [_apart(own.article.minutes, minutes) for _, minutes in read]
        known = [minutes for minutes in apart if minutes is not None]
        if known and min(known) > tuning.apart_days * MINUTES_A_DAY:
            return None
        parts = [
            score_similarity(features, theirs, minutes, tuning)
            for (theirs, _), minutes in zip(read, apart, strict=True)
        ]
        found = mean_score(parts)
        if found.score < 0.0:
            return None
        return Decision(
            story=story.story,
            role="report",
            counts_in_centroid=False,
            evidence=Evidence(
                stage="event", score=found.score, need=0.0, bias=found.start, reasons=found.reasons
            ),
        )

    def _score_same_language(
        self, connection: Connection, own: DecidedArticle, language: str, story: Candidate
    ) -> Decision | None:
        """Score the article against guests of its own language."""
        model = self._scorer.model
        foreign_reports = [
            row
            for row, features in cross_language.foreign_reports(connection, story.story, self._tuning.members)
            if features.language == language
        ]
        if not foreign_reports:
            return None
        theirs = Centroid()
        for row in foreign_reports:
            theirs = centroid.add(theirs, row.as_article().member(model), model)
        summary = read_summary(centroid.to_bytes(theirs, model))
        words = model.tuning.bodyless_words

        def vetoes(candidates: Sequence[Candidate]) -> list[tuple[Reason, ...]]:
            if not candidates:
                return []
            rows = (articles.compared_row(connection, row.id) for row in foreign_reports)
            inputs = [row.as_veto_input(words) for row in rows]
            return [objections(own.veto_input, inputs, self._veto_tuning)]  # there is one candidate

        candidate = msgspec.structs.replace(story, summary=summary)
        decided = decide(own.article, [candidate], self._scorer, correct=vetoes)
        return None if decided.story is None else msgspec.structs.replace(decided, counts_in_centroid=False)

    def _built(self, connection: Connection, number: int) -> CrossLanguageIndex:
        if self._index is None:
            after = number - self._tuning.reach - _MARGIN
            self._index = CrossLanguageIndex(self._tuning, cross_language.newest(connection, after=after))
        return self._index


def _apart(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else abs(one - other)
