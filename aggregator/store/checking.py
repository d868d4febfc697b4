"""Whether the rows of a database agree with each other: `aggregator db check`. Reads only.

What is asked must hold between any two transactions; the parts are in `checks/`. Each question, and each
piece of a long walk, is a transaction of its own, so a daemon may go on meanwhile and no reader holds
SQLite's log for long (but for the words of a whole index). Derived rows that may lag behind for a moment (the
full-text index, merged texts) are asked only as far as they say that they are. What is dear is asked of some
thousand rows, others each time, or of all (`thorough`).
"""

import datetime as dt
import secrets
from collections.abc import Iterator, Mapping

from sqlalchemy import func, select

from aggregator.dedup.copies import CopyRules
from aggregator.dedup.weights import shipped_model
from aggregator.rules import RuleBook, rule_book
from aggregator.store.checks import conservation, file, index, rows, stories, texts, values
from aggregator.store.checks.conservation import Balance
from aggregator.store.checks.fault import CheckRules, Extent, Fault, Step
from aggregator.store.checks.stories import Rules
from aggregator.store.database import Database
from aggregator.store.tables import article
from aggregator.stories.tuning import StoryRules

__all__ = ["Balance", "Fault", "balance", "faults", "walk_length"]

_TOLD_SHARE = (
    0.1  # of the stories that are looked at: to tell one anew takes as long as ten others (measured)
)
_WALKS = 12  # walks over rows, see `faults`; for who shows how far it is


def faults(
    database: Database,
    book: RuleBook | None = None,
    *,
    families: Mapping[str, str] | None = None,
    thorough: bool = False,
    now: dt.datetime | None = None,
    seed: int | None = None,
    step: Step = lambda _rows: None,
) -> Iterator[Fault]:
    """All that is wrong, and notes; nothing where all is well.

    `book` and `families`: by what stories are worked out (None: as shipped). `seed` chooses the rows that are
    looked at closely where they are too many. `step` hears of each some hundred rows.
    """
    book = book or rule_book()
    rules = book.section("checking", CheckRules)
    extent = _extent(database, rules.sample, thorough=thorough, seed=seed)
    of_stories = Rules(shipped_model(book), book.version, families, book.section("stories", StoryRules))
    copies = book.section("copies", CopyRules)
    yield from file.faults(database)
    yield from conservation.faults(database)
    yield from rows.faults(database)
    yield from values.faults(database, now or dt.datetime.now(dt.UTC))
    yield from values.unreadable(database, extent, step)
    yield from stories.faults(database, of_stories, extent, step)
    few = Extent(every=max(1, round(extent.every / _TOLD_SHARE)) if extent.every > 1 else 1, seed=extent.seed)
    yield from stories.told(database, of_stories.stories, few, step)
    yield from texts.faults(database, copies, rules.full_share, extent, step)
    if extent.every == 1:
        yield from texts.strays(database, copies, step)
    yield from index.faults(database, extent, step)


def balance(database: Database) -> Balance:
    """Where all is that ever came."""
    with database.read() as connection:
        return conservation.balance(connection)


def walk_length(database: Database, book: RuleBook, *, thorough: bool) -> int:
    """About how many rows `step` will hear of."""
    extent = _extent(database, book.section("checking", CheckRules).sample, thorough=thorough, seed=0)
    return _articles(database) * _WALKS // extent.every


def _articles(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(article)).scalar_one()


def _extent(database: Database, sample: int, *, thorough: bool, seed: int | None) -> Extent:
    every = 1 if thorough else max(1, _articles(database) // sample)
    return Extent(every=every, seed=secrets.randbelow(1 << 30) if seed is None else seed)
