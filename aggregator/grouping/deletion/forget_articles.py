"""The command `forget`: erases the articles that it names, in many transactions, and then cleans the files."""

import logging
import time
from collections.abc import Callable
from functools import partial

import msgspec

from aggregator.config.messages import pluralise
from aggregator.grouping.deletion.erase_articles import erase_articles
from aggregator.grouping.transactions import Transactions
from aggregator.model.errors import UsageError
from aggregator.model.structs import FrozenStruct
from aggregator.store import commands
from aggregator.store.engine.database import Connection, Database
from aggregator.store.maintenance import erase_target, erased_rows
from aggregator.store.maintenance.erase_target import EraseSummary, EraseTarget
from aggregator.store.search import index
from aggregator.store.tables import counter_value, set_counter

log = logging.getLogger(__name__)


BATCH = 20  # articles in one transaction, because other writers wait meanwhile


# A counter that is 1 while a command is not finished
_UNFINISHED = "forget_unfinished"


class ForgetCommand(FrozenStruct):
    """The command: the address or id of an article, the name of an outlet, or `entry.source`."""

    name: str
    is_source: bool = False


class ForgetResult(FrozenStruct, omit_defaults=False):
    """What a command erased; `log_folded` is False if a reader kept the SQLite log from being truncated."""

    # The number of selected articles, including articles that only waited, or were refused or erased before
    named: int
    summary: EraseSummary
    log_folded: bool = True


def to_forget(
    connection: Connection, command: ForgetCommand, *, may_be_gone: bool = False
) -> tuple[EraseTarget, EraseSummary]:
    """Return the articles that a command names, and what would be deleted. Raises UsageError if there are none.

    `may_be_gone`: after an interrupted command, the name of an outlet may have no articles left.
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


def erase_named(
    transactions: Transactions,
    command: ForgetCommand,
    request: int | None = None,
    step: Callable[[], None] = lambda: None,
) -> ForgetResult:
    """Erase the articles that a command names; answer the command and blank its row `request`.

    Many articles need many transactions; `step` is called before each of them and may raise an error to stop. Then
    erased articles stay erased, and the same command continues later. Raises UsageError if the name is unknown.
    """
    database = transactions.database
    with database.read() as connection:
        target, summary = to_forget(
            connection,
            command,
            may_be_gone=counter_value(connection, _UNFINISHED) > 0,
        )
    ids = target.articles

    def erase_batch(start: int) -> None:
        with transactions.unit_of_work() as unit_of_work:
            set_counter(unit_of_work.connection, _UNFINISHED, 1)
            erase_articles(
                transactions.services, unit_of_work, ids[start : start + BATCH]
            )

    try:
        for start in range(0, len(ids), BATCH):
            step()
            database.again(partial(erase_batch, start))
    finally:
        transactions.forget()  # the indexes in memory have erased articles
    is_folded = finish_index(database, step)
    forgotten = ForgetResult(named=len(ids), summary=summary, log_folded=is_folded)
    log.info(
        "erased %d of %s, selected by %s",
        summary.articles,
        pluralise(forgotten.named, "article"),
        target.kind,
        extra={"event": "articles_erased"},
    )

    def finish(connection: Connection) -> None:
        """Answer the command, and blank it because it names the erased articles."""
        set_counter(connection, _UNFINISHED, 0)
        if request is not None:
            commands.answer(
                connection,
                request,
                transactions.now(),
                "done",
                msgspec.json.encode(forgotten).decode(),
            )
            erased_rows.blank_command(connection, request)

    database.transact(finish)
    if request is not None and is_folded:
        database.checkpoint_log(database.tuning.short_wait_seconds)
    return forgotten


def finish_index(database: Database, step: Callable[[], None]) -> bool:
    """Remove deleted words from the full-text index and the log. Return False if a reader kept the log."""
    step()
    is_first = True
    while database.transact(partial(index.merge_index, is_first=is_first)):
        is_first = False
        step()
    # Short attempts, because nothing can be written while it waits for readers.
    ends = time.monotonic() + database.tuning.lock_seconds
    while not database.checkpoint_log(database.tuning.short_wait_seconds):
        if time.monotonic() >= ends:
            return False
        step()
    return True
