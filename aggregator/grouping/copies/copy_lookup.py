"""Copies: finds the stored article with the same text as an incoming one, and excerpts of it.

Candidates come from LSH keys of all articles in the database, and from an index in memory of sampled shingles
of the newest articles (grouping/copies/sampled_shingles.py). The exact comparison of texts decides
(grouping/copies/copy_check.py).

An article is found by its LSH keys except those with too many articles, and by its sampled shingles except
those that enough articles have or that its original has. Rows store both, so the result depends only on the
rows of earlier articles.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec
import numpy as np

from aggregator.config.memory import give_back_memory
from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_candidates import CopyCandidates
from aggregator.grouping.copies.copy_check import CopyTuning
from aggregator.grouping.copies.minhash import bands
from aggregator.grouping.copies.sampled_shingles import (
    PassageIndex,
    SketchLookup,
    filter_sketch,
    held,
    sketch,
)
from aggregator.grouping.copies.shingles import shingle_sequence
from aggregator.model.core import CopyEvidence, TextReuse
from aggregator.store.engine.database import Connection
from aggregator.store.stories.article_rows import compared_articles, copy_keys
from aggregator.store.stories.article_rows.copy_keys import ANY_NUMBER, KeyPair
from aggregator.store.stories.articles import StoredArticle

_MOST_ANCESTORS = 8  # links from copy to original that are followed


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
    same_page: str | None  # an article under the same URL with the same text, or a part of it
    reuse: TextReuse | None  # of a text that is neither a copy nor an excerpt


class CopyFinder:
    """Finds copies. For one thread of the writer."""

    def __init__(self, all_tuning: Tuning) -> None:
        self._tuning = all_tuning.section("copies", CopyTuning)
        self._index: PassageIndex | None = None

    def find(
        self,
        connection: Connection,
        incoming: StoredArticle,
        page: str | None,
        waiting: Sequence[StoredArticle] = (),
    ) -> CopyMatch:
        """Return the original of `incoming`, excerpts of it, and its own keys.

        `page`: the address at which it was read. Only articles of lower numbers are searched; `waiting` have
        no row. At most `exact_checks` possible originals and as many possible excerpts are read.
        """
        own = msgspec.structs.replace(compared_articles.compared_text(incoming), url=page)
        look_up = self.cover(connection, own.order, own.order).look_up(own.order, incoming.sketch)
        pairs = _pairs(connection, incoming.bands, waiting, before=own.order)
        candidates = CopyCandidates(
            connection=connection,
            own=own,
            voted=_by_votes(pairs),
            overlaps=look_up.overlaps(self._tuning.passage_shared),
            waiting=waiting,
            tuning=self._tuning,
        )
        copy = candidates.best_original()
        original, is_copy = (copy.other, copy.kind == "copy") if copy else (None, False)
        return CopyMatch(
            copy=copy,
            # Excerpts of a copy are excerpts of its original.
            excerpts=() if is_copy else candidates.excerpts(original),
            keys=self._new_keys(
                connection,
                CopyKeys(incoming.bands, incoming.sketch),
                look_up,
                pairs,
                number=own.order,
                copied=original,
                waiting=waiting,
                is_copy=is_copy,
            ),
            same_page=candidates.same_page(),
            reuse=None if copy else candidates.reuse(),
        )

    def voted(
        self, connection: Connection, incoming: StoredArticle, waiting: Sequence[StoredArticle] = ()
    ) -> list[int]:
        """Return the articles before this one that share LSH keys with it, those with the most first."""
        return _by_votes(_pairs(connection, incoming.bands, waiting, before=incoming.inbox_no))

    def keys(self, signature: bytes) -> tuple[int, ...]:
        """Return all LSH keys of a signature; none if it is damaged."""
        return bands(signature, count=self._tuning.bands, rows=self._tuning.rows)

    def revised(self, connection: Connection, old: StoredArticle, incoming: StoredArticle) -> CopyKeys:
        """Return the keys of article `old` with the text of `incoming`; nothing is written.

        Keys of unchanged text stay as they are. A copy without keys stays without.
        """
        former = self._whole_keys(old)
        before = copy_keys.sketch_of(connection, old.inbox_no)
        # Without LSH keys it had no words, and begins like a new one.
        is_found = before or copy_keys.stored_bands(connection, old.inbox_no, former.bands)
        if former.bands and not is_found:
            return CopyKeys((), b"")
        now = held(incoming.sketch)
        is_own = np.isin(now, held(before)) | ~np.isin(now, held(former.sketch))
        pairs = _pairs(connection, incoming.bands)
        free_bands = self._free_bands(incoming.bands, pairs, old.inbox_no)
        return CopyKeys(free_bands, filter_sketch(incoming.sketch, is_own), replaced=before)

    def inherited(self, connection: Connection, orphaned_copy: StoredArticle, sketch: bytes) -> CopyKeys:
        """Return the keys of a copy that replaces its erased original, which had this sketch."""
        number, whole = orphaned_copy.inbox_no, self._whole_keys(orphaned_copy)
        before, now = copy_keys.sketch_of(connection, number), held(whole.sketch)
        is_of_family = np.isin(now, held(sketch)) | np.isin(now, held(before))
        free_bands = self._free_bands(whole.bands, _pairs(connection, whole.bands), number)
        return CopyKeys(free_bands, filter_sketch(whole.sketch, is_of_family), replaced=before)

    def restored(
        self, connection: Connection, stored: StoredArticle, copied: str | None, *, is_whole: bool
    ) -> CopyKeys:
        """Recompute the keys of a placed article from the articles before it.

        `copied`: its original; with `is_whole` false it is an excerpt of that. The result is the same as at
        the placement if the articles before have not changed.
        """
        whole = self._whole_keys(stored)
        number = stored.inbox_no
        look_up = self.cover(connection, number, number).look_up(number, whole.sketch)
        pairs = _pairs(connection, whole.bands, before=number)
        return self._new_keys(
            connection, whole, look_up, pairs, number=number, copied=copied, is_copy=is_whole
        )

    def add(self, number: int, keys: CopyKeys) -> None:
        """Add article `number` with these keys, or those of a revision, so that the next can be its copy."""
        if self._index is not None:
            self._index.remove(number, keys.replaced)
            self._index.add(number, keys.sketch)

    def remove(self, number: int, sketch: bytes) -> None:
        """Remove article `number`, of which the text or all was deleted."""
        if self._index is not None:
            self._index.remove(number, sketch)

    def cover(self, connection: Connection, first: int, last: int) -> PassageIndex:
        """Return the index, which is built first if it does not cover these numbers.

        Call it before a batch, while nothing waits to be written.
        """
        reach = self._tuning.passage_reach
        if self._index is None or not (self._index.covers(first) and self._index.covers(last)):
            self._index = None  # two would take twice the memory
            after = first - reach - 1
            rows = copy_keys.sketches(connection, after=after)
            self._index = PassageIndex(reach=reach, cap=self._tuning.key_cap, after=after, rows=rows)
            give_back_memory()
        return self._index

    def _whole_keys(self, stored: StoredArticle) -> CopyKeys:
        """Return all keys of a stored text."""
        tuning = self._tuning
        sequence = shingle_sequence(stored.whole_text)
        whole = sketch(sequence, window=tuning.window, limit=tuning.sketch_hashes)
        return CopyKeys(self.keys(stored.signature), whole)

    def _new_keys(
        self,
        connection: Connection,
        whole: CopyKeys,
        look_up: SketchLookup,
        pairs: Iterable[KeyPair],
        *,
        number: int,
        copied: str | None,
        is_copy: bool,
        waiting: Sequence[StoredArticle] = (),
    ) -> CopyKeys:
        """Return which of all its keys article `number` gets, a copy or an excerpt of `copied`.

        Many copies of one text add only a few. `pairs`: its LSH keys with the articles before it.
        """
        tuning, is_free = self._tuning, ~look_up.full
        if copied is not None:
            most = tuning.exact_checks
            if is_copy and compared_articles.has_copies(
                connection, copied, most, before=number, waiting=waiting
            ):
                return CopyKeys((), b"")
            ancestors = islice(compared_articles.copy_ancestors(connection, copied, waiting), _MOST_ANCESTORS)
            # Not those who will soon be out of reach: then the family would hold the shingle no more.
            oldest = number - tuning.passage_reach // 2
            is_free &= ~look_up.occurs_in(ancestor for ancestor, _ in ancestors if ancestor >= oldest)
        free_bands = self._free_bands(whole.bands, pairs, number)
        return CopyKeys(free_bands, filter_sketch(whole.sketch, is_free))

    def _free_bands(self, bands: Sequence[int], pairs: Iterable[KeyPair], number: int) -> tuple[int, ...]:
        """Return the LSH keys that do not have too many articles beside article `number`."""
        counts = Counter(band for band, other in pairs if other != number)
        return tuple(band for band in bands if counts[band] < self._tuning.key_cap)


def _pairs(
    connection: Connection,
    bands: Sequence[int],
    waiting: Iterable[StoredArticle] = (),
    *,
    before: int = ANY_NUMBER,
) -> set[KeyPair]:
    """Return these LSH keys with their articles before `before`; `waiting` have no row yet."""
    pairs, wanted = set(copy_keys.with_bands(connection, bands, before=before)), set(bands)
    for new in waiting:
        if new.inbox_no < before:
            pairs.update((band, new.inbox_no) for band in wanted.intersection(new.bands))
    return pairs


def _by_votes(pairs: Iterable[KeyPair]) -> list[int]:
    """Return the articles of these pairs, those in most of them first."""
    votes = Counter(number for _, number in pairs)
    return sorted(votes, key=lambda number: (-votes[number], number))
