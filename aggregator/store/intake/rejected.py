"""Rejected input, and entries in quarantine.

Rejected input could not become an entry. Its item is a file, or the file, a comma and a place in it, like
"/news/a.jsonl, line 3": when a corrected file is read, all of its rejections are deleted.

Entries in quarantine are stored, but placing them failed. They keep their text and can be queued again.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, select, update

from aggregator.extract.language.unicode import clean
from aggregator.model.core import FrozenStruct
from aggregator.store.intake import prefetched
from aggregator.store.intake.inbox import take_numbers
from aggregator.store.tables import article, change_with, entry, rejected_input, upsert

REASON: Final = "placing it failed"  # beginning of the reason of an entry in quarantine
_VERDICT: Final = "not_article"

IS_QUARANTINED: Final[ColumnElement[bool]] = and_(
    entry.c.state == "refused",
    entry.c.verdict == _VERDICT,
    entry.c.reason.startswith(REASON, autoescape=True),
)


def quarantine(connection: Connection, n: int, *, at: dt.datetime, reason: str) -> None:
    """Move entry `n` to quarantine. It can be queued again if `reason` begins with REASON."""
    values = {"state": "refused", "outcome": "refused", "verdict": _VERDICT, "reason": reason, "done_at": at}
    connection.execute(update(entry).where(entry.c.entry_no == n, entry.c.state == "ready").values(**values))
    prefetched.drop(connection, [n])


def requeue(connection: Connection, numbers: Sequence[str]) -> int:
    """Queue entries from quarantine at the end. Return how many there were.

    An entry whose article was placed meanwhile loses its page: its older text is no revision.
    """
    waiting = 0
    for n in numbers:
        found = connection.execute(
            select(entry.c.article).where(entry.c.entry_no == int(n), IS_QUARANTINED)
        ).first()
        if found is None:
            continue
        placed = connection.execute(
            select(article.c.inbox_no).where(article.c.root_article == found.article)
        ).first()
        values: dict[str, Any] = dict.fromkeys(("outcome", "verdict", "reason", "done_at"))
        values |= {"state": "ready", "inbox_no": take_numbers(connection, "inbox", 1) + 1}
        values |= {} if placed is None else {"page": None}
        connection.execute(update(entry).where(entry.c.entry_no == int(n)).values(**values))
        waiting += 1
    return waiting


_PLACE = ", "


class RejectedInput(FrozenStruct, frozen=True, kw_only=True):
    """Input that could not become an entry."""

    source: str
    item: str
    verdict: str
    reason: str
    at: dt.datetime


def latest(connection: Connection, limit: int) -> list[RejectedInput]:
    """Return the newest rejected inputs first."""
    statement = (
        select(rejected_input).order_by(rejected_input.c.at.desc(), rejected_input.c.item).limit(limit)
    )
    return [RejectedInput(**row._mapping) for row in connection.execute(statement)]


def note(
    connection: Connection, *, source: str, item: str, verdict: str, reason: str, at: dt.datetime
) -> None:
    """Store a rejected input, in place of an earlier one of the same item."""
    values = {"source": source, "item": clean(item), "verdict": verdict, "reason": reason, "at": at}
    upsert(connection, rejected_input, values)


def clear(connection: Connection, *, source: str, items: Sequence[str]) -> None:
    """Delete these items, which were read successfully."""
    of_source = delete(rejected_input).where(rejected_input.c.source == source)
    names = map(clean, items)  # file names need not be text
    change_with(connection, of_source, rejected_input.c.item, names)


def clear_files(connection: Connection, files: Collection[str]) -> None:
    """Delete all rejected inputs of these files, whatever their source."""
    names = {clean(file) for file in files}  # file names need not be text
    if not names:
        return
    for row in connection.execute(select(rejected_input.c.source, rejected_input.c.item)).all():
        if any(file in names for file in _files_of(row.item)):
            connection.execute(
                delete(rejected_input).where(
                    rejected_input.c.source == row.source, rejected_input.c.item == row.item
                )
            )


def clear_source(connection: Connection, source: str) -> None:
    """Delete all rejected inputs of a source."""
    connection.execute(delete(rejected_input).where(rejected_input.c.source == source))


def in_words(connection: Connection, source: str) -> str | None:
    """Return the newest rejected input of a source in words, with the number of others; None without any."""
    rows = connection.execute(
        select(rejected_input.c.item, rejected_input.c.reason)
        .where(rejected_input.c.source == source)
        .order_by(rejected_input.c.at, rejected_input.c.item)
    ).all()
    if not rows:
        return None
    more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
    return f"{rows[-1].item}: {rows[-1].reason}{more}"


def _files_of(item: str) -> Iterator[str]:
    """Yield the files that an item may be in: names and addresses may contain commas."""
    yield item
    end = item.find(_PLACE)
    while end >= 0:
        yield item[:end]
        end = item.find(_PLACE, end + 1)
