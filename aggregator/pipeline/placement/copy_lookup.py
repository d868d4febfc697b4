"""Copies: finds the stored article with the same text as an incoming one, and excerpts of it.

Candidates come from LSH keys of all articles in the database, and from sampled shingles of the newest
articles (cluster/copies/sampled_shingles.py), in memory or, for a few lookups, from rows. The exact
comparison of texts decides (cluster/copies/copy_check.py).

An article is found by its LSH keys except those with too many articles, and by its sampled shingles except
those that enough articles have or that its original has. Rows store both, so the result depends only on the
rows of earlier articles.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np

from aggregator.cluster.copies import sampled_shingles
from aggregator.cluster.copies.copy_check import (
    ComparedText,
    CopyProposal,
    CopyTuning,
    best_copy,
    excerpts_in,
    rank_candidates,
    text_reuse,
    verdict,
)
from aggregator.cluster.copies.minhash import keys_of
from aggregator.cluster.copies.sampled_shingles import PassageIndex, SketchLookup
from aggregator.cluster.copies.shingles import shingle_sequence
from aggregator.config.garbage import give_back_memory
from aggregator.config.tuning import Tuning
from aggregator.extract.urls import canonical_url
from aggregator.model.core import CopyEvidence, TextReuse
from aggregator.store.engine.database import Connection
from aggregator.store.stories import articles
from aggregator.store.stories.articles import CopyCandidate, StoredArticle

_SCANS: Final = (
    2  # questions answered by reading the rows (.4 s for 300,000); then building (4 s) is worth it
)
_MOST_ANCESTORS: Final = 8  # links from copy to original that are followed
_MARGIN: Final = 1_000  # inbox numbers: a failed batch is repeated from its first article
_ANY_NUMBER: Final = (1 << 63) - 1


class CopyKeys(NamedTuple):
    """The keys by which an article is found; `bands` and `sketch` may be empty."""

    bands: tuple[int, ...]
    sketch: bytes

    def columns(self) -> dict[str, Any]:
        """Return the columns of the article; if `is_indexed`, a later article may be found to be its copy."""
        return {**self._asdict(), "is_indexed": bool(self.bands or self.sketch)}


class CopyMatch(NamedTuple):
    """The matches of an incoming article."""

    copy: CopyEvidence | None  # its original, or the article of which it is an excerpt
    excerpts: tuple[CopyEvidence, ...]  # stored excerpts of it (`other`) that are not linked yet
    held: CopyKeys
    same_page: str | None = None  # an article under the same URL with the same text, or a part of it
    reuse: TextReuse | None = None  # of a text that is neither a copy nor an excerpt


class RevisedCopyKeys(NamedTuple):
    """The keys of an article before and after a revision."""

    before: bytes  # its sketch
    held: CopyKeys


class CopyFinder:
    """Finds copies. For one thread of the writer."""

    def __init__(self, all_tuning: Tuning, *, scans: int = _SCANS) -> None:
        self._tuning = all_tuning.section("copies", CopyTuning)
        self._scans = scans
        self._index: PassageIndex | None = None
        self._asked = 0
        self._numbers: dict[int, list[int]] = {}  # of the articles under each LSH key of this batch

    # --- asking -------------------------------------------------------------------------------------------

    def read_bands(self, connection: Connection, bands: Iterable[int]) -> None:
        """Read the articles under the LSH keys of a batch at once."""
        numbers: dict[int, list[int]] = {band: [] for band in bands}
        for band, number in articles.with_bands(connection, numbers, before=_ANY_NUMBER, limit=_ANY_NUMBER):
            numbers[band].append(number)
        self._numbers = numbers

    def find(
        self,
        connection: Connection,
        incoming: StoredArticle,
        page: str | None,
        waiting: Sequence[StoredArticle] = (),
    ) -> CopyMatch:
        """Return the original of `incoming`, excerpts of it, and its own keys.

        Only articles of lower numbers are searched; `waiting` have no row. At most `exact_checks` possible
        originals and as many possible excerpts are read.
        """
        seen = self._candidates(connection, incoming, page, waiting)
        own, most = compared_text(incoming), self._tuning.exact_checks
        read: dict[str, ComparedText] = {}

        def reading(ids: Sequence[str]) -> list[ComparedText]:
            if missing := [other for other in ids if other not in read]:
                read.update(articles.compared_texts(connection, missing, waiting))
            return [read[other] for other in ids]

        # Within one source and URL there are generations and parts of a page, and no copies.
        source = incoming.source
        own_page = {incoming.id} | {other for other, its_source in seen.there.items() if its_source == source}
        others = [one for one in seen.copies if one.id not in own_page]
        likely = rank_candidates(incoming.signature, others, self._tuning)
        copy = best_copy(own, reading(likely), self._tuning)
        excerpts: tuple[CopyEvidence, ...] = ()
        if copy is None or copy.kind != "copy":  # excerpts of a copy are excerpts of its original
            left_out = own_page if copy is None else own_page | {copy.other}
            cuts = [one.id for one in seen.cuts if one.id not in left_out]
            excerpts = excerpts_in(own, reading(cuts[:most]), self._tuning)
        same_page = self._same_page(own, seen, reading)
        keys = self._copy_keys(connection, incoming, copy, seen, waiting)
        reuse = None
        if copy is None:
            near = sorted((-one.share, one.order, one.id) for one in others if one.share > 0)
            wanted = dict.fromkeys([*likely, *(id_ for _, _, id_ in near)])
            reuse = text_reuse(own, reading(list(wanted)[:most]), self._tuning)
        return CopyMatch(copy, excerpts, keys, same_page, reuse)

    def _same_page(
        self,
        own: ComparedText,
        seen: "_CopyCandidates",
        reading: Callable[[Sequence[str]], list[ComparedText]],
    ) -> str | None:
        """Return an article under the same URL that has the same text, or of which one is a part."""
        there = [one for one in seen.copies if one.id in seen.there]
        likely = rank_candidates(own.signature, there, self._tuning)
        for stored in reading(likely):
            if verdict(own, stored, self._tuning) or verdict(stored, own, self._tuning):
                return stored.id
        return None

    def revised(self, connection: Connection, old: StoredArticle, incoming: StoredArticle) -> RevisedCopyKeys:
        """Return the keys of article `old` with the text of `incoming`; nothing is written.

        Keys of unchanged text stay as they are. A copy without keys stays without.
        """
        tuning, fingerprint = self._tuning, incoming
        before = articles.sketch_of(connection, old.inbox_no)
        rows = self._band_rows(connection, fingerprint.bands, before=_ANY_NUMBER)
        keys = self.keys(old.signature)  # none: it had no words, and begins like a new one
        if keys and not before and not articles.stored_bands(connection, old.inbox_no, keys):
            return RevisedCopyKeys(before, CopyKeys((), b""))
        had = sampled_shingles.held(self._whole_sketch(old.whole_text))
        now = sampled_shingles.held(fingerprint.sketch)
        mine = np.isin(now, sampled_shingles.held(before)) | ~np.isin(now, had)
        free = _free_bands(fingerprint.bands, [row for row in rows if row[1] != old.inbox_no], tuning)
        return RevisedCopyKeys(before, CopyKeys(free, _kept(fingerprint.sketch, mine)))

    # --- what is forgotten --------------------------------------------------------------------------------

    def keys(self, sign: bytes) -> tuple[int, ...]:
        """Return all LSH keys of a signature; none if it is damaged."""
        return keys_of(sign, count=self._tuning.bands, rows=self._tuning.rows)

    def _whole_sketch(self, text: str) -> bytes:
        """Return the sketch of a text with all its hashes."""
        tuning = self._tuning
        return sampled_shingles.sketch(
            shingle_sequence(text), window=tuning.window, limit=tuning.sketch_hashes
        )

    def inherited(self, connection: Connection, orphaned_copy: StoredArticle, sketch: bytes) -> CopyKeys:
        """Return the keys of a copy that replaces its erased original, which had this sketch."""
        tuning = self._tuning
        keys = self.keys(orphaned_copy.signature)
        others = [
            row
            for row in self._band_rows(connection, keys, before=_ANY_NUMBER)
            if row[1] != orphaned_copy.inbox_no
        ]
        whole = self._whole_sketch(orphaned_copy.whole_text)
        had = np.union1d(
            sampled_shingles.held(sketch),
            sampled_shingles.held(articles.sketch_of(connection, orphaned_copy.inbox_no)),
        )
        return CopyKeys(
            _free_bands(keys, others, tuning), _kept(whole, np.isin(sampled_shingles.held(whole), had))
        )

    def restored(
        self, connection: Connection, stored: StoredArticle, copied: str | None, *, is_whole: bool
    ) -> CopyKeys:
        """Recompute the keys of a placed article from the articles before it.

        `copied`: its original; with `is_whole` false it is an excerpt of that. The result is the same as at
        the placement if the articles before have not changed.
        """
        tuning = self._tuning
        if copied is not None and is_whole:
            before = articles.copies_before(connection, copied, stored.inbox_no)
            if before >= tuning.exact_checks:
                return CopyKeys((), b"")
        keys = self.keys(stored.signature)
        whole = self._whole_sketch(stored.whole_text)
        look_up = self._lookup(connection, stored.inbox_no, whole)
        free = ~look_up.full
        if copied is not None:
            ancestors = islice(articles.copy_ancestors(connection, copied), _MOST_ANCESTORS)
            free &= ~look_up.occurs_in(
                n for n, _ in ancestors if n >= stored.inbox_no - tuning.passage_reach // 2
            )
        return CopyKeys(
            _free_bands(keys, self._band_rows(connection, keys, before=stored.inbox_no), tuning),
            _kept(whole, free),
        )

    # --- what changed -------------------------------------------------------------------------------------

    def add(self, number: int, held: CopyKeys) -> None:
        """Add article `number` with these keys, so that the next one can be its copy."""
        self._put(number, b"", held.sketch)
        for band in set(held.bands) & self._numbers.keys():
            self._numbers[band].append(number)

    def replace(self, number: int, revised: RevisedCopyKeys) -> None:
        """Record a revision of article `number`."""
        self._put(number, revised.before, revised.held.sketch)
        self._numbers = {}

    def remove(self, number: int, sketch: bytes) -> None:
        """Remove article `number`, of which the text or all was deleted."""
        self._put(number, sketch, b"")

    def written(self) -> None:
        """Forget what was read for the transaction that is over."""
        self._numbers = {}

    def commit_batch(self, newest: int) -> None:
        """Record the commit of a batch; `newest` is its highest number."""
        if self._index is not None:
            self._index.sweep(newest)

    def forget(self) -> None:
        """Drop the index in memory; it is built again from the rows."""
        self._index = None
        self.written()

    def _put(self, number: int, before: bytes, after: bytes) -> None:
        if self._index is not None:
            self._index.remove(number, before)
            self._index.add(number, after)

    # --- candidates ---------------------------------------------------------------------------------------

    def voted(self, connection: Connection, incoming: StoredArticle) -> list[int]:
        """Return the articles before this one that share LSH keys with it, those with the most first."""
        before = incoming.inbox_no
        return _voted(self._band_rows(connection, incoming.bands, before=before))

    def _candidates(
        self,
        connection: Connection,
        incoming: StoredArticle,
        page: str | None,
        waiting: Sequence[StoredArticle],
    ) -> "_CopyCandidates":
        number, fingerprint, tuning = incoming.inbox_no, incoming, self._tuning
        rows = self._band_rows(connection, fingerprint.bands, before=number)
        voted = _voted(rows)[: tuning.candidate_cap]
        look_up = self._lookup(connection, number, fingerprint.sketch)
        whole = len(sampled_shingles.held(fingerprint.sketch))
        overlaps = look_up.overlaps(tuning.passage_shared)
        shares = {one.number: one.share_of(whole) for one in overlaps}
        near = [one for one in overlaps if shares[one.number] >= tuning.likely_share]
        near = sorted(near, key=lambda one: (-shares[one.number], one.number))[: tuning.candidate_cap]
        numbers = {*voted, *(one.number for one in near)}
        known = articles.copy_candidates(connection, numbers, waiting) if numbers else {}
        copies = [
            CopyProposal(one.id, one.signature, one.inbox_no, shares.get(one.inbox_no, 0.0))
            for one in known.values()
        ]
        cuts = [known[one.number] for one in near if one.whole <= whole and one.number in known]
        there = _at_same_page(page, known.values())
        return _CopyCandidates(rows, look_up, copies, [one for one in cuts if one.copy_of is None], there)

    def _band_rows(
        self, connection: Connection, bands: Sequence[int], *, before: int
    ) -> list[tuple[int, int]]:
        limit, distinct = self._tuning.key_cap * len(bands), sorted(set(bands))
        if self._numbers.keys() >= {*distinct}:
            rows = [(band, number) for band in distinct for number in self._numbers[band] if number < before]
            return rows[:limit]
        return articles.with_bands(connection, bands, before=before, limit=limit)

    def _lookup(self, connection: Connection, number: int, sketch: bytes) -> SketchLookup:
        """Search the index, or the rows with the same result; the index pays off for frequent lookups."""
        reach, cap = self._tuning.passage_reach, self._tuning.key_cap
        if not len(sampled_shingles.held(sketch)):
            return sampled_shingles.EMPTY_LOOKUP
        if self._index is None and self._asked >= self._scans:
            after = number - reach - _MARGIN
            rows = articles.sketches(connection, after=after)
            self._index = PassageIndex(reach=reach, cap=cap, rows=rows, after=after)
            give_back_memory()
        self._asked += 1
        if self._index is not None and self._index.covers(number):
            return self._index.look_up(number, sketch)
        rows = articles.sketches(connection, after=number - reach - 1)
        return sampled_shingles.scan(rows, number, sketch, reach=reach, cap=cap)

    def _copy_keys(
        self,
        connection: Connection,
        incoming: StoredArticle,
        copy: CopyEvidence | None,
        seen: "_CopyCandidates",
        waiting: Sequence[StoredArticle],
    ) -> CopyKeys:
        """Return the keys of the article. Many copies of one text add only a few."""
        tuning, fingerprint, number = self._tuning, incoming, incoming.inbox_no
        free = ~seen.look_up.full
        if copy is not None:
            if copy.kind == "copy" and articles.has_copies(
                connection, copy.other, tuning.exact_checks, waiting
            ):
                return CopyKeys((), b"")
            # Not those who will soon be out of reach: then the family would hold the shingle no more.
            ancestors = islice(articles.copy_ancestors(connection, copy.other, waiting), _MOST_ANCESTORS)
            free &= ~seen.look_up.occurs_in(
                n for n, _ in ancestors if n >= number - tuning.passage_reach // 2
            )
        return CopyKeys(_free_bands(fingerprint.bands, seen.rows, tuning), _kept(fingerprint.sketch, free))


class _CopyCandidates(NamedTuple):
    """Candidates for an incoming article."""

    rows: list[tuple[int, int]]  # LSH key, number of an article under it
    look_up: SketchLookup
    copies: list[CopyProposal]
    cuts: list[CopyCandidate]  # possible excerpts of it
    there: dict[str, str]  # articles under the same URL, with their sources


def compared_text(incoming: StoredArticle) -> ComparedText:
    """Return an incoming article as the copy check reads it."""
    return ComparedText(
        id=incoming.id,
        text=incoming.text,
        title=incoming.title,
        outlet=incoming.outlet_key,
        signature=incoming.signature,
        order=incoming.inbox_no,
        language=incoming.language,
    )


def _voted(rows: Iterable[tuple[int, int]]) -> list[int]:
    votes = Counter(article for _, article in rows)
    return sorted(votes, key=lambda article: (-votes[article], article))


def _at_same_page(url: str | None, known: Collection[CopyCandidate]) -> dict[str, str]:
    """Return those of the articles that have this URL, with their sources."""
    page = canonical_url(url) if url and known else None
    if page is None:
        return {}
    return {one.id: one.source for one in known if one.url and canonical_url(one.url) == page}


def _kept(sketch: bytes, flags: sampled_shingles.Flags) -> bytes:
    """Return the sketch with these hashes; b"" for none."""
    return sampled_shingles.filter_sketch(sketch, flags) if flags.any() else b""


def _free_bands(bands: Sequence[int], rows: list[tuple[int, int]], tuning: CopyTuning) -> tuple[int, ...]:
    """Return the keys that do not have too many articles."""
    taken = Counter(band for band, _ in rows)
    return tuple(band for band in bands if taken[band] < tuning.key_cap)
