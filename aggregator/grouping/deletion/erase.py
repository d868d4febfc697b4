"""Erasing: articles are deleted permanently with everything derived from them, and are refused later.

A batch of articles is one placing transaction: rows and texts are deleted, tombstones stay, and the stories
that lose a member are recomputed. Ids, hashes and numbers stay: see `store/maintenance/erase.py`.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence

from aggregator.grouping.changes import Remove
from aggregator.grouping.parts import GroupingParts
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.store.engine.database import Connection
from aggregator.store.intake import known_items
from aggregator.store.intake.identity import tombstones
from aggregator.store.maintenance import (
    erase,
    orphaned_copies,
)
from aggregator.store.maintenance.erase import DeletedPart
from aggregator.store.stories import related_stories, standing
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.articles import StoredArticle


class ForgetHandler:
    """Erases articles, in placing transactions; what is in memory is updated at once."""

    def __init__(self, parts: GroupingParts) -> None:
        self._story_writer = parts.story_writer
        self._copy_finder = parts.copy_finder

    def carry_out(
        self,
        unit_of_work: UnitOfWork,
        ids: Sequence[str],
        former: Mapping[str, Collection[str]],
        kind: tombstones.TombstoneKind = "forgotten",
    ) -> None:
        """Erase these articles. `former`: by article, further stories that it was in.

        `kind`: "retention" if they are old enough; their entries then keep their outcome.
        """
        connection = unit_of_work.connection
        _refuse_from_now_on(connection, ids, unit_of_work.now, kind)
        erased, copies = self._delete_rows(connection, ids)
        losing = {article.story for article in (*erased, *copies)}
        affected = erase.with_redirects(
            connection, losing.union(*(former.get(id_, ()) for id_ in ids))
        )
        for story in sorted(losing):
            self._story_writer.apply(
                unit_of_work, Remove(story=story, articles=frozenset(ids))
            )
        standing.forget(connection, erased)
        if kind == "forgotten":
            for article in erased:
                unit_of_work.log(article.story, "forgotten", article=article.id)
            related_stories.erase(connection, affected)
            erase.drop_answers(connection)
        erase.blank_stories(connection, affected, ids, unit_of_work.now)

    def _delete_rows(
        self, connection: Connection, ids: Sequence[str]
    ) -> tuple[Sequence[StoredArticle], Sequence[StoredArticle]]:
        """Delete these articles; return them and their copies, which have other originals now."""
        erased = erase.articles_of(connection, ids)
        copies = orphaned_copies.orphaned_copies(connection, ids)
        self.delete_articles(connection, erased, "all")
        self._pass_on(connection, erased, copies)
        return erased, copies

    def delete_articles(
        self, connection: Connection, erased: Sequence[StoredArticle], what: DeletedPart
    ) -> None:
        """Delete the texts of these articles, or all of them."""
        for article in erased:
            self._copy_finder.replace(connection, article.inbox_no, b"")
        erase.delete_articles(connection, erased, what)

    def _pass_on(
        self,
        connection: Connection,
        erased: Sequence[StoredArticle],
        copies: Sequence[StoredArticle],
    ) -> None:
        """Assign copies of an erased article to the next original: a near-duplicate, or the first copy."""
        originals = {article.id: article.copy_of for article in erased}
        for root, family in sorted(_families(copies, originals).items()):
            original = originals.get(root) or self._promote(connection, family)
            others = [copy.id for copy in family if copy.id != original]
            versions = [
                copy.id for copy in family if copy.version_of and copy.id != original
            ]
            article_writes.set_version(connection, versions, original)
            if original is None:  # excerpts of an article that does not exist
                orphaned_copies.set_original(connection, others, None, role="report")
            else:
                orphaned_copies.set_original(connection, others, original)

    def _promote(
        self, connection: Connection, family: Sequence[StoredArticle]
    ) -> str | None:
        """Make the first copy that is no excerpt an original, and return its id; None without one.

        A version only if there are no others: these would be copies of a text that tells something else.
        """
        whole = [copy for copy in family if copy.role != "excerpt"]
        if not whole:
            return None
        first = next((copy for copy in whole if copy.version_of is None), whole[0])
        self._copy_finder.promote(connection, first)
        role = "report" if first.role == "copy" else first.role
        orphaned_copies.set_original(connection, [first.id], None, role=role)
        article_writes.set_version(connection, [first.id], None)
        return first.id


def _refuse_from_now_on(
    connection: Connection,
    ids: Sequence[str],
    now: dt.datetime,
    kind: tombstones.TombstoneKind,
) -> None:
    """Leave tombstones of articles; of those that are forgotten, what waits is refused, too."""
    tombstones.add_tombstones(connection, ids, now, kind)
    if kind == "forgotten":
        # Read again, to count that they were refused
        known_items.forget_items_of(connection, ids)
        erase.blank_entries(connection, ids, now)
    else:
        erase.slim_entries(connection, ids)


def _families(
    copies: Iterable[StoredArticle], originals: Mapping[str, str | None]
) -> dict[str, list[StoredArticle]]:
    """Return copies by the first of the erased articles along `copy_of`; `originals`: what these copied."""
    families: dict[str, list[StoredArticle]] = {}
    for copy in copies:
        root = copy.copy_of or ""
        while (further := originals.get(root)) in originals:
            root = further or ""
        families.setdefault(root, []).append(copy)
    return families
