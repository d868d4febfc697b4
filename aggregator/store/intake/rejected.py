"""What could not become an entry, by the file it stands in: a mended file takes all its refusals along.

A refusal's item is the file itself, or the file, a comma and a place in it: "/news/a.jsonl, line 3".
"""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import Connection, delete, select

from aggregator.extract.language.unicode import clean
from aggregator.model.core import Noun
from aggregator.store.sql import in_parts, insert_or
from aggregator.store.tables import refusal

_PLACE = ", "


class Refusal(Noun, frozen=True, kw_only=True):
    """Something that could not become an entry."""

    source: str
    item: str
    verdict: str
    reason: str
    at: dt.datetime


def latest(connection: Connection, limit: int) -> list[Refusal]:
    """What was refused last, the newest first."""
    statement = select(refusal).order_by(refusal.c.at.desc(), refusal.c.item).limit(limit)
    return [Refusal(**row._mapping) for row in connection.execute(statement)]


def note(
    connection: Connection, *, source: str, item: str, verdict: str, reason: str, at: dt.datetime
) -> None:
    """Remember what could not become an entry; the same again replaces what was noted before."""
    values = {"source": source, "item": clean(item), "verdict": verdict, "reason": reason, "at": at}
    statement = insert_or(connection, refusal).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=["source", "item"], set_=values))


def forget(connection: Connection, *, source: str, items: Sequence[str]) -> None:
    """What was refused came in after all."""
    for chunk in in_parts([clean(item) for item in items]):  # file names need not be text
        connection.execute(delete(refusal).where(refusal.c.source == source, refusal.c.item.in_(chunk)))


def forget_files(connection: Connection, files: Collection[str]) -> None:
    """Drop all that was refused of these files, whoever read them."""
    wanted = {clean(file) for file in files}  # file names need not be text
    if not wanted:
        return
    for row in connection.execute(select(refusal.c.source, refusal.c.item)).all():
        if any(file in wanted for file in _files_of(row.item)):
            connection.execute(
                delete(refusal).where(refusal.c.source == row.source, refusal.c.item == row.item)
            )


def forget_source(connection: Connection, source: str) -> None:
    """Drop all that was refused of a source that is there no more."""
    connection.execute(delete(refusal).where(refusal.c.source == source))


def in_words(connection: Connection, source: str) -> str | None:
    """What is still refused of a source: the last of it, and how much more there is."""
    rows = connection.execute(
        select(refusal.c.item, refusal.c.reason)
        .where(refusal.c.source == source)
        .order_by(refusal.c.at, refusal.c.item)
    ).all()
    if not rows:
        return None
    more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
    return f"{rows[-1].item}: {rows[-1].reason}{more}"


def _files_of(item: str) -> Iterator[str]:
    """The files that an item may stand in: names and addresses may have commas too."""
    yield item
    end = item.find(_PLACE)
    while end >= 0:
        yield item[:end]
        end = item.find(_PLACE, end + 1)
