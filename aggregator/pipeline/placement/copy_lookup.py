"""Which stored article is the same text as a coming one, and which are cut from it: candidates and verdicts.

Two ways lead to candidates: LSH keys in the database, over all that was ever stored, and sampled shingles of
the newest articles (cluster/copies/sampled_shingles.py), in memory or, for a command that asks only once or
twice, read from
the rows. Both only propose; the exact verdict on the texts decides (cluster/copies/copy_check.py).

An article is found by what it *holds*: its LSH keys except those that are full, its sampled shingles except
those that enough articles hold, or that the articles it is a copy of hold already. The rows say what is held,
so memory is those rows, and an answer depends on the rows below the asking article's number alone.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np

from aggregator.cluster.copies import sampled_shingles
from aggregator.cluster.copies.copy_check import (
    ComparedText,
    CopyProposal,
    CopyTuning,
    best_copy,
    excerpts_in,
    rank_candidates,
)
from aggregator.cluster.copies.minhash import keys_of
from aggregator.cluster.copies.sampled_shingles import PassageIndex, SketchLookup
from aggregator.cluster.copies.shingles import shingle_sequence
from aggregator.config.tuning import Tuning
from aggregator.model.core import CopyEvidence
from aggregator.pipeline.placement.incoming_article import IncomingArticle
from aggregator.store.engine.database import Connection
from aggregator.store.maintenance.erase import OrphanedCopy
from aggregator.store.stories import articles
from aggregator.store.stories.articles import CopyCandidate, StoredArticle

_SCANS: Final = (
    2  # questions answered by reading the rows (.4 s for 300,000); then building (4 s) is worth it
)
_MOST_ANCESTORS: Final = 8  # copies of copies that are followed back
_MARGIN: Final = 1_000  # numbers: a batch that failed comes again from its first article
_ANY_NUMBER: Final = (1 << 63) - 1


class CopyKeys(NamedTuple):
    """What an article is to be found by, as its row says; `bands` and `sketch` may be empty."""

    bands: tuple[int, ...]
    sketch: bytes

    @property
    def is_indexed(self) -> bool:
        """Whether a later article may find it as its twin."""
        return bool(self.bands or self.sketch)


class CopyMatch(NamedTuple):
    """What there is of a coming article's text."""

    copy: CopyEvidence | None  # its twin, or the whole that it is cut from
    excerpts: tuple[CopyEvidence, ...]  # stored articles cut from it (`other`), not linked to anything yet
    held: CopyKeys


class RevisedCopyKeys(NamedTuple):
    """What an article is found by before and after a revision."""

    before: bytes  # its sketch
    held: CopyKeys


