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
from aggregator.cluster.copies.copy_check import CopyRules, Proposal, Wording, best_copy, excerpts_in, ranked
from aggregator.cluster.copies.minhash import keys_of
from aggregator.cluster.copies.sampled_shingles import Look, PassageIndex
from aggregator.cluster.copies.shingles import shingle_sequence
from aggregator.config.tuning import RuleBook
from aggregator.model.core import CopyEvidence
from aggregator.pipeline.placement.incoming_article import Coming
from aggregator.store.engine.database import Connection
from aggregator.store.maintenance.erase import Heir
from aggregator.store.stories import articles
from aggregator.store.stories.articles import Signed, Stored

_SCANS: Final = (
    2  # questions answered by reading the rows (.4 s for 300,000); then building (4 s) is worth it
)
_FOREBEARS: Final = 8  # copies of copies that are followed back
_MARGIN: Final = 1_000  # numbers: a batch that failed comes again from its first article
_ANY_NUMBER: Final = (1 << 63) - 1


class Held(NamedTuple):
    """What an article is to be found by, as its row says; `bands` and `sketch` may be empty."""

    bands: tuple[int, ...]
    sketch: bytes

    @property
    def is_indexed(self) -> bool:
        """Whether a later article may find it as its twin."""
        return bool(self.bands or self.sketch)


class Found(NamedTuple):
    """What there is of a coming article's text."""

    copy: CopyEvidence | None  # its twin, or the whole that it is cut from
    excerpts: tuple[CopyEvidence, ...]  # stored articles cut from it (`other`), not linked to anything yet
    held: Held


class Revised(NamedTuple):
    """What an article is found by before and after a revision."""

    before: bytes  # its sketch
    held: Held


