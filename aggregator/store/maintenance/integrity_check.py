"""The integrity check (`db check`): the database's own check, foreign keys, values, and lost entries.

The check changes nothing, and each query has a transaction of its own, so a daemon can continue meanwhile. Only FTS5
checks its index in a writing transaction. Derived rows are not compared with the rows that they are derived from,
because `db check --repair` computes them again (repair.py).

Conservation of entries: each received entry is stored, known or refused as forgotten, and each stored entry is placed,
waiting, refused or deleted. `acceptance.count_received` counts entries when they are received, and this module compares
the counts with the rows.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, text

from aggregator.extract.entry_identity import text_hash
from aggregator.extract.learned_boilerplate import restore_lines
from aggregator.model.entry import Entry
from aggregator.model.errors import DamagedFileError, NotWritableError
from aggregator.model.evidence import Evidence
from aggregator.model.prepared import ArticleHtml
from aggregator.model.story import StoryText
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.intake.rejected import IS_QUARANTINED
from aggregator.store.stories.stored_articles import (
    ArticleDetails,
    fingerprint_checksum,
)
from aggregator.store.tables import (
    metadata,
    read_row,
    read_rows,
    read_value,
    write_sql,
)

REPAIR = "aggregator db check --repair"
RESTORE = "restore a backup: aggregator db restore FILE --replace"

DAMAGED = (
    f"stop the daemon, and {RESTORE}, which keeps the damaged file; without a backup, with the command-line "
    f"shell of sqlite.org: sqlite3 FILE .recover | sqlite3 NEW, then: {REPAIR} --database sqlite:///NEW"
)

# Exceptions raised for a value that does not have the type of its column.
_GARBLED = (ValueError, TypeError, LookupError)


class Fault(FrozenStruct, omit_defaults=False):
    """A finding with advice. `is_damage`: the file is damaged, and nothing may be written to it."""

    what: str
    rows: int
    advice: str
    is_damage: bool = False


class Balance(FrozenStruct, omit_defaults=False):
    """Numbers of all received entries, all read in one transaction.

    `seen` = `stored` + `known` + `refused_as_forgotten`, and
    `stored` = `placed` + `waiting` + `refused` + `deleted`. `refused_as`: the refused entries by verdict.
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


def faults(database: Database) -> Iterator[Fault]:
    """Yield all findings; nothing if the database is sound."""
    checks = [conservation_faults]
    if database.is_sqlite:
        # A server cannot store the faults that the other checks find
        checks = [_file_faults, conservation_faults, _value_faults]
    unread = set()
    for check in checks:
        try:
            yield from check(database)
        except DamagedFileError as error:
            unread.add(error.what)
        except _GARBLED as error:
            unread.add(str(error))
    for what in sorted(unread):
        yield Fault(
            what=f"not all rows can be read: {what}",
            rows=1,
            advice=DAMAGED,
            is_damage=True,
        )


_MOST_NAMED = 1000  # lines of SQLite's check that are read
# Rows read at a time
_ROWS_READ = 1000
# Messages about an index that does not match its table, which itself is undamaged
_OF_AN_INDEX = re.compile(
    r"(?:row \d+ missing from index|wrong # of entries in index) (\S+)"
)

# Newer versions of SQLite name the full-text index in their messages
_SEARCH = "article_search"


def _file_faults(database: Database) -> Iterator[Fault]:
    """Let SQLite check the file, the full-text index and the foreign keys."""
    lines: list[str] = []
    try:
        # SQLite refuses to commit after it has found damage
        with database.read() as connection:
            lines += connection.scalars(text(f"PRAGMA integrity_check({_MOST_NAMED})"))
    except DamagedFileError as error:
        lines = lines or [error.what]
    yield from faults_of_lines(lines)
    try:
        # FTS5 must check its index itself, because SQLite's check does not notice wrong words in it.
        with database.write() as connection:
            write_sql(
                connection,
                "INSERT INTO article_search(article_search) VALUES ('integrity-check')",
            )
    except DamagedFileError:
        yield Fault(what="the full-text index is damaged", rows=1, advice=REPAIR)
    except NotWritableError:
        pass  # the file is read-only; the rest of it can be checked
    with database.read() as connection:
        lost = read_rows(
            connection,
            'SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2 ORDER BY 1, 2',
        )
    for table, parent, rows in lost:
        what = f"rows of {table} refer to rows of {parent} that do not exist"
        yield Fault(what=what, rows=rows, advice=REPAIR)


def faults_of_lines(lines: Sequence[str]) -> Iterator[Fault]:
    """Yield the faults that SQLite's check reports. An index can be built again; everything else is damage."""
    indexes: Counter[str] = Counter()
    damage = []
    for line in lines:
        if index := _OF_AN_INDEX.search(line):
            indexes[f"the index {index[1]} does not match its table"] += 1
        elif _SEARCH in line:
            indexes["the full-text index is damaged"] += 1
        elif line != "ok":
            damage.append(line)
    for what, rows in sorted(indexes.items()):
        yield Fault(what=what, rows=rows, advice=REPAIR)
    if damage:
        what = f"the file is damaged: {damage[0]}"
        yield Fault(what=what, rows=len(damage), advice=DAMAGED, is_damage=True)


