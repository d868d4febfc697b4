"""Entries that were set aside because placing them failed. Their words are kept, and they may wait again."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, select, update

from aggregator.store.intake import prefetched
from aggregator.store.intake.inbox import take_numbers
from aggregator.store.tables import article, entry

REASON: Final = "placing it failed"  # what the reason of such an entry begins with
_VERDICT: Final = "not_article"

IS_ASIDE: Final[ColumnElement[bool]] = and_(
    entry.c.state == "refused",
    entry.c.verdict == _VERDICT,
    entry.c.reason.startswith(REASON, autoescape=True),
)


def set_aside(connection: Connection, n: int, *, at: dt.datetime, reason: str) -> None:
    """Take entry `n` out of the queue, words and all; where REASON begins `reason` it may wait again."""
    values = {"state": "refused", "outcome": "refused", "verdict": _VERDICT, "reason": reason, "done_at": at}
    connection.execute(update(entry).where(entry.c.n == n, entry.c.state == "ready").values(**values))
    prefetched.drop(connection, [n])


def wait_again(connection: Connection, numbers: Sequence[str]) -> int:
    """Let these entries be placed after all that waits; returns how many were aside.

    One whose article came meanwhile has lost its page: as the older of two it says nothing new then.
    """
    waiting = 0
    for n in numbers:
        found = connection.execute(select(entry.c.article).where(entry.c.n == int(n), IS_ASIDE)).first()
        if found is None:
            continue
        is_there = connection.execute(select(article.c.n).where(article.c.root == found.article)).first()
        values: dict[str, Any] = dict.fromkeys(("outcome", "verdict", "reason", "done_at"))
        values |= {"state": "ready", "inbox_no": take_numbers(connection, "inbox", 1) + 1}
        values |= {} if is_there is None else {"page": None}
        connection.execute(update(entry).where(entry.c.n == int(n)).values(**values))
        waiting += 1
    return waiting
