"""The integrity check: whether rows are consistent and none is lost (`aggregator db check`). It only reads.

It checks invariants that hold between any two transactions; the parts are in `checks/`. Each query, and each
chunk of a large table, is a transaction of its own, so a daemon can continue meanwhile and no reader holds
SQLite's log for long (except for the words of a whole index). Derived rows that may be late (the full-text
index, merged texts) are checked up to their stored progress. Expensive checks read a random sample of some
thousand rows, or all rows (`thorough`).
"""

import datetime as dt
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DatabaseError

from aggregator.cluster.copies.copy_check import CopyTuning
from aggregator.cluster.events.weights import shipped_model
from aggregator.config.tuning import Tuning, effective_tuning
from aggregator.model.errors import DamagedFileError
from aggregator.store.engine.database import Database
from aggregator.store.engine.db_errors import is_damage
from aggregator.store.maintenance.checks import conservation, references, story_rows, texts
from aggregator.store.maintenance.checks.conservation import Balance
from aggregator.store.maintenance.checks.finding import (
    CheckScope,
    CheckStep,
    Fault,
    merge_faults,
)
from aggregator.store.maintenance.checks.story_rows import StoryCheckTuning
from aggregator.store.maintenance.salvage import GARBLED, salvage_rows
from aggregator.store.tables import article, metadata
from aggregator.stories.tuning import StoryTuning

__all__ = ["Balance", "Fault", "balance", "faults", "step_count"]

_FIRST = "repair the file first"
_SAMPLE = 10_000  # articles; of a larger database every nth run of 500 rows, others each time (chosen)
_RENDER_SHARE = 0.1  # of the sampled stories: rendering one takes as long as ten other checks (measured)
_STEPPED_CHECKS = 12  # passes over rows in `faults`, for a progress bar


def faults(
    database: Database,
    all_tuning: Tuning | None = None,
    *,
    families: Mapping[str, str] | None = None,
    thorough: bool = False,
    now: dt.datetime | None = None,
    step: CheckStep = lambda _rows: None,
) -> Iterator[Fault]:
    """Yield all findings, and notes; nothing if the database is consistent.

    `all_tuning` and `families`: from which rows of stories are computed (None: the defaults). `step` is
    called with the number of rows after each chunk.
    """
    all_tuning = all_tuning or effective_tuning()
    extent = _extent(database, thorough=thorough)
    database = database.lossy_text()
    of_stories = StoryCheckTuning(
        shipped_model(all_tuning), all_tuning.version, families, all_tuning.section("stories", StoryTuning)
    )
    copies = all_tuning.section("copies", CopyTuning)
    file_faults = list(_file_faults(database))
    is_torn = not all(one.can_repair for one in file_faults)
    yield from (_without_remedy(one) if is_torn else one for one in file_faults)
    few = CheckScope(
        every=max(1, round(extent.every / _RENDER_SHARE)) if extent.every > 1 else 1, seed=extent.seed
    )
    parts = {
        "the counts of entries": conservation.faults(database),
        "foreign keys": _foreign_key_faults(database),
        "references": references.faults(database),
        "words and times": references.value_faults(database, now or dt.datetime.now(dt.UTC)),
        "encoded values": references.unreadable(database, extent, step),
        "stories": story_rows.faults(database, of_stories, extent, step),
        "merged texts": story_rows.merged_text_faults(database, of_stories.stories, few, step),
        "articles": texts.faults(database, copies, extent, step),
        "bands": texts.strays(database, copies, step) if extent.every == 1 else iter(()),
        "the full-text index": texts.index_faults(database, extent, step),
    }
    for name, found in parts.items():
        yield from merge_faults(_until_damage(name, found, is_torn=is_torn))


def _until_damage(name: str, found: Iterator[Fault], *, is_torn: bool) -> Iterator[Fault]:
    """Yield the findings of one check; damage ends this check only. In a torn file nothing is repaired."""
    try:
        for one in found:
            yield _without_remedy(one) if is_torn else one
    except DamagedFileError:
        what = f"{name}: not all rows could be checked, the file is damaged"
        yield Fault(what=what, rows=1, advice=_DAMAGED, is_note=is_torn)
    except GARBLED as error:
        what = f"{name}: not all rows could be checked, a value has another type ({error})"
        yield Fault(what=what, rows=1, is_note=is_torn)