def _value_faults(database: Database) -> Iterator[Fault]:
    """Read all values, and check those that have a hash or an order.

    SQLite's own check reads pages and not their values. Raises DamagedFileError for text that is not UTF-8, because
    a damaged row may have text in a column of any type.
    """
    for table in metadata.sorted_tables:
        whole = text(f'SELECT * FROM "{table.name}"')  # noqa: S608
        is_sound = _CHECKED.get(table.name, bool)
        damaged = 0
        with database.read() as connection:
            for row in connection.execute(
                whole.execution_options(yield_per=_ROWS_READ)
            ):
                try:
                    damaged += not is_sound(row)
                except (*codecs.UNREADABLE, *_GARBLED):
                    damaged += 1
        if damaged:
            yield Fault(
                what=f"rows of {table.name} hold damaged values",
                rows=damaged,
                advice=REPAIR if table.name in _DERIVED else DAMAGED,
                is_damage=table.name not in _DERIVED,
            )


def _is_entry_sound(row: Any) -> bool:
    if row.payload:
        codecs.decompress_struct(row.payload, Entry)
    if row.page is not None:
        codecs.decompress_bytes(row.page)
    return True


def _is_article_sound(row: Any) -> bool:
    codecs.unpack(row.evidence, Evidence)
    details = codecs.unpack(row.details, ArticleDetails)
    if row.html is not None:
        codecs.decompress_struct(row.html, ArticleHtml)
    if row.text is None:
        return True
    whole = restore_lines(row.text, details.repeated)
    checksum = details.fingerprint_checksum
    # Retention deletes the terms of an article before its text.
    if (
        checksum
        and row.terms
        and checksum != fingerprint_checksum(row.signature, row.terms)
    ):
        return False
    return bool(text_hash(row.title, whole) == row.text_hash)


def _is_story_sound(row: Any) -> bool:
    if row.rendered is None:
        return True
    shown = codecs.decompress_struct(row.rendered, StoryText)
    # The story of a single article shows the text of the article.
    return not row.text or all(
        passage.text in row.text for passage in (*shown.lead, *shown.openings)
    )


def _ascends(numbers: Sequence[int]) -> bool:
    return all(earlier < later for earlier, later in pairwise(numbers))


# Returns whether the values of a row fit each other, by table
_CHECKED: Mapping[str, Callable[[Any], bool]] = {
    "entry": _is_entry_sound,
    "article": _is_article_sound,
    "story": _is_story_sound,
    "sketch": lambda row: _ascends(memoryview(row.hashes).cast("I")[1:]),
    "outlet_line": lambda row: _ascends(memoryview(row.lines).cast("q")),
}
# The values of these tables are derived, so a damaged value is not reported as damage of the file.
_DERIVED = ("story", "sketch", "outlet_line")


def balance(database: Database) -> Balance | None:
    """Return the numbers of entries; None if the file is too damaged to count them."""
    try:
        with database.read() as connection:
            return _balance(connection)
    except (DamagedFileError, *_GARBLED):
        return None


def _balance(connection: Connection) -> Balance:
    refused_as = read_rows(
        connection,
        """
        SELECT coalesce(verdict, '') AS verdict, count(*) FROM entry WHERE state = 'refused'
        GROUP BY verdict ORDER BY coalesce(verdict, '')
        """,
    )
    counts = read_row(
        connection,
        """
        SELECT coalesce((SELECT value FROM counter WHERE name = 'entry'), 0) AS seen,
          CAST(coalesce(sum(count) FILTER (WHERE outcome IN ('new', 'revision')), 0) AS BIGINT) AS stored,
          CAST(coalesce(sum(count) FILTER (WHERE outcome = 'known'), 0) AS BIGINT) AS known,
          CAST(coalesce(sum(count) FILTER (WHERE outcome = 'forgotten'), 0) AS BIGINT) AS refused_as_forgotten,
          CAST(coalesce(sum(deleted), 0) AS BIGINT) AS deleted,
          (SELECT count(*) FROM entry WHERE state = 'done') AS placed,
          (SELECT count(*) FROM entry WHERE state IN ('page', 'ready')) AS waiting,
          (SELECT count(*) FROM entry WHERE state = 'refused') AS refused,
          (SELECT count(*) FROM article) AS articles
        FROM intake_count
        """,
    )
    return Balance(**counts._mapping, refused_as=tuple(map(tuple, refused_as)))


def conservation_faults(database: Database) -> Iterator[Fault]:
    """Yield counts that do not match, placed entries without an article, and entries in quarantine."""
    with database.read() as connection:
        total = _balance(connection)
        without_article = read_value(
            connection,
            """
            SELECT count(*) FROM entry WHERE state = 'done'
            AND NOT EXISTS (SELECT 1 FROM article WHERE article.id = entry.article)
            AND NOT EXISTS (SELECT 1 FROM tombstone WHERE tombstone.article = entry.article)
            """,
        )
        quarantined = read_value(
            connection,
            f"SELECT count(*) FROM entry WHERE {IS_QUARANTINED}",  # noqa: S608
        )
    known = total.stored + total.known + total.refused_as_forgotten
    received = f"{total.seen:,} entries were received, but {known:,} are stored, known or refused"
    missing = (
        total.stored - total.placed - total.waiting - total.refused - total.deleted
    )
    for what, rows in (
        (received, abs(total.seen - known)),
        ("entries that were stored are missing", missing),
        ("entries exist that were not received", -missing),
        ("placed entries have no article", without_article),
    ):
        if rows > 0:
            advice = f"rows are lost, or were inserted by hand: {RESTORE}"
            yield Fault(what=what, rows=rows, advice=advice)
    if quarantined:  # after a repair or an upgrade they can be placed
        what = "entries are in quarantine because placing them failed; a repair queues them again"
        yield Fault(what=what, rows=quarantined, advice=REPAIR)
