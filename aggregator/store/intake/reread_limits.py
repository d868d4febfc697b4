"""Limits of how often a polled article is read again when its feed entry changes.

A live blog grows under one address; its feed entry shows when (another text, or only a later `updated`).
Other articles are followed, too, but there are feeds whose entries change at every poll: a counter of
comments, the time of the response as their date. A change beyond the limit is neither accepted nor stored as
an observation, so it still counts as a change when the limit allows it.
"""

import datetime as dt
from collections.abc import Collection
from typing import Literal, NamedTuple

from sqlalchemy import Connection, func, select

from aggregator.model.core import Entry, FrozenStruct
from aggregator.store.tables import article, entry, in_parts

AcceptOutcome = Literal["new", "known", "revision", "forgotten"]


class RereadTuning(FrozenStruct, frozen=True, kw_only=True):
    """Within `hours`, at most `most` readings of a live blog's page and `others` of any other article."""

    most: int
    others: int
    hours: float


class _ReadCounts(NamedTuple):
    """Readings of one live blog."""

    lately: int  # revisions within `RereadTuning.hours`
    last: dt.datetime  # when its newest entry was accepted


class RereadLimits:
    """Limits for some articles. Live blogs and roundups among them are counted in advance."""

    def __init__(
        self, connection: Connection, articles: Collection[str], now: dt.datetime, tuning: RereadTuning | None
    ) -> None:
        """`tuning` None: no limits."""
        self._connection = connection
        self._now = now
        self._tuning = tuning
        self._reads: dict[str, _ReadCounts] = {}
        if tuning is None:
            return
        for some in in_parts(sorted(articles)):
            containers = select(article.c.id).where(article.c.id.in_(some), article.c.role == "container")
            for id_ in connection.execute(containers).scalars().all():
                self._reads[id_] = _reads(connection, id_, now, tuning)

    def is_read_enough(self, id_: str, judged: AcceptOutcome, *, by_page: bool) -> bool:
        """Whether article `id_` has reached its limit; `by_page`: its page would be fetched."""
        if self._tuning is None:
            return False
        reads = self._reads.get(id_)
        if reads is not None:
            return by_page and reads.lately >= self._tuning.most
        if judged != "revision":
            return False
        return _lately(self._connection, id_, self._now, self._tuning) >= self._tuning.others

    def outcome(self, id_: str, item: Entry, judged: AcceptOutcome) -> AcceptOutcome:
        """Return "revision" also if the feed only states a later `updated` of a live blog."""
        reads = self._reads.get(id_)
        if judged != "known" or reads is None or item.updated is None:
            return judged
        return "revision" if item.updated > reads.last else "known"


def _reads(connection: Connection, id_: str, now: dt.datetime, tuning: RereadTuning) -> _ReadCounts:
    newest = select(func.max(entry.c.accepted_at)).where(entry.c.article == id_)
    last: dt.datetime | None = connection.execute(newest).scalar_one()
    return _ReadCounts(lately=_lately(connection, id_, now, tuning), last=last or now)


def _lately(connection: Connection, id_: str, now: dt.datetime, tuning: RereadTuning) -> int:
    since = now - dt.timedelta(hours=tuning.hours)
    again = select(func.count()).where(
        entry.c.article == id_, entry.c.is_revision, entry.c.accepted_at > since
    )
    count: int = connection.execute(again).scalar_one()
    return count
