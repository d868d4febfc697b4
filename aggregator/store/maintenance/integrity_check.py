"""The integrity check (`db check`): the database's own, foreign keys, values, and whether an entry is lost.

It only reads, each query in a transaction of its own, so a daemon can continue meanwhile. Rows that are
derived from others are not compared with them: `db check --repair` computes all of them again
(pipeline/placement/rebuild.py).

Conservation of entries: each received entry is stored, known or refused; stored ones are placed or wait.
`inbox.count_received` counts entries when they are received; here the counts are compared with rows.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, exists, func, or_, select, text

from aggregator.model.core import FrozenStruct
from aggregator.model.errors import DamagedFileError
from aggregator.store.engine.database import Database
from aggregator.store.intake.inbox import STORED
from aggregator.store.intake.rejected import IS_QUARANTINED
from aggregator.store.tables import article, counter, entry, intake_count, metadata, tombstone

REPAIR: Final = "aggregator db check --repair"
RESTORE: Final = "restore a backup: aggregator db restore FILE --replace"
_LOST_ROWS: Final = f"rows are lost, or were inserted by hand: {RESTORE}"
DAMAGED: Final = (
    f"stop the daemon, and {RESTORE}, which keeps the damaged file; without a backup, with the command-line "
    f"shell of SQLite: sqlite3 FILE .recover | sqlite3 NEW, then: {REPAIR} --database sqlite:///NEW"
)
# Exceptions raised for a value that does not have the type of its column.
_GARBLED: Final = (ValueError, TypeError, LookupError)


class Fault(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """One finding, and what to do. `is_damage`: the file is damaged, and nothing may be written into it."""

    what: str
    rows: int
    advice: str
    is_damage: bool = False


def faults(database: Database) -> Iterator[Fault]:
    """Yield all findings; nothing if the database is sound."""
    if database.is_sqlite:
        yield from _file_faults(database)
    unread = set()
    for check in (_foreign_key_faults, conservation_faults, _read_all_values):
        try:
            yield from check(database)
        except (DamagedFileError, *_GARBLED) as error:
            unread.add(error.what if isinstance(error, DamagedFileError) else str(error))
    for what in sorted(unread):
        yield Fault(what=f"not all rows can be read: {what}", rows=1, advice=DAMAGED, is_damage=True)


# --- SQLite's own check of its file; PostgreSQL has none to call -------------------------------------------

_MOST_NAMED: Final = 1000  # lines of SQLite's check
_ROWS_READ: Final = 1000  # at a time
# Messages about an index that does not match its table: the table itself is undamaged.
_OF_AN_INDEX: Final = re.compile(r"(?:row \d+ missing from index|wrong # of entries in index) (\S+)")
_SEARCH: Final = "article_search"  # in messages of newer versions of SQLite


def _file_faults(database: Database) -> Iterator[Fault]:
    lines: list[str] = []
    try:
        with database.read() as connection:  # SQLite refuses to commit after it has found damage
            lines += connection.execute(text(f"PRAGMA integrity_check({_MOST_NAMED})")).scalars()
    except DamagedFileError as error:
        lines = lines or [error.what]
    yield from faults_of_lines([line for line in lines if line != "ok"])


def faults_of_lines(lines: Sequence[str]) -> Iterator[Fault]:
    """Yield what the lines of SQLite's check mean."""
    indexes: Counter[str] = Counter()
    others = []
    for line in lines:
        if found := _OF_AN_INDEX.search(line):
            indexes[f"the index {found[1]} does not match its table"] += 1
        elif _SEARCH in line:
            indexes["the full-text index is damaged"] += 1
        else:
            others.append(line)
    for what, rows in sorted(indexes.items()):
        yield Fault(what=what, rows=rows, advice=REPAIR)
    if others:
        what = f"the file is damaged: {others[0]}"
        yield Fault(what=what, rows=len(others), advice=DAMAGED, is_damage=True)


def _foreign_key_faults(database: Database) -> Iterator[Fault]:
    """Yield rows whose foreign key refers to a missing row."""
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            lost = select(func.count()).where(
                key.parent.is_not(None), ~exists().where(key.column == key.parent)
            )
            with database.read() as connection:
                rows = connection.execute(lost).scalar_one()
            if rows:
                what = f"rows of {table.name} refer to rows of {key.column.table.name} that do not exist"
                yield Fault(what=what, rows=rows, advice=REPAIR)


def _read_all_values(database: Database) -> tuple[Fault, ...]:
    """Raise DamagedFileError for text that is not UTF-8: SQLite's own check does not decode it.

    A damaged row may have text in a column of any type.
    """
    for table in metadata.sorted_tables if database.is_sqlite else ():
        stored = select(text("*")).select_from(table).execution_options(yield_per=_ROWS_READ)
        with database.read() as connection:
            for _ in connection.execute(stored):
                pass
    return ()


