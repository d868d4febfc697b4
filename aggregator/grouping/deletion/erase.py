"""Erasing: articles are deleted permanently with everything derived from them, and are refused later.

A batch of articles is one placing transaction: rows and texts are deleted, tombstones stay, and the stories
that lose a member are recomputed. Ids, hashes and numbers stay: see `store/maintenance/erase.py`.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from aggregator.grouping.changes import Remove
from aggregator.grouping.copies.copy_lookup import CopyFinder
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.grouping.write.story_writer import StoryWriter
from aggregator.model.core import FrozenStruct
from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import tombstones
from aggregator.store.maintenance import erase, erase_target, index_merge, orphaned_copies
from aggregator.store.maintenance.erase import DeletedPart
from aggregator.store.maintenance.erase_target import EraseSummary, EraseTarget
from aggregator.store.stories import articles, story_links
from aggregator.store.stories.articles import StoredArticle

BATCH = 20  # articles per transaction, because other writers wait


class ForgetCommand(FrozenStruct, frozen=True, kw_only=True):
    """The command: the address or id of an article, the name of an outlet, or `entry.source`."""

    name: str
    is_source: bool = False


class ForgetResult(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What was erased, without text. `log_folded`: False if a reader held the SQLite log."""

    named: int  # selected articles, also those that only waited, or were refused or erased before
    summary: EraseSummary
    log_folded: bool = True


def to_forget(
    connection: Connection, command: ForgetCommand, *, may_be_gone: bool = False
) -> tuple[EraseTarget, EraseSummary]:
    """Return the articles of a command, and what would be deleted. Raises UsageError if there are none.

    `may_be_gone`: a command was interrupted, after which the name of an outlet may have no articles left.
    """
    target = erase_target.resolve_target(connection, command.name, is_source=command.is_source)
    if not target.articles and not may_be_gone:
        raise UsageError(
            f"nothing is stored of {command.name}; "
            + (
                "`aggregator sources list` lists all sources"
                if command.is_source
                else "name an article by its address or id, or an outlet as `aggregator story ID` shows it"
            )
        )
    return target, erase_target.summarise_erasure(connection, target.articles)


class ForgetHandler:
    """Erases articles, in placing transactions; `copy_finder` is updated at once."""

    def __init__(self, story_writer: StoryWriter, copy_finder: CopyFinder) -> None:
        self._story_writer = story_writer
        self._copy_finder = copy_finder

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
        connection, now = unit_of_work.connection, unit_of_work.now
        tombstones.add_tombstones(connection, ids, now, kind)
        erased = erase.articles_of(connection, ids)
        copies = orphaned_copies.orphaned_copies(connection, ids)
        losing = {article.story for article in (*erased, *copies)}
        affected = erase.with_redirects(connection, losing.union(*(former.get(id_, ()) for id_ in ids)))
        sketches = self.delete_articles(connection, erased, "all")
        if kind == "forgotten":
            erase.blank_entries(connection, ids, now)
        else:
            erase.slim_entries(connection, ids)
        self._pass_on(connection, erased, copies, sketches)
        for story in sorted(losing):
            self._story_writer.apply(unit_of_work, Remove(story=story, articles=frozenset(ids)))
        if kind == "forgotten":
            for article in erased:
                unit_of_work.ledger.log(now, article.story, "forgotten", article=article.id)
            story_links.erase(connection, affected)
            erase.drop_answers(connection)
        erase.blank_stories(connection, affected, ids, now)

    def delete_articles(
        self, connection: Connection, erased: Sequence[StoredArticle], what: DeletedPart
    ) -> dict[str, bytes]:
        """Delete the texts of these articles, or all of them; return their sampled shingles by id."""
        sketches = {article.id: articles.sketch_of(connection, article.inbox_no) for article in erased}
        keys = {article.inbox_no: self._copy_finder.keys(article.signature) for article in erased}
        erase.delete_articles(connection, erased, keys, what)
        for article in erased:
            self._copy_finder.remove(article.inbox_no, sketches[article.id])
        return sketches

    def _pass_on(
        self,
        connection: Connection,
        erased: Sequence[StoredArticle],
        copies: Sequence[StoredArticle],
        sketches: Mapping[str, bytes],
    ) -> None:
        """Assign copies of an erased article to the next original: a near-duplicate, or the first copy."""
        originals = {article.id: article.copy_of for article in erased}
        families: dict[str, list[StoredArticle]] = {}
        for copy in copies:
            root = copy.copy_of or ""
            while (further := originals.get(root)) in originals:
                root = further or ""
            families.setdefault(root, []).append(copy)
        for root, family in sorted(families.items()):
            original = originals.get(root) or self._promote(connection, family, sketches.get(root, b""))
            others = [copy.id for copy in family if copy.id != original]
            if original is None:  # excerpts of an article that does not exist
                orphaned_copies.set_original(connection, others, None, role="report")
            else:
                orphaned_copies.set_original(connection, others, original)

    def _promote(self, connection: Connection, family: Sequence[StoredArticle], sketch: bytes) -> str | None:
        """Make the first copy that is no excerpt an original, and return its id; None without one.

        `sketch`: the sampled shingles of the erased original.
        """
        first = next((copy for copy in family if copy.role != "excerpt"), None)
        if first is None:
            return None
        inherited = self._copy_finder.inherited(connection, first, sketch)
        keys = self._copy_finder.keys(first.signature)
        orphaned_copies.set_copy_keys(connection, first.inbox_no, keys, inherited.bands, inherited.sketch)
        self._copy_finder.replace(first.inbox_no, inherited)
        orphaned_copies.set_original(
            connection, [first.id], None, role="report" if first.role == "copy" else first.role
        )
        return first.id


def finish_index(database: Database, step: Callable[[], None]) -> bool:
    """Remove deleted words from the full-text index and the log; return as `Database.checkpoint_log`."""
    is_first = True
    more = True
    while more:
        step()
        more = database.transact(partial(index_merge.merge_index, is_first=is_first))
        is_first = False
    # In short attempts: while it waits for readers, nothing can be written.
    ends = time.monotonic() + database.tuning.lock_seconds
    while (
        not (is_folded := database.checkpoint_log(database.tuning.short_wait_seconds))
        and time.monotonic() < ends
    ):
        step()
    return is_folded
