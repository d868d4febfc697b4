"""The integrity check of SQLite for its own file. Postgres has none to call."""

import re
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, column, select, table, text
from sqlalchemy.exc import DatabaseError

from aggregator.store.engine.database import Database
from aggregator.store.engine.db_errors import is_damage
from aggregator.store.maintenance.checks.finding import Fault
from aggregator.store.maintenance.salvage import salvage_rows
from aggregator.store.tables import metadata

_MOST_NAMED: Final = 1000  # lines of the database's own check
# Messages about an index that does not match its table: the table itself is undamaged.
_OF_AN_INDEX: Final = re.compile(
    r"(?:row \d+ missing from index|wrong # of entries in index|non-unique entry in index) (\S+)"
)
DAMAGED: Final = (
    "stop the daemon, keep a copy of the file, and restore a backup; without one type: aggregator export "
    "--salvage --output FILE, and import that into a new database"
)
_REBUILT: Final = (
    "no row is lost: stop the daemon, keep a copy of the file, type aggregator export --salvage "
    "--output FILE, and import that into a new database"
)
_OF_SEARCH: Final = "article_search"  # and the tables that SQLite makes for it
_MASTER: Final = table("sqlite_master", column("name"), column("type"), column("rootpage"))
_DERIVED: Final = frozenset({"sketch", "cross_language", "live_blog", "live_blog_link", "outlet_line"})


def of_pages(database: Database) -> Iterator[Fault]:
    """Yield damage of the file."""
    if database.is_sqlite:
        with database.read() as connection:
            yield from _of_pages(connection)


def of_references(database: Database) -> Iterator[Fault]:
    """Yield rows whose foreign key refers to a missing row."""
    if database.is_sqlite:
        with database.read() as connection:
            yield from _of_references(connection)


def _of_pages(connection: Connection) -> Iterator[Fault]:
    indexes: dict[str, int] = {}
    others: list[str] = []
    try:
        lines = connection.execute(text(f"PRAGMA integrity_check({_MOST_NAMED})")).all()
    except DatabaseError as error:  # it stops at some kinds of damage
        if not is_damage(error.orig):
            raise
        yield from _by_tables(connection)
        return
    for (line,) in lines:
        found = _OF_AN_INDEX.search(line)
        if found:
            indexes[found.group(1)] = indexes.get(found.group(1), 0) + 1
        elif line != "ok":
            others.append(line)
    for name, rows in sorted(indexes.items()):
        yield Fault(
            what=f"the index {name} does not match its table", rows=rows, remedy="index", keys=(name,)
        )
    if others:
        yield Fault(what=f"the file is damaged: {others[0]}", rows=len(others), advice=DAMAGED)


def _by_tables(connection: Connection) -> Iterator[Fault]:
    """Yield the damaged tables, and whether their rows are damaged or only an index."""
    of_pages = _MASTER.c.type == "table", _MASTER.c.rootpage > 0
    for name in connection.execute(
        select(_MASTER.c.name).where(*of_pages).order_by(_MASTER.c.name)
    ).scalars():
        if _is_sound(connection, name):
            continue
        rows = metadata.tables.get(name)
        if name.startswith(_OF_SEARCH):
            yield Fault(what="the full-text index has a damaged page", rows=1, advice=_REBUILT)
        elif rows is not None and None not in salvage_rows(connection, rows):
            yield Fault(what=f"an index of {name} has a damaged page", rows=1, advice=_REBUILT)
        else:
            yield Fault(what=f"{name} has a damaged page", rows=1, advice=DAMAGED)


def _is_sound(connection: Connection, name: str) -> bool:
    """Whether the integrity check of SQLite finds nothing in a table and its indexes."""
    try:
        return connection.execute(text(f"PRAGMA integrity_check('{name}')")).scalars().all() == ["ok"]
    except DatabaseError as error:
        if not is_damage(error.orig):
            raise
        return False


def _of_references(connection: Connection) -> Iterator[Fault]:
    referring = [row[0] for row in connection.execute(text("PRAGMA foreign_key_check"))]
    for name in sorted(set(referring) - _DERIVED):  # references.py checks those
        yield Fault(what=f"rows of {name} refer to rows that do not exist", rows=referring.count(name))
