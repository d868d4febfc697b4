"""What could not become an entry, by the file it stands in: a mended file takes all its refusals along.

A refusal's item is the file itself, or the file, a comma and a place in it: "/news/a.jsonl, line 3".

Entries that were set aside because placing them failed. Their words are kept, and they may wait again.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from aggregator.extract.language.unicode import clean
from aggregator.model.core import FrozenStruct
from aggregator.store.intake import prefetched
from aggregator.store.intake.inbox import take_numbers
from aggregator.store.tables import article, entry, in_parts, insert_or, refusal

REASON: Final = "placing it failed"  # what the reason of such an entry begins with
_VERDICT: Final = "not_article"

IS_QUARANTINED: Final[ColumnElement[bool]] = and_(
    entry.c.state == "refused",
    entry.c.verdict == _VERDICT,
    entry.c.reason.startswith(REASON, autoescape=True),
)


def quarantine(connection: Connection, n: int, *, at: dt.datetime, reason: str) -> None:
    """Take entry `n` out of the queue, words and all; where REASON begins `reason` it may wait again."""
    values = {"state": "refused", "outcome": "refused", "verdict": _VERDICT, "reason": reason, "done_at": at}
    connection.execute(update(entry).where(entry.c.n == n, entry.c.state == "ready").values(**values))
    prefetched.drop(connection, [n])


def requeue(connection: Connection, numbers: Sequence[str]) -> int:
    """Let these entries be placed after all that waits; returns how many were aside.

    One whose article came meanwhile has lost its page: as the older of two it says nothing new then.
    """
    waiting = 0
    for n in numbers:
        found = connection.execute(select(entry.c.article).where(entry.c.n == int(n), IS_QUARANTINED)).first()
        if found is None:
            continue
        is_there = connection.execute(select(article.c.n).where(article.c.root == found.article)).first()
        values: dict[str, Any] = dict.fromkeys(("outcome", "verdict", "reason", "done_at"))
        values |= {"state": "ready", "inbox_no": take_numbers(connection, "inbox", 1) + 1}
        values |= {} if is_there is None else {"page": None}
        connection.execute(update(entry).where(entry.c.n == int(n)).values(**values))
        waiting += 1
    return waiting


_PLACE = ", "


class RejectedInput(FrozenStruct, frozen=True, kw_only=True):
    """Something that could not become an entry."""

    source: str
    item: str
    verdict: str
    reason: str
    at: dt.datetime


def latest(connection: Connection, limit: int) -> list[RejectedInput]:
    """What was refused last, the newest first."""
    statement = select(refusal).order_by(refusal.c.at.desc(), refusal.c.item).limit(limit)
    return [RejectedInput(**row._mapping) for row in connection.execute(statement)]


def note(
    connection: Connection, *, source: str, item: str, verdict: str, reason: str, at: dt.datetime
) -> None:
    """Remember what could not become an entry; the same again replaces what was noted before."""
    values = {"source": source, "item": clean(item), "verdict": verdict, "reason": reason, "at": at}
    statement = insert_or(connection, refusal).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=["source", "item"], set_=values))


def clear(connection: Connection, *, source: str, items: Sequence[str]) -> None:
    """What was refused came in after all."""
    for chunk in in_parts([clean(item) for item in items]):  # file names need not be text
        connection.execute(delete(refusal).where(refusal.c.source == source, refusal.c.item.in_(chunk)))


def clear_files(connection: Connection, files: Collection[str]) -> None:
    """Drop all that was refused of these files, whoever read them."""
    wanted = {clean(file) for file in files}  # file names need not be text
    if not wanted:
        return
    for row in connection.execute(select(refusal.c.source, refusal.c.item)).all():
        if any(file in wanted for file in _files_of(row.item)):
            connection.execute(
                delete(refusal).where(refusal.c.source == row.source, refusal.c.item == row.item)
            )


def clear_source(connection: Connection, source: str) -> None:
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