class CopyFinder:
    """Belongs to the one writer of stories; one thread."""

    def __init__(self, all_tuning: Tuning, *, scans: int = _SCANS) -> None:
        self._tuning = all_tuning.section("copies", CopyTuning)
        self._scans = scans
        self._index: PassageIndex | None = None
        self._asked = 0
        self._done: list[tuple[int, bytes, bytes]] = []  # number, sketch before and after: for undoing

    @property
    def reach(self) -> int:
        """How many inbox numbers back sampled shingles are asked."""
        return self._tuning.passage_reach

    # --- asking -------------------------------------------------------------------------------------------

    def find(self, connection: Connection, incoming: IncomingArticle, id_: str) -> CopyMatch:
        """The twin of `incoming`, what was cut from it before, and what it is to be found by itself.

        Looks at articles of lower numbers only. Reads at most `exact_checks` texts for the one and
        `excerpt_checks` for the other.
        """
        seen = self._candidates(connection, incoming)
        own = _compared_text(incoming, id_)
        reading = cache(lambda other: articles.compared_text(connection, other))
        likely = rank_candidates(incoming.fingerprint.signature, seen.copies, self._tuning)
        copy = best_copy(own, (reading(one.id) for one in likely), self._tuning)
        excerpts: tuple[CopyEvidence, ...] = ()
        if copy is None or copy.kind != "copy":  # what was cut from a copy was cut from its twin
            others = [one.id for one in seen.cuts if copy is None or one.id != copy.other]
            readings = (reading(one) for one in others[: self._tuning.excerpt_checks])
            excerpts = excerpts_in(own, readings, self._tuning)
        return CopyMatch(copy, excerpts, self._copy_keys(connection, incoming, copy, seen))

    def revised(
        self, connection: Connection, old: StoredArticle, incoming: IncomingArticle
    ) -> RevisedCopyKeys:
        """What article `old` is found by when the words of `incoming` replace its own; not written yet.

        Its new words are new ones to hold; of those that it keeps it holds what it held. A copy that nothing
        finds stays one.
        """
        tuning, fingerprint = self._tuning, incoming.fingerprint
        before = articles.sketch_of(connection, old.n)
        rows = self._band_rows(connection, fingerprint.bands, before=_ANY_NUMBER)
        keys = self.keys(old.signature)  # none: it had no words, and begins like a new one
        if keys and not before and not articles.has_bands(connection, old.n, keys):
            return RevisedCopyKeys(before, CopyKeys((), b""))
        sequence = shingle_sequence(old.text[: tuning.text_chars])
        had = sampled_shingles.held(
            sampled_shingles.sketch(sequence, window=tuning.window, limit=tuning.sketch_hashes)
        )
        now = sampled_shingles.held(fingerprint.sketch)
        mine = np.isin(now, sampled_shingles.held(before)) | ~np.isin(now, had)
        free = _free_bands(fingerprint.bands, [row for row in rows if row[1] != old.n], tuning)
        return RevisedCopyKeys(before, CopyKeys(free, _kept(fingerprint.sketch, mine)))

    # --- what is forgotten --------------------------------------------------------------------------------

    def keys(self, sign: bytes) -> tuple[int, ...]:
        """All LSH keys that an article with this signature may be under; none of a damaged one."""
        return keys_of(sign, count=self._tuning.bands, rows=self._tuning.rows)

    def inherited(self, connection: Connection, orphaned_copy: OrphanedCopy, sketch: bytes) -> CopyKeys:
        """What a copy is to be found by that stands for its twin, which had this sketch and is gone."""
        tuning = self._tuning
        keys = self.keys(orphaned_copy.signature)
        others = [
            row for row in self._band_rows(connection, keys, before=_ANY_NUMBER) if row[1] != orphaned_copy.n
        ]
        sequence = shingle_sequence(orphaned_copy.text[: tuning.text_chars])
        whole = sampled_shingles.sketch(sequence, window=tuning.window, limit=tuning.sketch_hashes)
        had = np.union1d(
            sampled_shingles.held(sketch),
            sampled_shingles.held(articles.sketch_of(connection, orphaned_copy.n)),
        )
        return CopyKeys(
            _free_bands(keys, others, tuning), _kept(whole, np.isin(sampled_shingles.held(whole), had))
        )

    def restored(
        self, connection: Connection, stored: StoredArticle, copied: str | None, *, is_whole: bool
    ) -> CopyKeys:
        """What a placed article was given to be found by, worked out again from the articles before it.

        `copied`: what it was found to be a copy of, or (not `is_whole`) an excerpt. The same bytes as then,
        where none of those before it changed since.
        """
        tuning = self._tuning
        if copied is not None and is_whole:
            before = articles.copies_before(connection, copied, stored.n)
            if before >= tuning.indexed_copies:
                return CopyKeys((), b"")
        keys = self.keys(stored.signature)
        sequence = shingle_sequence(stored.text[: tuning.text_chars])
        whole = sampled_shingles.sketch(sequence, window=tuning.window, limit=tuning.sketch_hashes)
        rows = articles.sketches(connection, after=stored.n - tuning.passage_reach - 1)
        look_up = sampled_shingles.scan(
            rows, stored.n, whole, reach=tuning.passage_reach, cap=tuning.shingle_cap
        )
        free = ~look_up.full
        if copied is not None:
            copy_ancestors = articles.copy_ancestors(connection, copied, _MOST_ANCESTORS)
            free &= ~look_up.occurs_in(n for n in copy_ancestors if n >= stored.n - tuning.passage_reach // 2)
        return CopyKeys(
            _free_bands(keys, self._band_rows(connection, keys, before=stored.n), tuning), _kept(whole, free)
        )

    # --- what changed -------------------------------------------------------------------------------------

    def add(self, number: int, sketch: bytes) -> None:
        """Say that article `number` was written with this sketch, at once: the next one may be its copy."""
        self._change(number, b"", sketch)

    def replace(self, number: int, revised: RevisedCopyKeys) -> None:
        """Say that a revision of article `number` was written."""
        self._change(number, revised.before, revised.held.sketch)

    def let_go(self, number: int, sketch: bytes) -> None:
        """Say that nothing finds article `number` by this sketch any more: it is gone, or out of reach."""
        self._change(number, sketch, b"")

    def written(self) -> None:
        """Say that the transaction is committed: nothing of it is undone any more."""
        self._done.clear()

    def commit_batch(self, newest: int) -> None:
        """Say that a batch is placed and committed; `newest` is its highest number."""
        if self._index is not None:
            self._index.sweep(newest)

    def undo(self) -> None:
        """Say that the transaction came to nothing: memory is again as before it."""
        for number, before, after in reversed(self._done):
            self._put(number, after, before)
        self._done.clear()

    def forget(self) -> None:
        """Drop all that is in memory; it is built again from the rows."""
        self._index = None
        self._done.clear()

    def _change(self, number: int, before: bytes, after: bytes) -> None:
        self._done.append((number, before, after))
        self._put(number, before, after)

    def _put(self, number: int, before: bytes, after: bytes) -> None:
        if self._index is not None:
            self._index.remove(number, before)
            self._index.add(number, after)

    # --- candidates ---------------------------------------------------------------------------------------

    def _candidates(self, connection: Connection, incoming: IncomingArticle) -> "_CopyCandidates":
        number, fingerprint, tuning = incoming.inbox_entry.inbox_no, incoming.fingerprint, self._tuning
        rows = self._band_rows(connection, fingerprint.bands, before=number)
        votes = Counter(article for _, article in rows)
        voted = sorted(votes, key=lambda article: (-votes[article], article))[: tuning.candidate_cap]
        look_up = self._lookup(connection, number, fingerprint.sketch)
        whole = len(sampled_shingles.held(fingerprint.sketch))
        overlaps = look_up.overlaps(tuning.passage_shared)
        shares = {one.number: one.share_of(whole) for one in overlaps}
        near = [one for one in overlaps if shares[one.number] >= tuning.passage_share]
        near = sorted(near, key=lambda one: (-shares[one.number], one.number))[: tuning.candidate_cap]
        inside = [one for one in near if one.whole <= whole and shares[one.number] >= tuning.excerpt_share]
        numbers = {*voted, *(one.number for one in near)}
        known = articles.copy_candidates(connection, numbers) if numbers else {}
        copies = [
            CopyProposal(one.id, one.signature, one.n, shares.get(one.n, 0.0)) for one in known.values()
        ]
        cuts = [known[one.number] for one in inside if one.number in known]
        return _CopyCandidates(rows, look_up, copies, [one for one in cuts if one.copy_of is None])

    def _band_rows(
        self, connection: Connection, bands: Sequence[int], *, before: int
    ) -> list[tuple[int, int]]:
        limit = self._tuning.band_cap * len(bands)
        return articles.band_rows(connection, bands, before=before, limit=limit)

    def _lookup(self, connection: Connection, number: int, sketch: bytes) -> SketchLookup:
        """The same answer from the index and from the rows; the index is for those who ask often."""
        reach, cap = self._tuning.passage_reach, self._tuning.shingle_cap
        if not len(sampled_shingles.held(sketch)):
            return sampled_shingles.EMPTY_LOOKUP
        if self._index is None and self._asked >= self._scans:
            after = number - reach - _MARGIN
            rows = articles.sketches(connection, after=after)
            self._index = PassageIndex(reach=reach, cap=cap, rows=rows, after=after)
        self._asked += 1
        if self._index is not None and self._index.covers(number):
            return self._index.look_up(number, sketch)
        rows = articles.sketches(connection, after=number - reach - 1)
        return sampled_shingles.scan(rows, number, sketch, reach=reach, cap=cap)

    def _copy_keys(
        self,
        connection: Connection,
        incoming: IncomingArticle,
        copy: CopyEvidence | None,
        seen: "_CopyCandidates",
    ) -> CopyKeys:
        """What the article is found by. A flood of copies of one text adds nothing beyond a few."""
        tuning, fingerprint, number = self._tuning, incoming.fingerprint, incoming.inbox_entry.inbox_no
        free = ~seen.look_up.full
        if copy is not None:
            if copy.kind == "copy" and articles.has_copies(connection, copy.other, tuning.indexed_copies):
                return CopyKeys((), b"")
            # Not those who will soon be out of reach: then the family would hold the shingle no more.
            copy_ancestors = articles.copy_ancestors(connection, copy.other, _MOST_ANCESTORS)
            free &= ~seen.look_up.occurs_in(
                n for n in copy_ancestors if n >= number - tuning.passage_reach // 2
            )
        return CopyKeys(_free_bands(fingerprint.bands, seen.rows, tuning), _kept(fingerprint.sketch, free))


class _CopyCandidates(NamedTuple):
    """What may be the same text as a coming article."""

    rows: list[tuple[int, int]]  # LSH key, number of an article under it
    look_up: SketchLookup
    copies: list[CopyProposal]
    cuts: list[CopyCandidate]  # those that may be cut from it


def _compared_text(incoming: IncomingArticle, id_: str) -> ComparedText:
    return ComparedText(
        id=id_,
        text=incoming.clean.text,
        title=incoming.clean.title,
        outlet=incoming.outlet,
        signature=incoming.fingerprint.signature,
        order=incoming.inbox_entry.inbox_no,
    )


def _kept(sketch: bytes, flags: sampled_shingles.Flags) -> bytes:
    """The sketch with these hashes; b"" for none: then there is nothing to store."""
    return sampled_shingles.filter_sketch(sketch, flags) if flags.any() else b""


def _free_bands(bands: Sequence[int], rows: list[tuple[int, int]], tuning: CopyTuning) -> tuple[int, ...]:
    """The keys under which there is room."""
    taken = Counter(band for band, _ in rows)
    return tuple(band for band in bands if taken[band] < tuning.band_cap)
