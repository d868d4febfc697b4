"""The integrity check (`db check`): the database's own, foreign keys, values, and whether an entry is lost.

It only reads, each query in a transaction of its own, so a daemon can continue meanwhile. Rows that are
derived from others are not compared with them: `db check --repair` computes all of them again
(pipeline/placement/rebuild.py).

Conservation of entries: each received entry is stored, known or refused; stored ones are placed or wait.
`inbox.count_received` counts entries when they are received; here the counts are compared with rows.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)

from aggregator.model.core import FrozenStruct
from aggregator.model.errors import DamagedFileError
from aggregator.store.engine.database import Database
from aggregator.store.intake.inbox import STORED, take_numbers
from aggregator.store.intake.rejected import IS_QUARANTINED, requeue
from aggregator.store.search import index
from aggregator.store.stories import articles, stories
from aggregator.store.tables import (
    article,
    count_rows,
    counter,
    entry,
    identity_key,
    intake_count,
    lsh_band,
    metadata,
    observation,
    sketch,
    story,
    tombstone,
)

if TYPE_CHECKING:  # who only checks loads no numpy
    pass

REPAIR: Final = "aggregator db check --repair"
RESTORE: Final = "restore a backup: aggregator db restore FILE --replace"
_LOST_ROWS: Final = f"rows are lost, or were inserted by hand: {RESTORE}"
DAMAGED: Final = (
    f"stop the daemon, and {RESTORE}, which keeps the damaged file; without a backup, with the command-line "
    f"shell of sqlite.org: sqlite3 FILE .recover | sqlite3 NEW, then: {REPAIR} --database sqlite:///NEW"
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
        articles=count_rows(connection, article),
    )


def conservation_faults(database: Database) -> Iterator[Fault]:
    """Yield counts that do not match, entries and articles without each other, and entries in quarantine."""
    with database.read() as connection:
        total = _balance(connection)
        accounted = total.stored + total.known + total.refused_as_forgotten
        if total.seen != accounted:
            what = f"{total.seen:,} entries were received, but {accounted:,} are stored, known or refused"
            yield Fault(what=what, rows=abs(total.seen - accounted), advice=_LOST_ROWS)
        rest = total.placed + total.waiting + total.refused + total.deleted
        if total.stored > rest:
            what = "entries that were stored are missing"
            yield Fault(what=what, rows=total.stored - rest, advice=_LOST_ROWS)
        elif total.stored < rest:
            what = "entries exist that were not received"
            yield Fault(what=what, rows=rest - total.stored, advice=_LOST_ROWS)
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


# --- the repair, which computes derived rows again (pipeline/placement/rebuild.py) --------------------------

_STORIES_AT_ONCE: Final = 100  # stories per transaction
# Queries of the highest number in use, by the name of its counter.
_HIGHEST_NUMBERS: Final[Mapping[str, str]] = {
    "entry": "SELECT MAX(entry_no) FROM entry",
    "inbox": """SELECT MAX(used.number) FROM (SELECT MAX(inbox_no) AS number FROM entry
                UNION ALL SELECT MAX(inbox_no) FROM article) AS used""",
    "story": "SELECT MAX(story_no) FROM story",
    "change": "SELECT MAX(change_no) FROM change",
}
Advance = Callable[[int], object]  # called with the number of further rows


def clear_derived(connection: Connection) -> None:
    """Delete the derived rows that are written again, mend what one statement can, and end the quarantine."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("REINDEX"))
    _raise_counters(connection)
    _insert_lost_stories(connection)
    _delete_orphans(connection)
    quarantined = select(entry.c.entry_no).where(IS_QUARANTINED)
    requeue(connection, connection.execute(quarantined).scalars().all())
    _clear_search(connection)
    _clear_rendered(connection)
    connection.execute(delete(lsh_band))
    connection.execute(delete(sketch))


def _raise_counters(connection: Connection) -> None:
    """Raise counters to the highest number in use, so that none is given twice."""
    for name, query in _HIGHEST_NUMBERS.items():
        highest = literal_column(f"({query})", BigInteger)
        behind = counter.c.name == name, counter.c.value < highest
        connection.execute(update(counter).where(*behind).values(value=highest))


