"""Matches of an article: the stored articles that are its original, its excerpts, or its other version.

Candidates share sampled shingles or the address with the article, which is known without reading their texts. For each
question, only the texts of the `exact_checks` likeliest candidates are read.
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

    # The sampled shingles by which later articles find this article
    sketch = b""

    def __init__(
        self,
        connection: Connection,
        own: ComparedText,
        overlaps: Sequence[SketchOverlap],
        tuning: CopyTuning,
    ) -> None:
        """Find the matches. `overlaps` are the articles that share shingles with the article, the likeliest first."""
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
        # Articles that fill the same form with other names
        self.series = [text.id for text in texts if is_one_series(own, text, texts)]
        # Its original, or the article that it excerpts
        self.copy = best_copy(
            own, [text for text in texts if text.id not in self.series], tuning
        )
        # The article with which the text shares most words; set only if the text is neither a copy nor an excerpt
        self.reuse: TextReuse | None = None
        # Other states of this text by its own outlet, which are not copies; set only under the same condition
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
        # The original, or the article whose words are reused, if both texts tell a sentence differently
        self.version_of: str | None = None
        if self.original is not None:
            self.version_of = version_of_original(connection, own, self.original)
        elif self.reuse is not None:
            (other,) = self._read([self.reuse.other])
            if is_update(_text_of(own), _text_of(other)):
                self.version_of = other.id
        # Evidence for stored excerpts of the article that are not linked yet. A copy has none, because its excerpts are
        # excerpts of its original.
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
        """Return the articles to compare, by number, and set `_at_page` to all articles at the address of the article.

        Articles at the same address are candidates even if they are old or have no stored shingles. If they are also of
        the same source, they are only in `_at_page`.
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
            # Articles of one source and URL are states or parts of a page, never copies.
            if other.id == own.id or (is_at_page and other.source == own.source):
                del others[number]
        return others

    @property
    def original(self) -> str | None:
        """The id of the article that this article copies; None for an excerpt."""
        if self.copy is None or self.copy.kind != "copy":
            return None
        return self.copy.other

    def drop_copy(self) -> None:
        """Treat the article as neither a copy nor a version of its original."""
        self.copy = self.version_of = None

    @cached_property
    def same_page(self) -> str | None:
        """The id of the likeliest article under the same URL with the same text, or a longer or shorter cut of it."""
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
    """Return the original if both tell a sentence differently, or if the copy is a later take by the same outlet."""
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
