"""Candidates of an article: the stored articles that may be its original, its excerpts, or its other version.

They share sampled shingles or the address with it, which is known without their texts. Only the texts of the
likeliest candidates are read, `exact_checks` for each question.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property

from aggregator.extract.urls import canonical_url
from aggregator.grouping.copies.copy_check import (
    CopyTuning,
    best_copy,
    excerpts_in,
    is_one_outlet,
    rank_candidates,
    verdict,
)
from aggregator.grouping.copies.sampled_shingles import SketchOverlap
from aggregator.grouping.copies.series import is_one_series
from aggregator.grouping.copies.shared_wording import text_reuse
from aggregator.model.article import ComparedText
from aggregator.model.evidence import CopyEvidence, TextReuse
from aggregator.store.engine.database import Connection
from aggregator.store.stories.article_rows import compared_articles
from aggregator.stories.compared_sentences import TextVersion
from aggregator.stories.titles.title_text import take_title
from aggregator.stories.versions import changed_sentences, is_update


class CopyCandidates:
    """The candidates of one article."""

    def __init__(
        self,
        *,
        connection: Connection,
        own: ComparedText,
        overlaps: Sequence[SketchOverlap],
        tuning: CopyTuning,
    ) -> None:
        """Keep the candidates; `overlaps` are those that share shingles, the likeliest first."""
        self._connection = connection
        self._own = own
        self._overlaps = overlaps
        self._tuning = tuning
        self._shares = {overlap.number: overlap.share for overlap in overlaps}
        # The largest overlaps, without chance matches.
        likely = [
            overlap for overlap in overlaps if overlap.share >= tuning.likely_share
        ]
        self._likely = likely[: tuning.candidate_cap]
        numbers = [overlap.number for overlap in self._likely]
        self._others = compared_articles.copy_candidates(connection, numbers)
        self._at_page: list[ComparedText] = []
        page = canonical_url(own.url or "") if own.signature else None
        if page is not None:
            # Articles at the same address are candidates, too, however old they are and whatever of them is stored.
            self._others |= compared_articles.at_address(
                connection,
                own.url or page,
                page,
                before=own.order,
                most=tuning.candidate_cap,
            )
        for number, other in [*self._others.items()]:
            is_at_page = page is not None and canonical_url(other.url or "") == page
            if is_at_page:
                self._at_page.append(other)
            # Articles of one source and URL are generations and parts of a page, never copies.
            if other.id == own.id or (is_at_page and other.source == own.source):
                del self._others[number]

    @cached_property
    def _originals(self) -> list[str]:
        """The ids of the possible originals of the article, the likeliest first."""
        return rank_candidates(
            self._own, self._others.values(), self._shares, self._tuning
        )

    @cached_property
    def _texts(self) -> list[ComparedText]:
        return self._read(self._originals)

    @cached_property
    def series(self) -> list[str]:
        """The ids of articles that fill the same form as this article, each with other names."""
        return [
            text.id
            for text in self._texts
            if is_one_series(self._own, text, self._texts)
        ]

    def best_original(self) -> CopyEvidence | None:
        """Return the article that this article copies or excerpts."""
        texts = [text for text in self._texts if text.id not in self.series]
        return best_copy(self._own, texts, self._tuning)

    def excerpts(self, original: str | None) -> tuple[CopyEvidence, ...]:
        """Return the excerpts of the article that are not linked yet, without `original`."""
        shorter = self._sharing(
            overlap for overlap in self._likely if not overlap.is_longer
        )
        known = {original, *self.series}
        cuts = [
            other.id
            for other in shorter
            if other.copy_of is None and other.id not in known
        ]
        return excerpts_in(self._own, self._read(cuts), self._tuning)

    def reuse(self) -> TextReuse | None:
        """Return the article that shares most words with this article, which is not a copy."""
        sharing = [other.id for other in self._sharing(self._overlaps)]
        ids = dict.fromkeys(self._originals + sharing)
        return text_reuse(self._own, self._read([*ids]), self._tuning)

    def version_of(
        self, copy: CopyEvidence | None, reuse: TextReuse | None
    ) -> str | None:
        """Return the original, or the article with the reused words, if both tell a sentence differently."""
        if copy is not None and copy.kind == "copy":
            return version_of_original(self._connection, self._own, copy.other)
        if reuse is None:
            return None
        (other,) = self._read([reuse.other])
        return reuse.other if is_update(_text_of(self._own), _text_of(other)) else None

    def updated(self) -> tuple[str, ...]:
        """Return other states of this text by the same outlet, the likeliest first."""
        of_outlet = [
            other.id
            for other in self._sharing(self._likely)
            if is_one_outlet(self._own, other) and other.id not in self.series
        ]
        version = _text_of(self._own)
        return tuple(
            text.id
            for text in self._read(of_outlet)
            if is_update(version, _text_of(text))
        )

    def same_page(self) -> str | None:
        """Return the first article under the same URL with the same text, or with a longer or shorter cut of it."""
        compared = self._own
        tuning = self._tuning
        for other in self._read(
            rank_candidates(compared, self._at_page, self._shares, tuning)
        ):
            if verdict(compared, other, tuning) or verdict(other, compared, tuning):
                return other.id
        return None

    def _read(self, ids: Sequence[str]) -> list[ComparedText]:
        """Return the first `exact_checks` of these articles with their texts."""
        ids = ids[: self._tuning.exact_checks]
        texts = compared_articles.compared_texts(self._connection, ids)
        return [texts[id_] for id_ in ids]

    def _sharing(self, overlaps: Iterable[SketchOverlap]) -> list[ComparedText]:
        return [
            self._others[overlap.number]
            for overlap in overlaps
            if overlap.number in self._others
        ]


def version_of_original(
    connection: Connection, copy: ComparedText, original: str
) -> str | None:
    """Return the original of a copy if both tell a sentence differently, or if it is its outlet's later take."""
    compared = compared_articles.compared_texts(connection, [original])[original]
    is_take = is_one_outlet(copy, compared) and take_title(copy.title) is not None
    if is_take or changed_sentences(_text_of(copy), _text_of(compared)):
        return original
    return None


def _text_of(compared: ComparedText) -> TextVersion:
    """Return a text in the form for comparing versions."""
    return TextVersion(
        compared.title, compared.text, compared.language, compared.outlet
    )
