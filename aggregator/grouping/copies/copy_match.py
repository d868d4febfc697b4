"""Matches of an article: the stored articles that are its original, its excerpts, or its other version.

Candidates share sampled shingles or the address with it, which is known without their texts. Only the texts of the
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


class CopyMatch:
    """The matches of an incoming article among the stored articles before it."""

    # The sampled shingles that later articles find it by
    sketch = b""

    def __init__(
        self,
        connection: Connection,
        own: ComparedText,
        overlaps: Sequence[SketchOverlap],
        tuning: CopyTuning,
    ) -> None:
        """Find the matches; `overlaps` are those that share shingles, the likeliest first."""
        self._connection = connection
        self._own = own
        self._tuning = tuning
        self._shares = {overlap.number: overlap.share for overlap in overlaps}
        # The largest overlaps, without chance matches
        likely = [
            overlap for overlap in overlaps if overlap.share >= tuning.likely_share
        ][: tuning.candidate_cap]
        others = self._find_candidates(overlap.number for overlap in likely)
        near = [
            (overlap, others[overlap.number])
            for overlap in likely
            if overlap.number in others
        ]
        # The possible originals of the article, the likeliest first
        originals = rank_candidates(own, others.values(), self._shares, tuning)
        texts = self._read(originals)
        # Articles that fill one form with it, each with other names
        self.series = [text.id for text in texts if is_one_series(own, text, texts)]
        # Its original, or the article that it excerpts
        self.copy = best_copy(
            own, [text for text in texts if text.id not in self.series], tuning
        )
        # The article that shares most words with it; set only if the text is neither a copy nor an excerpt
        self.reuse: TextReuse | None = None
        # Earlier or later states of this text by its own outlet; they are not copies
        self.updated: list[str] = []
        if self.copy is None:
            sharing = [others[number].id for number in self._shares if number in others]
            reused = self._read([*dict.fromkeys(originals + sharing)])
            self.reuse = text_reuse(own, reused, tuning)
            of_outlet = [
                other.id
                for _, other in near
                if is_one_outlet(own, other) and other.id not in self.series
            ]
            self.updated = [
                text.id
                for text in self._read(of_outlet)
                if is_update(_text_of(own), _text_of(text))
            ]
        # The original, or the article whose words are reused, if it tells a sentence differently
        self.version_of: str | None = None
        if self.original is not None:
            self.version_of = version_of_original(connection, own, self.original)
        elif self.reuse is not None:
            (other,) = self._read([self.reuse.other])
            if is_update(_text_of(own), _text_of(other)):
                self.version_of = other.id
        # Stored excerpts of it (`other`) that are not linked yet; those of a copy are excerpts of its original
        self.excerpts: tuple[CopyEvidence, ...] = ()
        if self.original is None:
            known = {self.copy.other if self.copy else None, *self.series}
            cuts = [
                other.id
                for overlap, other in near
                if not overlap.is_longer
                and other.copy_of is None
                and other.id not in known
            ]
            self.excerpts = excerpts_in(own, self._read(cuts), tuning)

    def _find_candidates(self, likely: Iterable[int]) -> dict[int, ComparedText]:
        """Return the articles to compare by number; those at the address of the article are in `_at_page`, too.

        Articles at the same address are candidates however old they are and whatever of them is stored.
        """
        own = self._own
        others = compared_articles.copy_candidates(self._connection, likely)
        self._at_page: list[ComparedText] = []
        page = canonical_url(own.url or "") if own.signature else None
        if page is not None:
            others |= compared_articles.at_address(
                self._connection,
                own.url or page,
                page,
                before=own.order,
                most=self._tuning.candidate_cap,
            )
        for number, other in [*others.items()]:
            is_at_page = page is not None and canonical_url(other.url or "") == page
            if is_at_page:
                self._at_page.append(other)
            # Articles of one source and URL are generations and parts of a page, never copies.
            if other.id == own.id or (is_at_page and other.source == own.source):
                del others[number]
        return others

    @property
    def original(self) -> str | None:
        """The id of the article whose whole text it copies; None for an excerpt."""
        if self.copy is None or self.copy.kind != "copy":
            return None
        return self.copy.other

    def drop_copy(self) -> None:
        """Let the article be no copy, after all, nor a version of its original."""
        self.copy = self.version_of = None

    @cached_property
    def same_page(self) -> str | None:
        """The first article under the same URL with the same text, or with a longer or shorter cut of it."""
        own = self._own
        tuning = self._tuning
        likely = rank_candidates(own, self._at_page, self._shares, tuning)
        for other in self._read(likely):
            if verdict(own, other, tuning) or verdict(other, own, tuning):
                return other.id
        return None

    def _read(self, ids: Sequence[str]) -> list[ComparedText]:
        """Return the first `exact_checks` of these articles with their texts."""
        ids = ids[: self._tuning.exact_checks]
        texts = compared_articles.compared_texts(self._connection, ids)
        return [texts[id_] for id_ in ids]


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
