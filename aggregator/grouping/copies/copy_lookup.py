"""Find the stored article with the same text as an incoming article, and excerpts of it.

Candidates have the same address or come from an index in memory, which has the sketches of the newest articles
(grouping/copies/sampled_shingles.py). The exact comparison of texts decides (grouping/copies/copy_check.py).

An article is found by its sampled shingles, except shingles that too many articles have. The shingles are stored in
rows, so the result depends only on the rows of earlier articles.
"""

import msgspec

from aggregator.config.memory import give_back_memory
from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_check import CopyTuning
from aggregator.grouping.copies.copy_match import CopyMatch
from aggregator.grouping.copies.sampled_shingles import (
    MOST_REACH,
    PassageIndex,
    SketchLookup,
    SketchOverlap,
    filter_sketch,
    sketch,
)
from aggregator.grouping.copies.shingles import shingle_sequence
from aggregator.store.engine.database import Connection
from aggregator.store.maintenance.row_stream import Advance
from aggregator.store.stories.article_rows import compared_articles
from aggregator.store.stories.stored_articles import StoredArticle


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
    ) -> CopyMatch:
        """Return the matches of `incoming` (its original, excerpts of it), with its own sketch.

        `page` is the address where the article was read. Only articles with lower numbers are searched. At most
        `exact_checks` possible originals and as many possible excerpts are read.
        """
        compared = msgspec.structs.replace(
            compared_articles.compared_text(incoming), url=page
        )
        look_up = self._look_up(connection, incoming)
        match = CopyMatch(connection, compared, self._overlaps(look_up), self._tuning)
        match.sketch = self._kept(
            connection,
            incoming.sketch,
            look_up,
            number=compared.order,
            copied=match.copy.other if match.copy else None,
            is_copy=match.original is not None,
            is_version=match.version_of is not None,
        )
        return match

    def _overlaps(self, look_up: SketchLookup) -> list[SketchOverlap]:
        return look_up.overlaps(self._tuning.passage_shared, self._tuning.key_cap)

    def sharing(self, connection: Connection, incoming: StoredArticle) -> list[int]:
        """Return the numbers of earlier articles that share shingles with this article, the largest share first."""
        overlaps = self._overlaps(self._look_up(connection, incoming))
        return [overlap.number for overlap in overlaps]

    def revised(
        self,
        connection: Connection,
        old: StoredArticle,
        incoming: StoredArticle,
        copied: str | None,
        *,
        is_copy: bool,
    ) -> bytes:
        """Return the sketch of article `old` with the text of `incoming`; nothing is written.

        `copied` is the article that the new text copies, or excerpts if `is_copy` is false.
        """
        return self._kept(
            connection,
            incoming.sketch,
            self._look_up(connection, incoming),
            number=old.inbox_no,
            copied=copied,
            is_copy=is_copy,
        )

    def promote(self, connection: Connection, orphaned_copy: StoredArticle) -> None:
        """Store all sampled shingles of a copy whose original was erased, so that it is found like an original."""
        whole = sketch(shingle_sequence(orphaned_copy.whole_text), self._tuning)
        self.replace(connection, orphaned_copy.inbox_no, whole)

    def replace(self, connection: Connection, number: int, new: bytes) -> None:
        """Replace the sketch of article `number` in its row and in memory; with b"", it is not found any more."""
        before = compared_articles.sketch_of(connection, number)
        if new == before:  # most revisions change only a title
            return
        if self._index is not None:
            self._index.remove(number, before)
            self._index.add(number, new)
        compared_articles.replace_sketch(connection, number, new)

    def recompute(
        self, connection: Connection, advance: Advance = lambda _rows: None
    ) -> None:
        """Write the sketches of all articles again, each depending on the articles before it.

        A sketch is the same as when its article was placed, if the earlier articles have not changed.
        """
        compared_articles.delete_sketches(connection)
        for batch in compared_articles.placed_texts(connection):
            index = self.cover(connection, batch[0].inbox_no, batch[-1].inbox_no)
            kept = {}
            for stored in batch:
                whole = sketch(shingle_sequence(stored.text), self._tuning)
                kept[stored.inbox_no] = self._kept(
                    connection,
                    whole,
                    index.look_up(stored.inbox_no, whole),
                    number=stored.inbox_no,
                    copied=stored.copied,
                    is_copy=stored.role != "excerpt",
                    is_version=stored.version_of is not None,
                )
                index.add(stored.inbox_no, kept[stored.inbox_no])
            compared_articles.insert_sketches(connection, kept)
            advance(len(batch))

    def add(self, number: int, stored: bytes) -> None:
        """Add article `number` with this sketch, so that later articles can be found as its copies."""
        if self._index is not None:
            self._index.add(number, stored)

    def cover(self, connection: Connection, first: int, last: int) -> PassageIndex:
        """Return the index, which is built first if it does not cover these numbers."""
        reach = min(self._tuning.passage_reach, MOST_REACH)
        if self._index is None or not (
            self._index.covers(first) and self._index.covers(last)
        ):
            self._index = None  # two indexes would take twice the memory
            after = first - reach - 1
            self._index = PassageIndex(
                reach=reach,
                after=after,
                rows=compared_articles.sketches_after(connection, after),
            )
            give_back_memory()
        return self._index

    def _look_up(self, connection: Connection, incoming: StoredArticle) -> SketchLookup:
        number = incoming.inbox_no
        return self.cover(connection, number, number).look_up(number, incoming.sketch)

    def _kept(
        self,
        connection: Connection,
        whole: bytes,
        look_up: SketchLookup,
        *,
        number: int,
        copied: str | None,
        is_copy: bool,
        is_version: bool = False,
    ) -> bytes:
        """Return the part of the whole sketch that is stored for article `number`.

        `copied` is the article that it copies or excerpts. The first copies and excerpts can be found like their
        original, because their changes and cuts are copied in turn. Later copies add nothing to the index: otherwise
        a flood of copies would hide an article, because a shingle that `key_cap` articles have is not searched any
        more. More versions than copies can be found, because an article that prints a version is a copy of the version.
        """
        tuning = self._tuning
        cap = tuning.key_cap
        if copied is not None:
            most = tuning.key_cap if is_version else tuning.exact_checks
            if is_copy and compared_articles.has_copies(
                connection, copied, most, before=number
            ):
                return b""
            cap = tuning.exact_checks + 1
        return filter_sketch(whole, look_up.holders(other_than=number) < cap)