# --- conservation of entries -------------------------------------------------------------------------------

_FOUNDING = ("founded", "joined", "copy")  # outcomes of entries that became an article each


class Balance(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Numbers of all received entries, from one state of the database.

    `seen` = `stored` + `known` + `refused_as_forgotten`, and
    `stored` = `placed` + `waiting` + `refused` + `deleted`. `refused_as`: by verdict.
    """

    seen: int
    stored: int
    known: int
    refused_as_forgotten: int
    placed: int
    waiting: int
    refused: int
    refused_as: tuple[tuple[str, int], ...]
    deleted: int  # stored, but deleted since
    articles: int


def balance(database: Database) -> Balance | None:
    """Count entries by what became of them; None if the file is too damaged."""
    try:
        with database.read() as connection:
            return _balance(connection)
    except (DamagedFileError, *_GARBLED):
        return None


def _balance(connection: Connection) -> Balance:
    seen = select(intake_count.c.outcome, func.sum(intake_count.c.count)).group_by(intake_count.c.outcome)
    by_outcome = Counter(_pairs(connection, seen))
    deleted = connection.execute(select(func.coalesce(func.sum(intake_count.c.deleted), 0))).scalar_one()
    by_state: Counter[str] = Counter(
        _pairs(connection, select(entry.c.state, func.count()).group_by(entry.c.state))
    )
    refused_as = connection.execute(
        select(entry.c.verdict, func.count()).where(entry.c.state == "refused").group_by(entry.c.verdict)
    )
    return Balance(
        seen=connection.execute(select(counter.c.value).where(counter.c.name == "entry")).scalar_one(),
        stored=sum(int(by_outcome[name]) for name in STORED),
        known=int(by_outcome["known"]),
        refused_as_forgotten=int(by_outcome["forgotten"]),
        placed=by_state["done"],
        waiting=by_state["page"] + by_state["ready"],
        refused=by_state["refused"],
        refused_as=tuple(sorted((row[0] or "", row[1]) for row in refused_as)),
        deleted=int(deleted),
        articles=connection.execute(select(func.count()).select_from(article)).scalar_one(),
    )


def conservation_faults(database: Database) -> Iterator[Fault]:
    """Yield counts that do not match, entries and articles without each other, and entries in quarantine."""
    with database.read() as connection:
        total = _balance(connection)
        accounted = total.stored + total.known + total.refused_as_forgotten
        if total.seen != accounted:
            what = f"{total.seen:,} entries were received, but {accounted:,} are stored, known or refused"
            yield Fault(what=what, rows=abs(total.seen - accounted), advice=_LOST_ROWS)
        yield from _by_source(connection)
        for what, lost, advice in _LOST:
            if rows := connection.execute(lost).scalar_one():
                yield Fault(what=what, rows=rows, advice=advice)


_IS_PLACED: Final = and_(entry.c.state == "done", entry.c.outcome.in_(_FOUNDING))
_LOST: Final = (
    (
        "placed entries have no article",
        select(func.count()).where(
            entry.c.state == "done",
            ~exists().where(tombstone.c.article == entry.c.article),
            or_(
                ~exists().where(article.c.id == entry.c.article),
                and_(entry.c.outcome.in_(_FOUNDING), ~exists().where(article.c.inbox_no == entry.c.inbox_no)),
            ),
        ),
        _LOST_ROWS,
    ),
    (
        "articles have an inbox number that no entry has",
        select(func.count()).where(
            article.c.id.is_not(None), ~exists().where(entry.c.inbox_no == article.c.inbox_no, _IS_PLACED)
        ),
        _LOST_ROWS,
    ),
    (  # after a repair or an upgrade they can be placed
        "entries are in quarantine because placing them failed; a repair queues them again",
        select(func.count()).where(IS_QUARANTINED),
        REPAIR,
    ),
)


def _pairs(connection: Connection, chosen: Select[Any]) -> dict[Any, Any]:
    """Return the second column of a query by the first one."""
    return {row[0]: row[1] for row in connection.execute(chosen)}


def _by_source(connection: Connection) -> Iterator[Fault]:
    missing: Counter[tuple[str, str]] = Counter()
    counts = select(
        intake_count.c.source, intake_count.c.outcome, intake_count.c.count - intake_count.c.deleted
    )
    for source, outcome, count in connection.execute(counts.where(intake_count.c.outcome.in_(STORED))):
        missing[source, outcome] += count
    of_entries = entry.c.source, entry.c.is_revision
    for source, is_revision, count in connection.execute(
        select(*of_entries, func.count()).group_by(*of_entries)
    ):
        missing[source, "revision" if is_revision else "new"] -= count
    if lost := (+missing).total():
        yield Fault(what="entries that were stored are missing", rows=lost, advice=_LOST_ROWS)
    if more := (-missing).total():
        yield Fault(what="entries exist that were not received", rows=more, advice=_LOST_ROWS)
