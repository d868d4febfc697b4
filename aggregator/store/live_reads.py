"""How often the page of a live blog is read again: when its feed entry changes, so often within a time.

A live blog grows under one address; its entry in the feed says when (other words, or only a later `updated`).
A change past the limit is not taken and not remembered either: it is a change still when the limit allows it.
"""

import datetime as dt
from collections.abc import Collection
from typing import Literal, NamedTuple

from sqlalchemy import Connection, func, select

from aggregator.model import Entry, Noun
from aggregator.store.tables import article, entry

Outcome = Literal["new", "known", "revision"]


class LiveRules(Noun, frozen=True, kw_only=True):
    """At most `most` times within `hours`."""

    most: int
    hours: float


class _Reads(NamedTuple):
    """What was read of one live blog."""

    lately: int  # times within the hours of the rule, without the first
    last: dt.datetime  # when its newest entry came in


class LiveBlogs:
    """Those of some articles that are live blogs (or briefings), and how often each was read lately."""

    def __init__(
        self, connection: Connection, articles: Collection[str], now: dt.datetime, rules: LiveRules | None
    ) -> None:
        """`rules` None: nothing is held back and nothing read more often."""
        self._rules = rules
        self._reads: dict[str, _Reads] = {}
        wanted = sorted(articles) if rules is not None else []
        for start in range(0, len(wanted), 500):
            containers = select(article.c.id).where(
                article.c.id.in_(wanted[start : start + 500]), article.c.role == "container"
            )
            for id_ in connection.execute(containers).scalars().all():
                self._reads[id_] = _reads(connection, id_, now, rules)

    def is_read_enough(self, id_: str) -> bool:
        """Whether the page of article `id_` may not be read again now."""
        reads = self._reads.get(id_)
        return reads is not None and self._rules is not None and reads.lately >= self._rules.most

    def outcome(self, id_: str, item: Entry, judged: Outcome) -> Outcome:
        """A revision also where the feed only says that the live blog has changed since it was read."""
        reads = self._reads.get(id_)
        if judged != "known" or reads is None or item.updated is None:
            return judged
        return "revision" if item.updated > reads.last else "known"


def _reads(connection: Connection, id_: str, now: dt.datetime, rules: LiveRules | None) -> _Reads:
    since = now - dt.timedelta(hours=rules.hours if rules else 0)
    newest = select(func.max(entry.c.accepted_at)).where(entry.c.article == id_)
    again = select(func.count()).where(entry.c.article == id_, entry.c.revises, entry.c.accepted_at > since)
    last: dt.datetime | None = connection.execute(newest).scalar_one()
    return _Reads(lately=connection.execute(again).scalar_one(), last=last or now)