class Twins:
    """Belongs to the one writer of stories; one thread."""

    def __init__(self, book: RuleBook, *, scans: int = _SCANS) -> None:
        self._rules = book.section("copies", CopyRules)
        self._scans = scans
        self._index: PassageIndex | None = None
        self._asked = 0
        self._done: list[tuple[int, bytes, bytes]] = []  # number, sketch before and after: for undoing

    @property
    def reach(self) -> int:
        """How many inbox numbers back sampled shingles are asked."""
        return self._rules.passage_reach

    # --- asking -------------------------------------------------------------------------------------------

    def find(self, connection: Connection, coming: Coming, id_: str) -> Found:
        """The twin of `coming`, what was cut from it before, and what it is to be found by itself.

        Looks at articles of lower numbers only. Reads at most `exact_checks` texts for the one and
        `excerpt_checks` for the other.
        """
        seen = self._candidates(connection, coming)
        own = _wording(coming, id_)
        reading = cache(lambda other: articles.wording(connection, other))
        likely = ranked(coming.mark.signature, seen.twins, self._rules)
        copy = best_copy(own, (reading(one.id) for one in likely), self._rules)
        excerpts: tuple[CopyEvidence, ...] = ()
        if copy is None or copy.kind != "copy":  # what was cut from a copy was cut from its twin
            others = [one.id for one in seen.cuts if copy is None or one.id != copy.other]
            readings = (reading(one) for one in others[: self._rules.excerpt_checks])
            excerpts = excerpts_in(own, readings, self._rules)
        return Found(copy, excerpts, self._held(connection, coming, copy, seen))

    def revised(self, connection: Connection, old: Stored, coming: Coming) -> Revised:
        """What article `old` is found by when the words of `coming` replace its own; not written yet.

        Its new words are new ones to hold; of those that it keeps it holds what it held. A copy that nothing
        finds stays one.
        """
        rules, mark = self._rules, coming.mark
        before = articles.sketch_of(connection, old.n)
        rows = self._band_rows(connection, mark.bands, before=_ANY_NUMBER)
        keys = self.keys(old.signature)  # none: it had no words, and begins like a new one
        if keys and not before and not articles.has_bands(connection, old.n, keys):
            return Revised(before, Held((), b""))
        sequence = shingle_sequence(old.text[: rules.text_chars])
        had = sampled_shingles.held(
            sampled_shingles.sketch(sequence, window=rules.window, limit=rules.sketch_hashes)
        )
        now = sampled_shingles.held(mark.sketch)
        mine = np.isin(now, sampled_shingles.held(before)) | ~np.isin(now, had)
        free = _free_bands(mark.bands, [row for row in rows if row[1] != old.n], rules)
        return Revised(before, Held(free, _kept(mark.sketch, mine)))

    # --- what is forgotten --------------------------------------------------------------------------------

    def keys(self, sign: bytes) -> tuple[int, ...]:
        """All LSH keys that an article with this signature may be under; none of a damaged one."""
        return keys_of(sign, count=self._rules.bands, rows=self._rules.rows)

    def inherited(self, connection: Connection, heir: Heir, sketch: bytes) -> Held:
        """What a copy is to be found by that stands for its twin, which had this sketch and is gone."""
        rules = self._rules
        keys = self.keys(heir.signature)
        others = [row for row in self._band_rows(connection, keys, before=_ANY_NUMBER) if row[1] != heir.n]
        sequence = shingle_sequence(heir.text[: rules.text_chars])
        whole = sampled_shingles.sketch(sequence, window=rules.window, limit=rules.sketch_hashes)
        had = np.union1d(
            sampled_shingles.held(sketch), sampled_shingles.held(articles.sketch_of(connection, heir.n))
        )
        return Held(
            _free_bands(keys, others, rules), _kept(whole, np.isin(sampled_shingles.held(whole), had))
        )

    def restored(self, connection: Connection, stored: Stored, copied: str | None, *, is_whole: bool) -> Held:
        """What a placed article was given to be found by, worked out again from the articles before it.

        `copied`: what it was found to be a copy of, or (not `is_whole`) an excerpt. The same bytes as then,
        where none of those before it changed since.
        """
        rules = self._rules
        if copied is not None and is_whole:
            before = articles.copies_before(connection, copied, stored.n)
            if before >= rules.indexed_copies:
                return Held((), b"")
        keys = self.keys(stored.signature)
        sequence = shingle_sequence(stored.text[: rules.text_chars])
        whole = sampled_shingles.sketch(sequence, window=rules.window, limit=rules.sketch_hashes)
        rows = articles.sketches(connection, after=stored.n - rules.passage_reach - 1)
        look = sampled_shingles.scan(rows, stored.n, whole, reach=rules.passage_reach, cap=rules.shingle_cap)
        free = ~look.full
        if copied is not None:
            forebears = articles.forebears(connection, copied, _FOREBEARS)
            free &= ~look.held_by(n for n in forebears if n >= stored.n - rules.passage_reach // 2)
        return Held(
            _free_bands(keys, self._band_rows(connection, keys, before=stored.n), rules), _kept(whole, free)
        )

    # --- what changed -------------------------------------------------------------------------------------

    def add(self, number: int, sketch: bytes) -> None:
        """Say that article `number` was written with this sketch, at once: the next one may be its copy."""
        self._change(number, b"", sketch)

    def replace(self, number: int, revised: Revised) -> None:
        """Say that a revision of article `number` was written."""
        self._change(number, revised.before, revised.held.sketch)

    def let_go(self, number: int, sketch: bytes) -> None:
        """Say that nothing finds article `number` by this sketch any more: it is gone, or out of reach."""
        self._change(number, sketch, b"")

    def written(self) -> None:
        """Say that the transaction is committed: nothing of it is undone any more."""
        self._done.clear()

    def settled(self, newest: int) -> None:
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

    def _candidates(self, connection: Connection, coming: Coming) -> "_Seen":
        number, mark, rules = coming.waiting.inbox_no, coming.mark, self._rules
        rows = self._band_rows(connection, mark.bands, before=number)
        votes = Counter(article for _, article in rows)
        voted = sorted(votes, key=lambda article: (-votes[article], article))[: rules.candidate_cap]
        look = self._look(connection, number, mark.sketch)
        whole = len(sampled_shingles.held(mark.sketch))
        sharing = look.sharing(rules.passage_shared)
        shares = {one.number: one.share_of(whole) for one in sharing}
        near = [one for one in sharing if shares[one.number] >= rules.passage_share]
        near = sorted(near, key=lambda one: (-shares[one.number], one.number))[: rules.candidate_cap]
        inside = [one for one in near if one.whole <= whole and shares[one.number] >= rules.excerpt_share]
        numbers = {*voted, *(one.number for one in near)}
        known = articles.signed(connection, numbers) if numbers else {}
        twins = [Proposal(one.id, one.signature, one.n, shares.get(one.n, 0.0)) for one in known.values()]
        cuts = [known[one.number] for one in inside if one.number in known]
        return _Seen(rows, look, twins, [one for one in cuts if one.copy_of is None])

    def _band_rows(
        self, connection: Connection, bands: Sequence[int], *, before: int
    ) -> list[tuple[int, int]]:
        limit = self._rules.band_cap * len(bands)
        return articles.band_rows(connection, bands, before=before, limit=limit)

    def _look(self, connection: Connection, number: int, sketch: bytes) -> Look:
        """The same answer from the index and from the rows; the index is for those who ask often."""
        reach, cap = self._rules.passage_reach, self._rules.shingle_cap
        if not len(sampled_shingles.held(sketch)):
            return sampled_shingles.NOTHING
        if self._index is None and self._asked >= self._scans:
            after = number - reach - _MARGIN
            rows = articles.sketches(connection, after=after)
            self._index = PassageIndex(reach=reach, cap=cap, rows=rows, after=after)
        self._asked += 1
        if self._index is not None and self._index.covers(number):
            return self._index.look(number, sketch)
        rows = articles.sketches(connection, after=number - reach - 1)
        return sampled_shingles.scan(rows, number, sketch, reach=reach, cap=cap)

    def _held(self, connection: Connection, coming: Coming, copy: CopyEvidence | None, seen: "_Seen") -> Held:
        """What the article is found by. A flood of copies of one text adds nothing beyond a few."""
        rules, mark, number = self._rules, coming.mark, coming.waiting.inbox_no
        free = ~seen.look.full
        if copy is not None:
            if copy.kind == "copy" and articles.has_copies(connection, copy.other, rules.indexed_copies):
                return Held((), b"")
            # Not those who will soon be out of reach: then the family would hold the shingle no more.
            forebears = articles.forebears(connection, copy.other, _FOREBEARS)
            free &= ~seen.look.held_by(n for n in forebears if n >= number - rules.passage_reach // 2)
        return Held(_free_bands(mark.bands, seen.rows, rules), _kept(mark.sketch, free))


class _Seen(NamedTuple):
    """What may be the same text as a coming article."""

    rows: list[tuple[int, int]]  # LSH key, number of an article under it
    look: Look
    twins: list[Proposal]
    cuts: list[Signed]  # those that may be cut from it


def _wording(coming: Coming, id_: str) -> Wording:
    return Wording(
        id=id_,
        text=coming.clean.text,
        title=coming.clean.title,
        outlet=coming.outlet,
        signature=coming.mark.signature,
        order=coming.waiting.inbox_no,
    )


def _kept(sketch: bytes, flags: sampled_shingles.Flags) -> bytes:
    """The sketch with these hashes; b"" for none: then there is nothing to store."""
    return sampled_shingles.kept(sketch, flags) if flags.any() else b""


def _free_bands(bands: Sequence[int], rows: list[tuple[int, int]], rules: CopyRules) -> tuple[int, ...]:
    """The keys under which there is room."""
    taken = Counter(band for band, _ in rows)
    return tuple(band for band in bands if taken[band] < rules.band_cap)