def _without_remedy(fault: Fault) -> Fault:
    return msgspec.structs.replace(fault, remedy=None, advice=_FIRST) if fault.can_repair else fault


def balance(database: Database) -> Balance | None:
    """Count entries by what became of them; None if the file is too damaged."""
    try:
        with database.lossy_text().read() as connection:
            return conservation.balance(connection)
    except (DamagedFileError, *GARBLED):
        return None


def step_count(database: Database, *, thorough: bool) -> int:
    """Return about how many rows `step` will be called with in total."""
    return _articles(database) * _STEPPED_CHECKS // _extent(database, thorough=thorough).every


def _articles(database: Database) -> int:
    try:
        with database.lossy_text().read() as connection:
            return connection.execute(select(func.count()).select_from(article)).scalar_one()
    except DamagedFileError:
        return 0


def _extent(database: Database, *, thorough: bool) -> CheckScope:
    every = 1 if thorough else max(1, _articles(database) // _SAMPLE)
    return CheckScope(every=every, seed=secrets.randbelow(1 << 30))


# --- SQLite's own check of its file; PostgreSQL has none to call -------------------------------------------

_MOST_NAMED: Final = 1000  # lines of the database's own check
# Messages about an index that does not match its table: the table itself is undamaged.
_OF_AN_INDEX: Final = re.compile(
    r"(?:row \d+ missing from index|wrong # of entries in index|non-unique entry in index) (\S+)"
)
_DAMAGED: Final = (
    "stop the daemon, keep a copy of the file, and restore a backup; without one type: aggregator export "
    "--salvage --output FILE, and import that into a new database"
)
_REBUILT: Final = (
    "no row is lost: stop the daemon, keep a copy of the file, type aggregator export --salvage "
    "--output FILE, and import that into a new database"
)
_DERIVED: Final = frozenset({"sketch", "outlet_line"})


def _file_faults(database: Database) -> Iterator[Fault]:
    """Yield damage of the file."""
    if not database.is_sqlite:
        return
    with database.read() as connection:
        lines = _own_check(connection, str(_MOST_NAMED))
        if lines is None:
            yield from _by_tables(connection)
            return
    indexes = Counter(found[1] for line in lines if (found := _OF_AN_INDEX.search(line)))
    others = [line for line in lines if line != "ok" and not _OF_AN_INDEX.search(line)]
    for name, rows in sorted(indexes.items()):
        what = f"the index {name} does not match its table"
        yield Fault(what=what, rows=rows, remedy="index", keys=(name,))
    if others:
        yield Fault(what=f"the file is damaged: {others[0]}", rows=len(others), advice=_DAMAGED)


def _own_check(connection: Connection, argument: str) -> Sequence[str] | None:
    """Return the lines of SQLite's integrity check; None if damage ends it."""
    try:
        return connection.execute(text(f"PRAGMA integrity_check({argument})")).scalars().all()
    except DatabaseError as error:
        if not is_damage(error.orig):
            raise
        return None


def _by_tables(connection: Connection) -> Iterator[Fault]:
    """Yield the damaged tables, and whether their rows are damaged or only an index."""
    stored = text("SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0 ORDER BY name")
    for name in connection.execute(stored).scalars():
        if _own_check(connection, f"'{name}'") == ["ok"]:
            continue
        rows = metadata.tables.get(name)
        what, advice = name, _DAMAGED
        if name.startswith("article_search"):  # and the tables that SQLite makes for it
            what, advice = "the full-text index", _REBUILT
        elif rows is not None and None not in salvage_rows(connection, rows):
            what, advice = f"an index of {name}", _REBUILT
        yield Fault(what=f"{what} has a damaged page", rows=1, advice=advice)


def _foreign_key_faults(database: Database) -> Iterator[Fault]:
    """Yield rows whose foreign key refers to a missing row."""
    if not database.is_sqlite:
        return
    with database.read() as connection:
        for row in connection.execute(text("PRAGMA foreign_key_check")):
            if row[0] not in _DERIVED:  # references.py checks those
                yield Fault(what=f"rows of {row[0]} refer to rows that do not exist", rows=1)
