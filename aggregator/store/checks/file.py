"""What SQLite says of its own file. Postgres sees to its files by itself."""

import re
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, text

from aggregator.store.checks.fault import Fault
from aggregator.store.database import Database

_MOST_NAMED: Final = 1000  # lines of the database's own check
# What only says that an index is not what its table is: the table itself is whole.
_OF_AN_INDEX: Final = re.compile(
    r"(?:row \d+ missing from index|wrong # of entries in index|non-unique entry in index) (\S+)"
)
_DAMAGED: Final = (
    "stop the daemon, keep a copy of the file, and restore a backup; `aggregator export` writes what is "
    "readable, `sqlite3 FILE .recover` may find more"
)
_DERIVED: Final = frozenset({"sketch", "across", "live_blog", "entry_link", "outlet_line"})


def faults(database: Database) -> Iterator[Fault]:
    """Damage of the file, and rows that refer to others that are not there."""
    if not database.is_sqlite:
        return
    with database.read() as connection:
        yield from _of_pages(connection)
        yield from _of_references(connection)


def _of_pages(connection: Connection) -> Iterator[Fault]:
    indexes: dict[str, int] = {}
    others: list[str] = []
    for (line,) in connection.execute(text(f"PRAGMA integrity_check({_MOST_NAMED})")):
        found = _OF_AN_INDEX.search(line)
        if found:
            indexes[found.group(1)] = indexes.get(found.group(1), 0) + 1
        elif line != "ok":
            others.append(line)
    for name, rows in sorted(indexes.items()):
        yield Fault(
            what=f"the index {name} is not what its table is", rows=rows, remedy="index", keys=(name,)
        )
    if others:
        yield Fault(what=f"the file is damaged: {others[0]}", rows=len(others), advice=_DAMAGED)


def _of_references(connection: Connection) -> Iterator[Fault]:
    referring = [row[0] for row in connection.execute(text("PRAGMA foreign_key_check"))]
    for name in sorted(set(referring) - _DERIVED):  # of those another question says so
        yield Fault(what=f"rows of {name} refer to what is not there", rows=referring.count(name))