def _insert_lost_stories(connection: Connection) -> None:
    """Insert a story for the articles of each story that is lost; `write_stories` computes its columns."""
    lost = ~exists().where(story.c.id == article.c.story)
    columns = ("id", "story", "inbox_no", "title", "lead", "language", "effective_at")
    of_lost = select(*(article.c[name] for name in columns)).where(lost).order_by(article.c.inbox_no)
    founders = {one.story: one for one in reversed(connection.execute(of_lost).all())}
    for id_, one in founders.items():
        values = {
            "id": id_,
            "story_no": take_numbers(connection, "story", 1) + 1,
            "founding_article": one.id,
            "founding_no": 0,
            "last_inbox_no": one.inbox_no,
            "title": one.title,
            "summary": one.lead,
            "language": one.language,
            **dict.fromkeys(("first_published", "last_published", "bumped_at"), one.effective_at),
            **dict.fromkeys(("article_count", "outlet_count", "report_count"), 1),
        }
        connection.execute(insert(story).values(values))


def _delete_orphans(connection: Connection) -> None:
    """Delete rows that refer to lost rows, and turn copies of lost articles into reports.

    Without their identity keys and observations, lost articles are accepted when they arrive again.
    """
    for table in metadata.sorted_tables:
        for key in table.foreign_keys if table is not article else ():
            lost = ~exists().where(key.column == key.parent)
            connection.execute(delete(table).where(key.parent.is_not(None), lost))
    for table in (identity_key, observation):
        connection.execute(
            delete(table).where(
                table.c.article != "",
                ~exists().where(article.c.id == table.c.article),
                ~exists().where(tombstone.c.article == table.c.article),
                ~exists().where(entry.c.article == table.c.article),
            )
        )
    original = article.alias("original_article")
    is_copy_of_lost = article.c.copy_of.is_not(None), ~exists().where(original.c.id == article.c.copy_of)
    connection.execute(
        update(article).where(*is_copy_of_lost, article.c.role != "container").values(role="report")
    )
    connection.execute(update(article).where(*is_copy_of_lost).values(copy_of=None))


def _clear_search(connection: Connection) -> None:
    """Empty the full-text index and queue all articles for indexing."""
    is_sqlite = connection.dialect.name == "sqlite"
    emptied = "INSERT INTO article_search(article_search) VALUES ('delete-all')"
    connection.execute(text(emptied if is_sqlite else "DELETE FROM article_search"))
    index.reindex_all(connection)


def _clear_rendered(connection: Connection) -> None:
    """Clear what stories show where it can be rendered again: retention has deleted texts of the others."""
    members = exists().where(article.c.story == story.c.id)
    can_render = members, ~members.where(article.c.text.is_(None))
    rendered = update(story).where(story.c.redirect_to.is_(None), *can_render)
    connection.execute(rendered.values(text=None, rendered=None))


def next_articles(connection: Connection, after: int, limit: int) -> Sequence[int]:
    """Return the inbox numbers of the next articles."""
    chosen = select(article.c.inbox_no).where(article.c.inbox_no > after).order_by(article.c.inbox_no)
    return connection.execute(chosen.limit(limit)).scalars().all()


def write_stories(database: Database, families: Mapping[str, str] | None, advance: Advance) -> None:
    """Compute counts and times of stories; headline, order and log stay."""
    live = story.c.redirect_to.is_(None)
    last = 0
    while True:
        chosen = select(story.c.story_no, story.c.id).where(live, story.c.story_no > last)
        with database.write() as connection:
            rows = connection.execute(chosen.order_by(story.c.story_no).limit(_STORIES_AT_ONCE)).all()
            for row in rows:
                members = articles.members(connection, row.id)
                if members:
                    derived = stories.columns_of_members(members, families)
                    stories.write_derived(connection, row.id, derived)
        if not rows:
            return
        last = rows[-1].story_no
        advance(len(rows))
