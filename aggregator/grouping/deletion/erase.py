"""Erasing: articles are deleted permanently with everything derived from them, and are refused later.

A batch of articles is one placing transaction: rows and texts are deleted, tombstones stay, and the stories
that lose a member are recomputed. Ids, hashes and numbers stay: see `store/maintenance/erase.py`.
"""

import datetime as dt
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

import msgspec

from aggregator.config.messages import counted
from aggregator.grouping.changes import Remove
from aggregator.grouping.parts import GroupingParts
from aggregator.grouping.transactions import Transactions
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.model.core import FrozenStruct
from aggregator.model.errors import UsageError
from aggregator.store import commands
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import known_items
from aggregator.store.intake.identity import tombstones
from aggregator.store.maintenance import (
    erase,
    erase_target,
    index_merge,
    orphaned_copies,
)
from aggregator.store.maintenance.erase import DeletedPart
from aggregator.store.maintenance.erase_target import EraseSummary, EraseTarget
from aggregator.store.stories import related_stories, standing
from aggregator.store.stories.articles import StoredArticle
from aggregator.store.tables import counter_value, set_counter

log = logging.getLogger(__name__)

BATCH = 20  # articles per transaction, because other writers wait
# counter: 1 while a command has more transactions to come
_UNFINISHED = "forget_unfinished"


class ForgetCommand(FrozenStruct):
    """The command: the address or id of an article, the name of an outlet, or `entry.source`."""

    name: str
    is_source: bool = False


class ForgetResult(FrozenStruct, omit_defaults=False):
    """What was erased, without text. `log_folded`: False if a reader held the SQLite log."""

    # Selected articles, also those that only waited, or were refused or erased before
    named: int
    summary: EraseSummary
    log_folded: bool = True


def to_forget(
    connection: Connection, command: ForgetCommand, *, may_be_gone: bool = False
) -> tuple[EraseTarget, EraseSummary]:
    """Return the articles of a command, and what would be deleted. Raises UsageError if there are none.

    `may_be_gone`: a command was interrupted, after which the name of an outlet may have no articles left.
    """
    target = erase_target.resolve_target(
        connection, command.name, is_source=command.is_source
    )
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
        connection, now = unit_of_work.connection, unit_of_work.now
        _refuse_from_now_on(connection, ids, now, kind)
        erased, copies = self._delete_rows(connection, ids)
        losing = {article.story for article in (*erased, *copies)}
        shown_in = losing.union(*(former.get(id_, ()) for id_ in ids))
        affected = erase.with_redirects(connection, shown_in)
        for story in sorted(losing):
            self._story_writer.apply(
                unit_of_work, Remove(story=story, articles=frozenset(ids))
            )
        standing.forget(connection, erased)
        if kind == "forgotten":
            for article in erased:
                unit_of_work.ledger.log(
                    now, article.story, "forgotten", article=article.id
                )
            related_stories.erase(connection, affected)
            erase.drop_answers(connection)
        erase.blank_stories(connection, affected, ids, now)

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
            orphaned_copies.set_version(connection, versions, original)
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
        orphaned_copies.set_version(connection, [first.id], None)
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


def erase_named(
    transactions: Transactions,
    command: ForgetCommand,
    request: int | None,
    step: Callable[[], None],
) -> ForgetResult:
    """Erase what a command names; see `Placer.erase`."""
    database = transactions.database
    with database.read() as connection:
        is_interrupted = counter_value(connection, _UNFINISHED) > 0
        target, summary = to_forget(connection, command, may_be_gone=is_interrupted)
        former = erase.stories_of(connection, target.articles)
    try:
        _erase_articles(transactions, target.articles, former, step)
    finally:
        transactions.forget()  # the indexes in memory have erased articles
    is_folded = finish_index(database, step)
    forgotten = ForgetResult(
        named=len(target.articles), summary=summary, log_folded=is_folded
    )
    log.info(
        "erased %d of %s, selected by %s",
        summary.articles,
        counted(forgotten.named, "article"),
        target.kind,
        extra={"event": "articles_erased"},
    )

    database.transact(
        partial(_finish, forgotten=forgotten, request=request, now=transactions.now())
    )
    if request is not None and is_folded:
        database.checkpoint_log(database.tuning.short_wait_seconds)
    return forgotten


def _erase_articles(
    transactions: Transactions,
    ids: Sequence[str],
    former: Mapping[str, Collection[str]],
    step: Callable[[], None],
) -> None:
    for start in range(0, len(ids), BATCH):
        step()
        part = ids[start : start + BATCH]
        transactions.database.again(partial(_erase_batch, transactions, part, former))


def _erase_batch(
    transactions: Transactions,
    ids: Sequence[str],
    former: Mapping[str, Collection[str]],
) -> None:
    with transactions.unit_of_work() as unit_of_work:
        set_counter(unit_of_work.connection, _UNFINISHED, 1)
        ForgetHandler(transactions.parts).carry_out(unit_of_work, ids, former)


def _finish(
    connection: Connection,
    forgotten: ForgetResult,
    request: int | None,
    now: dt.datetime,
) -> None:
    """Answer the command, and blank it: it names what is gone."""
    set_counter(connection, _UNFINISHED, 0)
    if request is not None:
        commands.answer(
            connection, request, now, "done", msgspec.json.encode(forgotten).decode()
        )
        erase.blank_command(connection, request)


def finish_index(database: Database, step: Callable[[], None]) -> bool:
    """Remove deleted words from the full-text index and the log; return as `Database.checkpoint_log`."""
    step()
    is_unfinished = database.transact(partial(index_merge.merge_index, is_first=True))
    while is_unfinished:
        step()
        is_unfinished = database.transact(
            partial(index_merge.merge_index, is_first=False)
        )
    # In short attempts: while it waits for readers, nothing can be written.
    ends = time.monotonic() + database.tuning.lock_seconds
    while not database.checkpoint_log(database.tuning.short_wait_seconds):
        if time.monotonic() >= ends:
            return False
        step()
    return True
