"""Erasing: articles are deleted permanently with everything derived from them, and are refused later.

A batch of articles is one placing transaction: rows and texts are deleted, tombstones stay, and the stories
that lose a member are recomputed. Ids, hashes and numbers stay: see `store/maintenance/erase.py`.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import chain

from aggregator.model.core import FrozenStruct
from aggregator.model.errors import UsageError
from aggregator.pipeline.placement.changes import Remove
from aggregator.pipeline.placement.copy_lookup import CopyFinder
from aggregator.pipeline.placement.story_writer import StoryWriter
from aggregator.pipeline.placement.unit_of_work import UnitOfWork
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import tombstones
from aggregator.store.maintenance import erase
from aggregator.store.maintenance.erase import (
    DeletedPart,
    EraseSummary,
    EraseTarget,
)
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
    target = erase.resolve_target(connection, command.name, is_source=command.is_source)
    if not target.articles and not may_be_gone:
        raise UsageError(
            f"nothing is stored of {command.name}; "
            + (
                "`aggregator sources list` lists all sources"
                if command.is_source
                else "name an article by its address or id, or an outlet as `aggregator story ID` shows it"
            )
        )
    return target, erase.summarise_erasure(connection, target.articles)


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
        """Erase these articles. `former`: by article, every story that it is or was in.

        `kind`: "retention" if they are old enough; their entries then keep their outcome.
        """
        connection, wanted = unit_of_work.connection, frozenset(ids)
        tombstones.add_tombstones(connection, wanted, unit_of_work.now, kind)
        gone = erase.rows_of(connection, wanted)
        orphaned_copies = erase.orphaned_copies(connection, wanted)
        assigned_stories = {one.story for one in gone} | {one.story for one in orphaned_copies}
        stories_ = erase.with_redirects(
            connection, assigned_stories | set(chain(*(former[one] for one in ids)))
        )
        sketches = self.delete_articles(connection, gone, "all")
        if kind == "forgotten":
            erase.blank_entries(connection, wanted, unit_of_work.now)
        else:
            erase.slim_entries(connection, wanted)
        self._pass_on(connection, gone, orphaned_copies, sketches)
        for story in sorted(assigned_stories):
            self._story_writer.apply(unit_of_work, Remove(story=story, articles=wanted))
        for one in gone:
            if kind == "forgotten":
                unit_of_work.ledger.log(unit_of_work.now, one.story, "forgotten", article=one.id)
        if kind == "forgotten":
            story_links.erase(connection, stories_)
            erase.drop_answers(connection)
        kept = erase.titles_of(connection, stories_)
        erase.blank_merged_stories(connection, stories_)
        erase.erase_summaries(connection, stories_)
        erase.blank_history(connection, wanted, stories_, kept)
        erase.stop_deliveries(connection, stories_, unit_of_work.now)

    def delete_articles(
        self, connection: Connection, gone: Sequence[StoredArticle], what: DeletedPart
    ) -> dict[str, bytes]:
        """Delete the texts of these articles, or all of them; return their sampled shingles by id."""
        sketches = {one.id: articles.sketch_of(connection, one.inbox_no) for one in gone}
        keys = {one.inbox_no: self._copy_finder.keys(one.signature) for one in gone}
        erase.delete_articles(connection, gone, keys, what)
        for one in gone:
            self._copy_finder.remove(one.inbox_no, sketches[one.id])
        return sketches

    def _pass_on(
        self,
        connection: Connection,
        gone: Sequence[StoredArticle],
        orphaned_copies: Sequence[StoredArticle],
        sketches: Mapping[str, bytes],
    ) -> None:
        """Assign copies of an erased article to the next original: a near-duplicate, or the first copy."""
        links = {one.id: one.copy_of for one in gone}
        families: dict[str, list[StoredArticle]] = {}
        for orphaned_copy in orphaned_copies:
            root = orphaned_copy.copy_of or ""
            while (further := links.get(root)) is not None and further in links:
                root = further
            families.setdefault(root, []).append(orphaned_copy)
        for root, family in sorted(families.items()):
            self._one_family(connection, links.get(root), family, sketches.get(root, b""))

    def _one_family(
        self, connection: Connection, original: str | None, family: Sequence[StoredArticle], sketch: bytes
    ) -> None:
        """`family`: copies that lost their original, in order; `original`: what that was a copy of."""
        if original is None:
            first = next((one for one in family if one.role != "excerpt"), None)
            if first is None:  # excerpts of an article that does not exist
                for one in family:
                    erase.set_original(connection, one.id, None, "report")
                return
            inherited = self._copy_finder.inherited(connection, first, sketch)
            keys = self._copy_finder.keys(first.signature)
            erase.set_copy_keys(connection, first.inbox_no, keys, inherited.bands, inherited.sketch)
            self._copy_finder.replace(first.inbox_no, inherited)
            erase.set_original(connection, first.id, None, "report" if first.role == "copy" else first.role)
            original = first.id
        for one in family:
            if one.id != original:
                erase.set_original(connection, one.id, original, one.role)


def finish_index(database: Database, step: Callable[[], None]) -> bool:
    """Remove deleted words from the full-text index and the log; return as `Database.checkpoint_log`."""
    is_first = True
    more = True
    while more:
        step()
        more = database.transact(partial(erase.merge_index, is_first=is_first))
        is_first = False
    # In short attempts: while it waits for readers, nothing can be written.
    ends = time.monotonic() + database.tuning.lock_seconds
    while (
        not (is_folded := database.checkpoint_log(database.tuning.short_wait_seconds))
        and time.monotonic() < ends
    ):
        step()
    return is_folded
