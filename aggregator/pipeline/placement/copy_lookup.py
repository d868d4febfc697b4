"""Copies: finds the stored article with the same text as an incoming one, and excerpts of it.

Candidates come from LSH keys of all articles in the database, and from an index in memory of sampled shingles
of the newest articles (cluster/copies/sampled_shingles.py). The exact comparison of texts decides
(cluster/copies/copy_check.py).

An article is found by its LSH keys except those with too many articles, and by its sampled shingles except
those that enough articles have or that its original has. Rows store both, so the result depends only on the
rows of earlier articles.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, NamedTuple

import msgspec
import numpy as np

from aggregator.cluster.copies.copy_check import (
    ComparedText,
    CopyTuning,
    best_copy,
    excerpts_in,
    rank_candidates,
    text_reuse,
    verdict,
)
from aggregator.cluster.copies.minhash import bands
from aggregator.cluster.copies.sampled_shingles import (
    PassageIndex,
    SketchLookup,
    SketchOverlap,
    filter_sketch,
    held,
    sketch,
)
from aggregator.cluster.copies.shingles import shingle_sequence
from aggregator.config.garbage import give_back_memory
from aggregator.config.tuning import Tuning
from aggregator.extract.urls import canonical_url
from aggregator.model.core import CopyEvidence, TextReuse
from aggregator.store.engine.database import Connection
from aggregator.store.stories import articles
from aggregator.store.stories.articles import ANY_NUMBER, KeyPair, StoredArticle

_MOST_ANCESTORS: Final = 8  # links from copy to original that are followed


class CopyKeys(NamedTuple):
    """The keys by which an article is found; `bands` and `sketch` may be empty."""

    bands: tuple[int, ...]
    sketch: bytes
    replaced: bytes = b""  # the sketch that the article had before a revision


class CopyMatch(NamedTuple):
    """The matches of an incoming article."""

    copy: CopyEvidence | None  # its original, or the article of which it is an excerpt
    excerpts: tuple[CopyEvidence, ...]  # stored excerpts of it (`other`) that are not linked yet
    keys: CopyKeys
    same_page: str | None = None  # an article under the same URL with the same text, or a part of it
    reuse: TextReuse | None = None  # of a text that is neither a copy nor an excerpt


class CopyFinder:
    """Finds copies. For one thread of the writer."""

    def __init__(self, all_tuning: Tuning) -> None:
        self._tuning = all_tuning.section("copies", CopyTuning)
        self._index: PassageIndex | None = None
        self._numbers: dict[int, list[int]] = {}  # of the articles under each LSH key of this batch

    def read_bands(self, connection: Connection, bands: Iterable[int]) -> None:
        """Read the articles under the LSH keys of a batch at once."""
        self._numbers = {band: [] for band in bands}
        for band, number in articles.with_bands(connection, self._numbers):
            self._numbers[band].append(number)

    def find(
        self,
        connection: Connection,
        incoming: StoredArticle,
        page: str | None,
        waiting: Sequence[StoredArticle] = (),
    ) -> CopyMatch:
        """Return the original of `incoming`, excerpts of it, and its own keys.

        `page`: the address at which it was read. Only articles of lower numbers are searched; `waiting` have
        no row. At most `exact_checks` possible
        originals and as many possible excerpts are read.
        """
        number = incoming.inbox_no
        look_up = self._look_up(connection, number, incoming.sketch)
        search = _Search(
            connection,
            msgspec.structs.replace(articles.compared_text(incoming), url=page),
            self._tuning,
            voted=self.voted(connection, incoming),
            overlaps=look_up.overlaps(self._tuning.passage_shared),
            waiting=waiting,
        )
        copy = search.original()
        original, is_copy = (copy.other, copy.kind == "copy") if copy else (None, False)
        return CopyMatch(
            copy=copy,
            # Excerpts of a copy are excerpts of its original.
            excerpts=() if is_copy else search.excerpts(original),
            keys=self._new_keys(
                connection,
                number,
                incoming.bands,
                incoming.sketch,
                original,
                is_whole=is_copy,
                waiting=waiting,
            ),
            same_page=search.same_page(),
            reuse=search.reuse() if copy is None else None,
        )

    def voted(self, connection: Connection, incoming: StoredArticle) -> list[int]:
        """Return the articles before this one that share LSH keys with it, those with the most first."""
        before = incoming.inbox_no
        votes = Counter(n for _, n in self._pairs(connection, incoming.bands, before=before))
        return sorted(votes, key=lambda n: (-votes[n], n))

    def keys(self, signature: bytes) -> tuple[int, ...]:
        """Return all LSH keys of a signature; none if it is damaged."""
        return bands(signature, count=self._tuning.bands, rows=self._tuning.rows)

    def revised(self, connection: Connection, old: StoredArticle, incoming: StoredArticle) -> CopyKeys:
        """Return the keys of article `old` with the text of `incoming`; nothing is written.

        Keys of unchanged text stay as they are. A copy without keys stays without.
        """
        before = articles.sketch_of(connection, old.inbox_no)
        keys = self.keys(old.signature)  # none: it had no words, and begins like a new one
        if keys and not before and not articles.stored_bands(connection, old.inbox_no, keys):
            return CopyKeys((), b"")
        now = held(incoming.sketch)
        is_new = ~np.isin(now, held(self._whole_sketch(old.whole_text)))
        return CopyKeys(
            self._free_bands(connection, incoming.bands, old.inbox_no),
            filter_sketch(incoming.sketch, np.isin(now, held(before)) | is_new),
            replaced=before,
        )

    def inherited(self, connection: Connection, orphaned_copy: StoredArticle, sketch: bytes) -> CopyKeys:
        """Return the keys of a copy that replaces its erased original, which had this sketch."""
        number, keys = orphaned_copy.inbox_no, self.keys(orphaned_copy.signature)
        before = articles.sketch_of(connection, number)
        whole = self._whole_sketch(orphaned_copy.whole_text)
        is_of_family = np.isin(held(whole), held(sketch)) | np.isin(held(whole), held(before))
        return CopyKeys(
            self._free_bands(connection, keys, number),
            filter_sketch(whole, is_of_family),
            replaced=before,
        )

    def restored(
        self, connection: Connection, stored: StoredArticle, copied: str | None, *, is_whole: bool
    ) -> CopyKeys:
        """Recompute the keys of a placed article from the articles before it.

        `copied`: its original; with `is_whole` false it is an excerpt of that. The result is the same as at
        the placement if the articles before have not changed.
        """
        keys, whole = self.keys(stored.signature), self._whole_sketch(stored.whole_text)
        return self._new_keys(connection, stored.inbox_no, keys, whole, copied, is_whole=is_whole)

    def add(self, number: int, keys: CopyKeys) -> None:
        """Add article `number` with these keys, so that the next one can be its copy."""
        if self._index is not None:
            self._index.remove(number, keys.replaced)
            self._index.add(number, keys.sketch)
        for band in set(keys.bands) & self._numbers.keys():
            self._numbers[band].append(number)

    def replace(self, number: int, revised: CopyKeys) -> None:
        """Record a revision of article `number`."""
        self.add(number, revised)
        self.written()  # keys of before are in it

    def remove(self, number: int, sketch: bytes) -> None:
        """Remove article `number`, of which the text or all was deleted."""
        if self._index is not None:
            self._index.remove(number, sketch)

    def written(self) -> None:
        """Forget what was read for the transaction that is over."""
        self._numbers = {}

    def forget(self) -> None:
        """Drop the index in memory; it is built again from the rows."""
        self._index = None
        self.written()

    def _pairs(
        self, connection: Connection, bands: Sequence[int], *, before: int = ANY_NUMBER
    ) -> list[KeyPair]:
        """Return these LSH keys with the articles before `before`: of the batch, else of the database."""
        limit = self._tuning.key_cap * len(bands)
        if not self._numbers.keys() >= set(bands):
            return articles.with_bands(connection, bands, before=before, limit=limit)
        pairs: list[KeyPair] = []
        for band in sorted(set(bands)):
            pairs += [(band, number) for number in self._numbers[band] if number < before]
        return pairs[:limit]

    def _look_up(self, connection: Connection, number: int, sketch: bytes) -> SketchLookup:
        """Look up a sketch in the index, which is built first if it does not cover the number."""
        reach = self._tuning.passage_reach
        if self._index is None or not self._index.covers(number):
            self._index = None  # two would take twice the memory
            after = number - reach - 1
            rows = articles.sketches(connection, after=after)
            self._index = PassageIndex(reach=reach, cap=self._tuning.key_cap, after=after, rows=rows)
            give_back_memory()
        return self._index.look_up(number, sketch)

    def _whole_sketch(self, text: str) -> bytes:
        """Return the sketch of a text with all its hashes."""
        tuning = self._tuning
        return sketch(shingle_sequence(text), window=tuning.window, limit=tuning.sketch_hashes)

    def _new_keys(
        self,
        connection: Connection,
        number: int,
        bands: Sequence[int],
        sketch: bytes,
        copied: str | None,
        *,
        is_whole: bool,
        waiting: Sequence[StoredArticle] = (),
    ) -> CopyKeys:
        """Return which of its keys article `number` gets, a copy or an excerpt of `copied`.

        Many copies of one text add only a few.
        """
        tuning, look_up = self._tuning, self._look_up(connection, number, sketch)
        is_free = ~look_up.full
        if copied is not None:
            most = tuning.exact_checks
            if is_whole and articles.has_copies(connection, copied, most, before=number, waiting=waiting):
                return CopyKeys((), b"")
            ancestors = islice(articles.copy_ancestors(connection, copied, waiting), _MOST_ANCESTORS)
            # Not those who will soon be out of reach: then the family would hold the shingle no more.
            oldest = number - tuning.passage_reach // 2
            is_free &= ~look_up.occurs_in(ancestor for ancestor, _ in ancestors if ancestor >= oldest)
        free_bands = self._free_bands(connection, bands, number, before=number)
        return CopyKeys(free_bands, filter_sketch(sketch, is_free))

    def _free_bands(
        self, connection: Connection, bands: Sequence[int], number: int, *, before: int = ANY_NUMBER
    ) -> tuple[int, ...]:
        """Return the LSH keys that do not have too many articles before `before`, beside article `number`."""
        pairs = self._pairs(connection, bands, before=before)
        counts = Counter(band for band, other in pairs if other != number)
        return tuple(band for band in bands if counts[band] < self._tuning.key_cap)


class _Search:
    """The candidates for the original and the excerpts of one article; of few the text is read."""

    def __init__(
        self,
        connection: Connection,
        own: ComparedText,
        tuning: CopyTuning,
        *,
        voted: Sequence[int],
        overlaps: Sequence[SketchOverlap],
        waiting: Sequence[StoredArticle],
    ) -> None:
        self._connection, self._own, self._tuning, self._waiting = connection, own, tuning, waiting
        self._shares = {overlap.number: overlap.share for overlap in overlaps}
        likely = [overlap for overlap in overlaps if overlap.share >= tuning.likely_share]
        likely = likely[: tuning.candidate_cap]
        numbers = {*voted[: tuning.candidate_cap], *(overlap.number for overlap in likely)}
        self._shorter = [overlap.number for overlap in likely if not overlap.is_longer]
        candidates = articles.copy_candidates(connection, numbers, waiting)
        self._at_page = _at_same_page(own, candidates.values())
        # Within one source and URL there are generations and parts of a page, and no copies.
        apart = {own.id, *(other.id for other in self._at_page if other.source == own.source)}
        self._others = {n: other for n, other in candidates.items() if other.id not in apart}
        self._texts: dict[str, ComparedText] = {}

    def original(self) -> CopyEvidence | None:
        """Return the article of which this one is a copy, else an excerpt."""
        return best_copy(self._own, self._likely(self._others.values()), self._tuning)

    def excerpts(self, original: str | None) -> tuple[CopyEvidence, ...]:
        """Return the stored articles that are excerpts of this one, without its original."""
        cuts = [self._others[number] for number in self._shorter if number in self._others]
        ids = [cut.id for cut in cuts if cut.copy_of is None and cut.id != original]
        return excerpts_in(self._own, self._read(ids), self._tuning)

    def same_page(self) -> str | None:
        """Return an article under the same URL that has the same text, or of which one is a part."""
        for stored in self._likely(self._at_page):
            if verdict(self._own, stored, self._tuning) or verdict(stored, self._own, self._tuning):
                return stored.id
        return None

    def reuse(self) -> TextReuse | None:
        """Return the article of another outlet with whose words much of this one is written."""
        sharing = [self._others[number].id for number in self._shares if number in self._others]
        ids = dict.fromkeys([*self._ranked(self._others.values()), *sharing])
        return text_reuse(self._own, self._read([*ids]), self._tuning)

    def _likely(self, candidates: Iterable[ComparedText]) -> list[ComparedText]:
        return self._read(self._ranked(candidates))

    def _ranked(self, candidates: Iterable[ComparedText]) -> list[str]:
        return rank_candidates(self._own, candidates, self._shares, self._tuning)

    def _read(self, ids: Sequence[str]) -> list[ComparedText]:
        """Return the first `exact_checks` of these articles with their texts; each is read once."""
        wanted = ids[: self._tuning.exact_checks]
        missing = [other for other in wanted if other not in self._texts]
        if missing:
            self._texts |= articles.compared_texts(self._connection, missing, self._waiting)
        return [self._texts[other] for other in wanted]


def _at_same_page(own: ComparedText, candidates: Iterable[ComparedText]) -> list[ComparedText]:
    """Return the candidates that have the URL of the article."""
    page = canonical_url(own.url) if own.url else None
    if page is None:
        return []
    return [other for other in candidates if other.url and canonical_url(other.url) == page]
