"""Candidates of an article: the stored articles that may be its original, its excerpts, or its other version.

They have LSH keys or sampled shingles in common with it, which is known without their texts. Texts are read
of the likeliest only, `exact_checks` for each question.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property

from aggregator.extract.urls import canonical_url
from aggregator.grouping.copies.copy_check import CopyTuning, best_copy, excerpts_in, rank_candidates, verdict
from aggregator.grouping.copies.sampled_shingles import SketchOverlap
from aggregator.grouping.copies.shared_wording import text_reuse
from aggregator.model.core import ComparedText, CopyEvidence, TextReuse
from aggregator.store.engine.database import Connection
from aggregator.store.stories.article_rows import compared_articles
from aggregator.store.stories.articles import StoredArticle


class CopyCandidates:
    """The candidates of one article."""

    def __init__(
        self,
        *,
        connection: Connection,
        own: ComparedText,
        voted: Sequence[int],
        overlaps: Sequence[SketchOverlap],
        waiting: Sequence[StoredArticle],
        tuning: CopyTuning,
    ) -> None:
        """`voted`: those that share LSH keys, `overlaps`: those that share shingles; the likeliest first.

        `waiting`: stored articles that have no row yet.
        """
        self._connection = connection
        self._waiting = waiting
        self._own = own
        self._overlaps = overlaps
        self._tuning = tuning
        self._shares = {overlap.number: overlap.share for overlap in overlaps}
        # The largest overlaps, without chance matches.
        likely = [overlap for overlap in overlaps if overlap.share >= tuning.likely_share]
        self._likely = likely[: tuning.candidate_cap]
        numbers = {*voted[: tuning.candidate_cap], *(overlap.number for overlap in self._likely)}
        stored = compared_articles.copy_candidates(connection, numbers, waiting)
        self._at_page = _at_page(own, stored.values())
        # Within one source and URL there are generations and parts of a page, and no copies.
        apart = {own.id, *(other.id for other in self._at_page if other.source == own.source)}
        self._others = {number: other for number, other in stored.items() if other.id not in apart}

    @cached_property
    def _originals(self) -> list[str]:
        """The ids of those of which the article may be a copy, the likeliest first."""
        return rank_candidates(self._own, self._others.values(), self._shares, self._tuning)

    def best_original(self) -> CopyEvidence | None:
        """Return the one of which the article is a copy or an excerpt."""
        return best_copy(self._own, self._read(self._originals), self._tuning)

    def excerpts(self, original: str | None) -> tuple[CopyEvidence, ...]:
        """Return those that are excerpts of the article and not linked yet; none is the original of it."""
        shorter = self._sharing(overlap for overlap in self._likely if not overlap.is_longer)
        cuts = [other.id for other in shorter if other.copy_of is None and other.id != original]
        return excerpts_in(self._own, self._read(cuts), self._tuning)

    def reuse(self) -> TextReuse | None:
        """Return the one with which the article shares most of its words, if it is a copy of none."""
        sharing = [other.id for other in self._sharing(self._overlaps)]
        ids = dict.fromkeys(self._originals + sharing)
        return text_reuse(self._own, self._read([*ids]), self._tuning)

    def same_page(self) -> str | None:
        """Return the first article under the same URL that has the same text, or of which one is a part."""
        own, tuning = self._own, self._tuning
        for other in self._read(rank_candidates(own, self._at_page, self._shares, tuning)):
            if verdict(own, other, tuning) or verdict(other, own, tuning):
                return other.id
        return None

    def _read(self, ids: Sequence[str]) -> list[ComparedText]:
        """Return the first `exact_checks` of these articles with their texts."""
        ids = ids[: self._tuning.exact_checks]
        texts = compared_articles.compared_texts(self._connection, ids, self._waiting)
        return [texts[id_] for id_ in ids]

    def _sharing(self, overlaps: Iterable[SketchOverlap]) -> list[ComparedText]:
        return [self._others[overlap.number] for overlap in overlaps if overlap.number in self._others]


def _at_page(own: ComparedText, stored: Iterable[ComparedText]) -> list[ComparedText]:
    """Return the articles under the URL of the article; none if it has no URL."""
    page = canonical_url(own.url or "")
    if page is None:
        return []
    return [other for other in stored if canonical_url(other.url or "") == page]
